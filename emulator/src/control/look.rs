//! What was made or dropped in SQL: looked up before roles and databases are told or changed.

use std::collections::BTreeSet;

use tokio_postgres::Client;

use super::answer::ApiError;
use super::route::Verb;
use super::{find, roles};
use crate::Error;
use crate::behind::Behind;
use crate::session::failed;
use crate::state::kind::Kind;
use crate::state::model::{Branch, Database, Role};
use crate::state::spec::{Attributes, AuthMethod, DatabaseSpec, IdentityType, RoleSpec};
use crate::state::{Lakebase, seed};

const ROLES: &str = "
    SELECT rolname::text, rolcanlogin, rolcreatedb, rolcreaterole, rolbypassrls,
           coalesce(substring(shobj_description(oid, 'pg_authid') FROM '^databricks_auth: (.*)$'), ''),
           pg_has_role(oid, 'databricks_superuser', 'MEMBER')
    FROM pg_roles WHERE rolname !~ '^(pg_|databricks_)' ORDER BY oid";
const DATABASES: &str = "
    SELECT datname::text, pg_get_userbyid(datdba)::text FROM pg_database
    WHERE NOT datistemplate AND datname <> 'postgres' ORDER BY oid";

/// A role as Postgres has it.
struct Found {
    name: String,
    login: bool,
    attributes: Attributes,
    identity: Option<IdentityType>,
    superuser: bool,
}

/// Brings the state up to what Postgres has, where the request is about that. This wakes a suspended Postgres, unless
/// its endpoint is disabled or nobody has ever been on it.
pub(super) async fn before(
    lakebase: &Lakebase,
    behind: &Behind,
    verb: Verb,
    kind: Kind,
    ids: &[String],
) -> Result<(), ApiError> {
    let asked = matches!(kind, Kind::Role | Kind::Database)
        || (kind == Kind::Branch && verb == Verb::Create);
    let [project, branch, ..] = ids else {
        return Ok(());
    };
    if !asked {
        return Ok(());
    }
    let uid = {
        let all = lakebase.view();
        let Ok((_, branch)) = find::branch(&all, project, branch) else {
            return Ok(());
        };
        let enabled = branch.primary().is_some_and(|it| !it.spec.disabled);
        let busy = all.running().any(|it| it.project() == Some(project));
        if !branch.ready || !enabled || busy {
            return Ok(());
        }
        branch.uid.clone()
    };
    if !behind.fleet().has_branch(&uid) {
        return Ok(());
    }
    let client = behind.superuser(&uid, "postgres").await?;
    let (found, databases) = found(&client)
        .await
        .map_err(|error| Error::from(failed("look for roles and databases", &uid)(error)))?;
    let now = lakebase.clock.now();
    lakebase.change(|all| {
        // An operation that began meanwhile knows more than what was read before it.
        if all.running().any(|it| it.project() == Some(project)) {
            return Ok(());
        }
        let name = format!("projects/{project}/branches/{branch}");
        let same = all.project(project).and_then(|it| it.branch(branch));
        let Some(known) = same.filter(|it| it.uid == uid) else {
            return Ok(());
        };
        let mut next = known.clone();
        take_roles(&mut next, found, now);
        take_databases(&mut next, &name, databases, now);
        let changed = format!("{:?}{:?}", next.roles, next.databases)
            != format!("{:?}{:?}", known.roles, known.databases);
        if changed && let Some(branch) = all.branch_mut(project, branch) {
            *branch = next;
        }
        Ok(())
    })
}

async fn found(
    client: &Client,
) -> Result<(Vec<Found>, Vec<(String, String)>), tokio_postgres::Error> {
    let mut found = Vec::new();
    for row in client.query(ROLES, &[]).await? {
        let identity: String = row.try_get(5)?;
        found.push(Found {
            name: row.try_get(0)?,
            login: row.try_get(1)?,
            attributes: Attributes {
                createdb: row.try_get(2)?,
                createrole: row.try_get(3)?,
                bypassrls: row.try_get(4)?,
            },
            identity: match identity.as_str() {
                "USER" => Some(IdentityType::User),
                "SERVICE_PRINCIPAL" => Some(IdentityType::ServicePrincipal),
                "GROUP" => Some(IdentityType::Group),
                _ => None,
            },
            superuser: row.try_get(6)?,
        });
    }
    let mut databases = Vec::new();
    for row in client.query(DATABASES, &[]).await? {
        databases.push((row.try_get(0)?, row.try_get(1)?));
    }
    Ok((found, databases))
}

fn take_roles(branch: &mut Branch, found: Vec<Found>, now: jiff::Timestamp) {
    let names: BTreeSet<String> = found.iter().map(|role| role.name.clone()).collect();
    branch
        .roles
        .retain(|role| names.contains(&role.spec.postgres_role));
    for role in found {
        let known = branch
            .roles
            .iter_mut()
            .find(|known| known.spec.postgres_role == role.name);
        if let Some(known) = known {
            known.spec.attributes = role.attributes;
            known.spec.membership_roles = roles::membership(role.superuser);
            continue;
        }
        let auth = match (role.identity, role.login) {
            (Some(_), _) => AuthMethod::Token,
            (None, true) => AuthMethod::Password,
            (None, false) => AuthMethod::NoLogin,
        };
        let id = free_id(&seed::role_id(&role.name), |id| branch.role(id).is_none());
        branch.roles.push(Role {
            id,
            created: now,
            updated: now,
            spec: RoleSpec {
                postgres_role: role.name,
                identity_type: role.identity,
                auth_method: Some(auth),
                membership_roles: roles::membership(role.superuser),
                attributes: role.attributes,
            },
            initial: false,
            password: None,
        });
    }
}

fn take_databases(
    branch: &mut Branch,
    branch_name: &str,
    found: Vec<(String, String)>,
    now: jiff::Timestamp,
) {
    let names: BTreeSet<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    branch
        .databases
        .retain(|database| names.contains(database.spec.postgres_database.as_str()));
    for (name, owner) in found {
        let owner = branch.role_named(&owner);
        let role = owner.map(|role| format!("{branch_name}/roles/{}", role.id));
        let known = branch
            .databases
            .iter_mut()
            .find(|known| known.spec.postgres_database == name);
        if let Some(known) = known {
            known.spec.role = role.unwrap_or_default();
            continue;
        }
        let stem = seed::role_id(&name);
        let id = free_id(&stem, |id| branch.database(id).is_none());
        branch.databases.push(Database {
            id,
            created: now,
            updated: now,
            spec: DatabaseSpec {
                role: role.unwrap_or_default(),
                postgres_database: name,
            },
            initial: false,
            data_api: None,
            cdf_configs: Vec::new(),
        });
    }
}

fn free_id(wanted: &str, free: impl Fn(&str) -> bool) -> String {
    if free(wanted) {
        wanted.to_owned()
    } else {
        seed::free_id(wanted, free)
    }
}
