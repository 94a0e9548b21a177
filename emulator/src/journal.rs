//! What happened: every request, login and change of a compute, in one order, and counters of them.
//!
//! A test proves with it how many requests a client really sent. No header that could hold a secret is kept, and of
//! bodies only those of the management API.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::watch;

use crate::Clock;
use crate::front::directory::{ComputeState, Presented};

/// Older entries are forgotten; the counters never are.
const KEPT: usize = 10_000;

/// One thing that happened.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// Its number, from 1, one sequence for all kinds.
    pub seq: u64,
    /// When, by the virtual clock.
    pub at: Timestamp,
    /// What.
    #[serde(flatten)]
    pub event: Event,
}

/// What happened.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// A request reached the control plane.
    Request(Request),
    /// Somebody tried to log in to an endpoint.
    Login(Login),
    /// A compute changed its state.
    Compute(ComputeEvent),
}

/// A request to the control plane.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Request {
    /// HTTP method.
    pub method: String,
    /// Path as it was sent.
    pub path: String,
    /// Query as it was sent.
    pub query: Option<String>,
    /// Method and path pattern, the key of the counters.
    pub route: String,
    /// `User-Agent`.
    pub user_agent: Option<String>,
    /// `X-Lakekey-Test`.
    pub test: Option<String>,
    /// `X-Databricks-Workspace-Id`, or the older `X-Databricks-Org-Id`.
    pub workspace_id: Option<String>,
    /// `none`, `bearer`, `basic` or `other`.
    pub auth: &'static str,
    /// Body of a request to the management API.
    pub body: Option<Value>,
    /// The id that the answer carried.
    pub request_id: String,
    /// Status of the answer; none while there is none.
    pub status: Option<u16>,
    /// `pending`, `answered`, `truncated`, `reset`, `closed`, `hanging`, `hung`, or `abandoned` by its client.
    pub outcome: &'static str,
    /// The fault that was applied.
    pub fault: Option<u64>,
    /// Real milliseconds from the request's arrival to its end.
    pub took_ms: Option<u64>,
}

/// A login to an endpoint.
#[derive(Clone, Debug, Serialize)]
pub struct Login {
    /// The endpoint, when it was found.
    pub endpoint: Option<String>,
    /// The role that was asked for.
    pub role: String,
    /// What the token said of itself, of a login that was accepted with one.
    pub token: Option<Presented>,
    /// SQLSTATE of the refusal.
    pub sqlstate: Option<String>,
    /// Text of the refusal.
    pub message: Option<String>,
}

/// A change of a compute.
#[derive(Clone, Debug, Serialize)]
pub struct ComputeEvent {
    /// The endpoint.
    pub endpoint: String,
    /// `suspended`, `starting`, `ready` or `stopping`.
    pub state: &'static str,
}

/// How often things happened since the start or the last reset.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Requests by route, then by status (`none` for those that got no answer).
    pub requests: BTreeMap<String, BTreeMap<String, u64>>,
    /// Requests in all.
    pub requests_total: u64,
    /// Database credentials minted.
    pub mints: u64,
    /// Workspace access tokens issued.
    pub workspace_tokens: u64,
    /// Logins accepted.
    pub logins_accepted: u64,
    /// Logins refused.
    pub logins_refused: u64,
    /// Logins refused, by SQLSTATE.
    pub refusals: BTreeMap<String, u64>,
    /// Per endpoint, by uid.
    pub endpoints: BTreeMap<String, EndpointCounters>,
}

/// How often things happened to one endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EndpointCounters {
    /// Credentials minted for it.
    pub mints: u64,
    /// Logins accepted.
    pub logins_accepted: u64,
    /// Logins refused.
    pub logins_refused: u64,
    /// Starts of its compute.
    pub starts: u64,
    /// Suspensions of its compute.
    pub suspends: u64,
}

pub(crate) struct Journal {
    clock: Arc<Clock>,
    book: Mutex<Book>,
    changed: watch::Sender<u64>,
}

#[derive(Default)]
struct Book {
    last: u64,
    entries: VecDeque<Entry>,
    counters: Counters,
}

impl Journal {
    pub(crate) fn new(clock: Arc<Clock>) -> Self {
        Self {
            clock,
            book: Mutex::default(),
            changed: watch::Sender::new(0),
        }
    }

    /// Writes down that a request came in, before anything is done about it; the number to finish it under.
    pub(crate) fn arrived(&self, request: Request) -> u64 {
        self.note(
            |counters| counters.requests_total += 1,
            Some(Event::Request(request)),
        )
    }

