//! Writes of databases.

use serde_json::json;

use super::answer::{Answer, ApiError};
use super::roles::made_id;
use super::write::{Write, check_id, typed};
use super::{find, permissions};
use crate::state::kind::Kind;
use crate::state::model::{Branch, Database, Level};
use crate::state::operation::Work;
use crate::state::spec::DatabaseSpec;

/// What Postgres keeps of a name.
const LONGEST_NAME: usize = 63;

pub(super) fn create(write: &Write<'_>) -> Result<Answer, ApiError> {
    let body = write.body()?;
    let replace = write.flag("replace_existing")?;
    let chosen = write.query("database_id");
    if let Some(id) = &chosen {
        check_id("database_id", id)?;
    } else if replace {
        return Err(ApiError::missing("database_id"));
    }
    let id = chosen.unwrap_or_else(|| made_id(write.lakebase, "db"));
    let mut spec: DatabaseSpec = typed(body.get("spec").unwrap_or(&json!({})))?;
    if spec.postgres_database.is_empty() {
        spec.postgres_database = id.replace('-', "_");
    }
    check_name(&spec.postgres_database)?;
    let (p, b) = (write.id(0), write.id(1));
    write.begin(
        &format!("projects/{p}/branches/{b}/databases/{id}"),
        |all, now| {
            let (project, branch) = find::branch(all, p, b)?;
            permissions::may(all, write.caller, write.ids, Kind::Database, Level::CanUse)?;
            let existing = branch.database(&id);
            if let (Some(existing), true) = (existing, replace) {
                if spec.role.is_empty() {
                    spec.role.clone_from(&existing.spec.role);
                }
                if body["spec"]["postgres_database"].is_null() {
                    spec.postgres_database
                        .clone_from(&existing.spec.postgres_database);
                }
            }
            if spec.role.is_empty() {
                return Err(ApiError::missing("database.spec.role"));
            }
            find::named_role(project, branch, &spec.role)?;
            if name_taken(branch, &id, &spec.postgres_database) || (existing.is_some() && !replace)
            {
                return Err(taken());
            }
            if existing.is_some() {
                return Ok(Work::Update(json!(spec)));
            }
            if let Some(branch) = all.branch_mut(p, b) {
                branch.databases.push(Database {
                    id: id.clone(),
                    created: now,
                    updated: now,
                    spec,
                    initial: false,
                    data_api: None,
                    cdf_configs: Vec::new(),
                });
            }
            Ok(Work::Create)
        },
    )
}

fn taken() -> ApiError {
    ApiError::bad_request("database with that name already exists")
}

fn name_taken(branch: &Branch, id: &str, postgres_database: &str) -> bool {
    branch
        .databases
        .iter()
        .any(|other| other.id != id && other.spec.postgres_database == postgres_database)
}

fn check_name(name: &str) -> Result<(), ApiError> {
    if (1..=LONGEST_NAME).contains(&name.len()) && !name.contains('\0') {
        return Ok(());
    }
    Err(ApiError::invalid(format!(
        "Field 'spec.postgres_database' must have 1 to {LONGEST_NAME} bytes, got {}.",
        name.len()
    )))
}

pub(super) fn update(write: &Write<'_>) -> Result<Answer, ApiError> {
    let (p, b, d) = (write.id(0), write.id(1), write.id(2));
    write.begin(
        &format!("projects/{p}/branches/{b}/databases/{d}"),
        |all, _| {
            let (project, branch) = find::branch(all, p, b)?;
            permissions::may(all, write.caller, write.ids, Kind::Database, Level::CanUse)?;
            let database = find::database(branch, d)?;
            let next = write.masked(&json!({"spec": database.spec}))?;
            let spec: DatabaseSpec = typed(&next["spec"])?;
            check_name(&spec.postgres_database)?;
            find::named_role(project, branch, &spec.role)?;
            if name_taken(branch, d, &spec.postgres_database) {
                return Err(taken());
            }
            Ok(Work::Update(json!(spec)))
        },
    )
}

pub(super) fn delete(write: &Write<'_>) -> Result<Answer, ApiError> {
    let (p, b, d) = (write.id(0), write.id(1), write.id(2));
    write.begin(
        &format!("projects/{p}/branches/{b}/databases/{d}"),
        |all, _| {
            let (_, branch) = find::branch(all, p, b)?;
            permissions::may(all, write.caller, write.ids, Kind::Database, Level::CanUse)?;
            find::database(branch, d)?;
            Ok(Work::Delete {
                purge: true,
                reassign_to: None,
            })
        },
    )
}
