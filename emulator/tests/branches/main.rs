//! Branches of real clusters, seen through SQL: what is in them, what is not, and what is left of them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    unreachable_pub
)]

mod current;
mod kill;
mod many;
mod past;
mod removal;
#[path = "../common/scratch.rs"]
mod scratch;
mod snapshots;
mod stage;
mod standbys;
#[path = "../common/victim.rs"]
mod victim;
