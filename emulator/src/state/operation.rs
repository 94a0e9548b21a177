//! Long-running operations: what is being done, whether it may go on, and how it ended.
//!
//! They are kept with the resources, so that an operation whose emulator was killed in the middle goes on at the next
//! start instead of leaving a resource that is never ready.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::kind::Kind;

/// Finished operations beyond this number are forgotten, oldest first.
pub(crate) const REMEMBERED: usize = 20_000;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Operation {
    /// `<resource>/operations/<opaque>`.
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// Resource name of what it is about.
    pub(crate) resource: String,
    pub(crate) work: Work,
    pub(crate) started: Timestamp,
    /// Not before this moment does it end.
    pub(crate) due: Timestamp,
    /// What a fault rule does to it.
    pub(crate) fault: Option<Trouble>,
    pub(crate) end: Option<End>,
}

/// What an operation does to its resource.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Work {
    /// Makes what stands there unready.
    Create,
    /// Puts this specification in the place of the one there is.
    Update(Value),
    /// Takes it away, for good when `purge` is set.
    Delete {
        purge: bool,
        /// Resource name of the role that gets what a dropped role owned.
        reassign_to: Option<String>,
    },
    /// Brings back what was deleted softly.
    Undelete,
}

/// How an operation goes wrong by order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Trouble {
    /// It fails, and what it made is gone again.
    Fail { error_code: String, message: String },
    /// It succeeds and says so without a `response`.
    NoResponse,
    /// It never ends.
    Stuck,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum End {
    Response(Value),
    Error(Value),
    /// Done, and neither.
    Nothing,
}

impl Operation {
    /// The project whose other writes wait for this one.
    pub(crate) fn project(&self) -> Option<&str> {
        self.resource.strip_prefix("projects/")?.split('/').next()
    }
}
