//! The part of the admin API that stands in for what surrounds Lakebase: how long operations take, and the tables of
//! the lakehouse that synced tables copy.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answers::read;
use super::handlers::{Answer, At};
use crate::Error;
use crate::state::source::{Column, Source};

pub(super) async fn operations(State(desk): At) -> Json<Value> {
    let all = desk.lakebase.view();
    let shown: Vec<Value> = all
        .kept()
        .operations
        .iter()
        .map(|it| json!({"name": it.name, "started": it.started, "due": it.due, "done": it.end.is_some()}))
        .collect();
    let delay_s = desk.lakebase.operation_delay().as_secs_f64();
    Json(json!({"delay_s": delay_s, "operations": shown}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OperationKnobs {
    delay_s: f64,
}

pub(super) async fn set_operations(State(desk): At, body: Bytes) -> Answer {
    let OperationKnobs { delay_s } = read(&body)?;
    let delay = Duration::try_from_secs_f64(delay_s)
        .map_err(|_| Error::invalid("delay_s", delay_s, "a number of seconds, 0 or more"))?;
    desk.lakebase.set_operation_delay(delay);
    Ok(Json(json!({"delay_s": delay_s})))
}

pub(super) async fn sources(State(desk): At) -> Json<Value> {
    Json(json!(desk.lakebase.view().kept().sources))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SourceChange {
    name: String,
    columns: Vec<Column>,
    rows: Vec<Vec<Value>>,
}

/// Sets a source, or gives one that is there its next version.
pub(super) async fn set_source(State(desk): At, body: Bytes) -> Answer {
    let SourceChange {
        name,
        columns,
        rows,
    } = read(&body)?;
    let parts: Vec<&str> = name.split('.').collect();
    if parts.len() != 3 || parts.iter().any(|part| part.is_empty()) {
        return Err(Error::invalid("name", format!("{name:?}"), "catalog.schema.table").into());
    }
    if let Some(row) = rows.iter().find(|row| row.len() != columns.len()) {
        let expected = format!("as long as the {} columns", columns.len());
        return Err(Error::invalid("rows", format!("a row of {}", row.len()), expected).into());
    }
    let now = desk.lakebase.clock.now();
    let version = desk.lakebase.change(|all| {
        let version = all.source(&name).map_or(0, |source| source.version + 1);
        let sources = all.sources_mut(&name);
        sources.retain(|source| source.name != name);
        sources.push(Source {
            name: name.clone(),
            columns,
            rows,
            version,
            changed: now,
        });
        Ok::<_, Error>(version)
    })?;
    Ok(Json(json!({"name": name, "version": version})))
}