    /// Changes the line of a request that has not ended.
    pub(crate) fn amend(&self, seq: u64, change: impl FnOnce(&mut Request)) {
        if let Some(request) = request_of(&mut self.book(), seq) {
            change(request);
        }
        self.changed.send_modify(|changes| *changes += 1);
    }

    /// Writes down how a request ended.
    pub(crate) fn finished(&self, seq: u64, route: &str, end: impl FnOnce(&mut Request)) {
        {
            let mut book = self.book();
            let mut status = None;
            if let Some(request) = request_of(&mut book, seq) {
                end(request);
                status = request.status;
            }
            let status = status.map_or_else(|| "none".to_owned(), |status| status.to_string());
            *book
                .counters
                .requests
                .entry(route.to_owned())
                .or_default()
                .entry(status)
                .or_default() += 1;
        }
        self.changed.send_modify(|changes| *changes += 1);
    }

    pub(crate) fn minted(&self, endpoint_uid: &str) {
        self.note(
            |counters| {
                counters.mints += 1;
                counters
                    .endpoints
                    .entry(endpoint_uid.to_owned())
                    .or_default()
                    .mints += 1;
            },
            None,
        );
    }

    pub(crate) fn workspace_token_issued(&self) {
        self.note(|counters| counters.workspace_tokens += 1, None);
    }

    pub(crate) fn login(
        &self,
        endpoint_uid: Option<&str>,
        role: &str,
        end: Result<Option<&Presented>, (&str, &str)>,
    ) {
        let refusal = end.err();
        let login = Login {
            endpoint: endpoint_uid.map(str::to_owned),
            role: role.to_owned(),
            token: end.ok().flatten().cloned(),
            sqlstate: refusal.map(|(sqlstate, _)| sqlstate.to_owned()),
            message: refusal.map(|(_, message)| message.to_owned()),
        };
        self.note(
            |counters| {
                let endpoint =
                    endpoint_uid.map(|uid| counters.endpoints.entry(uid.to_owned()).or_default());
                if let Some((sqlstate, _)) = refusal {
                    counters.logins_refused += 1;
                    *counters.refusals.entry(sqlstate.to_owned()).or_default() += 1;
                    if let Some(endpoint) = endpoint {
                        endpoint.logins_refused += 1;
                    }
                } else {
                    counters.logins_accepted += 1;
                    if let Some(endpoint) = endpoint {
                        endpoint.logins_accepted += 1;
                    }
                }
            },
            Some(Event::Login(login)),
        );
    }

    pub(crate) fn compute_changed(&self, endpoint_uid: &str, state: ComputeState) {
        let (state_name, starts, suspends) = match state {
            ComputeState::Suspended => ("suspended", 0, 1),
            ComputeState::Starting => ("starting", 1, 0),
            ComputeState::Ready => ("ready", 0, 0),
            ComputeState::Stopping => ("stopping", 0, 0),
        };
        self.note(
            |counters| {
                let endpoint = counters
                    .endpoints
                    .entry(endpoint_uid.to_owned())
                    .or_default();
                endpoint.starts += starts;
                endpoint.suspends += suspends;
            },
            Some(Event::Compute(ComputeEvent {
                endpoint: endpoint_uid.to_owned(),
                state: state_name,
            })),
        );
    }

    /// What happened after number `since`, oldest first.
    pub(crate) fn since(&self, since: u64) -> Vec<Entry> {
        self.book()
            .entries
            .iter()
            .filter(|entry| entry.seq > since)
            .cloned()
            .collect()
    }

    pub(crate) fn counters(&self) -> Counters {
        self.book().counters.clone()
    }

    /// Is told at every entry and every count.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Forgets entries and counters; numbers go on.
    pub(crate) fn reset(&self) {
        {
            let mut book = self.book();
            book.entries.clear();
            book.counters = Counters::default();
        }
        self.changed.send_modify(|changes| *changes += 1);
    }

    fn note(&self, count: impl FnOnce(&mut Counters), event: Option<Event>) -> u64 {
        let at = self.clock.now();
        let seq = {
            let mut book = self.book();
            count(&mut book.counters);
            if let Some(event) = event {
                book.last += 1;
                let seq = book.last;
                if book.entries.len() == KEPT {
                    book.entries.pop_front();
                }
                book.entries.push_back(Entry { seq, at, event });
            }
            book.last
        };
        self.changed.send_modify(|changes| *changes += 1);
        seq
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn request_of(book: &mut Book, seq: u64) -> Option<&mut Request> {
    // The newest entries are at the back, and most requests end soon.
    match &mut book
        .entries
        .iter_mut()
        .rev()
        .find(|entry| entry.seq == seq)?
        .event
    {
        Event::Request(request) => Some(request),
        _ => None,
    }
}
