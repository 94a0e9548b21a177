//! One slot: the credential of one identity for one endpoint, kept fresh for everybody who logs in with it.
//!
//! A fresh credential is returned at once. A stale one is returned at once too, and one refresh starts beside it. With
//! none, callers join the one mint in flight, each for as long as its own deadline allows. There is no timer: a process
//! that is frozen, asleep or idle mints nothing, and finds out at its next login what time it is.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;

use super::flight::Flight;
use super::machine::{Begin, Failure, Machine, Patience, Purpose};
use super::mint::{Credential, Mint};
use super::policy::Phase;
use super::store::{Shared, SlotKey};
use super::sync::lock;
use crate::clock::{Deadline, Moment, millis};
use crate::code::Code;
use crate::error::{Error, Result};
use crate::secret::Secret;

/// A refresh that takes longer than this, or a flight that outlives its own limits, does not keep callers who have
/// nothing.
const PATIENCE: Patience = Patience {
    refresh: 4_000,
    demand: 60_000,
};
/// A server that refuses good tokens earns one fresh mint in this time, not one for each login.
const REJECTION_PAUSE: Duration = Duration::from_secs(30);
/// More than one process of a host can be handed in that pause.
const REFUSED_KEPT: usize = 4;

/// What callers wait on: it ends when the flight does.
type Follow = watch::Receiver<()>;

pub(crate) struct Slot {
    pub(super) key: SlotKey,
    pub(super) shared: Arc<Shared>,
    pub(super) machine: Machine<Credential, Follow, Error>,
    /// Boot time of the last [`Slot::invalidate`] that cleared something; zero for never.
    rejected_at: AtomicU64,
    /// Fingerprints of the last tokens that were refused: other processes may not know yet, and share them.
    refused: Mutex<VecDeque<String>>,
}

/// A credential as handed out.
#[derive(Clone, Debug)]
pub struct Lease {
    /// The credential.
    pub credential: Arc<Credential>,
    /// Whether it was there already. A login that is refused with such a one earns a fresh one; a login refused with
    /// one that was minted for it does not.
    pub cached: bool,
}

impl Slot {
    pub(crate) fn new(
        key: SlotKey,
        shared: Arc<Shared>,
        inherited: Option<Arc<Credential>>,
    ) -> Slot {
        Slot {
            key,
            shared,
            machine: Machine::new(inherited),
            rejected_at: AtomicU64::new(0),
            refused: Mutex::default(),
        }
    }

    pub(crate) fn key(&self) -> &SlotKey {
        &self.key
    }

    pub(crate) fn current(&self) -> Option<Arc<Credential>> {
        self.machine.current()
    }

    /// The credential, if it can be used and there is nothing to start: no lock, no I/O, two clock readings.
    pub(crate) fn peek(&self) -> Option<Arc<Credential>> {
        let now = self.shared.clock.now();
        self.machine.with_current(|current| {
            let credential = current?;
            let quiet = match credential.phase(now) {
                Phase::Fresh => true,
                Phase::Stale => !self.machine.wants_refresh(now.boot_ms),
                Phase::Expired => false,
            };
            quiet.then(|| {
                self.used(credential, now);
                Arc::clone(credential)
            })
        })
    }

    /// The credential, minted if need be.
    ///
    /// # Errors
    /// What minting failed with, if more trying cannot mend it; else [`Code::CredentialUnavailable`] once the deadline
    /// has passed.
    pub(crate) async fn get(
        self: &Arc<Self>,
        mint: &Arc<dyn Mint>,
        deadline: Deadline,
    ) -> Result<Lease> {
        let clock = &*self.shared.clock;
        let asked = clock.now().boot_ms;
        let before = self.machine.current();
        let mut joined = false;
        let mut late = false;
        loop {
            let now = clock.now();
            let current = self.machine.current();
            if let Some(credential) = &current {
                // Newly minted, it is used while it lives at all: with a lifetime as short as the way here, minting
                // again would never end.
                let newcomer = joined
                    && before
                        .as_ref()
                        .is_none_or(|old| !Arc::ptr_eq(old, credential));
                let usable = match credential.phase(now) {
                    Phase::Fresh => true,
                    Phase::Stale => {
                        if self.machine.wants_refresh(now.boot_ms) {
                            self.start(mint, Purpose::Refresh, now);
                        }
                        true
                    }
                    Phase::Expired => newcomer && now.boot_ms < credential.validity().end.boot_ms,
                };
                if usable {
                    if joined {
                        let waited = now.boot_ms.saturating_sub(asked);
                        self.shared.stats.waited(waited);
                    } else {
                        self.used(credential, now);
                    }
                    return Ok(Lease {
                        credential: Arc::clone(credential),
                        cached: !joined || credential.is_taken(),
                    });
                }
            }
            if late {
                return Err(self.unavailable(self.machine.failure()));
            }
            let mut flight = match self.start(mint, Purpose::Demand, now) {
                Begin::Lead(_, flight, _) | Begin::Follow(flight) => flight,
                Begin::Refused(failure) => return Err(failure.error),
                Begin::Moot => {
                    joined = true;
                    continue;
                }
            };
            if let Some(failure) = self.machine.failure()
                && failure.next.demand > now.after(deadline.left(clock))
            {
                return Err(self.unavailable(Some(failure)));
            }
            joined = true;
            // A flight that was replaced may have landed meanwhile, so even the late look once more.
            late = deadline.limit(clock, flight.changed()).await.is_none();
        }
    }

