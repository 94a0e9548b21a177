//! How resources look over HTTP: `status` and output-only fields, and no `spec`, as reads of the service have it.
//! Defaults (false, empty) are left out, as proto3 leaves them out.

use serde_json::{Value, json};

use crate::front::directory::ComputeState;
use crate::state::model::{Branch, Database, Project, Role};
use crate::state::{Compute, Located, names};

pub(crate) fn project(project: &Project) -> Value {
    let spec = &project.spec;
    let suspend = project
        .branch(&spec.default_branch)
        .and_then(|branch| branch.endpoints.first())
        .and_then(|endpoint| endpoint.spec.suspend_after_s);
    let mut settings = json!({"autoscaling_limit_min_cu": 1.0, "autoscaling_limit_max_cu": 1.0});
    suspension(&mut settings, suspend);
    let mut status = json!({
        "project_id": project.id,
        "display_name": spec.display_name,
        "pg_version": spec.pg_version,
        "owner": project.owner,
        "default_branch": format!("{}/branches/{}", project.name(), spec.default_branch),
        "history_retention_duration": format!("{}s", spec.history_retention_s),
        "default_endpoint_settings": settings,
        "branch_logical_size_limit_bytes": 8_796_093_022_208_u64,
    });
    if spec.enable_pg_native_login {
        status["enable_pg_native_login"] = json!(true);
    }
    json!({
        "name": project.name(),
        "uid": project.uid,
        "project_id": project.id,
        "create_time": project.created,
        "update_time": project.updated,
        "status": status,
    })
}

pub(crate) fn branch(project: &Project, branch: &Branch) -> Value {
    let mut status = json!({
        "branch_id": branch.id,
        "current_state": "READY",
        "state_change_time": branch.created,
    });
    if branch.id == project.spec.default_branch {
        status["default"] = json!(true);
    }
    if branch.spec.is_protected {
        status["is_protected"] = json!(true);
    }
    if let Some(expires) = branch.spec.expires {
        status["expire_time"] = json!(expires);
    }
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
    // A compute on its way is INIT until it answers; one that is being stopped still counts as ACTIVE.
    let (current, pending) = match compute.state {
        ComputeState::Suspended => ("IDLE", None),
        ComputeState::Starting => ("INIT", Some("ACTIVE")),
        ComputeState::Ready => ("ACTIVE", None),
        ComputeState::Stopping => ("ACTIVE", Some("IDLE")),
    };
    let mut status = json!({
        "endpoint_id": endpoint.id,
        "endpoint_type": endpoint.spec.endpoint_type,
        "current_state": current,
        "autoscaling_limit_min_cu": endpoint.spec.min_cu,
        "autoscaling_limit_max_cu": endpoint.spec.max_cu,
        "group": {"min": 1, "max": 1},
        "hosts": {
            "host": host,
            "read_write_pooled_host": names::pooled_host(&endpoint.uid),
        },
    });
    if let Some(seconds) = endpoint.spec.suspend_after_s {
        status["suspend_timeout_duration"] = json!(format!("{seconds}s"));
    }
    if let Some(pending) = pending {
        status["pending_state"] = json!(pending);
    }
    if endpoint.spec.disabled {
        status["disabled"] = json!(true);
    }
    if let Some(active) = compute.last_active {
        status["last_active_time"] = json!(active);
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

pub(crate) fn role(parent: &str, role: &Role) -> Value {
    let spec = &role.spec;
    let mut status = json!({
        "role_id": role.id,
        "postgres_role": spec.postgres_role,
        "identity_type": spec.identity_type.map_or_else(|| json!("IDENTITY_TYPE_UNSPECIFIED"), |identity| json!(identity)),
        "auth_method": spec.auth_method,
        "attributes": spec.attributes,
    });
    if spec.superuser {
        status["membership_roles"] = json!(["DATABRICKS_SUPERUSER"]);
    }
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
    json!({
        "name": format!("{parent}/databases/{}", database.id),
        "database_id": database.id,
        "parent": parent,
        "create_time": database.created,
        "update_time": database.updated,
        "status": {
            "database_id": database.id,
            "postgres_database": database.in_postgres,
            "role": format!("{parent}/roles/{}", database.role_id),
        },
    })
}

fn suspension(settings: &mut Value, suspend_after_s: Option<u64>) {
    match suspend_after_s {
        Some(seconds) => settings["suspend_timeout_duration"] = json!(format!("{seconds}s")),
        None => settings["no_suspension"] = json!(true),
    }
}
