//! One operation, begun by whoever waits for it.
//!
//! A [`Call`] is waited for in one of three ways: [`Call::wait`] blocks the thread, [`Call::start`] calls back, and
//! [`Call::join`] is a future for hosts that drive one. All three run the work on lakekey's own threads, so that its
//! connections never belong to a runtime that the host shuts down.

use std::future::Future;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use lakekey::Code;
use tokio::sync::oneshot;

use crate::cancel::CancelHandle;
use crate::error::{FfiError, Result};
use crate::guard::{guard, guard_async};
use crate::runtime::Process;

/// The core keeps the caller's budget itself and says what it was waiting for; this much later the wait ends anyhow.
const GRACE: Duration = Duration::from_millis(500);

/// And this much later the caller goes without an answer from lakekey's threads: they are stuck.
const STUCK: Duration = Duration::from_secs(1);

type Work<T> = Pin<Box<dyn Future<Output = Result<T>> + Send>>;

/// An operation that has not begun. Dropping it does nothing.
#[must_use = "a call does nothing until somebody waits for it"]
pub struct Call<T> {
    pub(crate) process: &'static Process,
    work: Work<T>,
    limit: Duration,
}

impl<T: Send + 'static> Call<T> {
    /// `budget` is the time that the work keeps by itself.
    pub(crate) fn new(
        process: &'static Process,
        budget: Duration,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Call<T> {
        Call {
            process,
            work: Box::pin(work),
            limit: budget.saturating_add(GRACE),
        }
    }

    /// How long somebody who waits by a clock of their own should wait before they give up with [`stuck`].
    pub fn patience(&self) -> Duration {
        self.limit.saturating_add(STUCK)
    }

    /// The result, if all facts are at hand; else the call, to be waited for or begun. Costs a moment of this thread.
    pub fn here(mut self) -> Result<ControlFlow<T, Call<T>>> {
        Ok(match self.poll_here()? {
            Poll::Ready(value) => ControlFlow::Break(value),
            Poll::Pending => ControlFlow::Continue(self),
        })
    }

    /// Polls the work once on this thread. A login whose facts are all at hand needs no other thread, and waking one
    /// costs more than the rest of it.
    pub(crate) fn poll_here(&mut self) -> Result<Poll<T>> {
        let _in_runtime = self.process.runtime()?.enter();
        let mut nobody = Context::from_waker(Waker::noop());
        guard(|| match self.work.as_mut().poll(&mut nobody) {
            Poll::Ready(outcome) => outcome.map(Poll::Ready),
            Poll::Pending => Ok(Poll::Pending),
        })
    }

    /// Begins and returns at once. `done` is called exactly once, on one of lakekey's threads, unless this fails. It may
    /// block for a moment, for the host's own lock say: that thread's other work moves to another one meanwhile.
    pub fn start(
        self,
        cancel: &CancelHandle,
        done: impl FnOnce(Result<T>) + Send + 'static,
    ) -> Result<()> {
        self.begin(cancel, |outcome| {
            // The host's own code; what it throws must not end the worker's task with a half-told story.
            let _ = guard(|| {
                tokio::task::block_in_place(|| done(outcome));
                Ok(())
            });
        })
    }

    /// Begins and returns at once; `done` must not block.
    pub(crate) fn begin(
        self,
        cancel: &CancelHandle,
        done: impl FnOnce(Result<T>) + Send + 'static,
    ) -> Result<()> {
        let cancel = cancel.clone();
        self.process.runtime()?.spawn(async move {
            let outcome = tokio::select! {
                biased;
                outcome = guard_async(self.work) => outcome,
                () = cancel.cancelled() => Err(FfiError::new(Code::Cancelled, "the call was cancelled")),
                () = tokio::time::sleep(self.limit) => {
                    Err(FfiError::new(Code::Timeout, format!("no result within {} ms", self.limit.as_millis())))
                }
            };
            done(outcome);
        });
        Ok(())
    }

    /// Begins at the first poll; for hosts that drive futures. Dropping the future cancels the wait.
    pub async fn join(self, cancel: &CancelHandle) -> Result<T> {
        let (send, receive) = oneshot::channel();
        let mine = cancel.child();
        let _ends_with_this_future = mine.cancel_on_drop();
        self.begin(&mine, move |outcome| drop(send.send(outcome)))?;
        receive.await.unwrap_or_else(|_| {
            Err(FfiError::new(
                Code::Internal,
                "lakekey's thread ended early",
            ))
        })
    }
}

/// What to say when lakekey's threads gave no answer at all, not even that the time is up.
pub fn stuck(waited: Duration) -> FfiError {
    FfiError::new(
        Code::Timeout,
        format!(
            "no answer from lakekey's threads within {} ms",
            waited.as_millis()
        ),
    )
    .with_hint("They are starved or stopped: look at the load of this machine and the limits of this process")
}
