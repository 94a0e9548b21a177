//! One authenticated door to the workspace.

use std::fmt;
use std::sync::Arc;

use http::{HeaderMap, Method};

use crate::auth::TokenProvider;
use crate::clock::{Clock, Deadline};
use crate::code::Code;
use crate::config::Resolved;
use crate::error::{Error, Result};
use crate::http::transport::Transport;

/// A call of the workspace API.
pub struct Call<'a> {
    /// The method.
    pub method: Method,
    /// The absolute path, already percent-encoded where needed: `/api/2.0/postgres/...`.
    pub path: &'a str,
    /// Query parameters, unencoded.
    pub query: &'a [(&'a str, &'a str)],
    /// The JSON body, if any.
    pub body: Option<serde_json::Value>,
    /// When the caller stops waiting.
    pub deadline: Deadline,
    /// How often to try.
    pub retry: Retry,
}

/// How often to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// One HTTP attempt: the rotation machine does its own retrying.
    Once,
    /// Until the deadline (30 s at most): 429, 502, 503, 504 and connection errors.
    WithinDeadline,
}

/// A successful answer.
#[derive(Clone)]
pub struct Answer {
    /// The JSON body; an object.
    pub body: serde_json::Value,
    /// The server's own time, from `Date`.
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

/// One authenticated door to the workspace. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    _resolved: Arc<Resolved>,
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api")
            .field("host", &self.host())
            .finish_non_exhaustive()
    }
}

impl Api {
    /// Picks the authentication type. No I/O.
    pub fn new(
        resolved: Arc<Resolved>,
        _transport: Arc<dyn Transport>,
        _clock: Arc<dyn Clock>,
        _provider: Option<Arc<dyn TokenProvider>>,
        _product: Option<String>,
    ) -> Result<Api> {
        Ok(Api {
            _resolved: resolved,
        })
    }

    /// Sends a call with authorization and reads its JSON answer.
    #[allow(clippy::unused_async)]
    pub async fn call(&self, _call: Call<'_>) -> Result<Answer> {
        Err(Error::new(Code::Internal, "under construction"))
    }

    /// The workspace's origin, without a final slash.
    pub fn host(&self) -> &str {
        ""
    }

    /// A one-way name of the identity: stable, without I/O, no secret.
    pub fn principal(&self) -> &str {
        ""
    }

    /// What is known of the Postgres user without a request: the client id for oauth-m2m.
    pub fn login_name(&self) -> Option<&str> {
        None
    }

    /// The authentication type in use.
    pub fn auth_type(&self) -> &str {
        ""
    }
}
