//! `azure-client-secret`: a service principal of Entra with a secret.

use crate::auth::azure::{Azure, AzureTokens, Management, identity};
use crate::auth::chain::{Chosen, Ground};
use crate::auth::token_cache::Fetched;
use crate::auth::token_request::ask_for_token;
use crate::clock::{BoxFuture, Deadline};
use crate::code::Code;
use crate::error::Result;
use crate::http::Retry;
use crate::secret::Secret;

const NAME: &str = "azure-client-secret";

pub(crate) fn make(ground: &Ground<'_>) -> Result<Chosen> {
    let azure = Azure::of(ground, NAME)?;
    let client_id = ground.need(NAME, "azure_client_id")?.expose().to_owned();
    let secret = ground.need(NAME, "azure_client_secret")?.clone();
    let who = format!("{client_id}\n{}", secret.fingerprint());
    let source = ServicePrincipal {
        hint: format!(
            "Check azure_client_id {client_id} (from {}) and azure_client_secret (from {}); an Entra secret ends by itself",
            ground.source("azure_client_id"),
            ground.source("azure_client_secret")
        ),
        client_id: client_id.clone(),
        secret,
    };
    Ok(identity(ground, NAME, &who, Some(client_id), azure, source))
}

#[derive(Debug)]
struct ServicePrincipal {
    client_id: String,
    secret: Secret,
    hint: String,
}

impl AzureTokens for ServicePrincipal {
    fn token<'a>(
        &'a self,
        azure: &'a Azure,
        resource: &'a str,
        deadline: Deadline,
        retry: Retry,
    ) -> BoxFuture<'a, Result<Fetched>> {
        Box::pin(async move {
            let endpoint = azure.token_endpoint(deadline, retry).await?;
            let form = [
                ("grant_type", "client_credentials"),
                ("resource", resource),
                ("client_id", &self.client_id),
                ("client_secret", self.secret.expose()),
            ];
            ask_for_token(&azure.wire, &endpoint, &form, None, deadline, retry)
                .await
                .map_err(|error| match error.code() {
                    Code::AuthDenied => error.with_hint(&*self.hint),
                    _ => error,
                })
        })
    }

    fn management(&self) -> Management {
        Management::Always
    }
}
