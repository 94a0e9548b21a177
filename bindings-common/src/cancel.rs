//! Giving up a wait.
//!
//! Cancelling ends the wait of one caller. A mint that others wait for as well goes on.

use tokio_util::sync::{CancellationToken, DropGuard};

/// Cancels the calls that were given it. Clones cancel together; cancelling twice is harmless.
#[derive(Clone, Debug, Default)]
pub struct CancelHandle(CancellationToken);

impl CancelHandle {
    /// A handle that nobody has cancelled.
    pub fn new() -> CancelHandle {
        CancelHandle::default()
    }

    /// A handle that this one cancels, but which does not cancel this one.
    #[must_use]
    pub fn child(&self) -> CancelHandle {
        CancelHandle(self.0.child_token())
    }

    /// Ends the calls that wait with this handle, now and later.
    pub fn cancel(&self) {
        self.0.cancel();
    }

    /// Whether it was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Cancels when the result is dropped.
    pub(crate) fn cancel_on_drop(&self) -> DropGuard {
        self.0.clone().drop_guard()
    }

    /// Ends once it is cancelled.
    pub(crate) async fn cancelled(&self) {
        self.0.cancelled().await;
    }
}
