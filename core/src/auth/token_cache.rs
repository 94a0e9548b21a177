//! The cache of workspace tokens.
//!
//! Fresh: given out. Stale: given out as well, while one refresh runs in the background, so that a token that is still
//! good never delays a mint. Expired: everybody waits for the one fetch in flight. A fetch is a task of its own: a
//! caller who gives up takes nobody else's token away.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use http::HeaderMap;
use tokio::sync::watch;

use crate::clock::{BoxFuture, Clock, Deadline, Moment};
use crate::code::Code;
use crate::error::{Error, Result};
use crate::http::Retry;
use crate::secret::Secret;

/// A token counts as expired this long before it is, so that it does not end on its way.
const BUFFER: Duration = Duration::from_secs(40);
const LONGEST_LEAD: Duration = Duration::from_mins(20);
/// No fetch takes longer; one that does is replaced.
const FETCH_BUDGET: Duration = Duration::from_secs(30);
const FIRST_PAUSE: Duration = Duration::from_mins(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(10);

/// Fetches a token; used by the cache only, at most once at a time.
pub(crate) trait TokenSource: fmt::Debug + Send + Sync + 'static {
    fn fetch(&self, deadline: Deadline, retry: Retry) -> BoxFuture<'_, Result<Fetched>>;

    /// Asks the cloud for the workspace's host, where the configuration names the workspace otherwise.
    fn host(&self, _deadline: Deadline, _retry: Retry) -> BoxFuture<'_, Result<String>> {
        Box::pin(async {
            Err(Error::new(
                Code::ConfigMissingHost,
                "no workspace host is configured",
            ))
        })
    }

    /// What a caller is told who could not wait until the end of a fetch.
    fn late(&self, allowed: Duration) -> Error {
        let late = format!("no workspace token within {} ms", allowed.as_millis());
        let network = "Check the network between here and the workspace's token endpoint";
        match self.trouble() {
            Some(cause) => Error::new(cause.code(), format!("{late}: {}", cause.message()))
                .with_hint(cause.hint().unwrap_or(network)),
            None => Error::new(Code::HttpTimeout, late).with_hint(network),
        }
    }

    /// What the last attempt of a fetch under way failed with.
    fn trouble(&self) -> Option<Arc<Error>> {
        None
    }
}

/// A token as it was given.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) token: Secret,
    pub(crate) scheme: String,
    /// From now; `None`: until it is refused.
    pub(crate) lifetime: Option<Duration>,
    /// What must accompany it on every call.
    pub(crate) headers: HeaderMap,
}

impl Fetched {
    /// A token for `Authorization: Bearer`.
    pub(crate) fn bearer(token: Secret, lifetime: Option<Duration>) -> Fetched {
        Fetched {
            token,
            scheme: "Bearer".to_owned(),
            lifetime,
            headers: HeaderMap::new(),
        }
    }
}

/// A token with its times, on both clocks: it has passed a point when either clock says so.
#[derive(Debug)]
pub(crate) struct CachedToken {
    token: Secret,
    scheme: String,
    headers: HeaderMap,
    stale: Option<Moment>,
    expired: Option<Moment>,
}

impl CachedToken {
    fn new(fetched: Fetched, now: Moment) -> CachedToken {
        let after = |wait: Duration| Moment {
            boot_ms: now.after(wait),
            wall_ms: now.wall_ms.saturating_add(crate::clock::millis(wait)),
        };
        let lifetime = fetched.lifetime;
        // Of a very short life the buffer would leave nothing.
        let usable = |life: Duration| life.saturating_sub(BUFFER.min(life / 4));
        let fresh = |life: Duration| {
            let lead = LONGEST_LEAD.min(life / 2);
            life.saturating_sub(lead).min(usable(life))
        };
        CachedToken {
            token: fetched.token,
            scheme: fetched.scheme,
            headers: fetched.headers,
            stale: lifetime.map(|life| after(fresh(life))),
            expired: lifetime.map(|life| after(usable(life))),
        }
    }

    pub(crate) fn token(&self) -> &Secret {
        &self.token
    }

    pub(crate) fn scheme(&self) -> &str {
        &self.scheme
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    fn is_stale(&self, now: Moment) -> bool {
        passed(self.stale, now)
    }

    fn is_expired(&self, now: Moment) -> bool {
        passed(self.expired, now)
    }
}

fn passed(point: Option<Moment>, now: Moment) -> bool {
    point.is_some_and(|point| now.boot_ms > point.boot_ms || now.wall_ms > point.wall_ms)
}

type Outcome = Option<Result<Arc<CachedToken>>>;

#[derive(Debug)]
struct Flight {
    landing: watch::Receiver<Outcome>,
    overdue_at: u64,
}

impl Flight {
    fn is_under_way(&self, now: Moment) -> bool {
        // The sender is gone when the task was dropped with its runtime, or panicked.
        self.landing.has_changed().is_ok() && now.boot_ms < self.overdue_at
    }
}

#[derive(Debug)]
struct State {
    flight: Option<Flight>,
    quiet_until: u64,
    pause: Duration,
}

#[derive(Debug)]
struct Shared {
    source: Box<dyn TokenSource>,
    clock: Arc<dyn Clock>,
    current: ArcSwapOption<CachedToken>,
    state: Mutex<State>,
}

/// The cache of one identity's tokens.
#[derive(Clone, Debug)]
pub(crate) struct TokenCache(Arc<Shared>);

impl TokenCache {
    pub(crate) fn new(source: Box<dyn TokenSource>, clock: Arc<dyn Clock>) -> TokenCache {
        TokenCache(Arc::new(Shared {
            source,
            clock,
            current: ArcSwapOption::empty(),
            state: Mutex::new(State {
                flight: None,
                quiet_until: 0,
                pause: FIRST_PAUSE,
            }),
        }))
    }

