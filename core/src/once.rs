//! A fact that is asked for once and shared by all who need it.
//!
//! The endpoint's host, the login name and the like are asked for by five hundred connections at the same time. One of
//! them asks; the others wait for it, each for as long as its own deadline allows. An old fact is better than none: it
//! is served while a new one is fetched or when none can be had, so that an outage costs no login.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::sync::Mutex;

use crate::clock::{Clock, Deadline};
use crate::code::Code;
use crate::error::{Error, Result};
use crate::http::Retry;

/// How long a single fetch may go on beside its callers.
const FETCH_BUDGET: Duration = Duration::from_secs(30);

/// What to do about a value that is there.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Age {
    /// Serve it, however old.
    Any,
    /// Serve it, and if it is older than this fetch a new one beside the callers.
    Serve(Duration),
    /// If it is older than this fetch a new one first; serve the old one if that fails.
    Renew(Duration),
}

pub(crate) struct Remembered<T> {
    value: ArcSwapOption<T>,
    /// Boot time of the last fetch; zero before the first one of this process.
    fetched_at: AtomicU64,
    doubted: AtomicBool,
    asking: Arc<Mutex<Option<Failed>>>,
}

/// The last failure, for those who were already waiting when it happened.
#[derive(Clone)]
struct Failed {
    at: u64,
    error: Error,
}

impl<T: Send + Sync + 'static> Remembered<T> {
    pub(crate) fn new(value: Option<Arc<T>>) -> Self {
        Remembered {
            value: ArcSwapOption::new(value),
            fetched_at: AtomicU64::new(0),
            doubted: AtomicBool::new(false),
            asking: Arc::default(),
        }
    }

    pub(crate) fn current(&self) -> Option<Arc<T>> {
        self.value.load_full()
    }

    pub(crate) fn adopt(&self, value: Option<Arc<T>>) {
        self.value.store(value);
    }

    /// Takes a value over from somebody who fetched it at this boot time, unless there is one.
    pub(crate) fn adopt_fetched(&self, value: T, at: u64) {
        if self.current().is_none() {
            self.adopt(Some(Arc::new(value)));
            self.fetched_at.store(at, Ordering::Release);
        }
    }

    /// Makes the value count as old: the next caller gets it and has it fetched again beside itself. It is not thrown
    /// away, since the workspace may be out of reach as well.
    pub(crate) fn doubt(&self) {
        self.doubted.store(true, Ordering::Release);
    }

    fn is_old(&self, now: u64, age: Duration) -> bool {
        let fetched_at = self.fetched_at.load(Ordering::Acquire);
        self.doubted.load(Ordering::Acquire)
            || now.saturating_sub(fetched_at) > crate::clock::millis(age)
    }

    fn looked(&self, now: u64) {
        self.fetched_at.store(now, Ordering::Release);
        self.doubted.store(false, Ordering::Release);
    }

    /// The value. `fetch` is called if there is none, or if it is old; beside the callers it gets a deadline of its own
    /// and asks once.
    pub(crate) async fn get<F, Fut>(
        self: &Arc<Self>,
        clock: &Arc<dyn Clock>,
        age: Age,
        deadline: Deadline,
        fetch: F,
    ) -> Result<Arc<T>>
    where
        F: FnOnce(Deadline, Retry) -> Fut,
        Fut: Future<Output = Result<T>> + Send + 'static,
    {
        let asked = clock.now().boot_ms;
        if let Some(value) = self.current() {
            match age {
                Age::Serve(age) if self.is_old(asked, age) => self.renew_beside(clock, fetch),
                Age::Renew(age) if self.is_old(asked, age) => {
                    return Ok(self
                        .ask(clock, asked, deadline, fetch)
                        .await
                        .unwrap_or(value));
                }
                _ => {}
            }
            return Ok(value);
        }
        self.ask(clock, asked, deadline, fetch).await
    }

    fn renew_beside<F, Fut>(self: &Arc<Self>, clock: &Arc<dyn Clock>, fetch: F)
    where
        F: FnOnce(Deadline, Retry) -> Fut,
        Fut: Future<Output = Result<T>> + Send + 'static,
    {
        let Ok(asking) = Arc::clone(&self.asking).try_lock_owned() else {
            return;
        };
        // Whether it succeeds or not, the next look is one age away.
        self.looked(clock.now().boot_ms);
        let (this, work) = (
            Arc::clone(self),
            fetch(Deadline::after(&**clock, FETCH_BUDGET), Retry::Once),
        );
        tokio::spawn(async move {
            let _asking = asking;
            if let Ok(value) = work.await {
                this.value.store(Some(Arc::new(value)));
            }
        });
    }

    async fn ask<F, Fut>(
        &self,
        clock: &Arc<dyn Clock>,
        asked: u64,
        deadline: Deadline,
        fetch: F,
    ) -> Result<Arc<T>>
    where
        F: FnOnce(Deadline, Retry) -> Fut,
        Fut: Future<Output = Result<T>>,
    {
        let late = || {
            Error::new(
                Code::Timeout,
                "the time limit passed while another caller's request was under way",
            )
        };
        let mut asking = deadline
            .limit(&**clock, self.asking.lock())
            .await
            .ok_or_else(late)?;
        // What came while we waited is ours too: a crowd must not ask one by one.
        if self.fetched_at.load(Ordering::Acquire) >= asked
            && !self.doubted.load(Ordering::Acquire)
            && let Some(value) = self.current()
        {
            return Ok(value);
        }
        if let Some(failed) = &*asking
            && failed.at >= asked
            && !failed.error.is_retryable()
        {
            return Err(failed.error.clone());
        }
        let answer = fetch(deadline, Retry::WithinDeadline).await;
        let now = clock.now().boot_ms;
        self.looked(now);
        match answer {
            Ok(value) => {
                let value = Arc::new(value);
                self.value.store(Some(Arc::clone(&value)));
                *asking = None;
                Ok(value)
            }
            Err(error) => {
                *asking = Some(Failed {
                    at: now,
                    error: error.clone(),
                });
                Err(error)
            }
        }
    }
}
