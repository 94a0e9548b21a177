//! `azure-msi`: the managed identity of a virtual machine, from the metadata address that only it can reach.

use std::time::Duration;

use http::{HeaderName, HeaderValue, Method};

use crate::auth::azure::{Azure, AzureTokens, Management, identity, parse};
use crate::auth::chain::{Chosen, Ground};
use crate::auth::token_cache::Fetched;
use crate::auth::token_request::{ask, read_token, unusable};
use crate::clock::{BoxFuture, Deadline};
use crate::code::Code;
use crate::error::{Error, Result};
use crate::http::Retry;

const NAME: &str = "azure-msi";
const BUDGET: Duration = Duration::from_secs(10);

pub(crate) fn make(ground: &Ground<'_>) -> Result<Chosen> {
    let azure = Azure::of(ground, NAME)?;
    let client_id = ground.text("azure_client_id").map(str::to_owned);
    let who = client_id.clone().unwrap_or_default();
    let source = Machine {
        client_id: client_id.clone(),
    };
    Ok(identity(ground, NAME, &who, client_id, azure, source))
}

#[derive(Debug)]
struct Machine {
    /// Which of several identities; `None`: the machine's own.
    client_id: Option<String>,
}

impl AzureTokens for Machine {
    fn token<'a>(
        &'a self,
        azure: &'a Azure,
        resource: &'a str,
        deadline: Deadline,
        retry: Retry,
    ) -> BoxFuture<'a, Result<Fetched>> {
        Box::pin(async move {
            let address = format!(
                "{}metadata/identity/oauth2/token",
                azure.endpoints.instance_metadata
            );
            let mut url = parse(&address)?;
            url.query_pairs_mut()
                .append_pair("api-version", "2018-02-01")
                .append_pair("resource", resource);
            if let Some(id) = &self.client_id {
                url.query_pairs_mut().append_pair("client_id", id);
            }
            let headers = vec![(
                HeaderName::from_static("metadata"),
                HeaderValue::from_static("true"),
            )];
            let deadline = deadline.within(&*azure.wire.clock, BUDGET);
            let response = ask(&azure.wire, Method::GET, url.clone(), headers, deadline, retry)
                .await
                .map_err(|error| match error.code() {
                    // There is no such address outside of Azure, and no use to ask it again.
                    Code::HttpConnect | Code::HttpTimeout => {
                        Error::new(Code::AuthFailed, error.message()).with_hint(
                            "Instance metadata answers on Azure's own machines only; unset ARM_USE_MSI elsewhere",
                        )
                    }
                    _ => error.with_hint(
                        "Check that the machine has this managed identity (ARM_CLIENT_ID names one of several)",
                    ),
                })?;
            let fetched = read_token(&azure.wire, &url, &response)?;
            if fetched.lifetime.is_none() {
                return Err(unusable(
                    &url,
                    "the answer does not say when the token ends",
                ));
            }
            Ok(fetched)
        })
    }

    fn management(&self) -> Management {
        Management::Always
    }
}
