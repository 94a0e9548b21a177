//! The root certificates that logins verify the database with.
//!
//! They are read once, since that takes milliseconds, and again after a login that found no server which it could trust:
//! an authority may have been exchanged while the program runs.

use std::path::PathBuf;

use tokio::sync::Mutex;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::config::Environment;
use crate::conn::SYSTEM_ROOTS;
use crate::error::Result;
use crate::http::tls;

/// TLS that is ready to be used, once somebody asked for it.
#[derive(Default)]
pub(super) struct Tls(Mutex<Option<MakeRustlsConnect>>);

impl Tls {
    /// `root` is a file of certificates; without it, or for `system`, those of the system are trusted.
    pub(super) async fn get(
        &self,
        environment: &Environment,
        root: Option<&str>,
    ) -> Result<MakeRustlsConnect> {
        let mut ready = self.0.lock().await;
        if let Some(ready) = &*ready {
            return Ok(ready.clone());
        }
        let file = root.filter(|root| *root != SYSTEM_ROOTS).map(PathBuf::from);
        let roots = tls::Roots::of_database(environment, file).read().await?;
        let made = MakeRustlsConnect::new(tls::client_config(roots)?);
        *ready = Some(made.clone());
        Ok(made)
    }

    pub(super) async fn forget(&self) {
        *self.0.lock().await = None;
    }
}
