//! The native module of the npm package `lakekey`: private, thin, and the only native part of it.
//!
//! A function here takes its arguments, makes one call into `lakekey-ffi` and converts the result. Friendly types,
//! promises and drivers are TypeScript's business, in `lib`. Nothing here throws and nothing is a promise: results are
//! values or a [`failure::Failure`], and what takes time calls back. So error codes are never lost on the way, no
//! stack is cut off, and no future of ours ever runs on a runtime that Node shuts down with its last worker.
#![allow(
    clippy::needless_pass_by_value,
    reason = "what comes from JavaScript is owned"
)]

// Public, because Node reaches what is exported.
pub mod callback;
pub mod client;
pub mod connect;
pub mod credential;
pub mod failure;
pub mod management;
pub mod pending;
pub mod plan;
pub mod process;
