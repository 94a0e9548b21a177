//! Writes of roles, and the look at a native password.

use serde_json::{Value, json};

use super::answer::{Answer, ApiError};
use super::write::{Write, check_id, typed};
use super::{find, permissions};
use crate::state::kind::Kind;
use crate::state::model::{Branch, Level, NativePassword};
use crate::state::operation::Work;
use crate::state::spec::{Attributes, AuthMethod, IdentityType, Membership, RoleSpec};
use crate::state::{Lakebase, seed};

/// What Postgres keeps of a name.
const LONGEST_NAME: usize = 63;

pub(super) fn create(write: &Write<'_>) -> Result<Answer, ApiError> {
    let body = write.body()?;
    if body["spec"]
        .as_object()
        .is_none_or(serde_json::Map::is_empty)
    {
        return Err(ApiError::invalid(
            "Field 'role' is required and must contain at least one subfield with a non-default value!",
        ));
    }
    let replace = write.flag("replace_existing")?;
    let chosen = write.query("role_id");
    if let Some(id) = &chosen {
        check_id("role_id", id)?;
    } else if replace {
        return Err(ApiError::missing("role_id"));
    }
    let id = chosen.unwrap_or_else(|| made_id(write.lakebase, "role"));
    let spec = checked(&body["spec"])?;
    let password = (spec.auth() == AuthMethod::Password).then(|| new_password(write.lakebase));
    let (p, b) = (write.id(0), write.id(1));
    write.begin(
        &format!("projects/{p}/branches/{b}/roles/{id}"),
        |all, now| {
            let (_, branch) = find::branch(all, p, b)?;
            permissions::may(all, write.caller, write.ids, Kind::Role, Level::CanUse)?;
            if let Some(existing) = branch.role(&id) {
                if !replace {
                    return Err(taken());
                }
                let mut next = existing.spec.clone();
                if next.postgres_role != spec.postgres_role {
                    return Err(ApiError::invalid(
                        "Field 'spec.postgres_role' is immutable and cannot be replaced.",
                    ));
                }
                next.membership_roles.clone_from(&spec.membership_roles);
                next.attributes = spec.attributes;
                return Ok(Work::Update(json!(next)));
            }
            if branch.role_named(&spec.postgres_role).is_some() {
                return Err(taken());
            }
            if let Some(branch) = all.branch_mut(p, b) {
                branch
                    .roles
                    .push(seed::native_role(&id, spec, password, now));
            }
            Ok(Work::Create)
        },
    )
}

fn taken() -> ApiError {
    ApiError::bad_request("role with that name already exists")
}

/// An id for a resource whose caller chose none.
pub(super) fn made_id(lakebase: &Lakebase, stem: &str) -> String {
    let random = lakebase.tokens.random_id(true).replace('-', "");
    format!("{stem}-{}", &random[..8])
}

fn new_password(lakebase: &Lakebase) -> String {
    format!("pg{}", lakebase.tokens.random_id(false))
}

fn checked(given: &Value) -> Result<RoleSpec, ApiError> {
    let mut spec: RoleSpec = typed(given)?;
    let name = spec.postgres_role.clone();
    if name.is_empty() {
        return Err(ApiError::missing("role.spec.postgres_role"));
    }
    if name.len() > LONGEST_NAME || name.contains('\0') {
        return Err(ApiError::invalid(format!(
            "Field 'spec.postgres_role' must have at most {LONGEST_NAME} bytes, got {}.",
            name.len()
        )));
    }
    if name.starts_with("pg_") || name.starts_with("databricks_") {
        return Err(ApiError::invalid(format!(
            "Field 'spec.postgres_role' must not start with pg_ or databricks_, got '{name}'."
        )));
    }
    if spec.auth_method == Some(AuthMethod::NoLogin) {
        return Err(ApiError::bad_request(
            "Creating roles with auth_method NO_LOGIN is not currently supported",
        ));
    }
    let form = match spec.identity_type {
        Some(IdentityType::ServicePrincipal) if !is_uuid(&name) => Some("an application id (UUID)"),
        Some(IdentityType::User) if !name.contains('@') => Some("the user's e-mail address"),
        _ => None,
    };
    if let Some(form) = form {
        return Err(ApiError::invalid(format!(
            "Field 'spec.postgres_role' must be {form} for this identity_type, got '{name}'."
        )));
    }
    if spec.auth_method == Some(AuthMethod::Token) && spec.identity_type.is_none() {
        return Err(ApiError::invalid(
            "Field 'spec.auth_method' can only be LAKEBASE_OAUTH_V1 for a role with an identity_type.",
        ));
    }
    spec.auth_method = Some(spec.auth());
    if spec.superuser() && given.get("attributes").is_none() {
        spec.attributes = Attributes {
            createdb: true,
            createrole: true,
            bypassrls: true,
        };
    }
    Ok(spec)
}

