//! How an operation ends: what it did becomes visible, or is undone.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::answer::ApiError;
use super::data::database_mut;
use super::{find, read};
use crate::Error;
use crate::state::kind::Kind;
use crate::state::model::{Deletion, Sync};
use crate::state::operation::{End, Operation, Trouble, Work};
use crate::state::spec::Seconds;
use crate::state::{Lakebase, Resources};

/// How long what was deleted softly can be brought back.
const KEPT_AFTER_DELETE: Seconds = Seconds(7 * 86_400);

/// What the work in Postgres found out.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcome {
    /// The moment of the source that a branch begins with.
    pub(super) point: Option<(String, Timestamp)>,
    pub(super) size_bytes: Option<u64>,
    pub(super) sync: Option<Sync>,
}

pub(super) fn type_url(kind: Kind) -> String {
    format!(
        "type.googleapis.com/databricks.postgres.v1.{}",
        kind.message()
    )
}

/// Ends the operation of this name, once.
pub(super) fn end(
    lakebase: &Lakebase,
    name: &str,
    outcome: Result<Outcome, ApiError>,
) -> Result<(), Error> {
    let now = lakebase.clock.now();
    let request_id = lakebase.tokens.random_id(true);
    lakebase.change(|all| {
        let Some(operation) = all.operation(name).filter(|it| it.end.is_none()).cloned() else {
            return Ok(());
        };
        let outcome = match &operation.fault {
            Some(Trouble::Fail {
                error_code,
                message,
            }) => Err(ApiError::new(super::INTERNAL, error_code, message)),
            _ => outcome,
        };
        let settled = outcome.and_then(|outcome| settle(all, &operation, &outcome, now));
        let end = match settled {
            Ok(_) if operation.fault == Some(Trouble::NoResponse) => End::Nothing,
            Ok(response) => End::Response(response),
            Err(refusal) => {
                undo(all, &operation);
                End::Error(refusal.body(&request_id))
            }
        };
        if let Some(operation) = all.operation_mut(name) {
            operation.end = Some(end);
        }
        Ok(())
    })
}

