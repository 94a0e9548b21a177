//! Catalogs and synced tables. Of Unity Catalog there is nothing but these names: a catalog registers a database, and a
//! synced table copies a source that the admin API holds into it.

use serde_json::{Value, json};

use super::answer::{Answer, ApiError};
use super::render::{put, put_time};
use super::roles::made_id;
use super::write::{Write, typed};
use super::{find, permissions};
use crate::state::kind::Kind;
use crate::state::model::{Catalog, Database, Level, SyncedTable};
use crate::state::names;
use crate::state::operation::{Operation, Work};
use crate::state::source::Source;
use crate::state::spec::{CatalogSpec, DatabaseSpec, SchedulingPolicy, SyncedTableSpec};
use crate::state::{Job, Lakebase, Resources};
use crate::synced::columns;

pub(super) fn create_catalog(write: &Write<'_>) -> Result<Answer, ApiError> {
    let id = write.chosen_id()?;
    if !is_uc_name(&id) {
        return Err(ApiError::invalid(format!(
            "Field catalog_id must be a name of letters, digits, '_' and '-', got '{id}'."
        )));
    }
    let body = write.body()?;
    let spec: CatalogSpec = typed(body.get("spec").unwrap_or(&json!({})))?;
    if spec.postgres_database.is_empty() {
        return Err(ApiError::missing("catalog.spec.postgres_database"));
    }
    if spec.branch.is_empty() {
        return Err(ApiError::missing("catalog.spec.branch"));
    }
    let uid = names::uuid(&write.salt());
    let database_id = made_id(write.lakebase, "db");
    write.begin(&format!("catalogs/{id}"), |all, now| {
        if all.catalog(&id).is_some() {
            return Err(ApiError::already_exists("catalog"));
        }
        need_database(
            all,
            write,
            &spec.branch,
            &spec.postgres_database,
            spec.create_database_if_missing,
            &database_id,
            now,
        )?;
        all.catalogs_mut(&id).push(Catalog {
            id: id.clone(),
            uid,
            created: now,
            updated: now,
            spec,
            ready: false,
        });
        Ok(Work::Create)
    })
}

/// Refuses a database that is not there, or puts it there if it may be made.
fn need_database(
    all: &mut Resources,
    write: &Write<'_>,
    branch_name: &str,
    postgres_database: &str,
    make: bool,
    id: &str,
    now: jiff::Timestamp,
) -> Result<(), ApiError> {
    let (project, branch) = find::named_branch(all, branch_name)?;
    let owner = [project.id.clone()];
    permissions::may(all, write.caller, &owner, Kind::Database, Level::CanUse)?;
    let mut databases = branch.databases.iter();
    if databases.any(|database| database.spec.postgres_database == postgres_database) {
        return Ok(());
    }
    if !make {
        return Err(ApiError::not_found(format!(
            "database not found; postgres_database:\"{postgres_database}\""
        )));
    }
    let roles = &branch.roles;
    let own = roles
        .iter()
        .find(|role| role.spec.postgres_role == write.caller.user_name);
    let role = own.or_else(|| roles.iter().find(|role| role.spec.superuser()));
    let role = role.map(|role| format!("{branch_name}/roles/{}", role.id));
    let database = Database {
        id: id.to_owned(),
        created: now,
        updated: now,
        spec: DatabaseSpec {
            role: role.unwrap_or_default(),
            postgres_database: postgres_database.to_owned(),
        },
        initial: false,
        data_api: None,
        cdf_configs: Vec::new(),
    };
    let (p, b) = (project.id.clone(), branch.id.clone());
    if let Some(branch) = all.branch_mut(&p, &b) {
        branch.databases.push(database);
    }
    Ok(())
}

pub(super) fn delete_catalog(write: &Write<'_>) -> Result<Answer, ApiError> {
    let id = write.id(0);
    write.begin(&format!("catalogs/{id}"), |all, _| {
        all.catalog(id).ok_or_else(missing_catalog)?;
        Ok(Work::Delete {
            purge: true,
            reassign_to: None,
        })
    })
}

fn missing_catalog() -> ApiError {
    ApiError::not_found("catalog not found")
}

