//! Log records for the host program's own log.
//!
//! Threads of lakekey never call into the host to log: with the host's lock held elsewhere that is a deadlock. They
//! put records into a bounded ring, and the binding takes them out in batches when it is on the host's side anyway.
//! Only records of lakekey itself are collected; those of the HTTP library, which may quote headers, are never seen.
//!
//! A family of forks has one subscriber, made once on the host's own thread. `tracing` locks a global list whenever a
//! subscriber is made, and whenever a log statement is reached for the first time once there were two: a fork at such a
//! moment leaves the list locked in the child for ever. With one, and no second attempt after a fork, nobody locks it.

use std::collections::VecDeque;
use std::fmt::{self, Write as _};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record as Values};
use tracing::{Dispatch, Event, Metadata, Subscriber};

use crate::runtime::process;

/// Records kept until somebody takes them; then the oldest go.
const CAPACITY: usize = 1024;
/// A record's text is cut here.
const LONGEST: usize = 2048;

/// How much is collected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// Nothing.
    Off = 0,
    /// What failed for good.
    Error = 1,
    /// What failed and is being tried again.
    Warn = 2,
    /// What happened.
    Info = 3,
    /// Why it happened.
    Debug = 4,
}

impl From<&tracing::Level> for Level {
    fn from(level: &tracing::Level) -> Level {
        match *level {
            tracing::Level::ERROR => Level::Error,
            tracing::Level::WARN => Level::Warn,
            tracing::Level::INFO => Level::Info,
            _ => Level::Debug,
        }
    }
}

static LEVEL: AtomicU8 = AtomicU8::new(Level::Off as u8);

/// Sets how much is collected from now on. A program that has a global subscriber of its own keeps it.
pub fn set_level(level: Level) {
    // A flag and not a `Once`: a child forked in the middle finds it set, collects nothing and waits for nobody.
    static BEGUN: AtomicBool = AtomicBool::new(false);
    if LEVEL.swap(level as u8, Ordering::Relaxed) == level as u8 {
        return;
    }
    if !BEGUN.swap(true, Ordering::Relaxed) {
        let _ = tracing::dispatcher::set_global_default(Dispatch::new(Collector));
    }
    tracing::callsite::rebuild_interest_cache();
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// How serious it is.
    pub level: Level,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// Which part of lakekey says it: `lakekey::credential`.
    pub source: String,
    /// The text, with the record's fields behind it.
    pub text: String,
}

/// What [`Ring::drain`] took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Oldest first.
    pub records: Vec<Record>,
    /// How many had to be thrown away before these.
    pub dropped: u64,
}

/// A bounded queue of records.
#[derive(Debug, Default)]
pub struct Ring {
    records: Mutex<VecDeque<Record>>,
    waiting: AtomicU64,
    dropped: AtomicU64,
}

impl Ring {
    fn push(&self, record: Record) {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        if records.len() == CAPACITY {
            records.pop_front();
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        records.push_back(record);
        self.waiting.store(records.len() as u64, Ordering::Release);
    }

    /// Takes what has come. Costs one atomic read while there is nothing.
    pub fn drain(&self) -> Batch {
        if self.waiting.load(Ordering::Acquire) == 0 {
            return Batch::default();
        }
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        self.waiting.store(0, Ordering::Release);
        Batch {
            records: std::mem::take(&mut *records).into(),
            dropped: self.dropped.swap(0, Ordering::Relaxed),
        }
    }
}

struct Collector;

impl Subscriber for Collector {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        Level::from(metadata.level()) as u8 <= LEVEL.load(Ordering::Relaxed)
            && metadata.target().split("::").next() == Some("lakekey")
    }

    fn max_level_hint(&self) -> Option<tracing::level_filters::LevelFilter> {
        use tracing::level_filters::LevelFilter;
        let level = LEVEL.load(Ordering::Relaxed);
        Some(match level {
            0 => LevelFilter::OFF,
            1 => LevelFilter::ERROR,
            2 => LevelFilter::WARN,
            3 => LevelFilter::INFO,
            _ => LevelFilter::DEBUG,
        })
    }

    fn event(&self, event: &Event<'_>) {
        let mut text = Text::default();
        event.record(&mut text);
        // Asked for each record: the subscriber is inherited by children, and the ring must not be.
        process().ring().push(Record {
            level: event.metadata().level().into(),
            at_ms: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| {
                    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
                }),
            source: event.metadata().target().to_owned(),
            text: text.whole(),
        });
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Values<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Text {
    fn whole(mut self) -> String {
        self.message.push_str(&self.fields);
        if self.message.len() > LONGEST {
            let cut = (0..=LONGEST)
                .rev()
                .find(|at| self.message.is_char_boundary(*at))
                .unwrap_or(0);
            self.message.truncate(cut);
        }
        self.message
    }
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a String cannot fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_lakekey_are_collected_wherever_they_arise() {
        set_level(Level::Info);
        let ended = std::thread::spawn(|| {
            tracing::info!(target: "lakekey::test", seconds = 7, "minted");
            tracing::debug!(target: "lakekey::test", "too quiet");
            tracing::warn!(target: "hyper", "authorization: planted");
            tracing::warn!(target: "lakekeyish", "not ours");
        })
        .join();
        assert!(ended.is_ok());
        let said = process().ring().drain();
        assert!(
            said.records
                .iter()
                .all(|record| record.source.starts_with("lakekey::")),
            "{said:?}"
        );
        let mine: Vec<&str> = said
            .records
            .iter()
            .filter(|record| record.source == "lakekey::test")
            .map(|record| record.text.as_str())
            .collect();
        assert_eq!(mine, ["minted seconds=7"]);
    }

    #[test]
    fn the_ring_is_bounded() {
        let ring = Ring::default();
        for number in 0..CAPACITY + 5 {
            ring.push(Record {
                level: Level::Warn,
                at_ms: 0,
                source: "lakekey".to_owned(),
                text: number.to_string(),
            });
        }
        let first = ring.drain();
        assert_eq!((first.records.len(), first.dropped), (CAPACITY, 5));
        assert_eq!(first.records[0].text, "5");
        assert_eq!(ring.drain(), Batch::default());
    }
}
