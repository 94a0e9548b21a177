//! The rules of one connect, without clock, network or tasks: what to do next, given what became of the last step.
//!
//! A connect has one budget. Addresses are tried in turn; only the way to a session is ever tried again, never what runs
//! in it; a refused token from the cache earns exactly one fresh one; waits have full jitter, so that a fleet that was
//! turned away together does not come back together.

use std::time::Duration;

use crate::clock::millis;
use crate::login::{Budget, Kind};

/// The first wait is up to this long, each further one up to twice as long as the one before.
const FIRST_WAIT_MS: u64 = 100;
const LONGEST_WAIT_MS: u64 = 2_000;
/// A wait of nothing at all would be a busy loop against a server in trouble.
const SHORTEST_WAIT_MS: u64 = 20;
/// What an address that swallows packets may cost while others are left to try.
const LONGEST_FIRST_ADDRESS_MS: u64 = 5_000;
/// For how long what the workspace said is taken for the reason of what the front door says again.
const BELIEVED_MS: u64 = 2_000;
/// With so little left a connect has ended.
const LEFT_OVER_MS: u64 = 100;
/// No driver can log in in less.
const SHORTEST_ATTEMPT_MS: u64 = 2_000;

/// The time limits of one connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The budget of the whole connect.
    pub connect: Duration,
    /// Whether the caller set it: then not even a new branch gets more.
    pub firm: bool,
}

/// What the driver of the machine is to do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    /// Get addresses and a current token; then [`Event::Ready`].
    Prepare,
    /// Throw the token away, then as [`Step::Prepare`].
    Renew,
    /// Dial the address with this number and log in, within this time; then [`Event::Failed`], or nothing more.
    Dial {
        /// Which of the addresses.
        address: usize,
        /// For how long.
        timeout: Duration,
    },
    /// Do nothing for this long; then [`Event::Waited`].
    Wait(Duration),
    /// Ask the workspace what it knows; then [`Event::Found`].
    Ask(Question),
    /// Report the failure.
    GiveUp {
        /// Which kind it was.
        kind: Kind,
        /// Whether another try could have helped, had there been time.
        late: bool,
    },
}

/// What the workspace may know better than the text of a refused login says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Is the endpoint disabled, or new?
    Endpoint,
    /// Does the role exist on the branch?
    Role,
}

/// What became of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The connect begins.
    Begin,
    /// There are so many addresses; the token was in the cache, or was minted for this connect.
    Ready {
        /// How many addresses; a host name alone counts as one.
        addresses: usize,
        /// Whether the token was there before.
        cached: bool,
    },
    /// What the login needs could not be had, for a reason that may pass.
    NotReady(Kind),
    /// The login failed.
    Failed(Kind),
    /// The wait is over.
    Waited,
    /// What the trouble is, by what the workspace knows.
    Found(Kind),
}

/// One connect.
#[derive(Clone, Debug)]
pub struct Machine {
    limits: Limits,
    began: u64,
    addresses: usize,
    address: usize,
    /// Addresses tried since the last wait.
    tried: usize,
    /// The most telling failure since the last wait.
    telling: Option<Kind>,
    /// What the last wait was for.
    waited_for: Option<Kind>,
    waits: u32,
    /// The next token is minted for this connect.
    renewed: bool,
    cached: bool,
    /// What the workspace said of the endpoint, and when it was asked.
    found: Option<Kind>,
    asked: Option<u64>,
}

impl Machine {
    /// A connect that begins at `now_ms`.
    pub fn new(limits: Limits, now_ms: u64) -> Machine {
        Machine {
            limits,
            began: now_ms,
            addresses: 1,
            address: 0,
            tried: 0,
            telling: None,
            waited_for: None,
            waits: 0,
            renewed: false,
            cached: false,
            found: None,
            asked: None,
        }
    }

    /// What to do now. `unit` is a random number from 0 to 1.
    pub fn next(&mut self, event: Event, now_ms: u64, unit: f64) -> Step {
        match event {
            Event::Begin | Event::Waited => Step::Prepare,
            Event::Ready { addresses, cached } => {
                self.addresses = addresses.max(1);
                self.address = 0;
                self.tried = 0;
                self.telling = None;
                self.cached = cached && !self.renewed;
                self.dial(now_ms)
            }
            Event::NotReady(kind) => self.again(kind, now_ms, unit),
            Event::Found(kind) if kind == Kind::StaleToken => Step::GiveUp { kind, late: false },
            Event::Found(kind) => {
                self.found = Some(kind);
                self.again(kind, now_ms, unit)
            }
            Event::Failed(kind) => self.failed(kind, now_ms, unit),
        }
    }

