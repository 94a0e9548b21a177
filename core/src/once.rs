//! A fact that is asked for once and shared by all who need it.
//!
//! The endpoint's host, the login name and the like are asked for by five hundred connections at the same time. One of
//! them asks; the others wait for it, each for as long as its own deadline allows. An old fact is served while a new
//! one is fetched, so that an outage of the control plane costs no login.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::sync::Mutex;

use crate::clock::{Clock, Deadline};
use crate::code::Code;
use crate::error::{Error, Result};

/// How long a single fetch may go on beside its callers.
const FETCH_BUDGET: Duration = Duration::from_secs(30);

pub(crate) struct Remembered<T> {
    value: ArcSwapOption<T>,
    /// Boot time from which the value counts as old; zero before the first fetch of this process.
    fetched_at: AtomicU64,
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
            asking: Arc::default(),
        }
    }

    pub(crate) fn current(&self) -> Option<Arc<T>> {
        self.value.load_full()
    }

    pub(crate) fn adopt(&self, value: Option<Arc<T>>) {
        self.value.store(value);
    }

    /// Makes the value count as old: the next caller gets it and has it fetched again beside itself. It is not thrown
    /// away, since the workspace may be out of reach as well.
    pub(crate) fn doubt(&self) {
        self.fetched_at.store(0, Ordering::Release);
    }

    /// The value; `fetch` is called with its own deadline if there is none, and beside the callers if it is older than
    /// `age`.
    pub(crate) async fn get<F, Fut>(
        self: &Arc<Self>,
        clock: &Arc<dyn Clock>,
        age: Option<Duration>,
        deadline: Deadline,
        fetch: F,
    ) -> Result<Arc<T>>
    where
        F: FnOnce(Deadline) -> Fut,
        Fut: Future<Output = Result<T>> + Send + 'static,
    {
        if let Some(value) = self.current() {
            let old = age.is_some_and(|age| {
                clock
                    .now()
                    .boot_ms
                    .saturating_sub(self.fetched_at.load(Ordering::Acquire))
                    > crate::clock::millis(age)
            });
            if old && let Ok(asking) = Arc::clone(&self.asking).try_lock_owned() {
                // Whether it succeeds or not, the next look is one age away.
                self.fetched_at
                    .store(clock.now().boot_ms, Ordering::Release);
                let (this, work) = (
                    Arc::clone(self),
                    fetch(Deadline::after(&**clock, FETCH_BUDGET)),
                );
                tokio::spawn(async move {
                    let _asking = asking;
                    if let Ok(value) = work.await {
                        this.value.store(Some(Arc::new(value)));
                    }
                });
            }
            return Ok(value);
        }
        let late = || {
            Error::new(
                Code::Timeout,
                "the time limit passed while waiting for another caller's request to the workspace",
            )
        };
        let asked = clock.now().boot_ms;
        let mut asking = deadline
            .limit(&**clock, self.asking.lock())
            .await
            .ok_or_else(late)?;
        if let Some(value) = self.current() {
            return Ok(value);
        }
        // A refusal that came while we waited is ours too: a crowd must not repeat it one by one.
        if let Some(failed) = &*asking
            && failed.at >= asked
            && !failed.error.is_retryable()
        {
            return Err(failed.error.clone());
        }
        match fetch(deadline).await {
            Ok(value) => {
                let value = Arc::new(value);
                self.value.store(Some(Arc::clone(&value)));
                self.fetched_at
                    .store(clock.now().boot_ms, Ordering::Release);
                *asking = None;
                Ok(value)
            }
            Err(error) => {
                *asking = Some(Failed {
                    at: clock.now().boot_ms,
                    error: error.clone(),
                });
                Err(error)
            }
        }
    }
}
