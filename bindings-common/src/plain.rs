//! What crosses the boundary: plain owned values, with no lifetimes and no generics.
//!
//! Absent is `None`, never an empty text or zero; times are milliseconds. A default is never filled in here: the core
//! knows it.

use std::fmt;

/// What a client is made from.
#[derive(Clone, Default)]
pub struct Options {
    /// Configuration attributes by their Databricks names: `host`, `token`, `client_id`, ...
    pub settings: Vec<(String, String)>,
    /// The database of calls that name none.
    pub target: Option<String>,
    /// The budget of calls that name none.
    pub timeout_ms: Option<u64>,
    /// Added to the user agent, such as `myapp/1.0`.
    pub product: Option<String>,
    /// Whether and where processes of this user share credentials: `on`, `off`, a path, or either after `required:`.
    pub shared_credentials: Option<String>,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self
            .settings
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        f.debug_struct("Options")
            .field("settings", &names)
            .field("target", &self.target)
            .field("timeout_ms", &self.timeout_ms)
            .field("product", &self.product)
            .field("shared_credentials", &self.shared_credentials)
            .finish()
    }
}

/// Which credential is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CredentialRequest {
    /// The database; none for the client's own.
    pub target: Option<String>,
    /// How long the credential should live.
    pub ttl_ms: Option<u64>,
    /// How long to wait for it.
    pub timeout_ms: Option<u64>,
}

/// Which connection is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
    pub ttl_ms: Option<u64>,
    /// How long to wait.
    pub timeout_ms: Option<u64>,
}

/// How to connect. Debug output hides the password.
#[derive(Clone, PartialEq, Eq)]
pub struct ConnectParams {
    /// libpq's keywords and values, without the password.
    pub pairs: Vec<(String, String)>,
    /// The credential.
    pub password: String,
    /// Whether the credential was there already: a login that is refused with such a one earns a fresh one.
    pub cached: bool,
    /// The role to log in as.
    pub user: String,
    /// The identity in the credential.
    pub subject: Option<String>,
    /// All of it as one connection string for libpq, with the password.
    pub conninfo: String,
}

impl fmt::Debug for ConnectParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectParams")
            .field("pairs", &self.pairs)
            .field("password", &"***")
            .field("cached", &self.cached)
            .field("user", &self.user)
            .field("subject", &self.subject)
            .finish_non_exhaustive()
    }
}