pub(super) fn shown_catalog(all: &Resources, id: &str) -> Result<Value, ApiError> {
    let catalog = all.catalog(id).ok_or_else(missing_catalog)?;
    let project = catalog.spec.branch.split("/branches/").next();
    Ok(json!({
        "name": format!("catalogs/{}", catalog.id),
        "catalog_id": catalog.id,
        "uid": catalog.uid,
        "create_time": catalog.created,
        "update_time": catalog.updated,
        "status": {
            "branch": catalog.spec.branch,
            "project": project,
            "postgres_database": catalog.spec.postgres_database,
        },
    }))
}

pub(super) fn create_table(write: &Write<'_>) -> Result<Answer, ApiError> {
    let id = write.chosen_id()?;
    let parts: Vec<&str> = id.split('.').collect();
    let &[catalog, schema, table] = parts.as_slice() else {
        return Err(not_three_parts("synced_table_id", &id));
    };
    if [catalog, schema, table].iter().any(|part| part.is_empty()) {
        return Err(not_three_parts("synced_table_id", &id));
    }
    let body = write.body()?;
    let mut spec: SyncedTableSpec = typed(body.get("spec").unwrap_or(&json!({})))?;
    if spec.source_table_full_name.is_empty() {
        return Err(ApiError::missing(
            "synced_table.spec.source_table_full_name",
        ));
    }
    let uid = names::uuid(&write.salt());
    let pipeline = names::uuid(&write.salt());
    let database_id = made_id(write.lakebase, "db");
    write.begin(&format!("synced_tables/{id}"), |all, now| {
        if all.synced_table(&id).is_some() {
            return Err(ApiError::already_exists("synced table"));
        }
        if let Some(registered) = all.catalog(catalog) {
            if spec.branch.is_empty() {
                spec.branch.clone_from(&registered.spec.branch);
            }
            if spec.postgres_database.is_empty() {
                spec.postgres_database
                    .clone_from(&registered.spec.postgres_database);
            }
        }
        if spec.branch.is_empty() {
            return Err(ApiError::missing("synced_table.spec.branch"));
        }
        if spec.postgres_database.is_empty() {
            return Err(ApiError::missing("synced_table.spec.postgres_database"));
        }
        let name = &spec.source_table_full_name;
        let source = all.source(name).ok_or_else(|| no_source(all, name))?;
        check_table(&spec, source)?;
        let make = spec.create_database_objects_if_missing.unwrap_or(true);
        let (branch, database) = (spec.branch.clone(), spec.postgres_database.clone());
        need_database(all, write, &branch, &database, make, &database_id, now)?;
        let pipeline_id = spec.existing_pipeline_id.clone().unwrap_or(pipeline);
        all.synced_tables_mut(&id).push(SyncedTable {
            id: id.clone(),
            uid,
            created: now,
            spec,
            pipeline_id,
            ready: false,
            last_sync: None,
            failure: None,
        });
        Ok(Work::Create)
    })
}

fn check_table(spec: &SyncedTableSpec, source: &Source) -> Result<(), ApiError> {
    if spec.primary_key_columns.is_empty() {
        return Err(ApiError::missing("synced_table.spec.primary_key_columns"));
    }
    columns(spec, source)
        .map(drop)
        .map_err(|reason| ApiError::invalid(format!("Field 'spec': {reason}.")))
}

fn not_three_parts(field: &str, given: &str) -> ApiError {
    ApiError::invalid(format!(
        "Field {field} must be a name of three parts, catalog.schema.table, got '{given}'."
    ))
}

fn no_source(all: &Resources, name: &str) -> ApiError {
    let known: Vec<&str> = all
        .kept()
        .sources
        .iter()
        .map(|it| it.name.as_str())
        .collect();
    let known = if known.is_empty() {
        "it knows none; set one with POST /_emulator/sources".to_owned()
    } else {
        format!("it knows {}", known.join(", "))
    };
    ApiError::not_found(format!(
        "source table '{name}' not found: this emulator has no Unity Catalog but what its admin API was told; {known}"
    ))
}

pub(super) fn delete_table(write: &Write<'_>) -> Result<Answer, ApiError> {
    let id = write.id(0);
    write.begin(&format!("synced_tables/{id}"), |all, _| {
        all.synced_table(id).ok_or_else(missing_table)?;
        Ok(Work::Delete {
            purge: true,
            reassign_to: None,
        })
    })
}

fn missing_table() -> ApiError {
    ApiError::not_found("synced table not found")
}

