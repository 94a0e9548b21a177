//! The seam between this crate's logic and the network.
//!
//! Everything above speaks [`Transport`], so the whole rotation machine runs in a deterministic simulation. The real
//! one is built on reqwest, in this folder and nowhere else.

use std::fmt;
use std::time::Duration;

use http::{HeaderMap, Method};
use url::Url;

use crate::clock::BoxFuture;
use crate::error::Result;

/// A request, ready to send. Debug output shows method and URL only: headers and body may hold secrets.
#[derive(Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Where to; holds no secret but the path of a metadata service.
    pub url: Url,
    /// All headers.
    pub headers: HeaderMap,
    /// The body, empty for none.
    pub body: Vec<u8>,
    /// Whether a redirect may be followed (never, on requests that carry a secret in the body).
    pub follow_redirects: bool,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.url)
    }
}

/// An answer, whole. Debug output shows the status only.
#[derive(Clone)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// All headers.
    pub headers: HeaderMap,
    /// The body, bounded by the transport.
    pub body: Vec<u8>,
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HTTP {} ({} bytes)", self.status, self.body.len())
    }
}

/// Sends one request, once. Fails with `HTTP_*` codes only; any status is an `Ok` answer.
pub trait Transport: fmt::Debug + Send + Sync + 'static {
    /// Sends and reads the whole answer within `timeout`, or fails naming host and cause.
    fn send(&self, request: Request, timeout: Duration) -> BoxFuture<'_, Result<Response>>;
}
