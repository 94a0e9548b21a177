//! What the clock showed when: the way from a time that a client names back to the moment of the machine's clock.
//!
//! Postgres stamps its commits with the machine's time, and clients know only the virtual one. Without this record a
//! branch "at a time" would begin at the wrong commit as soon as the clock had been moved.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Changes of the clock beyond this many are forgotten, the oldest first.
const MOST_SPANS: usize = 2000;
/// Two clocks that are this close are one clock that was read twice.
const SAME: SignedDuration = SignedDuration::from_millis(2);

/// From `real` on the clock showed `shown` and ran at `rate`, until the next span.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Span {
    real: Timestamp,
    shown: Timestamp,
    rate: f64,
}

impl Span {
    fn shown_at(&self, real: Timestamp) -> Timestamp {
        let passed = real.duration_since(self.real).as_secs_f64() * self.rate;
        after(self.shown, passed)
    }
}

fn after(from: Timestamp, seconds: f64) -> Timestamp {
    SignedDuration::try_from_secs_f64(seconds)
        .ok()
        .and_then(|by| from.checked_add(by).ok())
        .unwrap_or(if seconds < 0.0 {
            Timestamp::MIN
        } else {
            Timestamp::MAX
        })
}

/// All that is known of what the clock showed.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    spans: Vec<Span>,
    file: Option<File>,
}

impl Shown {
    /// From the moment `real` on the clock shows `shown` and runs at `rate` (0: it stands still).
    pub(crate) fn note(&mut self, real: Timestamp, shown: Timestamp, rate: f64) {
        let same = (rate - 1.0).abs() < f64::EPSILON && shown.duration_since(real).abs() < SAME;
        let span = Span {
            real,
            shown: if same { real } else { shown },
            rate,
        };
        if let Some(file) = &mut self.file
            && let Err(error) = write(file, &span)
        {
            tracing::warn!(%error, "a change of the clock is not kept");
        }
        self.spans.push(span);
        if self.spans.len() > MOST_SPANS {
            self.spans.drain(..MOST_SPANS / 2);
        }
    }

    /// Keeps the record in a file from now on, and takes over what an earlier run left there.
    pub(crate) fn keep_in(&mut self, path: &Path) -> io::Result<()> {
        let text = match std::fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            text => text?,
        };
        // A last line that a killed emulator left unfinished says nothing.
        let mut spans: Vec<Span> = text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        spans.drain(..spans.len().saturating_sub(MOST_SPANS / 2));
        spans.append(&mut self.spans);
        let mut file = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(true)
            .open(path)?;
        for span in &spans {
            write(&mut file, span)?;
        }
        self.spans = spans;
        self.file = Some(file);
        Ok(())
    }

    /// The last moment, before `now`, at which the clock showed `shown` or was moved on past it.
    pub(crate) fn real_at(&self, shown: Timestamp, now: Timestamp) -> Option<Timestamp> {
        let mut end = now;
        for span in self.spans.iter().rev() {
            if shown >= span.shown {
                let passed = shown.duration_since(span.shown).as_secs_f64() / span.rate;
                // A clock that stands still makes this infinite: its whole span shows the time.
                let real = if span.rate > 0.0 {
                    exactly(span, shown, passed)
                } else {
                    end
                };
                return Some(real.min(end));
            }
            end = span.real;
        }
        None
    }

    /// What the clock showed at a moment of the machine's clock.
    pub(crate) fn shown_at(&self, real: Timestamp) -> Timestamp {
        let span = self.spans.iter().rev().find(|span| span.real <= real);
        span.map_or(real, |span| {
            if is_real(span) {
                real
            } else {
                span.shown_at(real)
            }
        })
    }
}

fn is_real(span: &Span) -> bool {
    span.shown == span.real && (span.rate - 1.0).abs() < f64::EPSILON
}

/// Without the rounding of floating point where the clock is the machine's own.
fn exactly(span: &Span, shown: Timestamp, passed: f64) -> Timestamp {
    if is_real(span) {
        shown
    } else {
        after(span.real, passed)
    }
}

fn write(file: &mut File, span: &Span) -> io::Result<()> {
    let mut line = serde_json::to_vec(span)?;
    line.push(b'\n');
    file.write_all(&line)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_time_that_was_jumped_over_is_the_moment_of_the_jump() {
        let mut shown = Shown::default();
        shown.note(at(100), at(100), 1.0);
        shown.note(at(110), at(5000), 1.0);
        assert_eq!(shown.real_at(at(105), at(120)), Some(at(105)));
        assert_eq!(shown.real_at(at(3000), at(120)), Some(at(110)));
        assert_eq!(shown.real_at(at(5004), at(120)), Some(at(114)));
        assert_eq!(shown.real_at(at(99), at(120)), None);
        assert_eq!(shown.shown_at(at(114)), at(5004));
    }

    #[test]
    fn a_time_that_was_shown_twice_is_the_later_moment_and_one_that_stood_is_its_end() {
        let mut shown = Shown::default();
        shown.note(at(100), at(100), 1.0);
        shown.note(at(200), at(150), 0.0);
        shown.note(at(300), at(150), 2.0);
        assert_eq!(shown.real_at(at(150), at(400)), Some(at(300)));
        assert_eq!(shown.real_at(at(149), at(400)), Some(at(149)));
        assert_eq!(shown.real_at(at(160), at(400)), Some(at(305)));
    }

    #[test]
    fn the_record_outlives_a_run_and_a_torn_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("clock.jsonl");
        let mut first = Shown::default();
        first.note(at(100), at(1000), 1.0);
        first.keep_in(&path).unwrap();
        first.note(at(110), at(7000), 1.0);
        let torn = std::fs::read_to_string(&path).unwrap() + "{\"real\":";
        std::fs::write(&path, torn).unwrap();
        let mut second = Shown::default();
        second.note(at(500), at(8000), 1.0);
        second.keep_in(&path).unwrap();
        assert_eq!(second.real_at(at(1005), at(600)), Some(at(105)));
        assert_eq!(second.real_at(at(7005), at(600)), Some(at(115)));
        assert_eq!(second.real_at(at(8005), at(600)), Some(at(505)));
        assert_eq!(second.shown_at(at(112)), at(7002));
    }
}
