//! What projects and branches start with: those that an emulator starts with, and those that the API makes.

use jiff::Timestamp;

use super::identity::{CLIENT_ID, GROUP, USER};
use super::model::{
    Branch, Database, Endpoint, Grant, Grantee, Level, NativePassword, Project, Role,
};
use super::names;
use super::spec::{
    Attributes, AuthMethod, BranchSpec, DatabaseSpec, EndpointSpec, IdentityType, Membership,
    ProjectSpec, RoleSpec, Seconds,
};

/// The project that is always there.
pub(crate) const DEFAULT_PROJECT: &str = "emulator";
/// A week, the service's own default.
pub(crate) const DEFAULT_RETENTION: Seconds = Seconds(604_800);
/// The group of everybody in the workspace.
pub(crate) const EVERYBODY: &str = "users";

/// A project of the start, with the roles of the well-known identities; everybody may use it. Its uids follow from its
/// name.
pub(crate) fn seeded(id: &str, pg_version: u32, now: Timestamp) -> Project {
    let spec = ProjectSpec {
        display_name: id.to_owned(),
        pg_version,
        ..ProjectSpec::default()
    };
    let mut project = project(id, spec, EndpointSpec::default(), false, USER, "", now);
    project.grants.push(Grant {
        to: Grantee::Group(EVERYBODY.to_owned()),
        level: Level::CanUse,
    });
    if let Some(branch) = project.branches.first_mut() {
        let sp = IdentityType::ServicePrincipal;
        branch
            .roles
            .push(role("sp-emulator", CLIENT_ID, sp, false, now));
        let group = IdentityType::Group;
        branch
            .roles
            .push(role("data-engineers", GROUP, group, false, now));
    }
    project
}

/// A project with what the service makes along with one: branch, endpoint, database and the owner's role. `salt` makes
/// its uids differ from those of an earlier one of that name.
pub(crate) fn project(
    id: &str,
    mut spec: ProjectSpec,
    endpoint: EndpointSpec,
    is_protected: bool,
    owner: &str,
    salt: &str,
    now: Timestamp,
) -> Project {
    let name = format!("projects/{id}");
    let branch = format!("{name}/branches/production");
    spec.default_branch.clone_from(&branch);
    spec.history_retention_duration
        .get_or_insert(DEFAULT_RETENTION);
    let user = super::identity::by_user_name(owner).is_none_or(|principal| !principal.service);
    let identity = if user {
        IdentityType::User
    } else {
        IdentityType::ServicePrincipal
    };
    let owner_role = role(&role_id(owner), owner, identity, true, now);
    let database = Database {
        id: "databricks-postgres".to_owned(),
        created: now,
        updated: now,
        spec: DatabaseSpec {
            role: format!("{branch}/roles/{}", owner_role.id),
            postgres_database: "databricks_postgres".to_owned(),
        },
        initial: true,
        data_api: None,
        cdf_configs: Vec::new(),
    };
    let branch_spec = BranchSpec {
        is_protected,
        no_expiry: Some(true),
        ..BranchSpec::default()
    };
    let mut production = empty_branch("production", &branch, branch_spec, salt, now);
    production
        .endpoints
        .push(self::endpoint("primary", &branch, endpoint, salt, now));
    production.roles.push(owner_role);
    production.databases.push(database);
    Project {
        id: id.to_owned(),
        uid: names::uuid(&format!("{name}{salt}")),
        created: now,
        updated: now,
        owner: owner.to_owned(),
        spec,
        deleted: None,
        snapshots: Vec::new(),
        grants: vec![Grant {
            to: if user {
                Grantee::User(owner.to_owned())
            } else {
                Grantee::ServicePrincipal(owner.to_owned())
            },
            level: Level::CanManage,
        }],
        branches: vec![production],
    }
}

/// A branch without anything on it.
pub(crate) fn empty_branch(
    id: &str,
    name: &str,
    spec: BranchSpec,
    salt: &str,
    now: Timestamp,
) -> Branch {
    Branch {
        id: id.to_owned(),
        uid: names::uid("br", &format!("{name}{salt}")),
        created: now,
        updated: now,
        spec,
        ready: true,
        state_changed: now,
        deleted: None,
        logical_size_bytes: None,
        schedule: Vec::new(),
        scheduled_until: None,
        endpoints: Vec::new(),
        roles: Vec::new(),
        databases: Vec::new(),
    }
}

/// An endpoint of the branch of this name.
pub(crate) fn endpoint(
    id: &str,
    branch: &str,
    spec: EndpointSpec,
    salt: &str,
    now: Timestamp,
) -> Endpoint {
    Endpoint {
        id: id.to_owned(),
        uid: names::uid("ep", &format!("{branch}/endpoints/{id}{salt}")),
        created: now,
        updated: now,
        spec,
        ready: true,
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
            auth_method: Some(AuthMethod::Token),
            membership_roles: superuser
                .then_some(Membership::DatabricksSuperuser)
                .into_iter()
                .collect(),
            attributes: Attributes {
                createdb: superuser,
                createrole: superuser,
                bypassrls: superuser,
            },
        },
        initial: true,
        password: None,
    }
}

/// A role that logs in by its own password.
pub(crate) fn native_role(
    id: &str,
    spec: RoleSpec,
    password: Option<String>,
    now: Timestamp,
) -> Role {
    Role {
        id: id.to_owned(),
        created: now,
        updated: now,
        spec,
        initial: false,
        password: password.map(NativePassword::new),
    }
}

/// The id that an identity's role gets: its name with what an id cannot hold as hyphens.
pub(crate) fn role_id(postgres_role: &str) -> String {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let lower = postgres_role.to_lowercase();
    let plain: String = lower
        .chars()
        .map(|c| if good(c) { c } else { '-' })
        .collect();
    let plain = plain.trim_matches('-');
    let led = if plain.starts_with(|c: char| c.is_ascii_lowercase()) {
        plain.to_owned()
    } else {
        format!("role-{plain}")
    };
    led.chars()
        .take(63)
        .collect::<String>()
        .trim_end_matches('-')
        .to_owned()
}

/// The first id `<stem>-<number>` that is free.
pub(crate) fn free_id(stem: &str, free: impl Fn(&str) -> bool) -> String {
    let mut number = 1_u64;
    loop {
        let id = format!("{stem}-{number}");
        if free(&id) {
            return id;
        }
        number += 1;
    }
}
