//! Waiting on the caller's thread.
//!
//! What is not at hand is worked for on lakekey's threads, and the caller only waits for it, in slices: between two slices the
//! host looks for a signal (Ctrl-C), and may run any code for it, a call of lakekey included. A thread that waited
//! inside the runtime could not do that. Nor could it look at the clock by itself: when lakekey's threads are stuck, the
//! wait ends all the same.

use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::task::Poll;
use std::time::{Duration, Instant};

use lakekey::Code;

use crate::call::{Call, stuck};
use crate::cancel::CancelHandle;
use crate::error::{FfiError, Result};

/// How often the host is asked whether to go on waiting.
const SLICE: Duration = Duration::from_millis(50);

impl<T: Send + 'static> Call<T> {
    /// Waits for the result. `interrupted` is called on this thread at least every 100 ms, with no lock held; `true`
    /// gives up the wait with the code `CANCELLED`. Ends by itself soon after the call's budget, whatever happens.
    pub fn wait(
        mut self,
        cancel: &CancelHandle,
        interrupted: &mut dyn FnMut() -> bool,
    ) -> Result<T> {
        if let Poll::Ready(result) = self.poll_here()? {
            return Ok(result);
        }
        let process = self.process;
        let patience = self.patience();
        let begun = Instant::now();
        let (send, receive) = sync_channel(1);
        let mine = cancel.child();
        let _ends_with_this_wait = mine.cancel_on_drop();
        self.begin(&mine, move |outcome| drop(send.send(outcome)))?;
        loop {
            match receive.recv_timeout(SLICE) {
                Ok(outcome) => return outcome,
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(FfiError::new(
                        Code::Internal,
                        "lakekey's thread ended early",
                    ));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            if begun.elapsed() > patience {
                return Err(stuck(patience));
            }
            if interrupted() {
                return Err(FfiError::new(Code::Cancelled, "the wait was interrupted"));
            }
            // A signal handler may have forked; in the child nobody works for this call any more.
            if !process.is_current() {
                return Err(FfiError::new(
                    Code::Cancelled,
                    "the process was forked while this call waited",
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::runtime::process;

    fn call<T: Send + 'static>(work: impl Future<Output = Result<T>> + Send + 'static) -> Call<T> {
        Call::new(process(), Duration::from_mins(1), work)
    }

    #[test]
    fn a_result_comes_through() {
        let seven = call(async { Ok(7) });
        assert_eq!(seven.wait(&CancelHandle::new(), &mut || false).unwrap(), 7);
    }

    #[test]
    fn an_interrupt_ends_the_wait_within_200_ms() {
        let started = Instant::now();
        let mut asked = 0;
        let error = call::<()>(std::future::pending())
            .wait(&CancelHandle::new(), &mut || {
                asked += 1;
                asked == 2
            })
            .unwrap_err();
        assert_eq!(error.slug, "CANCELLED");
        assert!(
            started.elapsed() < Duration::from_secs(1),
            "{:?}",
            started.elapsed()
        );
    }

    #[test]
    fn an_interrupt_may_itself_wait_for_a_call() {
        let mut inner = None;
        let outer = call::<()>(std::future::pending()).wait(&CancelHandle::new(), &mut || {
            inner = Some(call(async { Ok(7) }).wait(&CancelHandle::new(), &mut || false));
            true
        });
        assert_eq!(outer.unwrap_err().slug, "CANCELLED");
        assert_eq!(inner.unwrap().unwrap(), 7);
    }

    #[test]
    fn cancelling_ends_the_wait_and_drops_the_work() {
        let (dropped, was_dropped) = sync_channel::<()>(0);
        let cancel = CancelHandle::new();
        let other = cancel.clone();
        let error = call::<()>(async move {
            let _held = dropped;
            std::future::pending().await
        })
        .wait(&cancel, &mut || {
            other.cancel();
            false
        })
        .unwrap_err();
        assert_eq!(error.slug, "CANCELLED");
        let end = was_dropped.recv_timeout(Duration::from_secs(10));
        assert_eq!(end, Err(RecvTimeoutError::Disconnected));
    }

    #[test]
    fn work_that_forgets_its_budget_is_given_up_after_it() {
        let started = Instant::now();
        let call = Call::<()>::new(process(), Duration::from_millis(50), std::future::pending());
        let error = call.wait(&CancelHandle::new(), &mut || false).unwrap_err();
        assert_eq!((error.slug, error.retryable), ("TIMEOUT", true));
        assert!(started.elapsed() >= Duration::from_millis(500));
    }

    #[test]
    fn a_panic_in_the_work_is_an_error_and_the_runtime_goes_on() {
        let error = call::<()>(async { panic!("in the work") })
            .wait(&CancelHandle::new(), &mut || false)
            .unwrap_err();
        assert_eq!(error.slug, "INTERNAL_PANIC");
        let seven = call(async { Ok(7) });
        assert_eq!(seven.wait(&CancelHandle::new(), &mut || false).unwrap(), 7);
    }

    #[test]
    fn a_panic_in_the_callback_leaves_the_runtime_working() {
        call(async { Ok(()) })
            .start(&CancelHandle::new(), |_| panic!("in the callback"))
            .unwrap();
        let seven = call(async { Ok(7) });
        assert_eq!(seven.wait(&CancelHandle::new(), &mut || false).unwrap(), 7);
    }

    #[test]
    fn a_dropped_future_drops_the_work() {
        let (dropped, was_dropped) = sync_channel::<()>(0);
        let pending = call::<()>(async move {
            let _held = dropped;
            std::future::pending().await
        });
        let cancel = CancelHandle::new();
        let mut future = Box::pin(pending.join(&cancel));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(future.as_mut().poll(&mut context).is_pending());
        drop(future);
        let end = was_dropped.recv_timeout(Duration::from_secs(10));
        assert_eq!(end, Err(RecvTimeoutError::Disconnected));
        assert!(!cancel.is_cancelled(), "the caller's handle is its own");
    }
}
