//! Who may do what with a project, and the routes that tell and change it.

use serde_json::{Value, json};

use super::answer::{Answer, ApiError};
use super::{Call, find, schema};
use crate::state::identity::{self, Principal};
use crate::state::kind::Kind;
use crate::state::model::{Grant, Grantee, Level, Project};
use crate::state::seed::EVERYBODY;
use crate::state::{Lakebase, Resources};

/// What the caller may do with the project: what it was granted, or everything for who runs the workspace.
pub(super) fn level(project: &Project, caller: &Principal) -> Option<Level> {
    if caller.is_admin() {
        return Some(Level::CanManage);
    }
    let holds = |grantee: &Grantee| match grantee {
        Grantee::User(name) | Grantee::ServicePrincipal(name) => name == caller.user_name,
        Grantee::Group(name) => name == EVERYBODY || caller.groups.contains(&name.as_str()),
    };
    let grants = project.grants.iter();
    let mine = grants.filter(|grant| holds(&grant.to));
    mine.map(|grant| grant.level).max()
}

/// Refuses a caller who may not do this with what the path names.
pub(super) fn may(
    all: &Resources,
    caller: &Principal,
    ids: &[String],
    kind: Kind,
    needed: Level,
) -> Result<(), ApiError> {
    if matches!(kind, Kind::Catalog | Kind::SyncedTable) {
        return Ok(());
    }
    let Some(id) = ids.first() else {
        return Ok(());
    };
    let project = find::any_project(all, id)?;
    if level(project, caller).is_some_and(|held| held >= needed) {
        return Ok(());
    }
    let needed = json!(needed);
    Err(ApiError::forbidden(format!(
        "User {} does not have {} permission on project '{id}'.",
        caller.user_name,
        needed.as_str().unwrap_or_default()
    )))
}

pub(super) fn carry_out(
    lakebase: &Lakebase,
    caller: &Principal,
    call: &Call,
    method: &str,
    id: &str,
) -> Result<Answer, ApiError> {
    let missing = |_| {
        ApiError::new(
            super::NOT_FOUND,
            "RESOURCE_DOES_NOT_EXIST",
            format!("Database project {id} does not exist."),
        )
    };
    let needed = if method == "GET" {
        Level::CanUse
    } else {
        Level::CanManage
    };
    let ids = [id.to_owned()];
    {
        let all = lakebase.view();
        find::project(&all, id).map_err(missing)?;
        may(&all, caller, &ids, Kind::Project, needed)?;
    }
    if method != "GET" {
        let grants = asked(&schema::parse(&call.body)?)?;
        lakebase.change(|all| {
            let Some(project) = all.project_mut(id) else {
                return Err(find::missing_project());
            };
            if method == "PUT" {
                project.grants.clear();
            }
            for grant in grants {
                project.grants.retain(|known| known.to != grant.to);
                project.grants.push(grant);
            }
            Ok(())
        })?;
    }
    let all = lakebase.view();
    Ok(Answer::ok(&shown(
        find::project(&all, id).map_err(missing)?,
    )))
}

fn asked(body: &Value) -> Result<Vec<Grant>, ApiError> {
    let entries = match &body["access_control_list"] {
        Value::Null => return Ok(Vec::new()),
        Value::Array(entries) => entries,
        _ => {
            return Err(ApiError::invalid(
                "Field 'access_control_list' must be a list.",
            ));
        }
    };
    entries.iter().map(grant).collect()
}

fn grant(entry: &Value) -> Result<Grant, ApiError> {
    let text = |field: &str| entry[field].as_str().map(str::to_owned);
    let to = match (
        text("user_name"),
        text("group_name"),
        text("service_principal_name"),
    ) {
        (Some(name), None, None) => Grantee::User(name),
        (None, Some(name), None) => Grantee::Group(name),
        (None, None, Some(name)) => Grantee::ServicePrincipal(name),
        _ => {
            return Err(ApiError::invalid(
                "An entry of access_control_list must have exactly one of user_name, group_name and service_principal_name.",
            ));
        }
    };
    let level = match text("permission_level").as_deref() {
        Some("CAN_USE") => Level::CanUse,
        Some("CAN_MANAGE") => Level::CanManage,
        Some("CAN_CREATE") => {
            return Err(ApiError::invalid(
                "Permission level CAN_CREATE cannot be granted: everybody in the workspace inherits it.",
            ));
        }
        other => {
            return Err(ApiError::invalid(format!(
                "Field 'permission_level' must be CAN_USE or CAN_MANAGE, got '{}'.",
                other.unwrap_or_default()
            )));
        }
    };
    Ok(Grant { to, level })
}

fn shown(project: &Project) -> Value {
    let entry = |grant: &Grant| {
        let permissions = json!([{"permission_level": grant.level, "inherited": false}]);
        match &grant.to {
            Grantee::User(name) => json!({
                "user_name": name,
                "display_name": identity::by_user_name(name).map_or(name.as_str(), |it| it.display_name),
                "all_permissions": permissions,
            }),
            Grantee::Group(name) => json!({"group_name": name, "all_permissions": permissions}),
            Grantee::ServicePrincipal(name) => {
                json!({"service_principal_name": name, "all_permissions": permissions})
            }
        }
    };
    let inherited = |level: &str| {
        json!([{
            "permission_level": level,
            "inherited": true,
            "inherited_from_object": ["/database-projects/"],
        }])
    };
    let mut entries: Vec<Value> = project.grants.iter().map(entry).collect();
    entries.push(json!({"group_name": "admins", "all_permissions": inherited("CAN_MANAGE")}));
    entries.push(json!({"group_name": EVERYBODY, "all_permissions": inherited("CAN_CREATE")}));
    json!({
        "object_id": format!("/database-projects/{}", project.id),
        "object_type": "database-projects",
        "access_control_list": entries,
    })
}

pub(super) fn levels() -> Answer {
    Answer::ok(&json!({"permission_levels": [
        {"permission_level": "CAN_USE", "description": "Can view the project and use its roles, databases and credentials"},
        {"permission_level": "CAN_MANAGE", "description": "Can also change and delete the project, its branches and endpoints"},
        {"permission_level": "CAN_CREATE", "description": "Can create projects; everybody in the workspace inherits it"},
    ]}))
}
