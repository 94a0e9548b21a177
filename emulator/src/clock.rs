//! The one virtual clock of the emulator.
//!
//! Token expiry, the `Date` header, `expire_time`, fault windows and suspend timers all read it, so that a test can
//! move an hour forward in a millisecond. If one of them read the system's clock instead, a test of time would be
//! either slow or wrong. Whoever waits for a moment is told at once when the clock is changed.

use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::Error;
use crate::shown::Shown;

/// The most that one wait sleeps before it looks at the clock again: a bound for rates close to zero.
const LONGEST_NAP: Duration = Duration::from_hours(1);

/// A clock that can be skewed, stopped, advanced and sped up.
#[derive(Debug)]
pub struct Clock {
    anchor: Mutex<Anchor>,
    record: Mutex<Shown>,
    changed: watch::Sender<u64>,
}

/// Where virtual time stood at a moment of real time, and how it has run since.
#[derive(Clone, Copy, Debug)]
struct Anchor {
    real: Instant,
    shown: Timestamp,
    rate: f64,
    frozen: bool,
}

/// A change of the clock, applied in the order of the fields: `set`, `skew_s`, `advance_s`, `rate`, `freeze`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockChange {
    /// Show this moment.
    pub set: Option<Timestamp>,
    /// Show real time plus this many seconds.
    pub skew_s: Option<f64>,
    /// Go on by this many seconds (or back, when negative).
    pub advance_s: Option<f64>,
    /// Virtual seconds per real second.
    pub rate: Option<f64>,
    /// Stop (`true`) or run again (`false`).
    pub freeze: Option<bool>,
}

/// What the clock shows and how it runs.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ClockReading {
    /// Virtual time.
    pub now: Timestamp,
    /// Virtual minus real time, in seconds.
    pub skew_s: f64,
    /// Virtual seconds per real second.
    pub rate: f64,
    /// Whether it stands still.
    pub frozen: bool,
}

impl Default for Clock {
    fn default() -> Self {
        let anchor = Anchor {
            real: Instant::now(),
            shown: Timestamp::now(),
            rate: 1.0,
            frozen: false,
        };
        let mut record = Shown::default();
        record.note(anchor.shown, anchor.shown, anchor.rate);
        Self {
            anchor: Mutex::new(anchor),
            record: Mutex::new(record),
            changed: watch::Sender::new(0),
        }
    }
}

impl Anchor {
    fn shown_at(&self, real: Instant) -> Timestamp {
        if self.frozen {
            return self.shown;
        }
        let passed = real.saturating_duration_since(self.real).mul_f64(self.rate);
        let passed = SignedDuration::try_from(passed).unwrap_or(SignedDuration::MAX);
        self.shown.saturating_add(passed).unwrap_or(Timestamp::MAX)
    }
}

impl Clock {
    /// Virtual time now.
    pub fn now(&self) -> Timestamp {
        self.anchor().shown_at(Instant::now())
    }

    /// What the clock shows and how it runs.
    pub fn reading(&self) -> ClockReading {
        let anchor = *self.anchor();
        let now = anchor.shown_at(Instant::now());
        let skew_s = now.duration_since(Timestamp::now()).as_secs_f64();
        ClockReading {
            now,
            skew_s,
            rate: anchor.rate,
            frozen: anchor.frozen,
        }
    }

    /// Changes the clock and wakes everyone who waits for a moment. A refused change changes nothing.
    pub fn change(&self, change: &ClockChange) -> Result<ClockReading, Error> {
        {
            let mut held = self.anchor();
            let real = Instant::now();
            let mut next = Anchor {
                real,
                shown: held.shown_at(real),
                ..*held
            };
            if let Some(set) = change.set {
                next.shown = set;
            }
            if let Some(skew_s) = change.skew_s {
                next.shown = shifted(Timestamp::now(), "skew_s", skew_s)?;
            }
            if let Some(advance_s) = change.advance_s {
                next.shown = shifted(next.shown, "advance_s", advance_s)?;
            }
            if let Some(rate) = change.rate {
                if !(rate.is_finite() && (0.0..=1_000_000.0).contains(&rate)) {
                    return Err(Error::invalid(
                        "rate",
                        rate,
                        "a number from 0 to 1000000 virtual seconds per second",
                    ));
                }
                next.rate = rate;
            }
            if let Some(freeze) = change.freeze {
                next.frozen = freeze;
            }
            self.turn(&mut held, next);
        }
        self.changed.send_modify(|generation| *generation += 1);
        Ok(self.reading())
    }

    /// Goes on by `by` at once.
    pub fn advance(&self, by: Duration) {
        {
            let mut held = self.anchor();
            let real = Instant::now();
            let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
            let shown = held
                .shown_at(real)
                .saturating_add(by)
                .unwrap_or(Timestamp::MAX);
            let next = Anchor {
                real,
                shown,
                ..*held
            };
            self.turn(&mut held, next);
        }
        self.changed.send_modify(|generation| *generation += 1);
    }

    /// Stops the clock, or lets it run again.
    pub fn freeze(&self, frozen: bool) {
        {
            let mut held = self.anchor();
            let real = Instant::now();
            let next = Anchor {
                real,
                shown: held.shown_at(real),
                frozen,
                ..*held
            };
            self.turn(&mut held, next);
        }
        self.changed.send_modify(|generation| *generation += 1);
    }

