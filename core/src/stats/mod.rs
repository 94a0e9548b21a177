//! What happened in this process, in numbers, and its last events in words.
//!
//! Whoever runs a pool asks "how often do we mint, how old are the tokens, why did logins fail" when it is too late to
//! turn a log level up. So it is always counted: by relaxed atomics, no lock on the way of a login that needs none.
//! Nothing here holds a token, a user, a host or a text of SQL.

mod client;
mod events;
mod histogram;

use std::sync::atomic::{AtomicU64, Ordering};

pub(crate) use events::Events;
pub use histogram::Distribution;
use histogram::Histogram;

use crate::code::Code;
use crate::login::Kind;

const MILLIS: &[u64] = &[
    5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000,
];
const SECONDS: &[u64] = &[1, 10, 60, 300, 600, 1_200, 1_800, 2_400, 3_000, 3_600];

/// The counts of one process.
#[derive(Debug)]
pub(crate) struct Stats {
    mints: AtomicU64,
    refreshes: AtomicU64,
    taken: AtomicU64,
    repeats: AtomicU64,
    invalidations: AtomicU64,
    attempts: AtomicU64,
    failures: Vec<AtomicU64>,
    mint_failures: Vec<AtomicU64>,
    login_failures: Vec<AtomicU64>,
    mint_ms: Histogram,
    wait_ms: Histogram,
    connect_ms: Histogram,
    token_age_s: Histogram,
}

/// What was counted since the process began, or since its fork.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Plain counts, by name.
    pub counters: Vec<(&'static str, u64)>,
    /// Calls that failed, by the slug of their error; without those that never happened.
    pub failures: Vec<(&'static str, u64)>,
    /// Requests to mint that failed, likewise; most of them are made good by the next one.
    pub mint_failures: Vec<(&'static str, u64)>,
    /// Login attempts that failed, by the kind of their trouble; without those that never happened.
    pub login_failures: Vec<(&'static str, u64)>,
    /// Durations and ages, by name; the name ends with the unit.
    pub histograms: Vec<(&'static str, Distribution)>,
    /// The workspace's clock minus this machine's in milliseconds, once an answer told it.
    pub clock_skew_ms: Option<i64>,
}

fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

fn zeros(count: usize) -> Vec<AtomicU64> {
    (0..count).map(|_| AtomicU64::new(0)).collect()
}

impl Default for Stats {
    fn default() -> Stats {
        Stats {
            mints: AtomicU64::new(0),
            refreshes: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            repeats: AtomicU64::new(0),
            invalidations: AtomicU64::new(0),
            attempts: AtomicU64::new(0),
            failures: zeros(Code::ALL.len()),
            mint_failures: zeros(Code::ALL.len()),
            login_failures: zeros(Kind::ALL.len()),
            mint_ms: Histogram::new(MILLIS),
            wait_ms: Histogram::new(MILLIS),
            connect_ms: Histogram::new(MILLIS),
            token_age_s: Histogram::new(SECONDS),
        }
    }
}

impl Stats {
    /// A credential was minted.
    pub(crate) fn minted(&self, took_ms: u64, beside: bool) {
        add(&self.mints);
        if beside {
            add(&self.refreshes);
        }
        self.mint_ms.record(took_ms);
    }

    /// A credential was taken that another process had minted.
    pub(crate) fn taken(&self) {
        add(&self.taken);
    }

    /// A credential was handed out that was there already.
    pub(crate) fn used(&self, age_ms: u64) {
        self.token_age_s.record(age_ms / 1000);
    }

    /// A binding handed the same one out again so often without looking.
    pub(crate) fn repeated(&self, times: u64) {
        self.repeats.fetch_add(times, Ordering::Relaxed);
    }

    /// A caller had to wait for a credential.
    pub(crate) fn waited(&self, ms: u64) {
        self.wait_ms.record(ms);
    }

    /// A refused token was thrown away.
    pub(crate) fn invalidated(&self) {
        add(&self.invalidations);
    }

    /// A request to mint failed with this code.
    pub(crate) fn mint_failed(&self, code: Code) {
        if let Some(counter) = self.mint_failures.get(code as usize) {
            add(counter);
        }
    }

    /// A call or a connect failed with this code.
    pub(crate) fn failed(&self, code: Code) {
        if let Some(counter) = self.failures.get(code as usize) {
            add(counter);
        }
    }

    /// A dial begins.
    pub(crate) fn attempted(&self) {
        add(&self.attempts);
    }

    /// A dial or login failed.
    pub(crate) fn login_failed(&self, kind: Kind) {
        if let Some(counter) = self.login_failures.get(kind as usize) {
            add(counter);
        }
    }

    /// A connect succeeded.
    pub(crate) fn connected(&self, took_ms: u64) {
        self.connect_ms.record(took_ms);
    }

    pub(crate) fn snapshot(&self, clock_skew_ms: Option<i64>) -> Snapshot {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let age = self.token_age_s.read();
        let (connected, waits) = (self.connect_ms.read(), self.wait_ms.read());
        let happened = |(name, counter): (&'static str, &AtomicU64)| {
            let count = read(counter);
            (count > 0).then_some((name, count))
        };
        let by_code = |counters: &[AtomicU64]| {
            let slugs = Code::ALL.iter().map(|code| code.slug());
            slugs.zip(counters).filter_map(happened).collect()
        };
        let kinds = Kind::ALL.iter().map(|kind| kind.slug());
        Snapshot {
            counters: vec![
                ("mints", read(&self.mints)),
                ("refreshes", read(&self.refreshes)),
                ("taken", read(&self.taken)),
                ("cache_hits", age.count + read(&self.repeats)),
                ("waits", waits.count),
                ("invalidations", read(&self.invalidations)),
                ("login_attempts", read(&self.attempts)),
                ("logins", connected.count),
            ],
            failures: by_code(&self.failures),
            mint_failures: by_code(&self.mint_failures),
            login_failures: kinds
                .zip(&self.login_failures)
                .filter_map(happened)
                .collect(),
            histograms: vec![
                ("mint_ms", self.mint_ms.read()),
                ("wait_ms", waits),
                ("connect_ms", connected),
                ("token_age_s", age),
            ],
            clock_skew_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Stats;
    use crate::code::Code;
    use crate::login::Kind;

    #[test]
    fn what_happened_is_counted_under_its_name() {
        let stats = Stats::default();
        stats.minted(30, true);
        stats.used(90_000);
        stats.repeated(1);
        stats.failed(Code::ApiRateLimited);
        stats.login_failed(Kind::Unknown);
        let shown = stats.snapshot(Some(-7));
        let counter = |name| {
            shown
                .counters
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, count)| *count)
        };
        assert_eq!(
            (
                counter("mints"),
                counter("refreshes"),
                counter("cache_hits")
            ),
            (Some(1), Some(1), Some(2))
        );
        assert_eq!(shown.failures, [("API_RATE_LIMITED", 1)]);
        assert_eq!(shown.login_failures, [("unknown", 1)]);
        assert_eq!(shown.clock_skew_ms, Some(-7));
    }

    #[test]
    fn every_code_and_kind_has_a_place_of_its_own() {
        let stats = Stats::default();
        for code in Code::ALL {
            stats.failed(*code);
        }
        for kind in Kind::ALL {
            stats.login_failed(*kind);
        }
        let shown = stats.snapshot(None);
        assert!(
            shown.failures.len() == Code::ALL.len()
                && shown.failures.iter().all(|(_, count)| *count == 1)
        );
        assert!(
            shown.login_failures.len() == Kind::ALL.len()
                && shown.login_failures.iter().all(|(_, count)| *count == 1)
        );
    }
}
