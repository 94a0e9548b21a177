//! The token cache, driven through the API by a callback that counts.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{NOW, api, ask, me};
use crate::auth::{ProvidedToken, TokenProvider};
use crate::clock::{BoxFuture, Clock, ManualClock};
use crate::code::Code;
use crate::error::{Error, Result};
use crate::http::Api;
use crate::http::scripted::{Scripted, drive, ok, settle, status};
use crate::secret::Secret;

/// Gives tokens `t1`, `t2`, ... of a given life, each after a given wait.
struct Source {
    clock: ManualClock,
    calls: AtomicU32,
    life: Option<Duration>,
    wait: Duration,
    trouble: Mutex<Option<Trouble>>,
}

#[derive(Clone, Copy)]
enum Trouble {
    Fails,
    Panics,
    Gives(&'static str),
    GivesExpired,
    Hangs,
}

impl Source {
    fn new(clock: &ManualClock, life: Option<Duration>) -> Arc<Source> {
        Source::slow(clock, life, Duration::ZERO)
    }

    fn slow(clock: &ManualClock, life: Option<Duration>, wait: Duration) -> Arc<Source> {
        Arc::new(Source {
            clock: clock.clone(),
            calls: AtomicU32::new(0),
            life,
            wait,
            trouble: Mutex::new(None),
        })
    }

    fn trouble(&self, trouble: impl Into<Option<Trouble>>) {
        *self.trouble.lock().unwrap() = trouble.into();
    }

    fn calls(&self) -> u32 {
        self.calls.load(Ordering::SeqCst)
    }
}

impl TokenProvider for Source {
    fn token(&self) -> BoxFuture<'_, Result<ProvidedToken>> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        let trouble = *self.trouble.lock().unwrap();
        Box::pin(async move {
            if !self.wait.is_zero() {
                self.clock.sleep(self.wait).await;
            }
            let now = self.clock.now().wall_ms;
            let given = |token: String, expires_at_ms| ProvidedToken {
                token: Secret::new(token),
                expires_at_ms,
            };
            let end = self.life.map(|life| now + crate::clock::millis(life));
            match trouble {
                None => Ok(given(format!("t{call}"), end)),
                Some(Trouble::Fails) => Err(Error::new(Code::Internal, "the notebook is gone")),
                Some(Trouble::Panics) => panic!("on purpose"),
                Some(Trouble::Gives(token)) => Ok(given(token.to_owned(), end)),
                Some(Trouble::GivesExpired) => Ok(given("planted".to_owned(), Some(now - 1))),
                Some(Trouble::Hangs) => std::future::pending().await,
            }
        })
    }

    fn fingerprint(&self) -> String {
        "user".to_owned()
    }
}

fn echo() -> Arc<Scripted> {
    Scripted::new(|request| {
        ok(format!(
            "{{\"seen\":{:?}}}",
            request.headers["authorization"].to_str().unwrap()
        ))
    })
}

fn door(source: &Arc<Source>, wire: &Arc<Scripted>) -> Api {
    api(
        &[("host", "https://w")],
        &[],
        wire,
        &source.clock,
        Some(Arc::clone(source) as _),
    )
    .unwrap()
}

