//! The rotation machine in a deterministic simulation: a manual clock, a scripted control plane, every task on one
//! thread.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod connecting;
mod outage;
mod planned;
mod rejection;
mod rotation;
#[cfg(unix)]
mod shared;
mod storm;
mod world;
