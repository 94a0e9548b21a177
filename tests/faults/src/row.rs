//! The table of `rows.json`: each row is a fault, what an app does meanwhile, and what must come of it in every language.
//!
//! The expectation stands here once. If each language had tests of its own for this, one of them would be content with
//! less, and nobody would notice.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::Value;

/// One fault and what must come of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    /// Unique; docs/promises.md speaks of it by this name.
    pub(crate) name: String,
    /// How the emulator's hosts are found.
    #[serde(default)]
    pub(crate) hosts: Hosts,
    pub(crate) steps: Vec<Step>,
    /// What the emulator must have counted at the end: at least, at most.
    #[serde(default)]
    pub(crate) counts: BTreeMap<String, (u64, u64)>,
    /// For languages that cannot: why.
    #[serde(default)]
    pub(crate) platforms: BTreeMap<String, String>,
}

/// As `lakekey emulate --host-mode` has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Hosts {
    /// Found by address.
    #[default]
    Name,
    /// Found by asking the emulator's name server.
    Dns,
}

impl Hosts {
    pub(crate) const ALL: [Self; 2] = [Self::Name, Self::Dns];

    pub(crate) fn mode(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Dns => "dns",
        }
    }
}

/// What is done, in turn.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Step {
    /// Tells the emulator's admin API something. In the path `{endpoint}` stands for the endpoint's name, in the body `{host}`
    /// for its host.
    Tell { post: String, body: Value },
    /// Nothing happens for so long: what has gone on by then is known to the driver.
    Pause { s: f64 },
    /// The app makes a new client and a pool of one connection, and runs a first query.
    Connect {
        #[serde(default = "budget_s")]
        budget_s: u32,
        #[serde(default)]
        user: String,
        expect: Expect,
    },
    /// The app makes a new client and logs so many sessions in at the same time; it answers with how many queries it ran.
    Storm {
        count: u32,
        #[serde(default = "budget_s")]
        budget_s: u32,
        expect: Expect,
    },
    /// The app runs a statement through the pool that it has.
    Query { sql: String, expect: Expect },
    /// The same, and while Postgres is at it the emulator is told something.
    During {
        sql: String,
        post: String,
        body: Value,
        expect: Expect,
    },
}

fn budget_s() -> u32 {
    20
}

/// What must come of it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Expect {
    /// It succeeds.
    Serves {
        within_s: f64,
        /// The value that comes back.
        value: Option<String>,
    },
    /// It fails, and says why.
    Fails {
        within_s: f64,
        /// One of these kinds or codes.
        of: Vec<String>,
        /// In the hint.
        hint: Option<String>,
    },
}

impl Expect {
    pub(crate) fn within_s(&self) -> f64 {
        match self {
            Self::Serves { within_s, .. } | Self::Fails { within_s, .. } => *within_s,
        }
    }
}

impl Step {
    pub(crate) fn expect(&self) -> Option<&Expect> {
        match self {
            Self::Tell { .. } | Self::Pause { .. } => None,
            Self::Connect { expect, .. }
            | Self::Storm { expect, .. }
            | Self::Query { expect, .. }
            | Self::During { expect, .. } => Some(expect),
        }
    }
}

/// The rows, checked.
pub(crate) fn rows() -> Result<Vec<Row>> {
    let rows: Vec<Row> = serde_json::from_str(include_str!("../rows.json"))
        .context("tests/faults/rows.json cannot be read")?;
    for (index, row) in rows.iter().enumerate() {
        ensure!(
            rows[..index].iter().all(|other| other.name != row.name),
            "two rows are called {:?}",
            row.name
        );
        ensure!(
            row.steps.iter().any(|step| step.expect().is_some()),
            "the row {:?} expects nothing",
            row.name
        );
    }
    Ok(rows)
}
