//! Getting a credential: attempts, their time limits and the waits between them.
//!
//! One flight works for everybody who waits. It runs as a task of its own, so that no caller's leaving ends it for the
//! others, and every attempt has a time limit, so that one hung request is replaced and not waited for.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::machine::{Failure, Next, Purpose, Ticket};
use super::mint::{Credential, Mint};
use super::policy::{self, Phase};
use super::slot::Slot;
use super::store::SlotKey;
use crate::clock::{Deadline, Moment, millis};
use crate::code::Code;
use crate::error::{Error, Result};
use crate::shared::{Exchange, Kept, Turn};

/// Time limits of the attempts of one flight: the first is short, because a hung request must leave a caller with the
/// default budget of ten seconds time for another.
const ATTEMPT: [Duration; 3] = [
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(15),
];
/// How long a flight for waiting callers goes on.
const FLIGHT_BUDGET: Duration = Duration::from_secs(30);
/// The longest that a server's `Retry-After` keeps callers who have nothing. A longer one is a mistake as often as not,
/// and an hour without logins is too dear for it.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// One leader's work. Dropping it at any point, even with its runtime, frees the slot for another leader and wakes the
/// followers.
pub(crate) struct Flight {
    pub(crate) slot: Arc<Slot>,
    pub(crate) ticket: Ticket,
    pub(crate) purpose: Purpose,
    pub(crate) sender: watch::Sender<()>,
}

impl Flight {
    pub(crate) async fn fly(self, mint: Arc<dyn Mint>, start: u64) {
        let slot = &self.slot;
        let clock = Arc::clone(&slot.shared.clock);
        let began = clock.now();
        clock
            .sleep(Duration::from_millis(start.saturating_sub(began.boot_ms)))
            .await;
        for limit in ATTEMPT.into_iter().chain(std::iter::repeat(ATTEMPT[2])) {
            let error = match self.attempt(&*mint, limit).await {
                Ok(credential) => return slot.machine.land(self.ticket, Arc::new(credential)),
                Err(error) => error,
            };
            let failure = self.note(error, clock.now());
            let slug = failure.error.code().slug();
            slot.shared.stats.mint_failed(failure.error.code());
            slot.shared
                .note(format!("mint {} in a row failed: {slug}", failure.count));
            tracing::warn!(
                endpoint = %slot.key.endpoint, code = slug, failures = failure.count,
                "minting a database credential failed"
            );
            let wait = failure.next.demand.saturating_sub(clock.now().boot_ms);
            let over = clock.now().boot_ms + wait > began.after(FLIGHT_BUDGET);
            // The slot keeps one receiver for those who come later; without another nobody waits.
            let alone = self.sender.receiver_count() <= 1;
            if self.purpose == Purpose::Refresh || failure.lasting || over || alone {
                return;
            }
            clock.sleep(Duration::from_millis(wait)).await;
        }
    }

    /// Takes what another process has minted, or mints and lets the others have it.
    async fn attempt(&self, mint: &dyn Mint, limit: Duration) -> Result<Credential> {
        let slot = &self.slot;
        let endpoint = &slot.key.endpoint;
        let exchange = mint.exchange();
        let turn = match exchange {
            Some(exchange) => self.turn(exchange).await?,
            None => Turn::Alone(None),
        };
        let locked = match turn {
            Turn::Take(kept) => {
                slot.replaces(kept.refused_ms);
                slot.shared.stats.taken();
                slot.shared.note(format!(
                    "took a credential for {endpoint} that another process minted"
                ));
                return Ok(Credential::of_neighbour(endpoint, kept));
            }
            Turn::Mint(locked) => Some(locked),
            Turn::Alone(why) => {
                if let Some(why) = why {
                    let slug = why.code().slug();
                    slot.shared
                        .note(format!("credentials are not shared: {slug}"));
                }
                None
            }
        };
        let credential = self.mint(mint, limit).await?;
        if let Some(exchange) = exchange {
            // Before anybody gets it: a process that logs in once and ends must have shared it by then.
            let kept = credential.for_neighbours(slot.refused_ms());
            exchange.offer(&slot.key, kept, locked).await;
        }
        Ok(credential)
    }

    async fn turn(&self, exchange: &Arc<Exchange>) -> Result<Turn> {
        let (slot, purpose) = (Arc::clone(&self.slot), self.purpose);
        let fits = move |kept: &Kept| {
            let phase = kept.validity.phase(slot.shared.clock.now());
            match purpose {
                Purpose::Demand => phase != Phase::Expired,
                Purpose::Refresh => phase == Phase::Fresh,
            }
        };
        let slot = Arc::clone(&self.slot);
        let refused = move |kept: &Kept| slot.was_refused(&kept.token);
        exchange.turn(&self.slot.key, fits, refused).await
    }

    async fn mint(&self, mint: &dyn Mint, limit: Duration) -> Result<Credential> {
        let slot = &self.slot;
        let clock = &*slot.shared.clock;
        slot.shared.admit().await;
        let asked = clock.now().boot_ms;
        let attempt = Deadline::after(clock, limit).limit(clock, mint.mint(&slot.key, limit));
        let credential = attempt
            .await
            .unwrap_or_else(|| Err(unanswered(&slot.key, limit)))?;
        let now = clock.now().boot_ms;
        if now >= credential.validity().end.boot_ms {
            return Err(over_on_arrival(&credential));
        }
        let took = now.saturating_sub(asked);
        let beside = self.purpose == Purpose::Refresh;
        slot.shared.stats.minted(took, beside);
        let endpoint = &slot.key.endpoint;
        slot.shared
            .note(format!("minted a credential for {endpoint} in {took} ms"));
        Ok(credential)
    }

    fn note(&self, error: Error, now: Moment) -> Failure<Error> {
        let slot = &self.slot;
        let current = slot.machine.current();
        let lifetime = current
            .as_ref()
            .map_or(millis(policy::LONGEST_LIFETIME), |current| {
                current.validity().lifetime_ms
            });
        let left = current.map_or(0, |current| {
            let until = current.validity().serve_until.boot_ms;
            until.saturating_sub(now.boot_ms)
        });
        let asked = error.retry_after().map_or(0, millis);
        let lasting = !error.is_retryable();
        let unit = slot.shared.dice.unit();
        slot.machine
            .note(self.ticket, error, now.boot_ms, lasting, |count| {
                let refresh = policy::refresh_backoff(count, lifetime, unit);
                let demand = if lasting {
                    policy::refusal_memory(count)
                } else {
                    policy::demand_backoff(count, unit)
                };
                // The server's wish is granted as far as it leaves a try before the credential ends.
                Next {
                    refresh: now.boot_ms + millis(refresh).max(asked.min(left / 4 * 3)),
                    demand: now.boot_ms + millis(demand).max(asked.min(millis(LONGEST_PAUSE))),
                }
            })
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        // Fields are dropped after this: followers wake to a slot that is free.
        self.slot.machine.abandon(self.ticket);
    }
}

fn over_on_arrival(credential: &Credential) -> Error {
    Error::new(
        Code::CredentialInvalid,
        format!(
            "the minted credential lived for {} ms and was over when it came",
            credential.validity().lifetime_ms
        ),
    )
    .with_hint("Ask for a longer ttl")
}

fn unanswered(key: &SlotKey, limit: Duration) -> Error {
    Error::new(
        Code::HttpTimeout,
        format!(
            "{} did not answer a request to mint within {} s",
            key.host,
            limit.as_secs()
        ),
    )
}
