//! The time of the control plane, which tests may move.

use std::time::UNIX_EPOCH;

use tokio::sync::watch;

/// A clock that may jump. Idle times are measured by it, so moving it forward suspends at once.
pub trait Time: Send + Sync + 'static {
    /// Milliseconds since 1970 of the virtual clock.
    fn now_ms(&self) -> u64;
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

    fn changed(&self) -> watch::Receiver<u64> {
        self.never.subscribe()
    }
}