fn is_uuid(text: &str) -> bool {
    let parts: Vec<usize> = text.split('-').map(str::len).collect();
    parts == [8, 4, 4, 4, 12]
        && text
            .bytes()
            .all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

pub(super) fn update(write: &Write<'_>) -> Result<Answer, ApiError> {
    let (p, b, r) = (write.id(0), write.id(1), write.id(2));
    write.begin(&format!("projects/{p}/branches/{b}/roles/{r}"), |all, _| {
        let (_, branch) = find::branch(all, p, b)?;
        permissions::may(all, write.caller, write.ids, Kind::Role, Level::CanUse)?;
        let role = find::role(branch, r)?;
        let next = write.masked(&json!({"spec": role.spec}))?;
        let spec: RoleSpec = typed(&next["spec"])?;
        Ok(Work::Update(json!(spec)))
    })
}

pub(super) fn delete(write: &Write<'_>) -> Result<Answer, ApiError> {
    let (p, b, r) = (write.id(0), write.id(1), write.id(2));
    let reassign_to = write.query("reassign_owned_to");
    write.begin(&format!("projects/{p}/branches/{b}/roles/{r}"), |all, _| {
        let (project, branch) = find::branch(all, p, b)?;
        permissions::may(all, write.caller, write.ids, Kind::Role, Level::CanUse)?;
        let role = find::role(branch, r)?;
        match &reassign_to {
            Some(to) => {
                let heir = find::named_role(project, branch, to)?;
                if heir.id == role.id {
                    return Err(ApiError::invalid(
                        "Field 'reassign_owned_to' must be another role than the one that is deleted.",
                    ));
                }
            }
            None => refuse_owner(branch, r)?,
        }
        Ok(Work::Delete {
            purge: true,
            reassign_to,
        })
    })
}

/// A role that owns a database stays, unless somebody takes over what it owns.
fn refuse_owner(branch: &Branch, role: &str) -> Result<(), ApiError> {
    let suffix = format!("/roles/{role}");
    let mut databases = branch.databases.iter();
    match databases.find(|database| database.spec.role.ends_with(&suffix)) {
        None => Ok(()),
        Some(owned) => Err(ApiError::bad_request(format!(
            "role cannot be dropped because some objects depend on it: it owns the database '{}'; \
             give reassign_owned_to",
            owned.spec.postgres_database
        ))),
    }
}

pub(super) fn reveal_password(write: &Write<'_>) -> Result<Answer, ApiError> {
    let (p, b, r) = (write.id(0), write.id(1), write.id(2));
    let all = write.lakebase.view();
    let (_, branch) = find::branch(&all, p, b)?;
    permissions::may(&all, write.caller, write.ids, Kind::Role, Level::CanUse)?;
    let role = find::role(branch, r)?;
    if role.spec.auth() != AuthMethod::Password {
        return Err(ApiError::new(
            super::BAD_REQUEST,
            "INVALID_STATE",
            format!("The role '{r}' does not log in by a password, so it has none to show."),
        ));
    }
    let password = role.password.as_ref().map(NativePassword::expose);
    let password = password.ok_or_else(|| {
        ApiError::new(
            super::BAD_REQUEST,
            "INVALID_STATE",
            format!("The role '{r}' was made in SQL, and its password is known to Postgres alone."),
        )
    })?;
    Ok(Answer::ok(&json!({"password": password})))
}

/// Whether a role that Postgres has is in the group of superusers.
pub(super) fn membership(superuser: bool) -> Vec<Membership> {
    superuser
        .then_some(Membership::DatabricksSuperuser)
        .into_iter()
        .collect()
}
