//! Configuration: explicit values, then the environment, then `~/.databrickscfg`.

use std::sync::Arc;

use crate::secret::Secret;

/// What was resolved.
#[derive(Clone, Debug)]
pub struct Resolved {
    host: String,
    token: Option<Secret>,
    environment: Arc<Environment>,
}

/// Explicit attributes.
#[derive(Clone, Debug, Default)]
pub struct Settings {}

/// A snapshot of the process environment.
#[derive(Clone, Debug, Default)]
pub struct Environment {}

/// Resolves settings, environment and profile. Reads the configuration file; no network.
pub fn resolve(_settings: &Settings, environment: &Arc<Environment>) -> crate::Result<Resolved> {
    Ok(Resolved {
        host: String::new(),
        token: None,
        environment: Arc::clone(environment),
    })
}
