//! Tables that stand in for Unity Catalog's, which synced tables copy from.
//!
//! There is no lakehouse here. A source is set through the admin API, each change of it is a new version, and that is
//! all that the sync of a synced table needs to see of one.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A table.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Source {
    /// `catalog.schema.table`.
    pub(crate) name: String,
    pub(crate) columns: Vec<Column>,
    /// One list per row, in the order of the columns.
    pub(crate) rows: Vec<Vec<Value>>,
    /// Counts its changes, from 0.
    #[serde(default)]
    pub(crate) version: u64,
    /// When it was changed.
    #[serde(default)]
    pub(crate) changed: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// A type of Delta, such as `BIGINT` or `ARRAY<STRING>`.
    #[serde(rename = "type")]
    pub(crate) delta_type: String,
    #[serde(default = "yes")]
    pub(crate) nullable: bool,
}

fn yes() -> bool {
    true
}
