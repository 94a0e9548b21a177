//! One connect, step by step, for drivers that dial for themselves.
//!
//! The adapter of a driver is a loop, and decides nothing:
//!
//! ```text
//! plan = client.plan(request)              // no I/O; the budget runs from here
//! failure = none
//! loop:
//!     attempt = plan.next(failure)         // a Call: wait for it as for any other; its error is the one to show
//!     try the driver: dial attempt.address (hostaddr), verify TLS by attempt.host, log in as attempt.user with
//!         attempt.password, all within attempt.timeout_ms
//!     in it:     plan.connected(); return the connection
//!     failed:    failure = the driver's code (SQLSTATE, ECONNREFUSED, ... or none) and its whole text
//! ```
//!
//! `next` waits between tries, gets a fresh token for a refused one (once), resolves anew, and asks the workspace what a
//! vague refusal means. It fails when another try is not worth it, or when the budget is over, with an error that has
//! `login` (the kind of trouble), `hint` and `events`. Attach the driver's last error as its cause. Nothing that ran in a session is
//! ever tried again: call `next` for failed logins only.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use lakekey::Code;
use lakekey::conn::{Keyword, Params, WithPassword};
use lakekey::plan::Failure;
use tokio::sync::Mutex;

use crate::call::Call;
use crate::cancel::CancelHandle;
use crate::client::{Handle, Trouble, of_core, positive};
use crate::error::{FfiError, Result};
use crate::fork::Tag;
use crate::plain::ConnectRequest;

/// Which connect is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlanRequest {
    /// To what, as whom and how. Its `timeout_ms` bounds the looking up and minting before each dial.
    pub connect: ConnectRequest,
    /// The budget of the whole connect.
    pub budget_ms: Option<u64>,
    /// Dial these addresses instead of those of the host.
    pub addresses: Vec<String>,
}

/// What became of an attempt that failed, as the driver reports it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoginFailure {
    /// The driver's code, where it knows one: an SQLSTATE, `ECONNREFUSED`.
    pub code: Option<String>,
    /// The driver's text, whole.
    pub text: String,
}

/// One dial and login. Debug output hides the password.
#[derive(Clone, PartialEq, Eq)]
pub struct Attempt {
    /// libpq's keywords and values for this one address, its `connect_timeout` among them, without the password.
    pub pairs: Vec<(String, String)>,
    /// All of it as one connection string for libpq, with the password.
    pub conninfo: String,
    /// The name that the server's certificate must have.
    pub host: String,
    /// The address to dial; none: the name has to do.
    pub address: Option<String>,
    /// The port.
    pub port: u16,
    /// The role to log in as.
    pub user: String,
    /// The credential.
    pub password: String,
    /// The identity in the credential.
    pub subject: Option<String>,
    /// Whether the credential was there already.
    pub cached: bool,
    /// How long dial and login may take together.
    pub timeout_ms: u64,
    /// 1 for the first attempt of this connect.
    pub number: u32,
}

/// A connect under way.
pub struct Plan {
    trouble: Trouble,
    tag: Tag,
    budget: Duration,
    cancelled: CancelHandle,
    core: Arc<Mutex<lakekey::plan::Plan>>,
}

impl Handle {
    /// Begins a connect. No I/O; its budget runs from here.
    pub fn plan(&self, request: PlanRequest) -> Result<Plan> {
        let address = |text: &String| {
            let problem = |_| FfiError::argument("hostaddr", format!("'{text}' is no IP address"));
            text.trim().parse::<IpAddr>().map_err(problem)
        };
        let budget = request
            .budget_ms
            .map(|ms| positive("timeout", ms))
            .transpose()?;
        let request = lakekey::plan::PlanRequest {
            connect: of_core(request.connect)?,
            budget,
            addresses: request
                .addresses
                .iter()
                .map(address)
                .collect::<Result<_>>()?,
        };
        let (client, trouble) = self.core()?;
        Ok(Plan {
            trouble,
            tag: Tag::current(),
            budget: budget.unwrap_or(lakekey::login::PROPAGATION),
            cancelled: CancelHandle::new(),
            core: Arc::new(Mutex::new(client.plan(request))),
        })
    }
}

