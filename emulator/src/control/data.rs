//! The Data API and the change feeds of a database. Both are state only: what is written is kept, checked and shown,
//! and nothing serves requests or replicates rows.

use serde_json::{Value, json};

use super::answer::{Answer, ApiError};
use super::write::Write;
use super::{find, permissions, render};
use crate::state::Resources;
use crate::state::identity::WORKSPACE_ID;
use crate::state::kind::Kind;
use crate::state::model::{CdfConfig, DataApi, Database, Level};
use crate::state::operation::Work;
use crate::state::spec::CdfSpec;

const MOST_SCHEMAS: usize = 100;

fn database<'a>(all: &'a Resources, ids: &[String]) -> Result<&'a Database, ApiError> {
    let id = |place: usize| ids.get(place).map_or("", String::as_str);
    let (_, branch) = find::branch(all, id(0), id(1))?;
    find::database(branch, id(2))
}

/// The database, to write to it.
pub(super) fn database_mut<'a>(all: &'a mut Resources, ids: &[String]) -> Option<&'a mut Database> {
    let id = |place: usize| ids.get(place).map_or("", String::as_str);
    let branch = all.branch_mut(id(0), id(1))?;
    branch.databases.iter_mut().find(|it| it.id == id(2))
}

fn name(ids: &[String]) -> String {
    let id = |place: usize| ids.get(place).map_or("", String::as_str);
    format!("projects/{}/branches/{}/databases/{}", id(0), id(1), id(2))
}

fn missing_api() -> ApiError {
    ApiError::not_found("data api not found")
}

pub(super) fn create_api(write: &Write<'_>) -> Result<Answer, ApiError> {
    let body = write.body()?;
    let mut spec = body.get("spec").cloned().unwrap_or_else(|| json!({}));
    if spec["db_schemas"].is_null() {
        spec["db_schemas"] = json!(["public"]);
    }
    check_api(&spec)?;
    write.begin(&format!("{}/data-api", name(write.ids)), |all, now| {
        permissions::may(
            all,
            write.caller,
            write.ids,
            Kind::DataApi,
            Level::CanManage,
        )?;
        if database(all, write.ids)?.data_api.is_some() {
            return Err(ApiError::already_exists("data api"));
        }
        if let Some(database) = database_mut(all, write.ids) {
            database.data_api = Some(DataApi {
                created: now,
                updated: now,
                spec,
            });
        }
        Ok(Work::Create)
    })
}

pub(super) fn update_api(write: &Write<'_>) -> Result<Answer, ApiError> {
    write.begin(&format!("{}/data-api", name(write.ids)), |all, _| {
        permissions::may(
            all,
            write.caller,
            write.ids,
            Kind::DataApi,
            Level::CanManage,
        )?;
        let api = database(all, write.ids)?.data_api.as_ref();
        let api = api.ok_or_else(missing_api)?;
        let next = write.masked(&json!({"spec": api.spec}))?;
        check_api(&next["spec"])?;
        Ok(Work::Update(next["spec"].clone()))
    })
}

pub(super) fn delete_api(write: &Write<'_>) -> Result<Answer, ApiError> {
    write.begin(&format!("{}/data-api", name(write.ids)), |all, _| {
        permissions::may(
            all,
            write.caller,
            write.ids,
            Kind::DataApi,
            Level::CanManage,
        )?;
        let there = database(all, write.ids)?.data_api.is_some();
        there.then_some(()).ok_or_else(missing_api)?;
        Ok(Work::Delete {
            purge: true,
            reassign_to: None,
        })
    })
}

fn check_api(spec: &Value) -> Result<(), ApiError> {
    let schemas = spec["db_schemas"].as_array().map_or(0, Vec::len);
    if schemas > MOST_SCHEMAS {
        return Err(ApiError::invalid(format!(
            "Field 'spec.db_schemas' must have at most {MOST_SCHEMAS} entries, got {schemas}."
        )));
    }
    match spec["db_max_rows"].as_i64() {
        Some(rows) if rows < 1 => Err(ApiError::invalid(format!(
            "Field 'spec.db_max_rows' must be positive, got {rows}."
        ))),
        _ => Ok(()),
    }
}