    /// A token that is valid now. Without one at hand it waits for the fetch in flight, at most until `deadline`.
    pub(crate) async fn get(
        &self,
        deadline: Deadline,
        retry: Retry,
        clock: &dyn Clock,
    ) -> Result<Arc<CachedToken>> {
        if let Some(token) = self.usable() {
            if token.is_stale(clock.now()) {
                self.refresh();
            }
            return Ok(token);
        }
        let waiting = async {
            // A fetch that was dropped with the runtime it ran on says nothing about the next one; two in a row do.
            for _ in 0..2 {
                let mut landing = match self.join(retry) {
                    Ok(token) => return Ok(token),
                    Err(landing) => landing,
                };
                if let Ok(landed) = landing.wait_for(Option::is_some).await
                    && let Some(outcome) = landed.clone()
                {
                    return outcome;
                }
            }
            Err(Error::new(
                Code::AuthFailed,
                "fetching a workspace token broke off without a result",
            ))
        };
        let allowed = deadline.left(clock);
        deadline
            .limit(clock, waiting)
            .await
            .unwrap_or_else(|| Err(self.0.source.late(allowed)))
    }

    /// The workspace's host, from the cloud.
    pub(crate) async fn host(&self, deadline: Deadline, retry: Retry) -> Result<String> {
        self.0.source.host(deadline, retry).await
    }

    /// The workspace refused this token: it is dropped, unless another has taken its place.
    pub(crate) fn invalidate(&self, token: &Arc<CachedToken>) {
        let current = self.0.current.load();
        if current
            .as_ref()
            .is_some_and(|current| Arc::ptr_eq(current, token))
        {
            self.0.current.compare_and_swap(&current, None);
        }
    }

    /// Takes over what `parent` has; reads it without a lock.
    pub(crate) fn inherit(&self, parent: &TokenCache) {
        if self.0.current.load().is_none() {
            self.0.current.store(parent.0.current.load_full());
        }
    }

    fn usable(&self) -> Option<Arc<CachedToken>> {
        let now = self.0.clock.now();
        self.0
            .current
            .load_full()
            .filter(|token| !token.is_expired(now))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the fetch in flight will land, starting one if there is none; or the token that has just landed.
    fn join(&self, retry: Retry) -> Result<Arc<CachedToken>, watch::Receiver<Outcome>> {
        let mut state = self.state();
        if let Some(token) = self.usable() {
            return Ok(token);
        }
        let now = self.0.clock.now();
        if let Some(flight) = &state.flight
            && flight.is_under_way(now)
        {
            return Err(flight.landing.clone());
        }
        Err(self.take_off(&mut state, retry))
    }

    fn refresh(&self) {
        let now = self.0.clock.now();
        let mut state = self.state();
        let under_way = state
            .flight
            .as_ref()
            .is_some_and(|flight| flight.is_under_way(now));
        if !under_way && now.boot_ms >= state.quiet_until {
            self.take_off(&mut state, Retry::Once);
        }
    }

    fn take_off(&self, state: &mut State, retry: Retry) -> watch::Receiver<Outcome> {
        let (sender, landing) = watch::channel(None);
        let cache = self.clone();
        let deadline = Deadline::after(&*self.0.clock, FETCH_BUDGET);
        state.flight = Some(Flight {
            landing: landing.clone(),
            overdue_at: self.0.clock.now().after(FETCH_BUDGET + FIRST_PAUSE / 12),
        });
        tokio::spawn(async move {
            let fetched = cache.0.source.fetch(deadline, retry).await;
            sender.send_replace(Some(cache.land(fetched)));
        });
        landing
    }

    fn land(&self, fetched: Result<Fetched>) -> Result<Arc<CachedToken>> {
        let now = self.0.clock.now();
        let mut state = self.state();
        match fetched {
            Ok(fetched) => {
                let token = Arc::new(CachedToken::new(fetched, now));
                self.0.current.store(Some(Arc::clone(&token)));
                state.flight = None;
                state.quiet_until = 0;
                state.pause = FIRST_PAUSE;
                Ok(token)
            }
            Err(error) => {
                tracing::debug!(%error, "no new workspace token");
                state.flight = None;
                state.quiet_until =
                    now.after(state.pause.max(error.retry_after().unwrap_or_default()));
                state.pause = (state.pause * 2).min(LONGEST_PAUSE);
                Err(error)
            }
        }
    }
}
