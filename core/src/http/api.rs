//! One authenticated door to the workspace.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::Value;
use url::Url;

use crate::auth::{Authorization, Chosen, TokenProvider, choose};
use crate::clock::{Clock, Deadline};
use crate::code::Code;
use crate::config::Resolved;
use crate::error::{Error, Result};
use crate::http::error_body::request_id;
use crate::http::retry::date_ms;
use crate::http::transport::{Request, Response, Transport};
use crate::http::{Asked, Retry, Wire, refusal};
use crate::jitter::Dice;
use crate::secret::Secret;

/// Routes a call on a host that serves several workspaces.
const WORKSPACE: HeaderName = HeaderName::from_static("x-databricks-workspace-id");

/// A call of the workspace API.
pub struct Call<'a> {
    /// The method.
    pub method: Method,
    /// The absolute path, percent-encoded where needed: `/api/2.0/postgres/...`.
    pub path: &'a str,
    /// Query parameters, unencoded.
    pub query: &'a [(&'a str, &'a str)],
    /// The JSON body, if any.
    pub body: Option<Value>,
    /// When the caller stops waiting.
    pub deadline: Deadline,
    /// How often to try.
    pub retry: Retry,
}

impl fmt::Debug for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

/// A successful answer. Debug output leaves out body and headers, which may hold a minted token.
#[derive(Clone)]
pub struct Answer {
    /// The JSON body: always an object, empty for an answer without content.
    pub body: Value,
    /// The server's own time in milliseconds since 1970, from `Date`.
    pub date_ms: Option<u64>,
    /// The server's id of the request.
    pub request_id: Option<String>,
    /// All headers.
    pub headers: HeaderMap,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("date_ms", &self.date_ms)
            .field("request_id", &self.request_id)
            .finish_non_exhaustive()
    }
}

/// One authenticated door to the workspace: transport, configuration, identity and workspace tokens. Cheap to clone.
#[derive(Clone)]
pub struct Api(Arc<Inner>);

struct Inner {
    wire: Wire,
    origin: Url,
    host: String,
    workspace_id: Option<HeaderValue>,
    chosen: Chosen,
    resolved: Arc<Resolved>,
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api")
            .field("host", &self.host())
            .field("auth_type", &self.auth_type())
            .finish_non_exhaustive()
    }
}

impl Api {
    /// Picks the authentication type and checks that all it needs is there. No I/O.
    pub fn new(
        resolved: Arc<Resolved>,
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
        dice: Arc<dyn Dice>,
        provider: Option<Arc<dyn TokenProvider>>,
        product: Option<&str>,
    ) -> Result<Api> {
        let seconds = |name| resolved.number(name).map(Duration::from_secs);
        let mut wire = Wire {
            transport,
            clock,
            dice,
            user_agent: HeaderValue::from_static("lakekey"),
            secrets: known_secrets(&resolved),
            attempt: seconds("http_timeout_seconds"),
            budget: seconds("retry_timeout_seconds"),
        };
        let chosen = choose(&resolved, provider, |auth_type| {
            wire.user_agent = user_agent(auth_type, product)?;
            Ok(wire.clone())
        })?;
        let host = resolved.host().unwrap_or_default().to_owned();
        let origin = Url::parse(&host).map_err(|cause| {
            Error::new(Code::Internal, "a normalised host is no address").with_source(cause)
        })?;
        for note in resolved.notes() {
            tracing::warn!("{note}");
        }
        Ok(Api(Arc::new(Inner {
            wire,
            origin,
            workspace_id: workspace_header(&resolved)?,
            host,
            chosen,
            resolved,
        })))
    }

    /// Sends a call with authorization and reads its JSON answer.
    ///
    /// A token that the workspace refuses is dropped, and one more attempt is made with a fresh one where there can be one.
    pub async fn call(&self, call: Call<'_>) -> Result<Answer> {
        let inner = &*self.0;
        let deadline = inner.wire.bounded(call.deadline);
        let mut request = self.request(&call)?;
        let mut renewed = false;
        loop {
            let authorization = inner
                .chosen
                .authorization(deadline, call.retry, &*inner.wire.clock)
                .await?;
            request
                .headers
                .insert(AUTHORIZATION, authorization.header()?);
            let response = inner.wire.exchange(&request, deadline, call.retry).await?;
            if response.status == 401 && !renewed && inner.chosen.drop_token(&authorization) {
                renewed = true;
                continue;
            }
            return self.answer(&call, &response, &authorization);
        }
    }

    /// The workspace's origin, without a final slash.
    pub fn host(&self) -> &str {
        &self.0.host
    }

    /// A one-way name of the identity: stable, without I/O, no secret.
    pub fn principal(&self) -> &str {
        &self.0.chosen.principal
    }

    /// What is known of the Postgres user without a request: the client id for oauth-m2m.
    pub fn login_name(&self) -> Option<&str> {
        self.0.chosen.login_name.as_deref()
    }

