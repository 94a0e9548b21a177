//! The real transport, on reqwest.
//!
//! Nothing global: a forked child makes a new one and shares no socket with its parent. Two clients stand behind it,
//! each made when first needed, because reading the system's certificates costs more than a whole request to a
//! loopback emulator. HTTP/1.1 on purpose: a request that timed out takes its connection with it, where a dead
//! multiplexed connection would swallow the next attempt as well.

use std::error::Error as StdError;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::header::{AUTHORIZATION, LOCATION};
use http::{HeaderName, Method};
use reqwest::Client;
use rustls::RootCertStore;
use tokio::sync::OnceCell;
use url::Url;

use crate::clock::BoxFuture;
use crate::code::Code;
use crate::config::Resolved;
use crate::error::{Error, Result};
use crate::http::proxy::{Proxies, shown};
use crate::http::tls::{self, Roots};
use crate::http::transport::{Request, Response, Transport};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longer than a burst of calls at a start, shorter than what load balancers keep.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);
/// No answer of the API comes near; more is a mistake or an attack.
const BODY_LIMIT: usize = 8 * 1024 * 1024;
const MOST_REDIRECTS: usize = 5;

/// HTTP over the network. Cheap to clone; no I/O and no thread until the first request.
#[derive(Clone)]
pub struct ReqwestTransport(Arc<Inner>);

struct Inner {
    roots: Roots,
    proxies: Arc<Proxies>,
    plain: OnceLock<Client>,
    verified: OnceCell<Client>,
}

impl fmt::Debug for ReqwestTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReqwestTransport")
            .field("proxies", &self.0.proxies)
            .finish_non_exhaustive()
    }
}

impl ReqwestTransport {
    /// A transport with the proxies and certificates that the configuration names. Fails for an unusable proxy.
    pub fn new(resolved: &Resolved) -> Result<ReqwestTransport> {
        Ok(ReqwestTransport(Arc::new(Inner {
            roots: Roots::new(resolved),
            proxies: Arc::new(Proxies::new(resolved.environment())?),
            plain: OnceLock::new(),
            verified: OnceCell::new(),
        })))
    }

    async fn client(&self, url: &Url, proxy: Option<&Url>) -> Result<&Client> {
        let encrypted =
            url.scheme() == "https" || proxy.is_some_and(|proxy| proxy.scheme() == "https");
        if !encrypted {
            if let Some(client) = self.0.plain.get() {
                return Ok(client);
            }
            let client = self.build(RootCertStore::empty())?;
            return Ok(self.0.plain.get_or_init(|| client));
        }
        self.0
            .verified
            .get_or_try_init(|| async {
                let roots = self.0.roots.read().await?;
                self.build(roots)
            })
            .await
    }

    fn build(&self, roots: RootCertStore) -> Result<Client> {
        let proxies = Arc::clone(&self.0.proxies);
        let mut tls = tls::client_config(roots)?;
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        Client::builder()
            .tls_backend_preconfigured(tls)
            .http1_only()
            .no_proxy()
            .proxy(reqwest::Proxy::custom(move |url| {
                proxies.for_url(url).cloned()
            }))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .build()
            .map_err(|cause| {
                Error::new(Code::Internal, "the HTTP client cannot be set up").with_source(cause)
            })
    }

    async fn follow(&self, mut request: Request) -> Result<Response> {
        for _ in 0..=MOST_REDIRECTS {
            let response = self.exchange(&request).await?;
            let Some(target) = redirect(&request, &response) else {
                return Ok(response);
            };
            if target.scheme() != "https" && request.url.scheme() == "https" {
                return Err(Error::new(
                    Code::HttpProtocol,
                    format!(
                        "{} redirects to an unencrypted address",
                        host_of(&request.url)
                    ),
                ));
            }
            if target.origin() != request.url.origin() {
                strip_credentials(&mut request);
            }
            request.url = target;
        }
        Err(Error::new(
            Code::HttpProtocol,
            format!("{} redirects in a circle", host_of(&request.url)),
        ))
    }

    async fn exchange(&self, request: &Request) -> Result<Response> {
        let proxy = self.0.proxies.for_url(&request.url);
        let client = self.client(&request.url, proxy).await?;
        let fail = |cause| failure(cause, &request.url, proxy);
        let mut answer = client
            .request(request.method.clone(), request.url.clone())
            .headers(request.headers.clone())
            .body(request.body.clone())
            .send()
            .await
            .map_err(fail)?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(fail)? {
            if body.len() + chunk.len() > BODY_LIMIT {
                return Err(Error::new(
                    Code::HttpProtocol,
                    format!(
                        "the answer of {} is larger than 8 MiB",
                        host_of(&request.url)
                    ),
                ));
            }
            body.extend_from_slice(&chunk);
        }
        // A proxy refuses a plain request by an answer of its own; for a tunnel the client reports it as an error.
        if let (407, Some(proxy)) = (status, proxy) {
            return Err(Error::new(
                Code::HttpProxy,
                format!(
                    "the proxy {} asks for a user name and password",
                    shown(proxy)
                ),
            )
            .with_hint(PROXY_LOGIN));
        }
        Ok(Response {
            status,
            headers,
            body,
        })
    }
}

