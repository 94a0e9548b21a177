//! The front door over real clusters, seen by clients that are not ours: a raw protocol client, and tokio-postgres.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod client;
mod login;
mod stage;
mod wake;
