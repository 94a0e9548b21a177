//! The client's own view of what happened.

use std::sync::Arc;
use std::time::Duration;

use super::{Snapshot, Stats};
use crate::client::Client;
use crate::clock::Clock;
use crate::jitter::Dice;
use crate::plan::Asked;

impl Client {
    /// What was counted in this process since it began, over all clients that share its credentials. No secrets.
    pub fn stats(&self) -> Snapshot {
        self.counted().snapshot(self.skew_ms())
    }

    /// The last events of this process, oldest first, each with its time. No secrets.
    pub fn recent_events(&self) -> Vec<String> {
        self.store().shared().events.recent()
    }

    /// Counts that credentials were handed out again so often by somebody who kept one for a moment.
    pub fn count_repeats(&self, times: u64) {
        self.counted().repeated(times);
    }

    /// The workspace's clock minus this machine's in milliseconds, once an answer told it.
    pub fn skew_ms(&self) -> Option<i64> {
        self.store().shared().skew.at(self.clock().now())
    }

    pub(crate) fn counted(&self) -> &Stats {
        &self.store().shared().stats
    }

    pub(crate) fn note(&self, line: impl FnOnce() -> String) {
        self.store().shared().note(line());
    }

    pub(crate) fn asked(&self) -> &Asked {
        &self.0.asked
    }

    pub(crate) fn shared_clock(&self) -> &Arc<dyn Clock> {
        self.store().clock()
    }

    pub(crate) fn dice(&self) -> &dyn Dice {
        &**self.store().dice()
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.0.options.timeout
    }
}
