//! OAuth: finding the token endpoint and asking it for a token.
//!
//! A cold start pays for every round trip, so the workspace's own well-known document is asked first and the host's
//! metadata only when there is none. Answers are read tolerantly, because token endpoints differ; errors name the
//! endpoint and what it said, never what it was sent.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method};
use serde_json::Value;
use url::Url;

use crate::jwt;
use crate::auth::token_cache::Fetched;
use crate::clock::Deadline;
use crate::code::Code;
use crate::config::{Resolved, is_loopback};
use crate::error::{Error, Result};
use crate::http::transport::{Request, Response};
use crate::http::{Asked, Retry, Wire, date_ms, refusal};
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
}

impl OAuth {
    pub(crate) fn new(resolved: &Arc<Resolved>, wire: Wire) -> OAuth {
        OAuth {
            wire,
            resolved: Arc::clone(resolved),
            token_endpoint: ArcSwapOption::empty(),
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
        let mut request = self.request(Method::POST, (*endpoint).clone());
        request.follow_redirects = false;
        request.headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        );
        if let Some((id, secret)) = basic {
            request
                .headers
                .insert(AUTHORIZATION, basic_header(id, secret)?);
        }
        request.body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish()
            .into_bytes();
        let response = self.wire.exchange(&request, deadline, retry).await?;
        if !(200..300).contains(&response.status) {
            return Err(self.refused(&request, &response));
        }
        self.read_token(&endpoint, &response)
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
        let request = self.request(Method::GET, url);
        let response = self.wire.exchange(&request, deadline, retry).await?;
        match response.status {
            200..=299 => {}
            404 => {
                return Ok(Document::IsNot(
                    "there is no OAuth metadata document (404)".to_owned(),
                ));
            }
            _ => return Err(self.refused(&request, &response)),
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
        let deadline = deadline.within(&*self.wire.clock, METADATA_BUDGET);
        let request = self.request(Method::GET, self.on_host(METADATA)?);
        let body: Option<Value> = match self.wire.exchange(&request, deadline, Retry::Once).await {
            Ok(response) if response.status == 200 => serde_json::from_slice(&response.body).ok(),
            Ok(_) => None,
            Err(error) => {
                tracing::warn!(%error, "no host metadata");
                None
            }
        };
        let text = |name: &str| {
            body.as_ref()?
                .get(name)?
                .as_str()
                .filter(|text| !text.is_empty())
        };
        let Some(endpoint) = text("oidc_endpoint") else {
            return Ok(None);
        };
        let account = self
            .resolved
            .get("account_id")
            .or_else(|| text("account_id"));
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

    fn request(&self, method: Method, url: Url) -> Request {
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, self.wire.user_agent.clone());
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        Request {
            follow_redirects: method == Method::GET,
            method,
            url,
            headers,
            body: Vec::new(),
        }
    }

    fn refused(&self, request: &Request, response: &Response) -> Error {
        let what = format!("{} {}", request.method, request.url.path());
        let read = refusal(
            Asked {
                what: &what,
                host: request.url.host_str().unwrap_or_default(),
                secrets: &self.wire.secrets,
                wall_ms: self.wire.clock.now().wall_ms,
            },
            response,
        );
        let code = match (response.status, &request.method) {
            (400 | 401 | 403, &Method::POST) => Code::AuthDenied,
            (429 | 500..=599, _) => read.code(),
            _ => Code::AuthFailed,
        };
        Error::new(code, read.message())
            .with_http(response.status, read.request_id().map(str::to_owned))
            .with_retry_after(read.retry_after())
    }

    fn read_token(&self, endpoint: &Url, response: &Response) -> Result<Fetched> {
        let fields = fields_of(response)
            .ok_or_else(|| unusable(endpoint, "the answer is neither JSON nor a form"))?;
        let text = |name: &str| {
            fields
                .get(name)
                .map(String::as_str)
                .filter(|text| !text.is_empty())
        };
        let token = text("access_token")
            .ok_or_else(|| unusable(endpoint, "the answer holds no access_token"))?;
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(unusable(
                endpoint,
                "the token holds characters that no token has",
            ));
        }
        // Counted from the server's own time where it tells it, so that a wrong clock here does not matter.
        let now = date_ms(&response.headers).unwrap_or_else(|| self.wire.clock.now().wall_ms);
        let until = |end: u64| Duration::from_millis(end.saturating_sub(now));
        let lifetime = text("expires_in")
            .and_then(seconds)
            .or_else(|| {
                text("expires_on")
                    .and_then(seconds)
                    .map(|end| until(crate::clock::millis(end)))
            })
            .or_else(|| jwt::expires_at_ms(token).map(until));
        Ok(Fetched {
            token: Secret::new(token),
            scheme: scheme(text("token_type")),
            lifetime,
        })
    }
}

enum Document {
    Is(Url),
    IsNot(String),
}

fn unusable(url: &Url, why: &str) -> Error {
    Error::new(
        Code::AuthFailed,
        format!(
            "{}{} cannot be used: {why}",
            url.host_str().unwrap_or_default(),
            url.path()
        ),
    )
    .with_hint("Check that DATABRICKS_HOST is a Databricks workspace")
}

fn basic_header(id: &str, secret: &Secret) -> Result<HeaderValue> {
    use base64::Engine;
    let pair = format!("{id}:{}", secret.expose());
    let encoded = base64::engine::general_purpose::STANDARD.encode(pair);
    let mut header = HeaderValue::from_str(&format!("Basic {encoded}"))
        .map_err(|_| Error::new(Code::Internal, "base64 is no header"))?;
    header.set_sensitive(true);
    Ok(header)
}

/// The fields of a token answer, JSON or form, numbers as text.
fn fields_of(response: &Response) -> Option<HashMap<String, String>> {
    let form = response
        .headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| {
            kind.to_ascii_lowercase()
                .starts_with("application/x-www-form-urlencoded")
        });
    if form {
        return Some(
            url::form_urlencoded::parse(&response.body)
                .into_owned()
                .collect(),
        );
    }
    let Ok(Value::Object(body)) = serde_json::from_slice(&response.body) else {
        return None;
    };
    let flat = body.into_iter().filter_map(|(name, value)| match value {
        Value::String(text) => Some((name, text)),
        Value::Number(number) => Some((name, number.to_string())),
        _ => None,
    });
    Some(flat.collect())
}

fn seconds(text: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(text.trim().parse().ok()?).ok()
}

/// Any case of `bearer`, or none at all, is `Bearer`.
fn scheme(given: Option<&str>) -> String {
    match given {
        Some(other)
            if !other.eq_ignore_ascii_case("bearer")
                && other.bytes().all(|byte| byte.is_ascii_alphanumeric()) =>
        {
            other.to_owned()
        }
        _ => "Bearer".to_owned(),
    }
}