impl Plan {
    /// The next attempt, after what became of the last one. Fails with the error to show.
    pub fn next(&self, failure: Option<LoginFailure>) -> Result<Call<Attempt>> {
        if !self.tag.is_current() {
            return Err(FfiError::new(
                Code::Cancelled,
                "the process was forked while this connect was under way",
            ));
        }
        let (core, cancelled) = (Arc::clone(&self.core), self.cancelled.clone());
        Ok(self.trouble.clone().call(self.budget, move || async move {
            let failure = failure.as_ref().map(|failure| Failure {
                code: failure.code.as_deref(),
                text: &failure.text,
            });
            let mut core = core.lock().await;
            tokio::select! {
                biased;
                () = cancelled.cancelled() => {
                    Err(FfiError::new(Code::Cancelled, "the connect was given up"))
                }
                attempt = core.next(failure.as_ref()) => {
                    if failure.is_some() {
                        // A refused token may have been thrown away, and must not be repeated to anybody.
                        crate::glance::changed();
                    }
                    plain(&attempt?)
                }
            }
        }))
    }

    /// Gives the connect up: the call under way, and every later one, ends with `CANCELLED`.
    pub fn cancel(&self) {
        self.cancelled.cancel();
    }

    /// Tells that the last attempt succeeded: it is counted.
    pub fn connected(&self) {
        // Nobody else has it now; if somebody does, a count is not worth a wait.
        if let Ok(core) = self.core.try_lock() {
            core.connected();
        }
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan")
            .field("budget", &self.budget)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt")
            .field("pairs", &self.pairs)
            .field("password", &"***")
            .field("timeout_ms", &self.timeout_ms)
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

/// libpq takes fewer seconds for these.
const SHORTEST_TIMEOUT: u64 = 2;

/// The attempt's time as libpq's `connect_timeout`, in whole seconds; the user's own, if that is shorter.
fn bounded(attempt: &lakekey::plan::Attempt) -> Result<Params> {
    let mut params = attempt.params.clone();
    // Less rather than more: the budget of the whole connect is kept.
    let mut seconds = attempt.timeout.as_secs();
    let given = params.get(Keyword::ConnectTimeout).unwrap_or_default();
    if let Ok(given @ 1..) = given.parse() {
        seconds = seconds.min(given);
    }
    let seconds = seconds.max(SHORTEST_TIMEOUT).to_string();
    params.set(Keyword::ConnectTimeout, seconds)?;
    Ok(params)
}

fn plain(attempt: &lakekey::plan::Attempt) -> Result<Attempt> {
    let params = &bounded(attempt)?;
    let Some(password) = params.password() else {
        return Err(FfiError::new(
            Code::Internal,
            "an attempt without a credential",
        ));
    };
    let pairs: Vec<(String, String)> = params
        .pairs(WithPassword::No)
        .map(|(keyword, value)| (keyword.name().to_owned(), value.to_owned()))
        .collect();
    let value = |name: &str| {
        pairs
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.clone())
    };
    Ok(Attempt {
        host: value("host").unwrap_or_default(),
        address: attempt.address.map(|address| address.to_string()),
        port: value("port")
            .and_then(|port| port.parse().ok())
            .unwrap_or_default(),
        user: params.user().unwrap_or_default().to_owned(),
        password: password.expose().to_owned(),
        conninfo: params.to_keyword(WithPassword::Yes),
        subject: attempt.subject.clone(),
        cached: attempt.cached,
        timeout_ms: u64::try_from(attempt.timeout.as_millis()).unwrap_or(u64::MAX),
        number: attempt.number,
        pairs,
    })
}