    /// The authentication type in use: `pat`, `oauth-m2m`, `host-callback`.
    pub fn auth_type(&self) -> &str {
        self.0.chosen.auth_type
    }

    /// The configuration behind it, each value with its source.
    pub fn resolved(&self) -> &Resolved {
        &self.0.resolved
    }

    /// Takes over another door's workspace token if it is the same identity on the same host; takes no lock of the
    /// other one, so that a forked child may ask its parent's.
    pub fn inherit(&self, parent: &Api) {
        if self.host() == parent.host() && self.principal() == parent.principal() {
            self.0.chosen.inherit(&parent.0.chosen);
        }
    }

    fn request(&self, call: &Call<'_>) -> Result<Request> {
        let inner = &*self.0;
        let mut url = inner.origin.clone();
        url.set_path(call.path);
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(call.query);
        }
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, inner.wire.user_agent.clone());
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(id) = &inner.workspace_id {
            headers.insert(WORKSPACE, id.clone());
        }
        let body = match &call.body {
            Some(body) => {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                serde_json::to_vec(body).map_err(|cause| {
                    Error::new(Code::Internal, "a request body is no JSON").with_source(cause)
                })?
            }
            None => Vec::new(),
        };
        Ok(Request {
            method: call.method.clone(),
            url,
            headers,
            body,
            follow_redirects: false,
        })
    }

    fn answer(
        &self,
        call: &Call<'_>,
        response: &Response,
        authorization: &Authorization,
    ) -> Result<Answer> {
        let inner = &*self.0;
        let what = format!("{} {}", call.method, call.path);
        let host = inner
            .host
            .split_once("://")
            .map_or(inner.host.as_str(), |(_, host)| host);
        if !(200..300).contains(&response.status) {
            let mut secrets = inner.wire.secrets.to_vec();
            secrets.push(authorization.token().clone());
            let error = refusal(
                Asked {
                    what: &what,
                    host,
                    secrets: &secrets,
                    wall_ms: inner.wire.clock.now().wall_ms,
                },
                response,
            );
            return Err(match (response.status, error.hint()) {
                (401 | 403, Some(hint)) => {
                    let set = inner.resolved.summary();
                    let hint = format!("{hint} (auth type {}{set})", self.auth_type());
                    error.with_hint(hint)
                }
                _ => error,
            });
        }
        let body = match serde_json::from_slice(&response.body) {
            Ok(body @ Value::Object(_)) => body,
            _ if response.status == 204 => Value::Object(serde_json::Map::new()),
            other => {
                let kind = match other {
                    Ok(_) => "JSON, but no object",
                    Err(_) if response.body.is_empty() => "empty",
                    Err(_) if response.body.trim_ascii_start().starts_with(b"<") => "an HTML page",
                    Err(_) => "not JSON",
                };
                return Err(Error::new(
                    Code::HttpProtocol,
                    format!("{host} answered {what} with {}, but the body is {kind}", response.status),
                )
                .with_http(response.status, request_id(response))
                .with_hint(
                    "Check DATABRICKS_HOST; a host that serves several workspaces needs DATABRICKS_WORKSPACE_ID",
                ));
            }
        };
        Ok(Answer {
            body,
            date_ms: date_ms(&response.headers),
            request_id: request_id(response),
            headers: response.headers.clone(),
        })
    }
}

/// Configured secrets, and the one form in which a secret travels encoded.
fn known_secrets(resolved: &Resolved) -> Arc<[Secret]> {
    let mut secrets = resolved.secrets();
    if let (Some(id), Some(secret)) = (resolved.get("client_id"), resolved.secret("client_secret"))
    {
        let pair = format!("{id}:{}", secret.expose());
        secrets.push(Secret::new(
            base64::engine::general_purpose::STANDARD.encode(pair),
        ));
    }
    secrets.into()
}

fn workspace_header(resolved: &Resolved) -> Result<Option<HeaderValue>> {
    let Some(value) = resolved.value("workspace_id") else {
        return Ok(None);
    };
    HeaderValue::from_str(value.secret().expose().trim())
        .map(Some)
        .map_err(|_| {
            Error::new(
                Code::ConfigInvalid,
                format!(
                    "workspace_id from {} holds characters that no id has",
                    value.source
                ),
            )
        })
}

fn user_agent(auth_type: &str, product: Option<&str>) -> Result<HeaderValue> {
    let own = format!(
        "lakekey/{} os/{} auth/{auth_type}",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS
    );
    let Some(product) = product.map(str::trim).filter(|product| !product.is_empty()) else {
        return HeaderValue::from_str(&own)
            .map_err(|_| Error::new(Code::Internal, "the user agent is no header"));
    };
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_.+-/ ".contains(&byte);
    HeaderValue::from_str(&format!("{own} {product}"))
        .ok()
        .filter(|_| product.bytes().all(fits))
        .ok_or_else(|| {
            Error::new(
                Code::ConfigInvalid,
                format!("the product name {product:?} cannot be part of a user agent"),
            )
            .with_hint("Give it as name/version, of letters, digits and _.+-")
        })
}