pub(super) fn shown_api(all: &Resources, ids: &[String]) -> Result<Value, ApiError> {
    let id = |place: usize| ids.get(place).map_or("", String::as_str);
    let (_, branch) = find::branch(all, id(0), id(1))?;
    let database = database(all, ids)?;
    let api = database.data_api.as_ref().ok_or_else(missing_api)?;
    let mut status = api.spec.clone();
    status["available_schemas"] = json!(["public"]);
    if let Some(primary) = branch.primary() {
        let (host, _) = all.host(&primary.uid);
        let database = &database.spec.postgres_database;
        status["url"] = json!(format!(
            "https://{host}/api/2.0/workspace/{WORKSPACE_ID}/rest/{database}"
        ));
    }
    Ok(json!({
        "name": format!("{}/data-api", name(ids)),
        "parent": name(ids),
        "create_time": api.created,
        "update_time": api.updated,
        "status": status,
    }))
}

pub(super) fn create_config(write: &Write<'_>) -> Result<Answer, ApiError> {
    let body = write.body()?;
    let spec: CdfSpec = super::write::typed(&body)?;
    let fields = [
        ("catalog", &spec.catalog),
        ("schema", &spec.schema),
        ("postgres_schema", &spec.postgres_schema),
    ];
    for (field, value) in fields {
        if value.is_empty() {
            return Err(ApiError::missing(&format!("cdf_config.{field}")));
        }
    }
    let chosen = write.query("cdf_config_id");
    let id = chosen.unwrap_or_else(|| spec.postgres_schema.clone());
    check_config_id(&id)?;
    write.begin(
        &format!("{}/cdf-configs/{id}", name(write.ids)),
        |all, now| {
            permissions::may(
                all,
                write.caller,
                write.ids,
                Kind::CdfConfig,
                Level::CanManage,
            )?;
            let known = &database(all, write.ids)?.cdf_configs;
            if known.iter().any(|config| config.id == id) {
                return Err(ApiError::already_exists("cdf config"));
            }
            if let Some(other) = known
                .iter()
                .find(|config| config.spec.postgres_schema == spec.postgres_schema)
            {
                return Err(ApiError::new(
                    super::CONFLICT,
                    "ALREADY_EXISTS",
                    format!(
                        "the schema '{}' is replicated by the cdf config '{}' already",
                        spec.postgres_schema, other.id
                    ),
                ));
            }
            if let Some(database) = database_mut(all, write.ids) {
                database.cdf_configs.push(CdfConfig {
                    id: id.clone(),
                    created: now,
                    spec,
                });
            }
            Ok(Work::Create)
        },
    )
}

fn check_config_id(id: &str) -> Result<(), ApiError> {
    let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if (1..=63).contains(&id.len()) && id.as_bytes()[0].is_ascii_lowercase() && id.bytes().all(good)
    {
        return Ok(());
    }
    Err(ApiError::invalid(format!(
        "Field cdf_config_id must match pattern ^[a-z][a-z0-9_]{{0,62}}$, got '{id}'."
    )))
}

pub(super) fn delete_config(write: &Write<'_>) -> Result<Answer, ApiError> {
    write.flag("force")?;
    let resource = format!("{}/cdf-configs/{}", name(write.ids), write.id(3));
    write.begin(&resource, |all, _| {
        permissions::may(
            all,
            write.caller,
            write.ids,
            Kind::CdfConfig,
            Level::CanManage,
        )?;
        config(all, write.ids)?;
        Ok(Work::Delete {
            purge: true,
            reassign_to: None,
        })
    })
}

pub(super) fn config<'a>(all: &'a Resources, ids: &[String]) -> Result<&'a CdfConfig, ApiError> {
    let id = ids.get(3).map_or("", String::as_str);
    let mut configs = database(all, ids)?.cdf_configs.iter();
    configs
        .find(|config| config.id == id)
        .ok_or_else(|| ApiError::not_found("cdf config not found"))
}

pub(super) fn shown_config(all: &Resources, ids: &[String]) -> Result<Value, ApiError> {
    Ok(shown_cdf(&name(ids), config(all, ids)?))
}

pub(super) fn shown_cdf(parent: &str, config: &CdfConfig) -> Value {
    let mut shown = json!({
        "name": format!("{parent}/cdf-configs/{}", config.id),
        "cdf_config_id": config.id,
        "create_time": config.created,
    });
    render::put(&mut shown, "catalog", config.spec.catalog.clone());
    render::put(&mut shown, "schema", config.spec.schema.clone());
    render::put(
        &mut shown,
        "postgres_schema",
        config.spec.postgres_schema.clone(),
    );
    shown
}
