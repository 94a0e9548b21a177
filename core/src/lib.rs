//! Database credentials that rotate by themselves, for Databricks Lakebase.

#![forbid(unsafe_code)]

pub mod auth;
mod client;
pub mod clock;
mod code;
pub mod config;
pub mod conn;
pub mod credential;
mod endpoint;
mod error;
pub mod http;
pub mod jitter;
pub mod login;
pub mod name;
mod once;
pub mod resolve;
pub mod secret;
mod target;

pub use client::{Client, ClientOptions, CredentialRequest, DEFAULT_TIMEOUT};
pub use code::Code;
pub use credential::{Credential, Lease};
pub use error::{Error, Result};
pub use secret::Secret;
