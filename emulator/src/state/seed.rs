//! The projects that an emulator starts with.

use jiff::Timestamp;

use super::identity::{CLIENT_ID, GROUP, USER};
use super::model::{
    Attributes, AuthMethod, Branch, BranchSpec, Database, Endpoint, EndpointSpec, EndpointType,
    IdentityType, Project, ProjectSpec, Role, RoleSpec,
};
use super::names;

/// The project that is always there.
pub(crate) const DEFAULT_PROJECT: &str = "emulator";
/// A day, the service's own default.
pub(crate) const DEFAULT_SUSPEND_AFTER_S: u64 = 86_400;

/// A project with what the service makes along with one: branch, endpoint, database, and the roles of the well-known
/// identities.
pub(crate) fn project(
    id: &str,
    pg_version: u32,
    suspend_after_s: Option<u64>,
    now: Timestamp,
) -> Project {
    let name = format!("projects/{id}");
    let branch = format!("{name}/branches/production");
    let endpoint = Endpoint {
        id: "primary".to_owned(),
        uid: names::uid("ep", &format!("{branch}/endpoints/primary")),
        created: now,
        updated: now,
        spec: EndpointSpec {
            endpoint_type: EndpointType::ReadWrite,
            min_cu: 1.0,
            max_cu: 1.0,
            disabled: false,
            suspend_after_s,
        },
    };
    let roles = vec![
        role("user-emulator-test", USER, IdentityType::User, true, now),
        role(
            "sp-emulator",
            CLIENT_ID,
            IdentityType::ServicePrincipal,
            false,
            now,
        ),
        role("data-engineers", GROUP, IdentityType::Group, false, now),
    ];
    let database = Database {
        id: "databricks-postgres".to_owned(),
        created: now,
        updated: now,
        in_postgres: "databricks_postgres".to_owned(),
        role_id: "user-emulator-test".to_owned(),
    };
    Project {
        id: id.to_owned(),
        uid: names::uuid(&name),
        created: now,
        updated: now,
        owner: USER.to_owned(),
        spec: ProjectSpec {
            display_name: id.to_owned(),
            pg_version,
            history_retention_s: 604_800,
            enable_pg_native_login: false,
            default_branch: "production".to_owned(),
        },
        branches: vec![Branch {
            id: "production".to_owned(),
            uid: names::uid("br", &branch),
            created: now,
            updated: now,
            spec: BranchSpec::default(),
            endpoints: vec![endpoint],
            roles,
            databases: vec![database],
        }],
    }
}

/// A role of an identity, which logs in by token.
pub(crate) fn role(
    id: &str,
    postgres_role: &str,
    identity: IdentityType,
    superuser: bool,
    now: Timestamp,
) -> Role {
    Role {
        id: id.to_owned(),
        created: now,
        updated: now,
        spec: RoleSpec {
            postgres_role: postgres_role.to_owned(),
            identity_type: Some(identity),
            auth_method: AuthMethod::Token,
            superuser,
            attributes: Attributes {
                createdb: superuser,
                createrole: superuser,
                bypassrls: superuser,
            },
        },
    }
}
