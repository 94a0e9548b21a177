//! The resources of the control plane as they are kept, one struct each, with what the caller wrote (`spec`) apart
//! from what the service adds.
//!
//! This is the layout of the state file; how a resource looks over HTTP is the business of `control/render` alone.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::operation::Operation;
use super::source::Source;
use super::spec::{
    BranchSpec, Cadence, CatalogSpec, CdfSpec, DatabaseSpec, EndpointSpec, EndpointType,
    ProjectSpec, RoleSpec, SnapshotSpec, SyncedTableSpec,
};

/// The version of the state file's layout.
pub(crate) const LAYOUT: u32 = 2;

/// All that is kept between two runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kept {
    pub(crate) layout: u32,
    pub(crate) projects: Vec<Project>,
    #[serde(default)]
    pub(crate) catalogs: Vec<Catalog>,
    #[serde(default)]
    pub(crate) synced_tables: Vec<SyncedTable>,
    /// Tables that stand in for those of Unity Catalog.
    #[serde(default)]
    pub(crate) sources: Vec<Source>,
    /// Oldest first.
    #[serde(default)]
    pub(crate) operations: Vec<Operation>,
    /// Second and third byte of the loopback network that stands for the endpoints in host mode `ip`.
    #[serde(default)]
    pub(crate) network: Option<[u8; 2]>,
}

/// When something was deleted softly, and when it goes for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Deletion {
    pub(crate) at: Timestamp,
    pub(crate) purge: Timestamp,
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
    pub(crate) deleted: Option<Deletion>,
    pub(crate) snapshots: Vec<Snapshot>,
    pub(crate) grants: Vec<Grant>,
    /// Empty in an entry of the log, which holds each branch on its own.
    #[serde(default)]
    pub(crate) branches: Vec<Branch>,
}

/// Who may do what with a project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Grant {
    pub(crate) to: Grantee,
    pub(crate) level: Level,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Grantee {
    User(String),
    Group(String),
    ServicePrincipal(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Level {
    CanUse,
    CanManage,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Branch {
    pub(crate) id: String,
    pub(crate) uid: String,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
    pub(crate) spec: BranchSpec,
    /// False until the operation that makes it has ended.
    pub(crate) ready: bool,
    pub(crate) state_changed: Timestamp,
    pub(crate) deleted: Option<Deletion>,
    pub(crate) logical_size_bytes: Option<u64>,
    pub(crate) schedule: Vec<Cadence>,
    /// Until when the schedule's snapshots have been made.
    pub(crate) scheduled_until: Option<Timestamp>,
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) roles: Vec<Role>,
    pub(crate) databases: Vec<Database>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Endpoint {
    pub(crate) id: String,
    pub(crate) uid: String,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
    pub(crate) spec: EndpointSpec,
    /// False until the operation that makes it has ended.
    pub(crate) ready: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Role {
    pub(crate) id: String,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
    pub(crate) spec: RoleSpec,
    /// Whether it comes with its branch: Postgres gets it when the branch's cluster first starts.
    #[serde(default)]
    pub(crate) initial: bool,
    /// The native password, of roles that have one.
    pub(crate) password: Option<NativePassword>,
}

/// A native password. It is kept in the open because the API can be asked for it; it never shows in a log.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct NativePassword(String);

impl NativePassword {
    pub(crate) fn new(text: String) -> Self {
        Self(text)
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for NativePassword {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("NativePassword(…)")
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Database {
    pub(crate) id: String,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
    pub(crate) spec: DatabaseSpec,
    /// Whether it comes with its branch, as [`Role::initial`].
    #[serde(default)]
    pub(crate) initial: bool,
    pub(crate) data_api: Option<DataApi>,
    pub(crate) cdf_configs: Vec<CdfConfig>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DataApi {
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
    /// State only: nothing serves it, so it stays as it was written.
    pub(crate) spec: Value,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CdfConfig {
    pub(crate) id: String,
    pub(crate) created: Timestamp,
    pub(crate) spec: CdfSpec,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Snapshot {
    pub(crate) id: String,
    pub(crate) uid: String,
    pub(crate) created: Timestamp,
    pub(crate) spec: SnapshotSpec,
    /// False until the operation that makes it has ended.
    pub(crate) ready: bool,
    pub(crate) full_size_bytes: u64,
    /// Roles and databases of its source, for the branch that is made from it.
    pub(crate) roles: Vec<Role>,
    pub(crate) databases: Vec<Database>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Catalog {
    pub(crate) id: String,
    pub(crate) uid: String,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
    pub(crate) spec: CatalogSpec,
    pub(crate) ready: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SyncedTable {
    /// `catalog.schema.table`.
    pub(crate) id: String,
    pub(crate) uid: String,
    pub(crate) created: Timestamp,
    pub(crate) spec: SyncedTableSpec,
    pub(crate) pipeline_id: String,
    pub(crate) ready: bool,
    pub(crate) last_sync: Option<Sync>,
    /// Why the last sync failed.
    pub(crate) failure: Option<String>,
}

/// A sync that succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sync {
    pub(crate) started: Timestamp,
    pub(crate) ended: Timestamp,
    pub(crate) version: u64,
    pub(crate) version_at: Timestamp,
    pub(crate) rows: u64,
}

impl Project {
    pub(crate) fn name(&self) -> String {
        format!("projects/{}", self.id)
    }

    pub(crate) fn branch(&self, id: &str) -> Option<&Branch> {
        self.branches.iter().find(|branch| branch.id == id)
    }

    pub(crate) fn is_default(&self, branch: &Branch) -> bool {
        self.spec.default_branch == branch.name(self)
    }
}

impl Branch {
    pub(crate) fn name(&self, project: &Project) -> String {
        format!("{}/branches/{}", project.name(), self.id)
    }

    /// A branch that comes from no other.
    pub(crate) fn is_root(&self) -> bool {
        self.spec.source_branch.is_none() && self.spec.source_snapshot.is_none()
    }

    pub(crate) fn role(&self, id: &str) -> Option<&Role> {
        self.roles.iter().find(|role| role.id == id)
    }

    pub(crate) fn role_named(&self, postgres_role: &str) -> Option<&Role> {
        self.roles
            .iter()
            .find(|role| role.spec.postgres_role == postgres_role)
    }

    pub(crate) fn database(&self, id: &str) -> Option<&Database> {
        self.databases.iter().find(|database| database.id == id)
    }

    /// The one endpoint that takes writes.
    pub(crate) fn primary(&self) -> Option<&Endpoint> {
        self.endpoints
            .iter()
            .find(|endpoint| endpoint.spec.endpoint_type == EndpointType::ReadWrite)
    }
}

impl Endpoint {
    pub(crate) fn name(&self, project: &Project, branch: &Branch) -> String {
        format!("{}/endpoints/{}", branch.name(project), self.id)
    }
}
