//! OAuth: finding the token endpoint and asking it for a token.
//!
//! A cold start pays for every round trip, so the workspace's own well-known document is asked first and the host's
//! metadata only when there is none. Answers are read tolerantly, because token endpoints differ; errors name the
//! endpoint and what it said, never what it was sent.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use http::Method;
use serde_json::Value;
use url::Url;

use crate::auth::token_cache::Fetched;
use crate::auth::token_request::{ask_for_token, refused, request, unusable};
use crate::clock::Deadline;
use crate::code::Code;
use crate::config::{Resolved, account_host, is_loopback};
use crate::error::{Error, Result};
use crate::http::{Retry, Wire};
use crate::secret::Secret;

const WELL_KNOWN: &str = "/oidc/.well-known/oauth-authorization-server";
const METADATA: &str = "/.well-known/databricks-config";
/// The metadata document is a help, not a condition.
const METADATA_BUDGET: Duration = Duration::from_secs(5);

/// The OAuth side of one workspace.
#[derive(Debug)]
pub(crate) struct OAuth {
    wire: Wire,
    resolved: Arc<Resolved>,
    /// Looked up once; a failure is not remembered.
    token_endpoint: ArcSwapOption<Url>,
    /// What the host says of itself; that it says nothing is not remembered.
    metadata: ArcSwapOption<Value>,
}

impl OAuth {
    pub(crate) fn new(resolved: &Arc<Resolved>, wire: Wire) -> OAuth {
        OAuth {
            wire,
            resolved: Arc::clone(resolved),
            token_endpoint: ArcSwapOption::empty(),
            metadata: ArcSwapOption::empty(),
        }
    }

    pub(crate) fn wire(&self) -> &Wire {
        &self.wire
    }

    /// Asks for a token with a form, and HTTP Basic if there is a client secret.
    pub(crate) async fn token(
        &self,
        form: &[(&str, &str)],
        basic: Option<(&str, &Secret)>,
        deadline: Deadline,
        retry: Retry,
    ) -> Result<Fetched> {
        let endpoint = self.token_endpoint(deadline, retry).await?;
        ask_for_token(&self.wire, &endpoint, form, basic, deadline, retry).await
    }

    /// The same for a form that holds a secret which nobody configured: an answer that echoes it does not show it.
    pub(crate) async fn token_hiding(
        &self,
        hidden: &Secret,
        form: &[(&str, &str)],
        deadline: Deadline,
        retry: Retry,
    ) -> Result<Fetched> {
        let endpoint = self.token_endpoint(deadline, retry).await?;
        let wire = self.wire.hiding(hidden);
        ask_for_token(&wire, &endpoint, form, None, deadline, retry).await
    }

    /// Whom an ID token must be made for, so that the workspace takes it.
    pub(crate) async fn audience(&self, deadline: Deadline, retry: Retry) -> Result<String> {
        if let Some(audience) = self.resolved.get("token_audience") {
            return Ok(audience.to_owned());
        }
        let metadata = self.metadata(deadline).await?;
        let named = metadata
            .get("token_federation_default_oidc_audiences")
            .and_then(|list| list.get(0)?.as_str())
            .filter(|audience| !audience.is_empty());
        if let Some(audience) = named {
            return Ok(audience.to_owned());
        }
        let of_account = !metadata.is_null() && text(&metadata, "workspace_id").is_none();
        let account = self
            .resolved
            .get("account_id")
            .or_else(|| text(&metadata, "account_id"));
        if let (true, Some(account)) = (of_account, account) {
            return Ok(account.to_owned());
        }
        Ok(self.token_endpoint(deadline, retry).await?.to_string())
    }

    async fn token_endpoint(&self, deadline: Deadline, retry: Retry) -> Result<Arc<Url>> {
        if let Some(known) = self.token_endpoint.load_full() {
            return Ok(known);
        }
        let found = match self.resolved.value("discovery_url") {
            Some(value) => {
                let url = Url::parse(value.secret().expose()).map_err(|cause| {
                    Error::new(
                        Code::ConfigInvalid,
                        format!("discovery_url from {} is no address: {cause}", value.source),
                    )
                })?;
                match self.document(url.clone(), deadline, retry).await? {
                    Document::Is(endpoint) => endpoint,
                    Document::IsNot(why) => return Err(unusable(&url, &why)),
                }
            }
            None => self.discover(deadline, retry).await?,
        };
        let found = Arc::new(found);
        self.token_endpoint.store(Some(Arc::clone(&found)));
        Ok(found)
    }

