//! How resources look over HTTP: `status` and output-only fields, and no `spec`, as reads of the service have it.
//! Defaults (false, empty) are left out, as proto3 leaves them out.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::front::directory::ComputeState;
use crate::state::model::{Branch, Database, Project, Role, Snapshot};
use crate::state::spec::{EndpointType, Group, Seconds};
use crate::state::{Compute, Located, Resources, names};

/// The cap of a branch's size.
const BRANCH_LIMIT_BYTES: u64 = 8_796_093_022_208;

/// Puts a field in, unless it is false, empty or absent.
pub(super) fn put(object: &mut Value, field: &str, value: impl Into<Value>) {
    let value = value.into();
    let default = match &value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    };
    if !default {
        object[field] = value;
    }
}

pub(super) fn put_time(object: &mut Value, field: &str, time: Option<Timestamp>) {
    put(object, field, time.map_or(Value::Null, |time| json!(time)));
}

pub(crate) fn project(all: &Resources, project: &Project) -> Value {
    let spec = &project.spec;
    let defaults = &spec.default_endpoint_settings;
    let mut settings = json!({
        "autoscaling_limit_min_cu": defaults.autoscaling_limit_min_cu,
        "autoscaling_limit_max_cu": defaults.autoscaling_limit_max_cu,
    });
    put(
        &mut settings,
        "no_suspension",
        defaults.no_suspension.unwrap_or(false),
    );
    if defaults.no_suspension != Some(true) {
        let after = defaults
            .suspend_timeout_duration
            .unwrap_or(crate::state::spec::DEFAULT_SUSPEND_AFTER);
        settings["suspend_timeout_duration"] = json!(after);
    }
    put(&mut settings, "pg_settings", json!(defaults.pg_settings));
    let mut status = json!({
        "project_id": project.id,
        "display_name": spec.display_name,
        "pg_version": spec.pg_version,
        "owner": project.owner,
        "default_endpoint_settings": settings,
        "branch_logical_size_limit_bytes": BRANCH_LIMIT_BYTES,
    });
    put(&mut status, "default_branch", spec.default_branch.clone());
    put(
        &mut status,
        "history_retention_duration",
        duration(spec.history_retention_duration),
    );
    put(
        &mut status,
        "enable_pg_native_login",
        spec.enable_pg_native_login,
    );
    put(
        &mut status,
        "budget_policy_id",
        spec.budget_policy_id.clone(),
    );
    put(&mut status, "custom_tags", json!(spec.custom_tags));
    let endpoints = project.branches.iter().flat_map(|it| &it.endpoints);
    let active = endpoints.filter_map(|it| all.compute(&it.uid).last_active);
    put_time(&mut status, "compute_last_active_time", active.max());
    let size: u64 = project
        .branches
        .iter()
        .filter_map(|it| it.logical_size_bytes)
        .sum();
    put(
        &mut status,
        "synthetic_storage_size_bytes",
        (size > 0).then_some(size),
    );
    let mut body = json!({
        "name": project.name(),
        "uid": project.uid,
        "project_id": project.id,
        "create_time": project.created,
        "update_time": project.updated,
        "status": status,
    });
    put_time(&mut body, "delete_time", project.deleted.map(|it| it.at));
    put_time(&mut body, "purge_time", project.deleted.map(|it| it.purge));
    body
}

pub(crate) fn branch(project: &Project, branch: &Branch) -> Value {
    let deleted = branch.deleted.or(project.deleted);
    let (current, pending) = match (branch.ready, deleted) {
        (_, Some(_)) => ("DELETED", None),
        (true, None) => ("READY", None),
        (false, None) => ("INIT", Some("READY")),
    };
    let spec = &branch.spec;
    let mut status = json!({
        "branch_id": branch.id,
        "current_state": current,
        "state_change_time": branch.state_changed,
    });
    put(&mut status, "pending_state", pending);
    put(&mut status, "default", project.is_default(branch));
    put(&mut status, "is_protected", spec.is_protected);
    put(&mut status, "source_branch", spec.source_branch.clone());
    put(
        &mut status,
        "source_branch_lsn",
        spec.source_branch_lsn.clone(),
    );
    put(&mut status, "source_snapshot", spec.source_snapshot.clone());
    put(&mut status, "logical_size_bytes", branch.logical_size_bytes);
    put_time(&mut status, "source_branch_time", spec.source_branch_time);
    put_time(&mut status, "expire_time", spec.expire_time);
    put_time(&mut status, "delete_time", deleted.map(|it| it.at));
    put_time(&mut status, "purge_time", deleted.map(|it| it.purge));
    json!({
        "name": branch.name(project),
        "uid": branch.uid,
        "branch_id": branch.id,
        "parent": project.name(),
        "create_time": branch.created,
        "update_time": branch.updated,
        "status": status,
    })
}