    /// How long the connect may still go on.
    pub fn left(&self, now_ms: u64) -> Duration {
        let budget = match self.found {
            Some(Kind::NotPropagated) => Budget::Branch,
            _ => Budget::Connect,
        };
        Duration::from_millis(self.end(budget).saturating_sub(now_ms))
    }

    /// Whether a failed login proves that the token itself is not accepted, rather than that it is old.
    pub fn is_fresh(&self) -> bool {
        !self.cached
    }

    fn failed(&mut self, kind: Kind, now_ms: u64, unit: f64) -> Step {
        match kind {
            Kind::StaleToken | Kind::WrongUser => {
                if self.cached {
                    self.renewed = true;
                    self.cached = false;
                    return Step::Renew;
                }
                Step::Ask(Question::Role)
            }
            Kind::EndpointWaking => match (self.found, self.asked) {
                (Some(found), Some(asked)) if now_ms.saturating_sub(asked) < BELIEVED_MS => {
                    self.again(found, now_ms, unit)
                }
                _ => {
                    self.asked = Some(now_ms);
                    Step::Ask(Question::Endpoint)
                }
            },
            kind if kind.is_of_address() => {
                self.telling = Some(more_telling(self.telling, kind));
                self.tried += 1;
                self.address = (self.address + 1) % self.addresses;
                if self.tried < self.addresses {
                    return self.dial(now_ms);
                }
                let mut kind = self.telling.unwrap_or(kind);
                // The last try had hardly any time: that it timed out says less than what a server said before. Drivers
                // round their time limits, so some of the budget may be left.
                if kind == Kind::Tcp && millis(self.left(now_ms)) < LEFT_OVER_MS {
                    kind = self.waited_for.unwrap_or(kind);
                }
                self.again(kind, now_ms, unit)
            }
            kind => self.again(kind, now_ms, unit),
        }
    }

    /// Waits before the next try, or gives up.
    fn again(&mut self, kind: Kind, now_ms: u64, unit: f64) -> Step {
        if !kind.is_retryable() {
            return Step::GiveUp { kind, late: false };
        }
        let left = self.end(kind.budget()).saturating_sub(now_ms);
        if left < SHORTEST_WAIT_MS {
            return Step::GiveUp { kind, late: true };
        }
        let most = FIRST_WAIT_MS
            .saturating_mul(1 << self.waits.min(10))
            .min(LONGEST_WAIT_MS);
        self.waits += 1;
        self.waited_for = Some(kind);
        let wait = share(most, unit).max(SHORTEST_WAIT_MS);
        // The last try comes before the end of the budget and not after it.
        Step::Wait(Duration::from_millis(wait.min(left / 2).max(1)))
    }

    fn dial(&self, now_ms: u64) -> Step {
        let left = millis(self.left(now_ms));
        if left == 0 {
            return Step::GiveUp {
                kind: self.telling.or(self.found).unwrap_or(Kind::Tcp),
                late: true,
            };
        }
        let others = self.addresses.saturating_sub(self.tried + 1) as u64;
        let timeout = if others == 0 {
            left
        } else {
            (left / (others + 1)).clamp(SHORTEST_ATTEMPT_MS, LONGEST_FIRST_ADDRESS_MS)
        };
        Step::Dial {
            address: self.address,
            timeout: Duration::from_millis(timeout.min(left)),
        }
    }

    /// When a budget ends.
    fn end(&self, budget: Budget) -> u64 {
        let span = budget.of(self.limits.connect);
        let span = if self.limits.firm {
            span.min(self.limits.connect)
        } else {
            span
        };
        self.began.saturating_add(millis(span))
    }
}

/// Of several addresses the one where a server was says more than the one where none was.
fn more_telling(before: Option<Kind>, now: Kind) -> Kind {
    match before {
        Some(Kind::Tls) => Kind::Tls,
        Some(Kind::ServerGone) if now == Kind::Tcp => Kind::ServerGone,
        _ => now,
    }
}

#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "milliseconds of seconds fit"
)]
fn share(ms: u64, unit: f64) -> u64 {
    (ms as f64 * unit.clamp(0.0, 1.0)) as u64
}
