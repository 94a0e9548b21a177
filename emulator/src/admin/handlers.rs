//! One function for each route of the admin API.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, Uri};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Desk;
use super::answers::{Refused, read};
use super::computes::shown;
use crate::Error;
use crate::clock::{ClockChange, ClockReading};
use crate::dns::{DnsRule, Rules};
use crate::faults::{Fault, FaultReport};
use crate::token::TokenSettings;

pub(super) type Answer = Result<Json<Value>, Refused>;
pub(super) type At = State<Arc<Desk>>;

pub(super) async fn health() -> Json<Value> {
    Json(json!({"status": "ok", "version": env!("CARGO_PKG_VERSION")}))
}

pub(super) async fn state(State(desk): At) -> Json<Value> {
    let view = desk.lakebase.view();
    let endpoints: Vec<Value> = view.endpoints().map(|at| shown(&view, at)).collect();
    let projects: Vec<Value> = view
        .projects()
        .iter()
        .map(|project| json!(project.name()))
        .collect();
    Json(json!({
        "state_dir": desk.lakebase.state_dir(),
        "clock": desk.lakebase.clock.reading(),
        "tokens": desk.lakebase.tokens.knobs(),
        "projects": projects,
        "endpoints": endpoints,
        "faults": desk.lakebase.faults.list(),
        "counters": desk.lakebase.journal.counters(),
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Since {
    #[serde(default)]
    since: u64,
}

pub(super) async fn requests(
    State(desk): At,
    query: Result<Query<Since>, axum::extract::rejection::QueryRejection>,
) -> Answer {
    let Query(Since { since }) =
        query.map_err(|error| Refused::new(StatusCode::BAD_REQUEST, error.body_text()))?;
    let entries = desk.lakebase.journal.since(since);
    let last = entries.last().map_or(since, |entry| entry.seq);
    Ok(Json(
        json!({"entries": entries, "last": last, "counters": desk.lakebase.journal.counters()}),
    ))
}

/// What a reset leaves alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Part {
    Clock,
    Faults,
    Journal,
    Resources,
    Tokens,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reset {
    #[serde(default)]
    keep: Vec<Part>,
}

pub(super) async fn reset(State(desk): At, body: Bytes) -> Answer {
    let Reset { keep } = read(&body)?;
    let lakebase = &desk.lakebase;
    if !keep.contains(&Part::Clock) {
        lakebase.clock.reset();
    }
    if !keep.contains(&Part::Faults) {
        lakebase.faults.clear();
        if let Some(rules) = &desk.dns {
            rules.clear();
        }
        if let Ok(behind) = desk.behind("have a front door") {
            behind.set_door(true).await?;
            behind.certificates().show(None).map_err(Error::from)?;
        }
    }
    if !keep.contains(&Part::Tokens) {
        lakebase.tokens.reset();
    }
    if !keep.contains(&Part::Resources) {
        lakebase.reset_resources()?;
        if let Ok(behind) = desk.behind("remove branches") {
            behind.forget_lost().await?;
        }
    }
    if !keep.contains(&Part::Journal) {
        lakebase.journal.reset();
    }
    Ok(Json(json!({})))
}

pub(super) async fn clock(State(desk): At) -> Json<ClockReading> {
    Json(desk.lakebase.clock.reading())
}

pub(super) async fn set_clock(State(desk): At, body: Bytes) -> Result<Json<ClockReading>, Refused> {
    let change: ClockChange = read(&body)?;
    Ok(Json(desk.lakebase.clock.change(&change)?))
}

pub(super) async fn tokens(State(desk): At) -> Json<Value> {
    Json(json!(desk.lakebase.tokens.knobs()))
}

pub(super) async fn set_tokens(State(desk): At, body: Bytes) -> Answer {
    let settings: TokenSettings = read(&body)?;
    Ok(Json(json!(desk.lakebase.set_tokens(&settings)?)))
}

pub(super) async fn faults(State(desk): At) -> Json<Vec<FaultReport>> {
    Json(desk.lakebase.faults.list())
}

pub(super) async fn set_fault(State(desk): At, body: Bytes) -> Answer {
    let fault: Fault = read(&body)?;
    Ok(Json(json!({"id": desk.lakebase.faults.add(fault)?})))
}

pub(super) async fn clear_faults(State(desk): At) -> Json<Value> {
    desk.lakebase.faults.clear();
    Json(json!({}))
}

fn rules(desk: &Desk) -> Result<&Arc<Rules>, Refused> {
    Ok(desk.dns.as_ref().ok_or(Error::NoNameServer)?)
}

pub(super) async fn dns(State(desk): At) -> Answer {
    let rules = rules(&desk)?;
    Ok(Json(json!({"rules": rules.list(), "asked": rules.asked()})))
}

pub(super) async fn set_dns(State(desk): At, body: Bytes) -> Answer {
    let rule: DnsRule = read(&body)?;
    rules(&desk)?.add(rule);
    Ok(Json(json!({})))
}

pub(super) async fn clear_dns(State(desk): At) -> Answer {
    rules(&desk)?.clear();
    Ok(Json(json!({})))
}

pub(super) async fn remove_fault(State(desk): At, Path(id): Path<String>) -> Answer {
    let known = id.parse().is_ok_and(|id| desk.lakebase.faults.remove(id));
    if known {
        Ok(Json(json!({})))
    } else {
        Err(Refused::new(
            StatusCode::NOT_FOUND,
            format!("no fault has the number {id:?}"),
        ))
    }
}

pub(super) async fn shutdown(State(desk): At) -> (StatusCode, Json<Value>) {
    desk.stop.send_replace(true);
    (StatusCode::ACCEPTED, Json(json!({"status": "stopping"})))
}

pub(super) async fn no_route(uri: Uri) -> Refused {
    Refused::new(
        StatusCode::NOT_FOUND,
        format!(
            "the admin API has no {}; `lakekey emulate --help` lists what it has",
            uri.path()
        ),
    )
}
