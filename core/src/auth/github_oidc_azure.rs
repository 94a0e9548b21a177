//! `github-oidc-azure`: GitHub vouches for a job towards Entra, which gives the token of a service principal.

use crate::auth::azure::{Azure, AzureTokens, Management, identity};
use crate::auth::chain::{Chosen, Ground};
use crate::auth::federation::IdTokens;
use crate::auth::github_oidc::Actions;
use crate::auth::token_cache::Fetched;
use crate::auth::token_request::ask_for_token;
use crate::clock::{BoxFuture, Deadline};
use crate::code::Code;
use crate::error::Result;
use crate::http::Retry;

const NAME: &str = "github-oidc-azure";
const AUDIENCE: &str = "api://AzureADTokenExchange";
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

pub(crate) fn make(ground: &Ground<'_>) -> Result<Chosen> {
    let azure = Azure::of(ground, NAME)?;
    let client_id = ground.need(NAME, "azure_client_id")?.expose().to_owned();
    let source = Job {
        actions: Actions::of(ground, NAME)?,
        client_id: client_id.clone(),
    };
    let who = client_id.clone();
    Ok(identity(ground, NAME, &who, Some(client_id), azure, source))
}

#[derive(Debug)]
struct Job {
    actions: Actions,
    client_id: String,
}

impl AzureTokens for Job {
    fn token<'a>(
        &'a self,
        azure: &'a Azure,
        resource: &'a str,
        deadline: Deadline,
        retry: Retry,
    ) -> BoxFuture<'a, Result<Fetched>> {
        Box::pin(async move {
            let endpoint = azure.token_endpoint(deadline, retry).await?;
            let id_token = self
                .actions
                .id_token(&azure.wire, AUDIENCE, deadline, retry)
                .await?;
            let form = [
                ("grant_type", "client_credentials"),
                ("resource", resource),
                ("client_id", &self.client_id),
                ("client_assertion_type", ASSERTION),
                ("client_assertion", id_token.expose()),
            ];
            let wire = azure.wire.hiding(&id_token);
            ask_for_token(&wire, &endpoint, &form, None, deadline, retry)
                .await
                .map_err(|error| match error.code() {
                    Code::AuthDenied => error.with_hint(format!(
                        "Check that the application {} has a federated credential for this repository and branch",
                        self.client_id
                    )),
                    _ => error,
                })
        })
    }

    fn management(&self) -> Management {
        Management::Never
    }
}
