//! Database credentials that rotate by themselves, for Databricks Lakebase.
//!
//! The password of a Lakebase login is a token that ends after an hour. A [`Client`] finds out who you are the way the
//! Databricks SDKs do, mints that token, keeps it, renews it in time and says everything else a Postgres driver needs.
//!
//! ```no_run
//! # async fn example() -> lakekey::Result<()> {
//! use lakekey::conn::WithPassword;
//! use lakekey::{Client, ClientOptions, ConnectRequest};
//!
//! let client = Client::new(ClientOptions::from_process())?;
//! let connect = client.connect_params(&ConnectRequest::default()).await?;
//! let conninfo = connect.params.to_keyword(WithPassword::Yes); // for libpq, tokio-postgres, ...
//! # drop(conninfo); Ok(())
//! # }
//! ```
//!
//! With the feature `tokio-postgres` it opens logins as well: see `lakekey::tokio_postgres`.
//!
//! A workspace token is never used as a Postgres password: only a minted [`Credential`] is, and no other type gets there.

#![forbid(unsafe_code)]

mod as_user;
pub mod auth;
mod client;
pub mod clock;
mod code;
pub mod config;
pub mod conn;
mod connect;
pub mod credential;
mod describe;
mod endpoint;
mod error;
pub mod http;
pub mod jitter;
mod jwt;
pub mod login;
pub mod management;
pub mod name;
mod once;
pub mod plan;
pub mod resolve;
pub mod secret;
mod shared;
mod skew;
pub mod stats;
mod target;
#[cfg(feature = "tokio-postgres")]
pub mod tokio_postgres;

pub use client::{Client, ClientOptions, CredentialRequest, DEFAULT_TIMEOUT};
pub use code::Code;
pub use connect::{Connect, ConnectRequest};
pub use credential::{Credential, Lease};
pub use describe::Description;
pub use error::{Error, Result};
pub use login::explain;
pub use secret::Secret;
pub use shared::SharedCredentials;
