//! Database credentials that rotate by themselves, for Databricks Lakebase.

#![forbid(unsafe_code)]

pub mod auth;
pub mod clock;
mod code;
pub mod config;
pub mod credential;
mod endpoint;
mod error;
pub mod http;
pub mod jitter;
pub mod name;
pub mod secret;

pub use code::Code;
pub use error::{Error, Result};
pub use secret::Secret;
