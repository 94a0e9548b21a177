//! The control plane's listener: takes connections, notes each request, lets faults strike, and answers by the
//! virtual clock.
//!
//! It drives hyper itself instead of a framework's server, because a framework cannot reset a connection, cut an
//! answer off, or stop listening and start again on the same port.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;

use super::answer::{Answer, ApiError};
use super::route::Target;
use super::strike::{self, Ending, Payload};
use super::{Call, Plane, carry_out};
use crate::Error;
use crate::faults::{Phase, Subject};
use crate::journal;
use crate::state::Lakebase;

/// No request of this API comes near it.
const LARGEST_BODY: usize = 1024 * 1024;
const BACKLOG: u32 = 1024;
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// Takes the address; port 0 takes a free one.
pub(crate) fn listen(address: SocketAddr, what: &'static str) -> Result<TcpListener, Error> {
    bound(address)
        .and_then(|socket| socket.listen(BACKLOG))
        .map_err(|source| Error::Listen {
            what,
            address,
            source,
        })
}

fn bound(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// The next connection.
pub(crate) async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            // Nearly always a lack of file descriptors, which ends when a connection ends.
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

/// Serves until it is dropped; connections end with it.
pub(crate) async fn serve(
    mut listener: TcpListener,
    address: SocketAddr,
    plane: Arc<Plane>,
) -> Error {
    let base_url: Arc<str> = format!("http://{address}").into();
    loop {
        take_connections(&listener, &base_url, &plane).await;
        // While nobody listens the port stays taken, so that no other process gets it before the outage is over.
        drop(listener);
        listener = match outage(address, &plane.lakebase).await {
            Ok(listener) => listener,
            Err(source) => {
                return Error::Listen {
                    what: "the control plane after an outage",
                    address,
                    source,
                };
            }
        };
    }
}

/// Takes connections until a `refuse` rule comes into force, and ends them then.
async fn take_connections(listener: &TcpListener, base_url: &Arc<str>, plane: &Arc<Plane>) {
    let lakebase = &plane.lakebase;
    let mut connections = JoinSet::new();
    let mut changes = lakebase.faults.changes();
    while lakebase.faults.refusing_until().is_none() {
        tokio::select! {
            _ = changes.changed() => {}
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            stream = accept(listener) => {
                connections.spawn(connection(stream, base_url.clone(), plane.clone()));
            }
        }
    }
    for _ in 0..connections.len() {
        lakebase.faults.count_refused();
    }
}

async fn outage(address: SocketAddr, lakebase: &Lakebase) -> io::Result<TcpListener> {
    let held = bound(address)?;
    let mut changes = lakebase.faults.changes();
    while let Some(until) = lakebase.faults.refusing_until() {
        tokio::select! {
            _ = changes.changed() => {}
            () = lakebase.clock.wait_until(until) => {}
        }
    }
    held.listen(BACKLOG)
}

async fn connection(stream: TcpStream, base_url: Arc<str>, plane: Arc<Plane>) {
    // Small answers must not wait for the acknowledgement of earlier ones.
    let _ = stream.set_nodelay(true);
    let reset = Arc::new(AtomicBool::new(false));
    let wire = Wire {
        stream,
        reset: reset.clone(),
    };
    let service = service_fn(move |request| {
        let (base_url, plane, reset) = (base_url.clone(), plane.clone(), reset.clone());
        async move { one(&plane, &base_url, request, &reset).await }
    });
    // Whatever ends a connection, a fault or its client, concerns this connection alone.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(wire), service)
        .await;
}

/// A fault ended the connection instead of answering.
#[derive(Debug, thiserror::Error)]
#[error("the connection ends without an answer, as a fault rule says")]
struct Unanswered;

async fn one(
    plane: &Plane,
    base_url: &str,
    request: Request<Incoming>,
    reset: &AtomicBool,
) -> Result<Response<Payload>, Unanswered> {
    let arrived = Instant::now();
    let lakebase = &*plane.lakebase;
    let (head, body) = request.into_parts();
    let (method, path) = (head.method.as_str(), head.uri.path());
    let target = Target::of(method, path);
    let label = target.label(method);
    let request_id = lakebase.tokens.random_id(true);
    let body = Limited::new(body, LARGEST_BODY)
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes);
    let noted = noted(
        &head.headers,
        method,
        path,
        head.uri.query(),
        &target,
        &label,
        body.as_ref().ok(),
        &request_id,
    );
    let subject = Subject {
        method,
        path,
        user_agent: noted.user_agent.as_deref(),
        test: noted.test.as_deref(),
    };
    let verdict = lakebase.faults.judge(subject);
    let mut visit = Visit {
        lakebase,
        label: &label,
        seq: lakebase.journal.arrived(noted.clone()),
        arrived,
        ended: false,
    };
    if !verdict.latency.is_zero() {
        tokio::time::sleep(verdict.latency).await;
    }
    let Ok(body) = body else {
        let error = ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "BAD_REQUEST",
            format!("The body is over {LARGEST_BODY} bytes."),
        );
        let answer = error.answer(&request_id);
        visit.end(Some(answer.status), "answered", None);
        return Ok(response(lakebase, answer, &request_id, Payload::whole));
    };
    let call = Call {
        target,
        query: head.uri.query().map(str::to_owned),
        headers: head.headers,
        body,
        trouble: verdict
            .strike
            .as_ref()
            .and_then(|(_, action, _)| strike::trouble(action)),
    };
    let Some((rule, action, phase)) = verdict.strike else {
        let answer = carry_out(plane, base_url, &call, &request_id).await;
        visit.end(Some(answer.status), "answered", None);
        return Ok(response(lakebase, answer, &request_id, Payload::whole));
    };
    let answer = if phase == Phase::After || strike::needs_answer(&action) {
        carry_out(plane, base_url, &call, &request_id).await
    } else {
        Answer::ok(&Value::Null)
    };
    match strike::ending(action, answer, &request_id, lakebase.clock.now()) {
        Ending::Answer(answer) => {
            visit.end(Some(answer.status), "answered", Some(rule));
            Ok(response(lakebase, answer, &request_id, Payload::whole))
        }
        Ending::Half(answer) => {
            visit.end(Some(answer.status), "truncated", Some(rule));
            Ok(response(lakebase, answer, &request_id, Payload::half))
        }
        Ending::Slow(answer, over) => {
            visit.end(Some(answer.status), "slow", Some(rule));
            let slow = |body| Payload::slow(body, over);
            Ok(response(lakebase, answer, &request_id, slow))
        }
        Ending::Close => {
            visit.end(None, "closed", Some(rule));
            Err(Unanswered)
        }
        Ending::Reset => {
            reset.store(true, Ordering::Relaxed);
            visit.end(None, "reset", Some(rule));
            Err(Unanswered)
        }
        Ending::Hang => {
            visit.hang(rule);
            lakebase.faults.over(rule).await;
            visit.end(None, "hung", Some(rule));
            Err(Unanswered)
        }
    }
}

