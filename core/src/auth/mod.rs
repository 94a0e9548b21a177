//! Who we are towards the workspace: one file per authentication type, one chain that picks among them, one cache for
//! the tokens they give.
//!
//! These are workspace tokens, for API calls. A database login never uses one: it has its own credential, minted with
//! the help of these, and no code path falls back from one to the other.

mod azure;
mod azure_cli;
mod azure_client_secret;
mod azure_devops_oidc;
mod azure_msi;
mod basic;
mod chain;
mod databricks_cli;
mod env_oidc;
mod federation;
mod file_oidc;
mod github_oidc;
mod github_oidc_azure;
mod google;
mod google_credentials;
mod google_id;
mod host_callback;
mod metadata_service;
mod model_serving;
mod oauth;
mod oauth_m2m;
mod pat;
mod process;
mod settle;
#[cfg(test)]
mod tests;
mod token_cache;
mod token_request;
mod tool;

use std::sync::Arc;

pub use azure::AzureEndpoints;
pub use chain::Tried;
pub use google::GoogleEndpoints;
pub use host_callback::{ProvidedToken, TokenProvider};
pub use process::{Ended, Process, Program, SystemProcess};

pub(crate) use chain::{Authorization, Candidates, Chosen, Tokens, all_failed, choose, reason_of};
pub(crate) use settle::{Identity, Settled};

/// What lies outside of the workspace: this machine's programs and the cloud's identity services.
#[derive(Clone, Debug)]
pub struct Outside {
    /// Runs `databricks` and `az`.
    pub process: Arc<dyn Process>,
    /// Where Azure is; `None`: by the table of its clouds. No variable and no profile can change it.
    pub azure: Option<AzureEndpoints>,
    /// Where Google is; `None`: where it always is. No variable and no profile can change it.
    pub google: Option<GoogleEndpoints>,
}

impl Default for Outside {
    fn default() -> Outside {
        Outside {
            process: Arc::new(SystemProcess),
            azure: None,
            google: None,
        }
    }
}
