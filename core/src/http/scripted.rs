//! A transport that answers from a script, and a driver for the manual clock: for tests of retries, tokens and chains.
//! What really goes over a wire is tested with a real server, in `core/tests`.

#![allow(clippy::unwrap_used)]

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::clock::{BoxFuture, Clock, ManualClock};
use crate::code::Code;
use crate::error::{Error, Result};
use crate::http::transport::{Request, Response, Transport};

/// What the script says to a request.
pub(crate) enum Reply {
    Answer(u16, &'static [(&'static str, &'static str)], String),
    Fail(Code),
    Hang,
}

pub(crate) fn ok(body: impl Into<String>) -> Reply {
    Reply::Answer(200, &[], body.into())
}

pub(crate) fn status(status: u16) -> Reply {
    Reply::Answer(status, &[], String::new())
}

type Script = Box<dyn FnMut(&Request) -> Reply + Send>;

/// Answers by a script and keeps what was asked.
pub(crate) struct Scripted {
    script: Mutex<Script>,
    seen: Mutex<Vec<Request>>,
}

impl std::fmt::Debug for Scripted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scripted")
    }
}

impl Scripted {
    pub(crate) fn new(script: impl FnMut(&Request) -> Reply + Send + 'static) -> Arc<Scripted> {
        Arc::new(Scripted {
            script: Mutex::new(Box::new(script)),
            seen: Mutex::default(),
        })
    }

    /// `GET /path` of every request so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        seen.iter()
            .map(|request| format!("{} {}", request.method, request.url.path()))
            .collect()
    }

    pub(crate) fn seen(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }
}

impl Transport for Scripted {
    fn send(&self, request: Request, _timeout: Duration) -> BoxFuture<'_, Result<Response>> {
        let reply = (self.script.lock().unwrap())(&request);
        self.seen.lock().unwrap().push(request);
        Box::pin(async move {
            match reply {
                Reply::Answer(status, headers, body) => Ok(Response {
                    status,
                    headers: headers
                        .iter()
                        .map(|(name, value)| {
                            (
                                HeaderName::from_static(name),
                                HeaderValue::from_static(value),
                            )
                        })
                        .collect::<HeaderMap>(),
                    body: body.into_bytes(),
                }),
                Reply::Fail(code) => Err(Error::new(code, "scripted")),
                Reply::Hang => std::future::pending().await,
            }
        })
    }
}

/// Runs `work`, moving the clock on to the next sleeper whenever nothing else can happen.
pub(crate) async fn drive<T>(clock: &ManualClock, work: impl Future<Output = T>) -> T {
    tokio::pin!(work);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return done,
            () = settle() => {}
        }
        let due = clock.next_due().unwrap_or(0);
        clock.advance(Duration::from_millis(
            due.saturating_sub(clock.now().boot_ms),
        ));
    }
}

/// Lets every task that can run do so.
pub(crate) async fn settle() {
    for _ in 0..64 {
        tokio::task::yield_now().await;
    }
}
