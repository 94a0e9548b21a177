//! The kinds of resources, and the words by which the API names each.

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Project,
    Branch,
    Endpoint,
    Role,
    Database,
    DataApi,
    CdfConfig,
    CdfStatus,
    SnapshotSchedule,
    Snapshot,
    Catalog,
    SyncedTable,
}

impl Kind {
    /// The message's name, as in `@type`.
    pub(crate) fn message(self) -> &'static str {
        match self {
            Self::Project => "Project",
            Self::Branch => "Branch",
            Self::Endpoint => "Endpoint",
            Self::Role => "Role",
            Self::Database => "Database",
            Self::DataApi => "DataApi",
            Self::CdfConfig => "CdfConfig",
            Self::CdfStatus => "CdfStatus",
            Self::SnapshotSchedule => "SnapshotSchedule",
            Self::Snapshot => "Snapshot",
            Self::Catalog => "Catalog",
            Self::SyncedTable => "SyncedTable",
        }
    }

    /// The field of a request's body and the stem of `<word>_id`.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Project => "project",
            Self::Branch => "branch",
            Self::Endpoint => "endpoint",
            Self::Role => "role",
            Self::Database => "database",
            Self::DataApi => "data_api",
            Self::CdfConfig => "cdf_config",
            Self::CdfStatus => "cdf_status",
            Self::SnapshotSchedule => "snapshot_schedule",
            Self::Snapshot => "snapshot",
            Self::Catalog => "catalog",
            Self::SyncedTable => "synced_table",
        }
    }

    /// The collection as a path segment; a singleton's own segment.
    pub(crate) fn collection(self) -> &'static str {
        match self {
            Self::Project => "projects",
            Self::Branch => "branches",
            Self::Endpoint => "endpoints",
            Self::Role => "roles",
            Self::Database => "databases",
            Self::DataApi => "data-api",
            Self::CdfConfig => "cdf-configs",
            Self::CdfStatus => "cdf-statuses",
            Self::SnapshotSchedule => "snapshot-schedule",
            Self::Snapshot => "snapshots",
            Self::Catalog => "catalogs",
            Self::SyncedTable => "synced_tables",
        }
    }

    /// The field of a list's answer.
    pub(crate) fn list_field(self) -> &'static str {
        match self {
            Self::CdfConfig => "cdf_configs",
            Self::CdfStatus => "cdf_statuses",
            other => other.collection(),
        }
    }
}