const PROXY_LOGIN: &str = "Give them in the proxy variable: http://user:password@host:port";

impl Transport for ReqwestTransport {
    fn send(&self, request: Request, timeout: Duration) -> BoxFuture<'_, Result<Response>> {
        Box::pin(async move {
            let host = host_of(&request.url);
            match tokio::time::timeout(timeout, self.follow(request)).await {
                Ok(answer) => answer,
                Err(_) => Err(Error::new(
                    Code::HttpTimeout,
                    format!("{host} did not answer within {} ms", timeout.as_millis()),
                )
                .with_hint("Check the network between here and the workspace, or allow more time")),
            }
        })
    }
}

fn redirect(request: &Request, response: &Response) -> Option<Url> {
    let moved = matches!(response.status, 301 | 302 | 303 | 307 | 308);
    if !moved || !request.follow_redirects || request.method != Method::GET {
        return None;
    }
    let target = response.headers.get(LOCATION)?.to_str().ok()?;
    let target = request.url.join(target).ok()?;
    matches!(target.scheme(), "http" | "https").then_some(target)
}

/// Nothing that identifies us may reach another origin.
fn strip_credentials(request: &mut Request) {
    let named: Vec<HeaderName> = request
        .headers
        .keys()
        .filter(|name| **name == AUTHORIZATION || name.as_str().starts_with("x-databricks-"))
        .cloned()
        .collect();
    for name in named {
        request.headers.remove(name);
    }
}

fn host_of(url: &Url) -> String {
    let port = url
        .port()
        .map(|port| format!(":{port}"))
        .unwrap_or_default();
    format!("{}{port}", url.host_str().unwrap_or_default())
}

fn failure(cause: reqwest::Error, url: &Url, proxy: Option<&Url>) -> Error {
    let host = host_of(url);
    let (code, message, hint) = classify(&cause, &host, proxy);
    Error::new(code, message)
        .with_hint(hint)
        .with_source(cause.without_url())
}

fn classify(
    cause: &reqwest::Error,
    host: &str,
    proxy: Option<&Url>,
) -> (Code, String, &'static str) {
    let why = innermost(cause);
    if let Some((text, advice)) = tls::failure(cause) {
        return (
            Code::HttpTls,
            format!("TLS with {host} failed: {text}"),
            advice,
        );
    }
    if let (true, Some(proxy)) = (cause.is_connect(), proxy) {
        let hint = if why.contains("authorization required") {
            PROXY_LOGIN
        } else {
            "Check the proxy variables; NO_PROXY names hosts to reach directly"
        };
        return (
            Code::HttpProxy,
            format!(
                "the proxy {} gave no connection to {host}: {why}",
                shown(proxy)
            ),
            hint,
        );
    }
    if cause.is_dns() {
        return (
            Code::HttpDns,
            format!("the host name {host} was not found: {why}"),
            "Check DATABRICKS_HOST for a typing error, and this machine's DNS",
        );
    }
    if cause.is_connect() && cause.is_timeout() {
        return (
            Code::HttpConnect,
            format!(
                "no connection to {host} within {} s",
                CONNECT_TIMEOUT.as_secs()
            ),
            "Check DATABRICKS_HOST, firewalls and whether a proxy is needed",
        );
    }
    if cause.is_connect() {
        return (
            Code::HttpConnect,
            format!("no connection to {host}: {why}"),
            "Check DATABRICKS_HOST and its port, and that the workspace (or emulator) is running",
        );
    }
    if is_broken_off(cause) {
        return (
            Code::HttpConnect,
            format!("{host} closed the connection before its answer was complete: {why}"),
            "This usually passes; check proxies and firewalls in between if it does not",
        );
    }
    (
        Code::HttpProtocol,
        format!("the answer of {host} is not HTTP as expected: {why}"),
        "Check that DATABRICKS_HOST is a Databricks workspace",
    )
}

fn innermost(cause: &reqwest::Error) -> String {
    let mut last: &dyn StdError = cause;
    while let Some(next) = last.source() {
        last = next;
    }
    last.to_string()
}

/// Reset, closed or cut short: the other side went away, rather than talking nonsense.
fn is_broken_off(cause: &reqwest::Error) -> bool {
    use std::io::ErrorKind;
    let mut next = cause.source();
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref::<std::io::Error>()
            && matches!(
                io.kind(),
                ErrorKind::ConnectionReset
                    | ErrorKind::ConnectionAborted
                    | ErrorKind::BrokenPipe
                    | ErrorKind::UnexpectedEof
                    | ErrorKind::NotConnected
            )
        {
            return true;
        }
        let text = error.to_string();
        if text.contains("before message completed")
            || text.contains("unexpected EOF")
            || text.contains("end of file")
        {
            return true;
        }
        next = error.source();
    }
    false
}