    /// Real time again, at its own pace.
    pub fn reset(&self) {
        {
            let next = Anchor {
                real: Instant::now(),
                shown: Timestamp::now(),
                rate: 1.0,
                frozen: false,
            };
            self.turn(&mut self.anchor(), next);
        }
        self.changed.send_modify(|generation| *generation += 1);
    }

    /// Is told at every change of the clock.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Returns once virtual time has reached `moment`, however the clock is moved until then.
    pub async fn wait_until(&self, moment: Timestamp) {
        let mut changes = self.changes();
        loop {
            changes.borrow_and_update();
            let anchor = *self.anchor();
            let left = moment.duration_since(anchor.shown_at(Instant::now()));
            if left <= SignedDuration::ZERO {
                return;
            }
            let left = left.unsigned_abs().as_secs_f64() / anchor.rate;
            let nap = Duration::try_from_secs_f64(left)
                .unwrap_or(LONGEST_NAP)
                .min(LONGEST_NAP);
            if anchor.frozen || anchor.rate <= 0.0 {
                if changes.changed().await.is_err() {
                    return;
                }
            } else {
                // A nap that ends a little early only makes the loop look again.
                let _ = tokio::time::timeout(nap.max(Duration::from_millis(1)), changes.changed())
                    .await;
            }
        }
    }

    /// The last moment of the machine's clock at which this one showed `shown` or was moved on past it; `None`: it has
    /// been told nothing of so long ago.
    pub(crate) fn real_at(&self, shown: Timestamp) -> Option<Timestamp> {
        self.record().real_at(shown, Timestamp::now())
    }

    /// What this clock showed at a moment of the machine's clock.
    pub(crate) fn shown_at(&self, real: Timestamp) -> Timestamp {
        self.record().shown_at(real)
    }

    /// Remembers in a file what was shown when, and what an earlier run left there.
    pub(crate) fn keep_record(&self, path: &Path) -> io::Result<()> {
        self.record().keep_in(path)
    }

    fn turn(&self, held: &mut Anchor, next: Anchor) {
        let rate = if next.frozen { 0.0 } else { next.rate };
        self.record().note(Timestamp::now(), next.shown, rate);
        *held = next;
    }

    fn record(&self) -> std::sync::MutexGuard<'_, Shown> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn anchor(&self) -> std::sync::MutexGuard<'_, Anchor> {
        self.anchor.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn shifted(from: Timestamp, field: &'static str, seconds: f64) -> Result<Timestamp, Error> {
    SignedDuration::try_from_secs_f64(seconds)
        .ok()
        .and_then(|by| from.checked_add(by).ok())
        .ok_or_else(|| {
            Error::invalid(
                field,
                seconds,
                "a number of seconds that stays between the years -9999 and 9999",
            )
        })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn frozen_at_zero() -> Clock {
        let clock = Clock::default();
        let change = ClockChange {
            set: Some(Timestamp::UNIX_EPOCH),
            freeze: Some(true),
            ..ClockChange::default()
        };
        clock.change(&change).unwrap();
        clock
    }

    #[test]
    fn a_frozen_clock_moves_only_when_told() {
        let clock = frozen_at_zero();
        assert_eq!(clock.now(), Timestamp::UNIX_EPOCH);
        clock.advance(Duration::from_secs(90));
        assert_eq!(clock.now().as_second(), 90);
        clock
            .change(&ClockChange {
                advance_s: Some(-30.0),
                ..ClockChange::default()
            })
            .unwrap();
        assert_eq!(clock.now().as_second(), 60);
    }

    #[test]
    fn a_bad_change_is_refused_by_name_and_changes_nothing() {
        let clock = frozen_at_zero();
        for change in [
            ClockChange {
                rate: Some(-1.0),
                advance_s: Some(5.0),
                ..ClockChange::default()
            },
            ClockChange {
                advance_s: Some(f64::NAN),
                ..ClockChange::default()
            },
            ClockChange {
                skew_s: Some(1e300),
                ..ClockChange::default()
            },
        ] {
            let error = clock.change(&change).unwrap_err().to_string();
            assert!(
                ["rate", "advance_s", "skew_s"]
                    .iter()
                    .any(|field| error.contains(field)),
                "{error}"
            );
            assert_eq!(clock.now(), Timestamp::UNIX_EPOCH);
        }
    }

    #[test]
    fn the_rate_multiplies_real_time() {
        let clock = Clock::default();
        clock
            .change(&ClockChange {
                rate: Some(1_000_000.0),
                ..ClockChange::default()
            })
            .unwrap();
        let before = clock.now();
        let real = Instant::now();
        while real.elapsed() < Duration::from_millis(2) {
            std::hint::spin_loop();
        }
        assert!(clock.now().duration_since(before).as_secs() >= 2000);
    }

    #[tokio::test]
    async fn a_waiter_wakes_when_the_clock_is_advanced() {
        let clock = std::sync::Arc::new(frozen_at_zero());
        let waiting = tokio::spawn({
            let clock = clock.clone();
            async move {
                clock
                    .wait_until(Timestamp::from_second(3600).unwrap())
                    .await;
            }
        });
        clock.advance(Duration::from_secs(3599));
        assert!(!waiting.is_finished());
        clock.advance(Duration::from_secs(1));
        tokio::time::timeout(Duration::from_secs(5), waiting)
            .await
            .unwrap()
            .unwrap();
    }
}
