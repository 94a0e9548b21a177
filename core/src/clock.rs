//! Time, injected.
//!
//! Two clocks run side by side: boot time goes on while a laptop sleeps and never jumps, wall time is what expiry
//! stamps speak of and may be set. A credential ends when either says so. Tests drive [`ManualClock`], which is why
//! nothing else in this crate asks the system for the time.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// A future that a trait object can return.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One reading of both clocks, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Moment {
    /// Since boot, sleep included. Never goes back.
    pub boot_ms: u64,
    /// Since 1970-01-01T00:00:00Z. May jump.
    pub wall_ms: u64,
}

impl Moment {
    /// The boot-time reading `wait` later.
    pub fn after(self, wait: Duration) -> u64 {
        self.boot_ms.saturating_add(millis(wait))
    }
}

/// Milliseconds, saturating.
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A source of time and of waiting.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// Reads both clocks.
    fn now(&self) -> Moment;
    /// Ends once `duration` of boot time has passed.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
}

/// The system's clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Moment {
        Moment {
            boot_ms: boot_ms(),
            wall_ms: wall_ms(),
        }
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn boot_ms() -> u64 {
    timespec_ms(rustix::time::clock_gettime(rustix::time::ClockId::Boottime))
}

/// Elsewhere the monotonic clock has to do; on macOS it runs on during sleep.
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
fn boot_ms() -> u64 {
    timespec_ms(rustix::time::clock_gettime(
        rustix::time::ClockId::Monotonic,
    ))
}

/// A tick of this clock is four milliseconds at most, and it is read ten times faster than the fine one.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn wall_ms() -> u64 {
    timespec_ms(rustix::time::clock_gettime(
        rustix::time::ClockId::RealtimeCoarse,
    ))
}

#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
fn wall_ms() -> u64 {
    timespec_ms(rustix::time::clock_gettime(rustix::time::ClockId::Realtime))
}

#[cfg(unix)]
fn timespec_ms(time: rustix::time::Timespec) -> u64 {
    u64::try_from(time.tv_sec).unwrap_or(0) * 1000
        + u64::try_from(time.tv_nsec).unwrap_or(0) / 1_000_000
}

#[cfg(not(unix))]
fn boot_ms() -> u64 {
    use std::sync::OnceLock;
    use std::time::Instant;
    static START: OnceLock<Instant> = OnceLock::new();
    millis(START.get_or_init(Instant::now).elapsed())
}

#[cfg(not(unix))]
fn wall_ms() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, millis)
}

/// A clock that stands still until told otherwise.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Mutex<Hands>>);

#[derive(Debug)]
struct Hands {
    now: Moment,
    sleepers: BTreeMap<(u64, u64), Waker>,
    next_id: u64,
}

impl ManualClock {
    /// Boot time one hour, wall time `wall_ms`.
    pub fn at(wall_ms: u64) -> ManualClock {
        ManualClock(Arc::new(Mutex::new(Hands {
            now: Moment {
                boot_ms: 3_600_000,
                wall_ms,
            },
            sleepers: BTreeMap::new(),
            next_id: 0,
        })))
    }

    /// Moves both clocks on and wakes whoever slept until then.
    pub fn advance(&self, by: Duration) {
        self.shift(millis(by), 0);
    }

    /// Moves boot time on and sets the wall clock off by `wall_jump_ms` besides: somebody set the clock.
    pub fn shift(&self, by_ms: u64, wall_jump_ms: i64) {
        let mut hands = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        hands.now.boot_ms += by_ms;
        hands.now.wall_ms = hands
            .now
            .wall_ms
            .saturating_add(by_ms)
            .saturating_add_signed(wall_jump_ms);
        let boot = hands.now.boot_ms;
        let later = hands.sleepers.split_off(&(boot + 1, 0));
        let due = std::mem::replace(&mut hands.sleepers, later);
        drop(hands);
        due.into_values().for_each(Waker::wake);
    }

    /// When the next sleeper is due, in boot time.
    pub fn next_due(&self) -> Option<u64> {
        let hands = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        hands.sleepers.keys().next().map(|(due, _)| *due)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Moment {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).now
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(ManualSleep {
            clock: self.clone(),
            due: self.now().after(duration),
            id: None,
        })
    }
}

struct ManualSleep {
    clock: ManualClock,
    due: u64,
    id: Option<u64>,
}

impl Future for ManualSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let clock = self.clock.clone();
        let mut hands = clock.0.lock().unwrap_or_else(PoisonError::into_inner);
        if hands.now.boot_ms >= self.due {
            return Poll::Ready(());
        }
        let id = self.id.unwrap_or_else(|| {
            hands.next_id += 1;
            hands.next_id
        });
        self.id = Some(id);
        hands
            .sleepers
            .insert((self.due, id), context.waker().clone());
        Poll::Pending
    }
}

impl Drop for ManualSleep {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            let mut hands = self.clock.0.lock().unwrap_or_else(PoisonError::into_inner);
            hands.sleepers.remove(&(self.due, id));
        }
    }
}

/// A point in boot time by which a caller wants an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(u64);

impl Deadline {
    /// `budget` from now.
    pub fn after(clock: &dyn Clock, budget: Duration) -> Deadline {
        Deadline(clock.now().after(budget))
    }

    /// What is left; zero once it has passed.
    pub fn left(self, clock: &dyn Clock) -> Duration {
        Duration::from_millis(self.0.saturating_sub(clock.now().boot_ms))
    }

    /// The earlier of this one and `budget` from now.
    #[must_use]
    pub fn within(self, clock: &dyn Clock, budget: Duration) -> Deadline {
        self.min(Deadline::after(clock, budget))
    }

    /// Runs `work` until this deadline; `None` if it passed first.
    pub async fn limit<T>(self, clock: &dyn Clock, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            done = work => Some(done),
            () = clock.sleep(self.left(clock)) => None,
        }
    }
}
