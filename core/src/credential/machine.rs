//! The state of one credential slot, without time, network or tasks.
//!
//! It decides who mints: exactly one leader at a time, whom everybody else follows. The current value is read without a
//! lock. The file uses `super::sync` only, so that `tests/loom` compiles this very text against loom and tries every
//! interleaving.

use super::sync::{Arc, AtomicU64, Mutex, Ordering, Slotted, lock};

/// The earliest boot time at which a reader of a stale value should look for work: never, while a flight runs.
const NOT_NOW: u64 = u64::MAX;

/// A value that is replaced from time to time, and whoever is getting the next one. `F` is what followers wait on.
pub(crate) struct Machine<T, F, E> {
    current: Slotted<T>,
    attention: AtomicU64,
    state: Mutex<State<F, E>>,
}

struct State<F, E> {
    flight: Option<Flight<F>>,
    tickets: u64,
    /// The highest ticket that has brought a value.
    landed: u64,
    failure: Option<Failure<E>>,
}

struct Flight<F> {
    ticket: u64,
    purpose: Purpose,
    started: u64,
    follow: F,
}

/// What went wrong since the last success.
#[derive(Clone, Debug)]
pub(crate) struct Failure<E> {
    /// The last error.
    pub(crate) error: E,
    /// Failed attempts in a row.
    pub(crate) count: u32,
    /// Boot time of the first of them.
    pub(crate) since: u64,
    /// Whether callers are told this error rather than made to wait for another attempt.
    pub(crate) lasting: bool,
    /// When the next attempt may start.
    pub(crate) next: Next,
}

/// Boot times before which no new attempt should start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Next {
    /// While a usable value is there.
    pub(crate) refresh: u64,
    /// While callers have nothing.
    pub(crate) demand: u64,
}

/// Why a value is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The current value is stale but usable.
    Refresh,
    /// Callers have nothing.
    Demand,
}

/// For how many milliseconds callers with nothing wait for a flight before they start another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// With a refresh.
    pub(crate) refresh: u64,
    /// With a flight of their own kind, which has its own time limits.
    pub(crate) demand: u64,
}

/// The right to fly: hand it back through [`Machine::land`] or [`Machine::abandon`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket(u64);

/// The answer to [`Machine::begin`].
pub(crate) enum Begin<F, E> {
    /// Nobody was getting a value: you are. Followers wait on `F`. Do not start before the boot time given.
    Lead(Ticket, F, u64),
    /// Somebody is; wait on this.
    Follow(F),
    /// It is not the time to try: the last error, which still stands.
    Refused(Failure<E>),
    /// A value has come since you looked: look again.
    Moot,
}

impl<T, F: Clone, E: Clone> Machine<T, F, E> {
    /// An empty slot, or one that starts with an inherited value.
    pub(crate) fn new(current: Option<Arc<T>>) -> Self {
        Machine {
            current: Slotted::new(current),
            attention: AtomicU64::new(0),
            state: Mutex::new(State {
                flight: None,
                tickets: 0,
                landed: 0,
                failure: None,
            }),
        }
    }

    /// The current value, whatever its age. No lock.
    pub(crate) fn current(&self) -> Option<Arc<T>> {
        self.current.load()
    }

    /// Runs `read` on the current value without taking a share of it. No lock.
    pub(crate) fn with_current<R>(&self, read: impl FnOnce(Option<&Arc<T>>) -> R) -> R {
        self.current.with(read)
    }

    /// Whether a reader of a stale value has anything to start at boot time `now`. No lock.
    pub(crate) fn wants_refresh(&self, now: u64) -> bool {
        now >= self.attention.load(Ordering::Acquire)
    }