async fn token(api: &Api, clock: &ManualClock) -> String {
    let answer = ask(api, clock).await.unwrap();
    answer.body["seen"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn fresh_then_stale_then_expired() {
    let clock = ManualClock::at(NOW);
    let source = Source::new(&clock, Some(Duration::from_hours(1)));
    let api = door(&source, &echo());
    assert_eq!(token(&api, &clock).await, "Bearer t1");
    clock.advance(Duration::from_mins(40));
    assert_eq!(token(&api, &clock).await, "Bearer t1");
    settle().await;
    assert_eq!(source.calls(), 1, "fresh until 20 minutes before its end");
    clock.advance(Duration::from_millis(1));
    assert_eq!(
        token(&api, &clock).await,
        "Bearer t1",
        "the stale one is given out"
    );
    settle().await;
    assert_eq!(source.calls(), 2, "while one refresh runs");
    assert_eq!(token(&api, &clock).await, "Bearer t2");
    clock.advance(Duration::from_secs(60 * 60 - 39));
    assert_eq!(
        token(&api, &clock).await,
        "Bearer t3",
        "expired 40 s before its end"
    );
}

#[tokio::test]
async fn a_slow_refresh_delays_nobody_while_the_token_is_good() {
    let clock = ManualClock::at(NOW);
    let source = Source::slow(
        &clock,
        Some(Duration::from_hours(1)),
        Duration::from_secs(5),
    );
    let api = door(&source, &echo());
    token(&api, &clock).await;
    clock.advance(Duration::from_mins(45));
    let before = clock.now();
    for _ in 0..10 {
        assert_eq!(token(&api, &clock).await, "Bearer t1");
        settle().await;
    }
    assert_eq!(clock.now(), before, "no time passed");
    assert_eq!(source.calls(), 2, "and one refresh serves all");
}

#[tokio::test]
async fn a_short_life_still_leaves_time_for_use() {
    let clock = ManualClock::at(NOW);
    let source = Source::new(&clock, Some(Duration::from_secs(20)));
    let api = door(&source, &echo());
    token(&api, &clock).await;
    clock.advance(Duration::from_secs(9));
    token(&api, &clock).await;
    assert_eq!(source.calls(), 1);
    clock.advance(Duration::from_secs(7));
    assert_eq!(token(&api, &clock).await, "Bearer t2");
}

#[tokio::test]
async fn failed_refreshes_pause_longer_and_longer_and_the_token_serves_on() {
    let clock = ManualClock::at(NOW);
    let source = Source::new(&clock, Some(Duration::from_hours(4)));
    let api = door(&source, &echo());
    token(&api, &clock).await;
    source.trouble(Trouble::Fails);
    clock.advance(Duration::from_mins(4 * 60 - 19));
    let mut tries = Vec::new();
    for minute in 0..18 {
        let before = source.calls();
        assert_eq!(token(&api, &clock).await, "Bearer t1");
        settle().await;
        if source.calls() > before {
            tries.push(minute);
        }
        clock.advance(Duration::from_mins(1));
    }
    assert_eq!(tries, [0, 1, 3, 7, 15]);
    clock.advance(Duration::from_mins(1));
    let error = ask(&api, &clock).await.unwrap_err();
    assert_eq!(error.code(), Code::AuthCallback);
    assert!(error.message().contains("the notebook is gone"), "{error}");
    source.trouble(None);
    assert!(
        token(&api, &clock).await.starts_with("Bearer t"),
        "one good answer ends it"
    );
}

#[tokio::test]
async fn a_hundred_callers_share_one_fetch_and_a_cancelled_one_takes_nothing_away() {
    let clock = ManualClock::at(NOW);
    let source = Source::slow(
        &clock,
        Some(Duration::from_hours(1)),
        Duration::from_secs(1),
    );
    let wire = echo();
    let api = door(&source, &wire);
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let (api, clock) = (api.clone(), clock.clone());
        callers.spawn(async move { api.call(me(&clock, Duration::from_secs(10))).await });
    }
    let first = {
        let (api, clock) = (api.clone(), clock.clone());
        tokio::spawn(async move { api.call(me(&clock, Duration::from_secs(10))).await })
    };
    settle().await;
    first.abort();
    let results = drive(&clock, callers.join_all()).await;
    assert!(results.iter().all(Result::is_ok));
    assert_eq!(source.calls(), 1);
}

#[tokio::test]
async fn a_cancelled_first_caller_does_not_stop_the_fetch() {
    let clock = ManualClock::at(NOW);
    let source = Source::slow(
        &clock,
        Some(Duration::from_hours(1)),
        Duration::from_secs(1),
    );
    let api = door(&source, &echo());
    let cancelled = {
        let (api, clock) = (api.clone(), clock.clone());
        tokio::spawn(async move { api.call(me(&clock, Duration::from_secs(10))).await })
    };
    settle().await;
    cancelled.abort();
    assert_eq!(token(&api, &clock).await, "Bearer t1");
    assert_eq!(source.calls(), 1);
}

#[tokio::test]
async fn callbacks_that_misbehave_are_typed_errors() {
    for (trouble, words) in [
        (Trouble::Fails, "the notebook is gone"),
        (Trouble::Gives(""), "empty token"),
        (
            Trouble::Gives("Bearer planted"),
            "characters that no token has",
        ),
        (Trouble::GivesExpired, "expired already"),
    ] {
        let clock = ManualClock::at(NOW);
        let source = Source::new(&clock, Some(Duration::from_hours(1)));
        source.trouble(trouble);
        let error = ask(&door(&source, &echo()), &clock).await.unwrap_err();
        assert_eq!(error.code(), Code::AuthCallback, "{error}");
        assert!(error.message().contains(words), "{error}");
        assert!(!format!("{error} {error:?}").contains("planted"));
    }
}

#[tokio::test]
async fn a_callback_that_hangs_is_abandoned_and_replaced() {
    let clock = ManualClock::at(NOW);
    let source = Source::new(&clock, Some(Duration::from_hours(1)));
    source.trouble(Trouble::Hangs);
    let api = door(&source, &echo());
    let error = ask(&api, &clock).await.unwrap_err();
    assert_eq!(
        error.code(),
        Code::HttpTimeout,
        "the caller's time is over first"
    );
    source.trouble(None);
    let mut failures = 0;
    while ask(&api, &clock).await.is_err() {
        failures += 1;
        assert!(failures < 5, "a hung fetch is never replaced");
    }
    assert_eq!(source.calls(), 2);
}

#[tokio::test]
async fn a_panic_in_a_fetch_hangs_nobody() {
    let clock = ManualClock::at(NOW);
    let source = Source::new(&clock, Some(Duration::from_hours(1)));
    source.trouble(Trouble::Panics);
    let api = door(&source, &echo());
    let error = ask(&api, &clock).await.unwrap_err();
    assert!(error.message().contains("broke"), "{error}");
    source.trouble(None);
    assert!(token(&api, &clock).await.starts_with("Bearer t"));
}

#[tokio::test]
async fn without_an_end_a_token_is_kept_until_it_is_refused() {
    let clock = ManualClock::at(NOW);
    let source = Source::new(&clock, None);
    let wire = Scripted::new(
        |request| match request.headers["authorization"].to_str().unwrap() {
            "Bearer t1" if request.url.query().is_some() => status(401),
            seen => ok(format!("{{\"seen\":\"{seen}\"}}")),
        },
    );
    let api = door(&source, &wire);
    assert_eq!(token(&api, &clock).await, "Bearer t1");
    clock.advance(Duration::from_hours(1000));
    assert_eq!(token(&api, &clock).await, "Bearer t1");
    let mut refusing = me(&clock, Duration::from_secs(10));
    refusing.query = &[("refuse", "yes")];
    let answer = drive(&clock, api.call(refusing)).await.unwrap();
    assert_eq!(answer.body["seen"], "Bearer t2");
}

#[tokio::test]
async fn either_clock_ends_a_token() {
    for jump in [0, 3_600_000] {
        let clock = ManualClock::at(NOW);
        let source = Source::new(&clock, Some(Duration::from_hours(1)));
        let api = door(&source, &echo());
        token(&api, &clock).await;
        if jump == 0 {
            // Asleep for two hours with a wall clock that somebody set back.
            clock.shift(7_200_000, -7_200_000);
        } else {
            clock.shift(0, jump);
        }
        assert_eq!(token(&api, &clock).await, "Bearer t2", "{jump}");
    }
}

#[tokio::test]
async fn a_child_takes_over_its_parents_token() {
    let clock = ManualClock::at(NOW);
    let source = Source::new(&clock, Some(Duration::from_hours(1)));
    let wire = echo();
    let parent = door(&source, &wire);
    token(&parent, &clock).await;
    let child = door(&source, &wire);
    child.inherit(&parent);
    assert_eq!(token(&child, &clock).await, "Bearer t1");
    assert_eq!(source.calls(), 1);
}
