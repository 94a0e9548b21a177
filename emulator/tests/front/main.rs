//! The front door over real clusters, seen by clients that are not ours: a raw protocol client, and tokio-postgres.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod binaries;
mod cancel;
mod client;
mod disturbed;
mod doubt;
mod hosts;
mod idle;
mod kill;
mod login;
mod orphan;
mod refusals;
#[path = "../common/scratch.rs"]
mod scratch;
mod stage;
mod wake;