    /// Takes `token` out of the cache because Postgres refused it, if it is still the current one.
    ///
    /// Answers whether it was taken out. It is not when it has been replaced already, nor when it is itself the
    /// replacement of a rejected one: a server that refuses good tokens must not cause a mint for each login.
    pub(crate) fn invalidate(&self, token: &str) -> bool {
        let Some(credential) = self.machine.current() else {
            return false;
        };
        if !credential.token().matches(token) {
            return false;
        }
        let now = self.shared.clock.now().boot_ms;
        let rejected_at = self.rejected_at.load(Ordering::Acquire);
        let pause = millis(REJECTION_PAUSE).min(credential.validity().lifetime_ms / 4);
        if rejected_at != 0
            && credential.validity().issued.boot_ms >= rejected_at
            && now < rejected_at.saturating_add(pause)
        {
            tracing::debug!(endpoint = %self.key.endpoint, "a token minted after a rejection was rejected too; not minting again yet");
            return false;
        }
        self.rejected_at.store(now, Ordering::Release);
        let mut refused = lock(&self.refused);
        refused.push_back(credential.token().fingerprint());
        if refused.len() > REFUSED_KEPT {
            refused.pop_front();
        }
        drop(refused);
        let cleared = self
            .machine
            .clear_if(|current| current.token().matches(token));
        if cleared {
            self.shared.stats.invalidated();
            let endpoint = &self.key.endpoint;
            self.shared
                .note(format!("threw away a refused token of {endpoint}"));
        }
        cleared
    }

    /// Whether a login was refused with this token in this process.
    pub(super) fn was_refused(&self, token: &Secret) -> bool {
        let refused = lock(&self.refused);
        !refused.is_empty() && refused.contains(&token.fingerprint())
    }

    /// When the token was refused that the next one replaces, in boot time.
    pub(super) fn refused_ms(&self) -> Option<u64> {
        let at = self.rejected_at.load(Ordering::Acquire);
        (at != 0).then_some(at)
    }

    /// A credential that another process minted in place of a refused one is no more trusted to be replaced than if it
    /// had been minted here.
    pub(super) fn replaces(&self, refused_ms: Option<u64>) {
        if let Some(at) = refused_ms {
            self.rejected_at.store(at, Ordering::Release);
        }
    }

    fn used(&self, credential: &Credential, now: Moment) {
        let issued = credential.validity().issued.boot_ms;
        self.shared.stats.used(now.boot_ms.saturating_sub(issued));
    }

    fn start(
        self: &Arc<Self>,
        mint: &Arc<dyn Mint>,
        purpose: Purpose,
        now: Moment,
    ) -> Begin<Follow, Error> {
        let mut sender = None;
        let begin = self.machine.begin(
            purpose,
            now.boot_ms,
            PATIENCE,
            |current| match (current.map(|credential| credential.phase(now)), purpose) {
                (None | Some(Phase::Expired), _) | (Some(Phase::Stale), Purpose::Refresh) => true,
                (Some(Phase::Stale | Phase::Fresh), _) => false,
            },
            || {
                let (send, follow) = watch::channel(());
                sender = Some(send);
                follow
            },
        );
        if let (Begin::Lead(ticket, _, start), Some(sender)) = (&begin, sender) {
            let flight = Flight {
                slot: Arc::clone(self),
                ticket: *ticket,
                purpose,
                sender,
            };
            tokio::spawn(flight.fly(Arc::clone(mint), *start));
        }
        begin
    }

    /// Why there is no credential: since when, how often it was tried and what came of it.
    fn unavailable(&self, failure: Option<Failure<Error>>) -> Error {
        let now = self.shared.clock.now();
        let ended = self.machine.current().map(|credential| {
            let end = credential.expires_at_ms();
            format!(
                "; the last one ended at {} ({} ago)",
                rfc3339(end),
                span(now.wall_ms.saturating_sub(end))
            )
        });
        let message = format!(
            "no usable database credential for {}{}",
            self.key.endpoint,
            ended.unwrap_or_default()
        );
        let Some(failure) = failure else {
            return Error::new(
                Code::CredentialUnavailable,
                format!("{message}: {} has not answered yet", self.key.host),
            )
            .with_hint(
                "Give the call more time, or check that this machine reaches the workspace",
            );
        };
        let since = span(now.boot_ms.saturating_sub(failure.since));
        let error = Error::new(
            Code::CredentialUnavailable,
            format!(
                "{message}; {} failed in {since}, the last: {}",
                attempts(failure.count),
                failure.error.message()
            ),
        )
        .with_retry_after(failure.error.retry_after());
        let error = match failure.error.http_status() {
            Some(status) => error.with_http(status, failure.error.request_id().map(str::to_owned)),
            None => error,
        };
        match failure.error.hint().map(str::to_owned) {
            Some(hint) => error.with_hint(hint).with_source(failure.error),
            None => error.with_source(failure.error),
        }
    }
}

fn attempts(count: u32) -> String {
    if count == 1 {
        "1 attempt".to_owned()
    } else {
        format!("{count} attempts")
    }
}

fn span(ms: u64) -> String {
    match ms {
        0..10_000 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        10_000..120_000 => format!("{} s", ms / 1000),
        _ => format!("{} min", ms / 60_000),
    }
}

fn rfc3339(ms: u64) -> String {
    let stamp = i64::try_from(ms / 1000)
        .ok()
        .and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    stamp.map_or_else(|| ms.to_string(), |stamp| stamp.to_string())
}
