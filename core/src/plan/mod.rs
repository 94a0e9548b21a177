//! One connect, step by step: which address to dial now, with which password, for how long.
//!
//! Drivers of five languages dial for themselves, so this is a conversation: [`Plan::next`] says what to dial, the driver
//! does it and comes back with what went wrong, and gets the next attempt or the error to show. Waiting, fresh tokens and
//! questions to the workspace happen inside of [`Plan::next`]. The rules are in `machine`, which does none of these.
//!
//! ```no_run
//! # use lakekey::plan::{Attempt, Failure, PlanRequest};
//! # async fn dial(attempt: &Attempt) -> Result<(), (Option<String>, String)> { Ok(()) }
//! # async fn example(client: &lakekey::Client) -> lakekey::Result<()> {
//! let mut plan = client.plan(PlanRequest::default());
//! let mut attempt = plan.next(None).await?;
//! while let Err((sqlstate, text)) = dial(&attempt).await {
//!     attempt = plan.next(Some(&Failure { code: sqlstate.as_deref(), text: &text })).await?;
//! }
//! plan.connected();
//! # Ok(()) }
//! ```

mod ask;
mod dial;
mod machine;

use std::net::IpAddr;
use std::time::Duration;

pub(crate) use ask::Asked;
pub use machine::{Event, Limits, Machine, Question, Step};

use crate::client::Client;
use crate::clock::Deadline;
use crate::code::Code;
use crate::conn::{Keyword, Params};
use crate::connect::{Connect, ConnectRequest};
use crate::error::{Error, Result};
use crate::login::{CONNECT, Kind, Report};
use crate::secret::Secret;

/// Which connect is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlanRequest {
    /// To what, as whom and how. Its `timeout` bounds the looking up and minting before each dial.
    pub connect: ConnectRequest,
    /// The budget of the whole connect, waits and all attempts included. The default is 30 s, and 75 s while a branch is
    /// so new that not every part of the service knows it.
    pub budget: Option<Duration>,
    /// Dial these addresses instead of those that the host's name has.
    pub addresses: Vec<IpAddr>,
}

/// What a driver reports of an attempt that failed.
#[derive(Clone, Copy, Debug)]
pub struct Failure<'a> {
    /// The driver's code, where it knows one: an SQLSTATE, `ECONNREFUSED`.
    pub code: Option<&'a str>,
    /// The driver's text, whole.
    pub text: &'a str,
}

/// One dial and login.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The settings, for this one address, with the password.
    pub params: Params,
    /// The address to dial; none where a name has to do.
    pub address: Option<IpAddr>,
    /// How long dial and login may take together.
    pub timeout: Duration,
    /// 1 for the first attempt of this connect.
    pub number: u32,
    /// Whether the token was there already.
    pub cached: bool,
    /// The identity in the token.
    pub subject: Option<String>,
}

/// A connect under way. Ends with the first attempt that succeeds, or with an error of [`Plan::next`].
#[derive(Debug)]
pub struct Plan {
    client: Client,
    request: PlanRequest,
    machine: Machine,
    began_ms: u64,
    number: u32,
    ready: Option<Ready>,
    dialled: usize,
    /// The token that the server refused, not to be sent again.
    refused: Option<Secret>,
    /// The address where a server was.
    answered: Option<IpAddr>,
    /// What was said since the last wait.
    told: Vec<Told>,
    /// And before it.
    told_before: Vec<Told>,
    /// Why what a login needs could not be had.
    not_ready: Option<Error>,
}

/// What a login needs.
#[derive(Debug)]
struct Ready {
    connect: Connect,
    addresses: Vec<IpAddr>,
}

#[derive(Debug)]
struct Told {
    address: Option<IpAddr>,
    kind: Kind,
    code: Option<String>,
    text: String,
}

impl Client {
    /// Begins a connect. Does nothing yet, but its budget runs.
    pub fn plan(&self, request: PlanRequest) -> Plan {
        let limits = Limits {
            connect: request.budget.unwrap_or(CONNECT),
            firm: request.budget.is_some(),
        };
        let now = self.clock().now().boot_ms;
        Plan {
            client: self.clone(),
            request,
            machine: Machine::new(limits, now),
            began_ms: now,
            number: 0,
            ready: None,
            dialled: 0,
            refused: None,
            answered: None,
            told: Vec::new(),
            told_before: Vec::new(),
            not_ready: None,
        }
    }
}

