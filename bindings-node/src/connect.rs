//! What connection is wanted, and how to make it, as JavaScript sees them.

use std::collections::HashMap;

use lakekey_ffi::plain;
use napi_derive::napi;

use crate::client::millis;

/// Which connection is wanted.
#[napi(object, object_to_js = false)]
pub struct ConnectRequest {
    /// The database server; none for the client's own.
    pub target: Option<String>,
    /// The database's name.
    pub database: Option<String>,
    /// The role to log in as.
    pub user: Option<String>,
    /// The port.
    pub port: Option<u16>,
    /// libpq's `sslmode`.
    pub sslmode: Option<String>,
    /// libpq's `sslrootcert`.
    pub sslrootcert: Option<String>,
    /// How long the credential should live.
    pub ttl_millis: Option<f64>,
    /// How long to wait.
    pub timeout_millis: Option<f64>,
}

impl From<ConnectRequest> for plain::ConnectRequest {
    fn from(request: ConnectRequest) -> plain::ConnectRequest {
        plain::ConnectRequest {
            target: request.target,
            database: request.database,
            user: request.user,
            port: request.port,
            sslmode: request.sslmode,
            sslrootcert: request.sslrootcert,
            ttl_ms: millis(request.ttl_millis),
            timeout_ms: millis(request.timeout_millis),
        }
    }
}

/// How to connect once.
#[napi(object, object_from_js = false)]
pub struct Connect {
    /// libpq's keywords, without the password.
    pub params: HashMap<String, String>,
    /// The credential.
    pub password: String,
    /// Whether the token was there already, so that a refused login earns a fresh one.
    pub cached: bool,
    /// The role to log in as.
    pub user: String,
    /// The identity in the credential.
    pub subject: Option<String>,
    /// All of it as one connection string for libpq, the password in it.
    pub conninfo: String,
}

impl From<plain::ConnectParams> for Connect {
    fn from(params: plain::ConnectParams) -> Connect {
        Connect {
            params: params.pairs.into_iter().collect(),
            password: params.password,
            cached: params.cached,
            user: params.user,
            subject: params.subject,
            conninfo: params.conninfo,
        }
    }
}
