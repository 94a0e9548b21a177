//! One authenticated door to the workspace.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use http::header::{ACCEPT, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::Value;

use crate::auth::{Authorization, Identity, Outside, Settled, TokenProvider, Tried, choose};
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
    workspace_id: Option<HeaderValue>,
    identity: Identity,
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
    /// Picks the authentication types that have all they need. No I/O but looking for programs and files.
    pub fn new(
        resolved: Arc<Resolved>,
        outside: &Outside,
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
            workspace_id: Arc::default(),
            trouble: Arc::default(),
        };
        let candidates = choose(&resolved, provider, outside, |auth_type| {
            wire.user_agent = user_agent(auth_type, product)?;
            Ok(wire.clone())
        })?;
        let identity = Identity::new(candidates, &resolved)?;
        for note in resolved.notes() {
            tracing::warn!("{note}");
        }
        Ok(Api(Arc::new(Inner {
            wire,
            workspace_id: workspace_header(&resolved)?,
            identity,
            resolved,
        })))
    }

    /// Sends a call with authorization and reads its JSON answer.
    ///
    /// A token that the workspace refuses is dropped, and one more attempt is made with a fresh one where there can be one.
    pub async fn call(&self, call: Call<'_>) -> Result<Answer> {
        let inner = &*self.0;
        let deadline = inner.wire.bounded(call.deadline);
        let settled = self.settled(deadline, call.retry.of_identity()).await?;
        let mut request = Api::request(&call, settled)?;
        let (mut renewed, mut attempts) = (false, 0);
        loop {
            let authorization = settled
                .chosen
                .authorization(deadline, call.retry.of_identity(), &*inner.wire.clock)
                .await?;
            authorization.apply(&mut request.headers)?;
            let id = inner.workspace_id.as_ref();
            if let Some(id) = id.or_else(|| inner.wire.workspace_id.get()) {
                request.headers.insert(WORKSPACE, id.clone());
            }
            let (sent, count) = settled
                .chosen
                .wire
                .exchange_counted(&request, deadline, call.retry)
                .await;
            attempts += count;
            let response = sent.map_err(|error| error.with_attempts(attempts))?;
            if response.status == 401 && !renewed && settled.chosen.drop_token(&authorization) {
                renewed = true;
                // What was refused was not done.
                attempts -= 1;
                continue;
            }
            return self
                .answer(&call, &response, &authorization)
                .map_err(|error| error.with_attempts(attempts));
        }
    }

    /// Settles on one identity, which takes a token where several types have all they need.
    pub async fn settle(&self, deadline: Deadline, retry: Retry) -> Result<()> {
        let deadline = self.0.wire.bounded(deadline);
        self.settled(deadline, retry).await.map(drop)
    }

    /// Fetches a workspace token and throws it away: whether the identity is accepted.
    pub async fn check(&self, deadline: Deadline) -> Result<()> {
        let deadline = self.0.wire.bounded(deadline);
        let settled = self.settled(deadline, Retry::WithinDeadline).await?;
        let clock = &*self.0.wire.clock;
        settled
            .chosen
            .authorization(deadline, Retry::WithinDeadline, clock)
            .await
            .map(drop)
    }

    async fn settled(&self, deadline: Deadline, retry: Retry) -> Result<&Settled> {
        let inner = &*self.0;
        inner
            .identity
            .settle(&inner.resolved, deadline, retry, &*inner.wire.clock)
            .await
    }

    /// The workspace's origin, without a final slash; empty while only the cloud knows it.
    pub fn host(&self) -> &str {
        let settled = self.0.identity.current();
        settled.map_or_else(
            || self.0.resolved.host().unwrap_or_default(),
            |settled| &settled.host,
        )
    }

    /// A one-way name of the identity: stable, no secret. Empty until it is settled.
    pub fn principal(&self) -> &str {
        let settled = self.0.identity.current();
        settled.map_or("", |settled| &settled.chosen.principal)
    }

    /// What is known of the Postgres user without a request: the client id of a service principal.
    pub fn login_name(&self) -> Option<&str> {
        self.0.identity.current()?.chosen.login_name.as_deref()
    }

    /// The authentication type in use, or the first that will be tried: `pat`, `oauth-m2m`, `host-callback`.
    pub fn auth_type(&self) -> &str {
        let settled = self.0.identity.current();
        settled
            .map(|settled| settled.chosen.auth_type)
            .or_else(|| self.0.identity.usable().next())
            .unwrap_or_default()
    }

    /// Who it is, for messages: the type and the name that goes with it, never a secret. `None` until it is settled.
    pub(crate) fn identity(&self) -> Option<String> {
        let chosen = &self.0.identity.current()?.chosen;
        let attribute = match chosen.auth_type {
            "basic" => "username",
            "databricks-cli" => "profile",
            _ => "",
        };
        let name = chosen.login_name.as_deref();
        Some(match name.or_else(|| self.0.resolved.get(attribute)) {
            Some(name) => format!("{} ({name})", chosen.auth_type),
            None => chosen.auth_type.to_owned(),
        })
    }

    /// What was tried before it, or lacks something.
    pub fn tried(&self) -> Vec<Tried> {
        self.0.identity.tried()
    }

    /// The configuration behind it, each value with its source.
    pub fn resolved(&self) -> &Resolved {
        &self.0.resolved
    }

    /// Takes over another door's workspace token if it is the same identity on the same host; takes no lock of the
    /// other one, so that a forked child may ask its parent's.
    pub fn inherit(&self, parent: &Api) {
        if self.0.resolved.host() == parent.0.resolved.host() {
            self.0.identity.inherit(&parent.0.identity);
        }
    }

    fn request(call: &Call<'_>, settled: &Settled) -> Result<Request> {
        let mut url = settled.origin.clone();
        url.set_path(call.path);
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(call.query);
        }
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, settled.chosen.wire.user_agent.clone());
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
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
        let host = self.host();
        let host = host.split_once("://").map_or(host, |(_, host)| host);
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
                // What an identity may not see is reported as missing too.
                (401 | 403 | 404, Some(hint)) => {
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
