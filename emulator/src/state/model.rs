//! The resources of the control plane as they are kept, one struct each, with what the caller wrote (`spec`) apart
//! from what the service adds.
//!
//! This is the layout of the state file; how a resource looks over HTTP is the business of `control/render.rs` alone.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The version of the state file's layout.
pub(crate) const LAYOUT: u32 = 1;

/// All that is kept between two runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kept {
    pub(crate) layout: u32,
    pub(crate) projects: Vec<Project>,
    /// Second and third byte of the loopback network that stands for the endpoints in host mode `ip`.
    #[serde(default)]
    pub(crate) network: Option<[u8; 2]>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Project {
    pub(crate) id: String,
    pub(crate) uid: String,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
    /// User name of who made it.
    pub(crate) owner: String,
    pub(crate) spec: ProjectSpec,
    pub(crate) branches: Vec<Branch>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProjectSpec {
    pub(crate) display_name: String,
    pub(crate) pg_version: u32,
    pub(crate) history_retention_s: u64,
    pub(crate) enable_pg_native_login: bool,
    /// Id of the default branch.
    pub(crate) default_branch: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Branch {
    pub(crate) id: String,
    pub(crate) uid: String,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
    pub(crate) spec: BranchSpec,
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) roles: Vec<Role>,
    pub(crate) databases: Vec<Database>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BranchSpec {
    pub(crate) is_protected: bool,
    pub(crate) expires: Option<Timestamp>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Endpoint {
    pub(crate) id: String,
    pub(crate) uid: String,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
    pub(crate) spec: EndpointSpec,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EndpointSpec {
    pub(crate) endpoint_type: EndpointType,
    pub(crate) min_cu: f64,
    pub(crate) max_cu: f64,
    pub(crate) disabled: bool,
    /// Seconds of idleness after which the compute is suspended; `None`: never.
    pub(crate) suspend_after_s: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum EndpointType {
    #[serde(rename = "ENDPOINT_TYPE_READ_WRITE")]
    ReadWrite,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Role {
    pub(crate) id: String,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
    pub(crate) spec: RoleSpec,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoleSpec {
    pub(crate) postgres_role: String,
    pub(crate) identity_type: Option<IdentityType>,
    pub(crate) auth_method: AuthMethod,
    /// Member of `databricks_superuser`.
    pub(crate) superuser: bool,
    pub(crate) attributes: Attributes,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Attributes {
    pub(crate) createdb: bool,
    pub(crate) createrole: bool,
    pub(crate) bypassrls: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum IdentityType {
    User,
    ServicePrincipal,
    Group,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum AuthMethod {
    #[serde(rename = "LAKEBASE_OAUTH_V1")]
    Token,
    #[serde(rename = "PG_PASSWORD_SCRAM_SHA_256")]
    Password,
    #[serde(rename = "NO_LOGIN")]
    NoLogin,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Database {
    pub(crate) id: String,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
    /// Its name in Postgres.
    pub(crate) in_postgres: String,
    /// Id of the role that owns it.
    pub(crate) role_id: String,
}

impl Project {
    pub(crate) fn name(&self) -> String {
        format!("projects/{}", self.id)
    }

    pub(crate) fn branch(&self, id: &str) -> Option<&Branch> {
        self.branches.iter().find(|branch| branch.id == id)
    }
}

impl Branch {
    pub(crate) fn name(&self, project: &Project) -> String {
        format!("{}/branches/{}", project.name(), self.id)
    }

    pub(crate) fn role_named(&self, postgres_role: &str) -> Option<&Role> {
        self.roles
            .iter()
            .find(|role| role.spec.postgres_role == postgres_role)
    }
}

impl Endpoint {
    pub(crate) fn name(&self, project: &Project, branch: &Branch) -> String {
        format!("{}/endpoints/{}", branch.name(project), self.id)
    }
}