pub(crate) fn endpoint(at: Located<'_>, compute: Compute, host: &str) -> Value {
    let endpoint = at.endpoint;
    let spec = &endpoint.spec;
    // A compute on its way is INIT until it answers; one that is being stopped still counts as ACTIVE.
    let (current, pending) = match compute.state {
        _ if !endpoint.ready => ("INIT", Some("IDLE")),
        ComputeState::Suspended => ("IDLE", None),
        ComputeState::Starting => ("INIT", Some("ACTIVE")),
        ComputeState::Ready => ("ACTIVE", None),
        ComputeState::Stopping => ("ACTIVE", Some("IDLE")),
    };
    let mut status = json!({
        "endpoint_id": endpoint.id,
        "endpoint_type": spec.endpoint_type,
        "current_state": current,
        "autoscaling_limit_min_cu": spec.autoscaling_limit_min_cu,
        "autoscaling_limit_max_cu": spec.autoscaling_limit_max_cu,
        "group": group(spec.group),
        "hosts": hosts(at, host),
    });
    if let Some(seconds) = spec.suspend_after_s() {
        status["suspend_timeout_duration"] = json!(format!("{seconds}s"));
    }
    put(&mut status, "pending_state", pending);
    put(&mut status, "disabled", spec.disabled);
    put_time(&mut status, "last_active_time", compute.last_active);
    if !spec.settings.pg_settings.is_empty() {
        status["settings"] = json!({"pg_settings": spec.settings.pg_settings});
    }
    json!({
        "name": at.name(),
        "uid": endpoint.uid,
        "endpoint_id": endpoint.id,
        "parent": at.branch.name(at.project),
        "create_time": endpoint.created,
        "update_time": endpoint.updated,
        "status": status,
    })
}

fn group(group: Group) -> Value {
    let mut shown = json!({"min": group.min, "max": group.max});
    put(
        &mut shown,
        "enable_readable_secondaries",
        group.enable_readable_secondaries,
    );
    shown
}

/// Hosts are there once the endpoint is.
fn hosts(at: Located<'_>, host: &str) -> Value {
    let endpoint = at.endpoint;
    if !endpoint.ready {
        return Value::Object(Map::new());
    }
    let pooled = names::pooled_host(&endpoint.uid);
    match endpoint.spec.endpoint_type {
        EndpointType::ReadWrite => json!({"host": host, "read_write_pooled_host": pooled}),
        EndpointType::ReadOnly => {
            json!({"host": host, "read_only_host": host, "read_only_pooled_host": pooled})
        }
    }
}

pub(crate) fn role(parent: &str, role: &Role) -> Value {
    let spec = &role.spec;
    let unspecified = || json!("IDENTITY_TYPE_UNSPECIFIED");
    let mut status = json!({
        "role_id": role.id,
        "postgres_role": spec.postgres_role,
        "identity_type": spec.identity_type.map_or_else(unspecified, |identity| json!(identity)),
        "auth_method": spec.auth(),
        "attributes": spec.attributes,
    });
    put(
        &mut status,
        "membership_roles",
        json!(spec.membership_roles),
    );
    json!({
        "name": format!("{parent}/roles/{}", role.id),
        "role_id": role.id,
        "parent": parent,
        "create_time": role.created,
        "update_time": role.updated,
        "status": status,
    })
}

pub(crate) fn database(parent: &str, database: &Database) -> Value {
    let mut status = json!({
        "database_id": database.id,
        "postgres_database": database.spec.postgres_database,
    });
    put(&mut status, "role", database.spec.role.clone());
    json!({
        "name": format!("{parent}/databases/{}", database.id),
        "database_id": database.id,
        "parent": parent,
        "create_time": database.created,
        "update_time": database.updated,
        "status": status,
    })
}

pub(crate) fn snapshot(project: &Project, snapshot: &Snapshot) -> Value {
    let spec = &snapshot.spec;
    let mut status = json!({"source_branch": spec.source_branch});
    put(&mut status, "no_expiry", spec.no_expiry.unwrap_or(false));
    put_time(&mut status, "expire_time", spec.expire_time);
    let size = snapshot.full_size_bytes;
    put(&mut status, "full_size_bytes", (size > 0).then_some(size));
    json!({
        "name": format!("{}/snapshots/{}", project.name(), snapshot.id),
        "uid": snapshot.uid,
        "snapshot_id": snapshot.id,
        "create_time": snapshot.created,
        "status": status,
    })
}

fn duration(seconds: Option<Seconds>) -> Value {
    seconds.map_or(Value::Null, |seconds| json!(seconds))
}