impl Plan {
    /// The next attempt, after `failure` of the last one. Waits where that is worth it.
    ///
    /// # Errors
    /// Those of [`Client::connect_params`]. [`crate::Code::LoginRefused`], [`crate::Code::LoginTls`] for a login that another try does
    /// not mend, [`crate::Code::LoginUnavailable`] when the budget ends: with [`Error::login`], the fix as hint, and the events
    /// before it.
    pub async fn next(&mut self, failure: Option<&Failure<'_>>) -> Result<Attempt> {
        let mut event = match failure {
            Some(failure) => self.noted(failure),
            None if self.number == 0 => Event::Begin,
            None => Event::Waited,
        };
        loop {
            let now = self.client.clock().now().boot_ms;
            let unit = self.client.dice().unit();
            event = match self.machine.next(event, now, unit) {
                Step::Prepare => self.prepare().await?,
                Step::Renew => self.renew().await?,
                Step::Dial { address, timeout } => return self.attempt(address, timeout),
                Step::Wait(wait) => {
                    if !self.told.is_empty() {
                        self.told_before = std::mem::take(&mut self.told);
                    }
                    self.client.clock().sleep(wait).await;
                    Event::Waited
                }
                Step::Ask(question) => Event::Found(self.ask(question).await),
                Step::GiveUp { kind, late } => return Err(self.error(kind, late)),
            };
        }
    }

    /// Tells that the last attempt succeeded, for the statistics.
    pub fn connected(&self) {
        let now = self.client.clock().now();
        self.client
            .counted()
            .connected(now.boot_ms.saturating_sub(self.began_ms));
        if self.number > 1 {
            self.client
                .note(|| format!("logged in at attempt {}", self.number));
        }
    }

    fn noted(&mut self, failure: &Failure<'_>) -> Event {
        let report = self.report(failure.code, failure.text);
        let kind = report.kind();
        let address = self.address();
        self.client.counted().login_failed(kind);
        let place = address.map_or_else(|| "the host".to_owned(), |address| address.to_string());
        let number = self.number;
        self.client
            .note(|| format!("attempt {number} at {place} failed: {}", kind.slug()));
        match (kind, address) {
            (Kind::Tcp, Some(address)) => {
                if let Some(host) = self.host() {
                    self.client.doubt_address(&host, address);
                }
            }
            (Kind::Tls | Kind::Dns | Kind::ServerGone, _) | (_, None) => {}
            (_, Some(_)) => self.answered = address,
        }
        if self.told.len() < 16 {
            self.told.push(Told {
                address,
                kind,
                code: failure.code.map(str::to_owned),
                text: failure.text.to_owned(),
            });
        }
        Event::Failed(kind)
    }

    async fn prepare(&mut self) -> Result<Event> {
        let now = self.client.clock().now().boot_ms;
        let left = self.machine.left(now);
        let mut request = self.request.connect.clone();
        request.timeout = Some(request.timeout.unwrap_or(self.client.timeout()).min(left));
        request.without_addresses |= !self.request.addresses.is_empty();
        let connect = match self.client.connect_params(&request).await {
            Ok(connect) => connect,
            Err(error) => {
                let passing = error.login().filter(|kind| kind.is_retryable());
                let Some(kind) = passing else {
                    return Err(error.with_events(self.client.recent_events()));
                };
                self.not_ready = Some(error);
                return Ok(Event::NotReady(kind));
            }
        };
        self.not_ready = None;
        let mut addresses = if self.request.addresses.is_empty() {
            addresses_of(&connect.params)
        } else {
            self.request.addresses.clone()
        };
        // Where a server was a moment ago there will be one again.
        addresses.sort_by_key(|address| Some(*address) != self.answered);
        let cached = connect.lease.as_ref().is_some_and(|lease| lease.cached);
        let event = Event::Ready {
            addresses: addresses.len(),
            cached,
        };
        self.ready = Some(Ready { connect, addresses });
        Ok(event)
    }

    /// Another token than the one that was refused.
    async fn renew(&mut self) -> Result<Event> {
        self.told.clear();
        if let Some(token) = self.token() {
            self.client.invalidate(token.expose());
            self.refused = Some(token);
        }
        let event = self.prepare().await?;
        let same = match (&self.refused, self.token()) {
            (Some(refused), Some(token)) => refused.matches(token.expose()),
            _ => false,
        };
        Ok(if same {
            Event::Failed(Kind::StaleToken)
        } else {
            event
        })
    }