    /// Joins the flight under way or starts one. A demand replaces a flight that has been under way for longer than the
    /// `patience` with it: a refresh may hang, and callers with nothing cannot wait for its time limit; and the runtime
    /// that drives any flight may have stopped.
    ///
    /// `wanted` is asked about the current value once no flight can land any more: between a caller's look and this
    /// call one may have, and a second flight for it would be one mint too many.
    pub(crate) fn begin(
        &self,
        purpose: Purpose,
        now: u64,
        patience: Patience,
        wanted: impl FnOnce(Option<&T>) -> bool,
        follow: impl FnOnce() -> F,
    ) -> Begin<F, E> {
        let mut state = lock(&self.state);
        if let Some(flight) = &state.flight {
            let patience = match flight.purpose {
                Purpose::Refresh => patience.refresh,
                Purpose::Demand => patience.demand,
            };
            let hangs =
                purpose == Purpose::Demand && now.saturating_sub(flight.started) >= patience;
            if !hangs {
                return Begin::Follow(flight.follow.clone());
            }
        }
        if !self.with_current(|current| wanted(current.map(|value| &**value))) {
            return Begin::Moot;
        }
        let mut start = now;
        if let Some(failure) = &state.failure {
            let next = match purpose {
                Purpose::Refresh => failure.next.refresh,
                Purpose::Demand => failure.next.demand,
            };
            if now < next && (failure.lasting || purpose == Purpose::Refresh) {
                return Begin::Refused(failure.clone());
            }
            start = start.max(next);
        }
        state.tickets += 1;
        let (ticket, follow) = (state.tickets, follow());
        state.flight = Some(Flight {
            ticket,
            purpose,
            started: now,
            follow: follow.clone(),
        });
        self.attention.store(NOT_NOW, Ordering::Release);
        Begin::Lead(Ticket(ticket), follow, start)
    }

    /// Ends a flight with a value. A flight that was replaced may still bring one; it is kept unless a later flight
    /// has brought its own.
    pub(crate) fn land(&self, ticket: Ticket, value: Arc<T>) {
        let mut state = lock(&self.state);
        if ticket.0 > state.landed {
            state.landed = ticket.0;
            state.failure = None;
            self.current.store(Some(value));
        }
        self.clear_flight(&mut state, ticket, 0);
    }

    /// Notes a failed attempt; the flight goes on. `next` turns the number of failures in a row into the earliest next
    /// attempts. What a replaced flight says after its successor has landed is old news and is not kept.
    pub(crate) fn note(
        &self,
        ticket: Ticket,
        error: E,
        now: u64,
        lasting: bool,
        next: impl FnOnce(u32) -> Next,
    ) -> Failure<E> {
        let mut state = lock(&self.state);
        let (count, since) = state.failure.as_ref().map_or((1, now), |failure| {
            (failure.count.saturating_add(1), failure.since)
        });
        let failure = Failure {
            error,
            count,
            since,
            lasting,
            next: next(count),
        };
        if ticket.0 > state.landed {
            state.failure = Some(failure.clone());
        }
        failure
    }

    /// Ends a flight without a value, or one whose task was dropped.
    pub(crate) fn abandon(&self, ticket: Ticket) {
        let mut state = lock(&self.state);
        let attention = state
            .failure
            .as_ref()
            .map_or(0, |failure| failure.next.refresh);
        self.clear_flight(&mut state, ticket, attention);
    }

    fn clear_flight(&self, state: &mut State<F, E>, ticket: Ticket, attention: u64) {
        if state
            .flight
            .as_ref()
            .is_some_and(|flight| flight.ticket == ticket.0)
        {
            state.flight = None;
            self.attention.store(attention, Ordering::Release);
        }
    }

    /// Takes the current value away if `is_it` says that it is the one meant.
    pub(crate) fn clear_if(&self, is_it: impl FnOnce(&T) -> bool) -> bool {
        let _state = lock(&self.state);
        let hit = self.current.load().is_some_and(|current| is_it(&current));
        if hit {
            self.current.store(None);
        }
        hit
    }

    /// The failure that stands, if the last attempt failed.
    pub(crate) fn failure(&self) -> Option<Failure<E>> {
        lock(&self.state).failure.clone()
    }
}