    async fn discover(&self, deadline: Deadline, retry: Retry) -> Result<Url> {
        let url = self.on_host(WELL_KNOWN)?;
        let why = match self.document(url.clone(), deadline, retry).await? {
            Document::Is(endpoint) => return Ok(endpoint),
            Document::IsNot(why) => why,
        };
        let Some(other) = self.metadata_address(deadline).await? else {
            return Err(Error::new(
                Code::AuthFailed,
                format!("databricks OAuth is not supported for this host: {why}"),
            )
            .with_hint("Check that DATABRICKS_HOST is a workspace, or give discovery_url"));
        };
        match self.document(other.clone(), deadline, retry).await? {
            Document::Is(endpoint) => Ok(endpoint),
            Document::IsNot(why) => Err(unusable(&other, &why)),
        }
    }

    /// Reads an OAuth metadata document; a missing or strange one is no error yet.
    async fn document(&self, url: Url, deadline: Deadline, retry: Retry) -> Result<Document> {
        self.check_encrypted(&url)?;
        let request = request(&self.wire, Method::GET, url);
        let response = self.wire.exchange(&request, deadline, retry).await?;
        match response.status {
            200..=299 => {}
            404 => {
                return Ok(Document::IsNot(
                    "there is no OAuth metadata document (404)".to_owned(),
                ));
            }
            _ => return Err(refused(&self.wire, &request, &response)),
        }
        let body: Option<Value> = serde_json::from_slice(&response.body).ok();
        let endpoint = body
            .as_ref()
            .and_then(|body| body.get("token_endpoint")?.as_str())
            .and_then(|endpoint| Url::parse(endpoint).ok());
        let Some(endpoint) = endpoint else {
            return Ok(Document::IsNot(
                "the OAuth metadata document names no token endpoint".to_owned(),
            ));
        };
        self.check_encrypted(&endpoint)?;
        Ok(Document::Is(endpoint))
    }

    async fn metadata_address(&self, deadline: Deadline) -> Result<Option<Url>> {
        let metadata = self.metadata(deadline).await?;
        let Some(endpoint) = text(&metadata, "oidc_endpoint") else {
            return Ok(None);
        };
        let account = self
            .resolved
            .get("account_id")
            .or_else(|| text(&metadata, "account_id"));
        let endpoint = match account {
            Some(id) => endpoint.replace("{account_id}", id),
            None => endpoint.to_owned(),
        };
        if endpoint.contains("{account_id}") {
            tracing::warn!("the host's OAuth endpoint needs an account_id, and none is known");
            return Ok(None);
        }
        let address = format!(
            "{}/.well-known/oauth-authorization-server",
            endpoint.trim_end_matches('/')
        );
        Ok(Url::parse(&address).ok())
    }

    /// The host's metadata, null if there is none. It is a help, so whatever goes wrong is no error; but a host that calls
    /// itself an account console is one, whatever its name.
    async fn metadata(&self, deadline: Deadline) -> Result<Arc<Value>> {
        if let Some(known) = self.metadata.load_full() {
            return Ok(known);
        }
        let deadline = deadline.within(&*self.wire.clock, METADATA_BUDGET);
        let request = request(&self.wire, Method::GET, self.on_host(METADATA)?);
        let found: Option<Value> = match self.wire.exchange(&request, deadline, Retry::Once).await {
            Ok(response) if response.status == 200 => serde_json::from_slice(&response.body).ok(),
            Ok(_) => None,
            Err(error) => {
                tracing::warn!(%error, "no host metadata");
                None
            }
        };
        let metadata = found.unwrap_or_default();
        if text(&metadata, "host_type").is_some_and(|kind| kind.eq_ignore_ascii_case("account")) {
            let host = self.resolved.host().unwrap_or_default();
            let from = self.resolved.value("host");
            let from = from.map_or_else(String::new, |value| value.source.to_string());
            return Err(account_host(host, &from));
        }
        if let Some(id) = text(&metadata, "workspace_id").and_then(|id| id.parse().ok()) {
            // Only the first answer counts, so that a call's headers do not change under way.
            let _ = self.wire.workspace_id.set(id);
        }
        let metadata = Arc::new(metadata);
        if !metadata.is_null() {
            self.metadata.store(Some(Arc::clone(&metadata)));
        }
        Ok(metadata)
    }

    fn on_host(&self, path: &str) -> Result<Url> {
        let host = self.resolved.host().unwrap_or_default();
        Url::parse(&format!("{host}{path}")).map_err(|cause| {
            Error::new(Code::Internal, "a normalised host is no address").with_source(cause)
        })
    }

    /// A secret goes over TLS, or stays on this machine.
    fn check_encrypted(&self, url: &Url) -> Result<()> {
        if url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url)) {
            return Ok(());
        }
        Err(Error::new(
            Code::AuthFailed,
            format!(
                "{} names the OAuth address {}://{}, which is not encrypted",
                self.resolved.host().unwrap_or_default(),
                url.scheme(),
                url.host_str().unwrap_or_default()
            ),
        ))
    }
}

enum Document {
    Is(Url),
    IsNot(String),
}

fn text<'a>(metadata: &'a Value, name: &str) -> Option<&'a str> {
    metadata.get(name)?.as_str().filter(|text| !text.is_empty())
}
