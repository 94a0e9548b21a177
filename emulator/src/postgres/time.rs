//! The time of the control plane, which tests may move.

use std::time::UNIX_EPOCH;

use jiff::Timestamp;
use tokio::sync::watch;

/// A clock that may jump. Idle times are measured by it, so moving it forward suspends at once.
pub trait Time: Send + Sync + 'static {
    /// Milliseconds since 1970 of the virtual clock.
    fn now_ms(&self) -> u64;
    /// What the virtual clock shows.
    fn now(&self) -> Timestamp;
    /// The last moment of the machine's own clock at which the virtual one showed `shown` or was moved past it; `None`:
    /// nothing is known of so long ago. Only asked for times that are not ahead of [`Time::now`].
    fn real_at(&self, shown: Timestamp) -> Option<Timestamp>;
    /// What the virtual clock showed at a moment of the machine's own clock.
    fn shown_at(&self, real: Timestamp) -> Timestamp;
    /// Changes each time somebody moves the clock; its value means nothing.
    fn changed(&self) -> watch::Receiver<u64>;
}

/// The clock of the system.
#[derive(Debug)]
pub struct SystemTime {
    never: watch::Sender<u64>,
}

impl Default for SystemTime {
    fn default() -> Self {
        Self {
            never: watch::Sender::new(0),
        }
    }
}

impl Time for SystemTime {
    fn now_ms(&self) -> u64 {
        let since = std::time::SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn real_at(&self, shown: Timestamp) -> Option<Timestamp> {
        Some(shown)
    }

    fn shown_at(&self, real: Timestamp) -> Timestamp {
        real
    }

    fn changed(&self) -> watch::Receiver<u64> {
        self.never.subscribe()
    }
}