/// The ids of a resource name.
pub(super) fn ids_of(resource: &str) -> Vec<String> {
    resource
        .split('/')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

fn settle(
    all: &mut Resources,
    operation: &Operation,
    outcome: &Outcome,
    now: Timestamp,
) -> Result<Value, ApiError> {
    let ids = ids_of(&operation.resource);
    let kind = operation.kind;
    match &operation.work {
        Work::Create => make_ready(all, kind, &ids, outcome, now),
        Work::Update(spec) => replace(all, kind, &ids, spec, now)?,
        Work::Delete { purge, reassign_to } => {
            if let Some(heir) = reassign_to {
                reassign(all, &ids, heir, now);
            }
            remove(all, kind, &ids, *purge, now);
        }
        Work::Undelete => undelete(all, kind, &ids, now),
    }
    match operation.work {
        Work::Delete { .. } | Work::Undelete => {
            Ok(json!({"@type": "type.googleapis.com/google.protobuf.Empty"}))
        }
        Work::Create | Work::Update(_) => {
            let mut response = read::one(all, kind, &ids)?;
            response["@type"] = json!(type_url(kind));
            Ok(response)
        }
    }
}

fn at(ids: &[String], place: usize) -> &str {
    ids.get(place).map_or("", String::as_str)
}

fn make_ready(all: &mut Resources, kind: Kind, ids: &[String], outcome: &Outcome, now: Timestamp) {
    let (p, b, x) = (at(ids, 0), at(ids, 1), at(ids, 2));
    match kind {
        Kind::Project | Kind::Branch => {
            let all_of_it = || -> Vec<String> {
                let branches = all.project(p).map(|project| &project.branches);
                let branches = branches.into_iter().flatten();
                branches.map(|branch| branch.id.clone()).collect()
            };
            let branch_ids = if kind == Kind::Branch {
                vec![b.to_owned()]
            } else {
                all_of_it()
            };
            for id in branch_ids {
                let Some(branch) = all.branch_mut(p, &id) else {
                    continue;
                };
                branch.ready = true;
                branch.state_changed = now;
                branch.logical_size_bytes = outcome.size_bytes.or(branch.logical_size_bytes);
                if let Some((lsn, time)) = &outcome.point
                    && branch.spec.source_branch.is_some()
                {
                    branch.spec.source_branch_lsn = Some(lsn.clone());
                    branch.spec.source_branch_time = Some(*time);
                }
                for endpoint in &mut branch.endpoints {
                    endpoint.ready = true;
                }
            }
        }
        Kind::Endpoint => {
            let branch = all.branch_mut(p, b);
            let endpoints = branch.into_iter().flat_map(|branch| &mut branch.endpoints);
            for endpoint in endpoints.filter(|endpoint| endpoint.id == x) {
                endpoint.ready = true;
            }
        }
        Kind::Snapshot => {
            let project = all.project_mut(p);
            let snapshots = project
                .into_iter()
                .flat_map(|project| &mut project.snapshots);
            for snapshot in snapshots.filter(|snapshot| snapshot.id == b) {
                snapshot.ready = true;
                snapshot.full_size_bytes = outcome.size_bytes.unwrap_or(0);
            }
        }
        Kind::Catalog => {
            let catalogs = all.catalogs_mut(p).iter_mut();
            for catalog in catalogs.filter(|catalog| catalog.id == p) {
                catalog.ready = true;
            }
        }
        Kind::SyncedTable => {
            let rows = all.kept().synced_tables.iter().find(|table| table.id == p);
            let source = rows.and_then(|table| all.source(&table.spec.source_table_full_name));
            // Without a Postgres the state alone moves on, as if the rows had been copied.
            let seen = source.map(|source| Sync {
                started: now,
                ended: now,
                version: source.version,
                version_at: source.changed,
                rows: source.rows.len() as u64,
            });
            for table in all.synced_tables_mut(p).iter_mut().filter(|it| it.id == p) {
                table.ready = true;
                table.last_sync = outcome.sync.or(seen);
            }
        }
        Kind::Role
        | Kind::Database
        | Kind::DataApi
        | Kind::CdfConfig
        | Kind::CdfStatus
        | Kind::SnapshotSchedule => {}
    }
}

fn replace(
    all: &mut Resources,
    kind: Kind,
    ids: &[String],
    spec: &Value,
    now: Timestamp,
) -> Result<(), ApiError> {
    let (p, b, x) = (at(ids, 0), at(ids, 1), at(ids, 2));
    match kind {
        Kind::Project => {
            let project = all.project_mut(p).ok_or_else(find::missing_project)?;
            project.spec = super::write::typed(spec)?;
            project.updated = now;
        }
        Kind::Branch => {
            let branch = all.branch_mut(p, b).ok_or_else(find::missing_branch)?;
            branch.spec = super::write::typed(spec)?;
            branch.updated = now;
        }
        Kind::SnapshotSchedule => {
            let branch = all.branch_mut(p, b).ok_or_else(find::missing_branch)?;
            branch.schedule = super::write::typed(spec)?;
            branch.scheduled_until = Some(now);
        }
        Kind::DataApi => {
            if let Some(api) = database_mut(all, ids).and_then(|it| it.data_api.as_mut()) {
                api.spec = spec.clone();
                api.updated = now;
            }
        }
        Kind::Endpoint | Kind::Role | Kind::Database => {
            let branch = all.branch_mut(p, b).ok_or_else(find::missing_branch)?;
            if kind == Kind::Endpoint {
                for endpoint in branch.endpoints.iter_mut().filter(|it| it.id == x) {
                    endpoint.spec = super::write::typed(spec)?;
                    endpoint.updated = now;
                }
            } else if kind == Kind::Role {
                for role in branch.roles.iter_mut().filter(|it| it.id == x) {
                    role.spec = super::write::typed(spec)?;
                    role.updated = now;
                }
            } else {
                for database in branch.databases.iter_mut().filter(|it| it.id == x) {
                    database.spec = super::write::typed(spec)?;
                    database.updated = now;
                }
            }
        }
        Kind::CdfConfig | Kind::CdfStatus | Kind::Snapshot | Kind::Catalog | Kind::SyncedTable => {}
    }
    Ok(())
}

/// Databases of a role that goes belong to its heir.
fn reassign(all: &mut Resources, ids: &[String], heir: &str, now: Timestamp) {
    let own = format!("/roles/{}", at(ids, 2));
    let branch = all.branch_mut(at(ids, 0), at(ids, 1));
    let databases = branch.into_iter().flat_map(|branch| &mut branch.databases);
    for database in databases.filter(|database| database.spec.role.ends_with(&own)) {
        heir.clone_into(&mut database.spec.role);
        database.updated = now;
    }
}

fn remove(all: &mut Resources, kind: Kind, ids: &[String], purge: bool, now: Timestamp) {
    let (p, b, x) = (at(ids, 0), at(ids, 1), at(ids, 2));
    let deletion = Deletion {
        at: now,
        purge: KEPT_AFTER_DELETE.after(now),
    };
    match kind {
        Kind::Project if purge => drop(all.remove_project(p)),
        Kind::Project => {
            if let Some(project) = all.project_mut(p) {
                project.deleted.get_or_insert(deletion);
            }
        }
        Kind::Branch if purge => drop(all.remove_branch(p, b)),
        Kind::Branch => {
            if let Some(branch) = all.branch_mut(p, b) {
                branch.deleted.get_or_insert(deletion);
                branch.state_changed = now;
            }
        }
        Kind::Endpoint | Kind::Role | Kind::Database => {
            if let Some(branch) = all.branch_mut(p, b) {
                match kind {
                    Kind::Endpoint => branch.endpoints.retain(|it| it.id != x),
                    Kind::Role => branch.roles.retain(|it| it.id != x),
                    _ => branch.databases.retain(|it| it.id != x),
                }
            }
        }
        Kind::Snapshot => {
            if let Some(project) = all.project_mut(p) {
                project.snapshots.retain(|it| it.id != b);
            }
        }
        Kind::DataApi => {
            if let Some(database) = database_mut(all, ids) {
                database.data_api = None;
            }
        }
        Kind::CdfConfig => {
            if let Some(database) = database_mut(all, ids) {
                database.cdf_configs.retain(|it| it.id != at(ids, 3));
            }
        }
        Kind::Catalog => all.catalogs_mut(p).retain(|it| it.id != p),
        Kind::SyncedTable => all.synced_tables_mut(p).retain(|it| it.id != p),
        Kind::CdfStatus | Kind::SnapshotSchedule => {}
    }
}

fn undelete(all: &mut Resources, kind: Kind, ids: &[String], now: Timestamp) {
    if kind == Kind::Project {
        if let Some(project) = all.project_mut(at(ids, 0)) {
            project.deleted = None;
            project.updated = now;
        }
    } else if let Some(branch) = all.branch_mut(at(ids, 0), at(ids, 1)) {
        branch.deleted = None;
        branch.state_changed = now;
    }
}

/// Of a create that failed nothing stays.
fn undo(all: &mut Resources, operation: &Operation) {
    if matches!(operation.work, Work::Create) {
        let ids = ids_of(&operation.resource);
        remove(all, operation.kind, &ids, true, operation.started);
    }
}
