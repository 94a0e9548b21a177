//! The management API without Postgres: every kind of resource, with the codes and texts of each rule.
#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(
    clippy::too_many_lines,
    reason = "tables of refusals, one line each but for the formatter"
)]

#[path = "../common/mod.rs"]
mod common;

mod branches;
mod computes;
mod crowd;
mod data;
mod operations;
mod permissions;
mod projects;
mod roles;
mod snapshots;
mod tables;
mod timers;

const IPV: &str = "INVALID_PARAMETER_VALUE";
const BRANCH: &str = "projects/emulator/branches/production";
