//! One connect, step by step, for the adapters of `lib`; what a driver's error means; what was counted.

use std::collections::HashMap;

use lakekey_ffi::plan;
use lakekey_ffi::stats;
use napi::bindgen_prelude::{Either, Either3, Null};
use napi_derive::napi;

use crate::client::{Client, millis};
use crate::connect::ConnectRequest;
use crate::failure::{Explained, Failure};
use crate::pending::{Deliver, Pending, start};

/// A connect under way.
#[napi]
pub struct Plan {
    plan: plan::Plan,
    /// Whether the first attempt needs no wait.
    at_hand: bool,
}

/// What became of an attempt that failed, as the driver reports it.
#[napi(object, object_to_js = false)]
pub struct LoginFailure {
    /// The driver's code, where it knows one: an SQLSTATE, `ECONNREFUSED`.
    pub code: Option<String>,
    /// The driver's text, whole.
    pub text: String,
}

/// One dial and login.
#[napi(object, object_from_js = false)]
pub struct Attempt {
    /// libpq's keywords for this one address, without the password.
    pub params: HashMap<String, String>,
    /// The credential.
    pub password: String,
    /// Whether the token was there already.
    pub cached: bool,
    /// The role to log in as.
    pub user: String,
    /// How long dial and login may take together.
    pub timeout_millis: f64,
    /// 1 for the first attempt of this connect.
    pub number: u32,
}

/// Begins a connect; its budget runs from here.
#[napi(catch_unwind)]
pub fn open_plan(
    client: &Client,
    request: ConnectRequest,
    budget_millis: Option<f64>,
) -> Either<Plan, Failure> {
    let at_hand = client.handle.peek(request.target.as_deref()).is_some();
    let request = plan::PlanRequest {
        connect: request.into(),
        budget_ms: millis(budget_millis),
        addresses: Vec::new(),
    };
    match client.handle.plan(request) {
        Ok(plan) => Either::A(Plan { plan, at_hand }),
        Err(error) => Either::B(error.into()),
    }
}

#[napi]
impl Plan {
    /// The next attempt, after what became of the last one; fails with the error to show.
    #[napi(
        catch_unwind,
        ts_args_type = "failure: LoginFailure | null, deliver: (failure: Failure | null, value: Attempt | null) => void"
    )]
    pub fn start_next(
        &self,
        failure: Option<LoginFailure>,
        deliver: Deliver<'_, Attempt>,
    ) -> napi::Result<Either3<Pending, Failure, Null>> {
        let at_hand = self.at_hand && failure.is_none();
        let failure = failure.map(|failure| plan::LoginFailure {
            code: failure.code,
            text: failure.text,
        });
        start(self.plan.next(failure), at_hand, &deliver)
    }

    /// Tells that the last attempt succeeded.
    #[napi(catch_unwind)]
    pub fn connected(&self) {
        self.plan.connected();
    }
}

#[allow(
    clippy::cast_precision_loss,
    reason = "milliseconds of a connect are few"
)]
impl From<plan::Attempt> for Attempt {
    fn from(attempt: plan::Attempt) -> Attempt {
        Attempt {
            params: attempt.pairs.into_iter().collect(),
            password: attempt.password,
            cached: attempt.cached,
            user: attempt.user,
            timeout_millis: attempt.timeout_ms as f64,
            number: attempt.number,
        }
    }
}

/// What a driver's error means, by its code, if it knows one, and its text.
#[napi(catch_unwind)]
pub fn explain(text: String, code: Option<String>) -> Explained {
    lakekey_ffi::login::explain(code.as_deref(), &text).into()
}

/// Every kind of trouble with a login.
#[napi(catch_unwind)]
pub fn login_kinds() -> Vec<String> {
    let kinds = lakekey_ffi::login::kinds();
    kinds.into_iter().map(str::to_owned).collect()
}

/// A distribution of values.
#[napi(object, object_from_js = false)]
pub struct Histogram {
    /// The upper bound of each bucket, itself included; one more bucket has what is above the last.
    pub bounds: Vec<f64>,
    /// How many values are in each bucket.
    pub counts: Vec<f64>,
    /// How many values there are.
    pub count: f64,
    /// What they add up to.
    pub sum: f64,
}

/// What was counted in this process. Counts are exact up to two to the fifty-third.
#[napi(object, object_from_js = false)]
pub struct Stats {
    /// Plain counts, by name.
    pub counters: HashMap<String, f64>,
    /// Calls that failed, by slug.
    pub failures: HashMap<String, f64>,
    /// Requests to mint that failed, by slug.
    pub mint_failures: HashMap<String, f64>,
    /// Login attempts that failed, by kind.
    pub login_failures: HashMap<String, f64>,
    /// Durations and ages, by name.
    pub histograms: HashMap<String, Histogram>,
    /// The workspace's clock minus this machine's in milliseconds, once an answer told it.
    pub clock_skew_millis: Option<f64>,
}

/// What was counted in this process since it began, over all its clients.
#[napi(catch_unwind)]
pub fn stats(client: &Client) -> Either<Stats, Failure> {
    match client.handle.stats() {
        Ok(stats) => Either::A(stats.into()),
        Err(error) => Either::B(error.into()),
    }
}

/// The last events of this process, oldest first, each with its time.
#[napi(catch_unwind)]
pub fn recent_events(client: &Client) -> Either<Vec<String>, Failure> {
    match client.handle.recent_events() {
        Ok(events) => Either::A(events),
        Err(error) => Either::B(error.into()),
    }
}

#[allow(
    clippy::cast_precision_loss,
    reason = "a count that large is not reached"
)]
fn number(count: u64) -> f64 {
    count as f64
}

fn counts(pairs: Vec<(&'static str, u64)>) -> HashMap<String, f64> {
    let pairs = pairs.into_iter();
    pairs
        .map(|(name, count)| (name.to_owned(), number(count)))
        .collect()
}

#[allow(
    clippy::cast_precision_loss,
    reason = "a clock that wrong is wrong by thousands of years"
)]
impl From<stats::Stats> for Stats {
    fn from(stats: stats::Stats) -> Stats {
        let mut labelled: HashMap<&str, _> = stats.labelled.into_iter().collect();
        let mut take = |name| counts(labelled.remove(name).unwrap_or_default());
        Stats {
            failures: take("failures"),
            mint_failures: take("mint_failures"),
            login_failures: take("login_failures"),
            counters: counts(stats.counters),
            histograms: stats
                .histograms
                .into_iter()
                .map(|histogram| {
                    let shown = Histogram {
                        bounds: histogram.bounds.iter().copied().map(number).collect(),
                        counts: histogram.counts.into_iter().map(number).collect(),
                        count: number(histogram.count),
                        sum: number(histogram.sum),
                    };
                    (histogram.name.to_owned(), shown)
                })
                .collect(),
            clock_skew_millis: stats.clock_skew_ms.map(|ms| ms as f64),
        }
    }
}