#[expect(
    clippy::too_many_arguments,
    reason = "each is one column of the journal"
)]
fn noted(
    headers: &HeaderMap,
    method: &str,
    path: &str,
    query: Option<&str>,
    target: &Target,
    label: &str,
    body: Option<&Bytes>,
    request_id: &str,
) -> journal::Request {
    let text = |name: &str| {
        headers
            .get(name)
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    let auth = text("authorization").map(|value| value.to_ascii_lowercase());
    journal::Request {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.map(str::to_owned),
        route: label.to_owned(),
        user_agent: text("user-agent"),
        test: text("x-lakekey-test"),
        workspace_id: text("x-databricks-workspace-id").or_else(|| text("x-databricks-org-id")),
        auth: match auth.as_deref() {
            None => "none",
            Some(value) if value.starts_with("bearer ") => "bearer",
            Some(value) if value.starts_with("basic ") => "basic",
            Some(_) => "other",
        },
        body: body
            .filter(|_| target.body_is_harmless())
            .and_then(|body| serde_json::from_slice(body).ok()),
        request_id: request_id.to_owned(),
        status: None,
        outcome: "pending",
        fault: None,
        took_ms: None,
    }
}

fn response(
    lakebase: &Lakebase,
    answer: Answer,
    request_id: &str,
    payload: impl FnOnce(Vec<u8>) -> Payload,
) -> Response<Payload> {
    let whole_length = answer.body.len();
    let mut response = Response::new(payload(answer.body));
    *response.status_mut() = answer.status;
    let headers = response.headers_mut();
    let mut put = |name: &'static str, value: String| {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    for (name, value) in answer.headers {
        put(name, value);
    }
    put("content-length", whole_length.to_string());
    put("x-request-id", request_id.to_owned());
    // Clients take a credential's lifetime from `expire_time` minus `Date`; both must be of one clock.
    put("date", strike::http_date(lakebase.clock.now()));
    put(
        "server",
        concat!("lakekey-emulator/", env!("CARGO_PKG_VERSION")).to_owned(),
    );
    response
}

/// One request's line in the journal, which is finished even when the client goes away first.
struct Visit<'a> {
    lakebase: &'a Lakebase,
    label: &'a str,
    seq: u64,
    arrived: Instant,
    ended: bool,
}

impl Visit<'_> {
    fn end(&mut self, status: Option<StatusCode>, outcome: &'static str, fault: Option<u64>) {
        self.ended = true;
        let took_ms = u64::try_from(self.arrived.elapsed().as_millis()).ok();
        self.lakebase
            .journal
            .finished(self.seq, self.label, |request| {
                request.status = status.map(|status| status.as_u16());
                request.outcome = outcome;
                request.fault = fault.or(request.fault);
                request.took_ms = took_ms;
            });
    }

    fn hang(&self, rule: u64) {
        self.lakebase.journal.amend(self.seq, |request| {
            request.outcome = "hanging";
            request.fault = Some(rule);
        });
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.end(None, "abandoned", None);
        }
    }
}

/// A connection that can end with an RST: what a client sees when a machine dies.
struct Wire {
    stream: TcpStream,
    reset: Arc<AtomicBool>,
}

impl Drop for Wire {
    fn drop(&mut self) {
        if self.reset.load(Ordering::Relaxed) {
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.reset.load(Ordering::Relaxed) {
            // An orderly end first would turn the reset into a FIN.
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