    fn attempt(&mut self, index: usize, timeout: Duration) -> Result<Attempt> {
        let Some(ready) = &self.ready else {
            return Err(Error::new(Code::Internal, "a dial without settings"));
        };
        let address = ready.addresses.get(index).copied();
        let mut params = ready.connect.params.clone();
        if let Some(address) = address {
            let host = first(&params, Keyword::Host).to_owned();
            let port = first(&params, Keyword::Port).parse().unwrap_or(5432);
            params.set_server(&host, &[address], port)?;
        }
        let lease = ready.connect.lease.as_ref();
        self.dialled = index;
        self.number += 1;
        self.client.counted().attempted();
        Ok(Attempt {
            params,
            address,
            timeout,
            number: self.number,
            cached: lease.is_some_and(|lease| lease.cached),
            subject: lease
                .and_then(|lease| lease.credential.subject())
                .map(str::to_owned),
        })
    }

    async fn ask(&self, question: Question) -> Kind {
        let clock = self.client.clock();
        let left = self.machine.left(clock.now().boot_ms);
        let deadline = Deadline::after(clock, ask::PATIENCE.min(left));
        let target = self.request.connect.target.as_deref();
        let asked = self.client.ask(
            question,
            target,
            self.request.connect.ttl,
            self.user(),
            deadline,
        );
        let kind = asked.await;
        let (Some(user), Some(subject)) = (self.user(), self.subject()) else {
            return kind;
        };
        if kind == Kind::StaleToken && user != subject {
            Kind::WrongUser
        } else {
            kind
        }
    }

    fn error(&mut self, kind: Kind, late: bool) -> Error {
        let told = self
            .told
            .iter()
            .chain(&self.told_before)
            .find(|told| told.kind == kind)
            .or_else(|| self.told.last());
        let mut error = match (told, self.not_ready.take()) {
            (_, Some(error)) => error,
            (Some(told), None) => self.report(told.code.as_deref(), &told.text).error(kind),
            (None, None) => self
                .report(None, "the time was up before a server was dialled")
                .error(kind),
        };
        if let (Code::LoginRefused, Some(who)) = (error.code(), self.client.identity()) {
            let hint = error.hint().map(|hint| format!("{hint}. "));
            let hint = hint.unwrap_or_default();
            error = error.with_hint(format!("{hint}The token was minted by {who}"));
        }
        if self
            .told
            .iter()
            .any(|one| one.address != self.told[0].address)
        {
            let said = |told: &Told| {
                let place = told
                    .address
                    .map_or_else(String::new, |address| format!("{address}: "));
                format!("{place}{}", self.report(None, &told.text).gist())
            };
            let all: Vec<String> = self.told.iter().map(said).collect();
            error = error.with_detail(all.join("; "));
        }
        if late {
            let spent = self
                .client
                .clock()
                .now()
                .boot_ms
                .saturating_sub(self.began_ms);
            let (seconds, tenths) = (spent / 1000, spent % 1000 / 100);
            let attempts = if self.number == 1 {
                "1 attempt".to_owned()
            } else {
                format!("{} attempts", self.number)
            };
            error = error.context(format_args!(
                "no login within {seconds}.{tenths} s and {attempts}"
            ));
        }
        self.client.counted().failed(error.code());
        self.client.note(|| format!("gave up: {}", kind.slug()));
        error
            .with_login(kind)
            .with_events(self.client.recent_events())
    }

    fn report<'a>(&'a self, code: Option<&'a str>, text: &'a str) -> Report<'a> {
        Report {
            code,
            text,
            user: self.user(),
            subject: self.subject(),
            fresh: Some(self.machine.is_fresh()),
            skew_ms: self.client.skew_ms(),
        }
    }

    fn user(&self) -> Option<&str> {
        self.ready.as_ref()?.connect.params.user()
    }

    fn subject(&self) -> Option<&str> {
        self.ready
            .as_ref()?
            .connect
            .lease
            .as_ref()?
            .credential
            .subject()
    }

    fn token(&self) -> Option<Secret> {
        let lease = self.ready.as_ref()?.connect.lease.as_ref()?;
        Some(lease.credential.token().clone())
    }

    fn address(&self) -> Option<IpAddr> {
        self.ready.as_ref()?.addresses.get(self.dialled).copied()
    }

    fn host(&self) -> Option<String> {
        let params = &self.ready.as_ref()?.connect.params;
        Some(first(params, Keyword::Host).to_owned())
    }
}

fn first(params: &Params, keyword: Keyword) -> &str {
    let list = params.get(keyword).unwrap_or_default();
    list.split(',').next().unwrap_or_default()
}

fn addresses_of(params: &Params) -> Vec<IpAddr> {
    let list = params.get(Keyword::Hostaddr).unwrap_or_default();
    list.split(',')
        .filter_map(|address| address.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests;