pub(super) fn shown_table(all: &Resources, id: &str) -> Result<Value, ApiError> {
    let table = all.synced_table(id).ok_or_else(missing_table)?;
    let latest = all
        .source(&table.spec.source_table_full_name)
        .map_or(0, |source| source.version);
    let (state, message) = state_of(table, latest);
    let uc_state = match (table.ready, &table.failure) {
        (false, _) => "PROVISIONING",
        (true, Some(_)) => "DEGRADED",
        (true, None) => "ACTIVE",
    };
    let mut status = json!({
        "detailed_state": state,
        "message": message,
        "pipeline_id": table.pipeline_id,
        "unity_catalog_provisioning_state": uc_state,
    });
    put(
        &mut status,
        "project",
        table
            .spec
            .branch
            .split("/branches/")
            .next()
            .unwrap_or_default(),
    );
    if !table.ready {
        status["provisioning_phase"] = json!("PROVISIONING_PHASE_MAIN");
    }
    put_time(
        &mut status,
        "last_sync_time",
        table.last_sync.map(|it| it.ended),
    );
    if let Some(sync) = table.last_sync {
        status["last_processed_commit_version"] = json!(sync.version);
        status["last_sync"] = json!({
            "sync_start_time": sync.started,
            "sync_end_time": sync.ended,
            "delta_table_sync_info": {
                "delta_commit_version": sync.version,
                "delta_commit_time": sync.version_at,
            },
        });
        status["ongoing_sync_progress"] = json!({
            "latest_version_currently_processing": sync.version,
            "sync_progress_completion": 1.0,
            "synced_row_count": sync.rows,
            "total_row_count": sync.rows,
        });
    }
    Ok(json!({
        "name": format!("synced_tables/{}", table.id),
        "synced_table_id": table.id,
        "uid": table.uid,
        "create_time": table.created,
        "status": status,
    }))
}

fn state_of(table: &SyncedTable, latest: u64) -> (&'static str, String) {
    if let Some(failure) = &table.failure {
        let state = if table.last_sync.is_some() {
            "SYNCED_TABLE_ONLINE_PIPELINE_FAILED"
        } else {
            "SYNCED_TABLE_OFFLINE_FAILED"
        };
        return (state, failure.clone());
    }
    let Some(sync) = table.last_sync else {
        return (
            "SYNCED_TABLE_PROVISIONING_INITIAL_SNAPSHOT",
            "The first snapshot is being copied.".to_owned(),
        );
    };
    let done = format!(
        "The last sync copied version {} of the source.",
        sync.version
    );
    match table.spec.scheduling_policy {
        SchedulingPolicy::Continuous => ("SYNCED_TABLE_ONLINE_CONTINUOUS_UPDATE", done),
        SchedulingPolicy::Triggered if sync.version < latest => (
            "SYNCED_TABLE_ONLINE",
            format!("{done} It is at {latest} now."),
        ),
        _ => ("SYNCED_TABLE_ONLINE_NO_PENDING_UPDATE", done),
    }
}

/// `POST /api/2.0/pipelines/{id}/updates`: syncs the tables of a pipeline.
pub(super) fn start_update(lakebase: &Lakebase, pipeline: &str) -> Result<Answer, ApiError> {
    let all = lakebase.view();
    let tables = all.kept().synced_tables.iter();
    let mine: Vec<String> = tables
        .filter(|table| table.pipeline_id == pipeline && table.ready)
        .map(|table| table.id.clone())
        .collect();
    if mine.is_empty() {
        return Err(ApiError::new(
            super::NOT_FOUND,
            "RESOURCE_DOES_NOT_EXIST",
            format!("The specified pipeline {pipeline} was not found."),
        ));
    }
    for table in mine {
        lakebase.hand_over(Job::Sync(table));
    }
    Ok(Answer::ok(
        &json!({"update_id": lakebase.tokens.random_id(true)}),
    ))
}

fn is_uc_name(name: &str) -> bool {
    let good = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    !name.is_empty() && name.len() <= 255 && name.chars().all(good)
}

/// Whether somebody is still at work on the table.
pub(super) fn is_busy(all: &Resources, id: &str) -> bool {
    let resource = format!("synced_tables/{id}");
    let mut running = all.running();
    running.any(|operation: &Operation| operation.resource == resource)
}
