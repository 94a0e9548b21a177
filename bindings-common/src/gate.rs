//! The host's way of saying that it ends.
//!
//! An interpreter that shuts down ends every thread that comes back to it, in the middle of what the thread was doing.
//! One of lakekey's that was calling into the host takes the process with it. So whoever enters the host's world from a
//! thread that the host will not wait for goes through here; at its end the host closes the gate and waits until those
//! inside have left.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

/// One per process: those inside at a fork are not in the child.
#[derive(Debug, Default)]
pub struct Gate {
    state: Mutex<State>,
    left: Condvar,
}

#[derive(Debug, Default)]
struct State {
    closed_by: Option<ThreadId>,
    inside: usize,
}

/// Is inside until it is dropped.
#[derive(Debug)]
#[must_use = "dropping it leaves"]
pub struct Inside<'a>(&'a Gate);

impl Gate {
    /// Goes in; `None` if the host is ending. The thread that ends it may still enter.
    pub fn enter(&self) -> Option<Inside<'_>> {
        let mut state = self.state();
        if state
            .closed_by
            .is_some_and(|by| by != thread::current().id())
        {
            return None;
        }
        state.inside += 1;
        Some(Inside(self))
    }

    /// Whether the calling thread should leave.
    pub fn is_closed(&self) -> bool {
        let closed_by = self.state().closed_by;
        closed_by.is_some_and(|by| by != thread::current().id())
    }

    /// Lets nobody in any more and waits until all have left, for `limit` at most; whether they have.
    pub fn close(&self, limit: Duration) -> bool {
        let mut state = self.state();
        state.closed_by = Some(thread::current().id());
        let (state, _) = self
            .left
            .wait_timeout_while(state, limit, |state| state.inside > 0)
            .unwrap_or_else(PoisonError::into_inner);
        state.inside == 0
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.state().inside -= 1;
        self.0.left.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_waits_for_those_inside_and_admits_nobody_else() {
        let gate = Gate::default();
        let inside = gate.enter();
        assert!(inside.is_some());
        assert!(!gate.close(Duration::from_millis(10)), "one is inside");
        thread::scope(|scope| {
            let other = scope.spawn(|| (gate.enter().is_none(), gate.is_closed()));
            assert_eq!(other.join().ok(), Some((true, true)));
            scope.spawn(|| drop(inside));
            assert!(gate.close(Duration::from_secs(20)));
        });
        assert!(
            gate.enter().is_some() && !gate.is_closed(),
            "who closed it may go on"
        );
    }
}
