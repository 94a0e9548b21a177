//! What was counted, as plain values.

use crate::client::Handle;
use crate::error::Result;

/// What was counted in this process since it began, or since its fork. No secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stats {
    /// Plain counts, by name: `mints`, `cache_hits`, `waits`, `logins`, ...
    pub counters: Vec<(&'static str, u64)>,
    /// Counts by a label, by name: `failures` and `mint_failures` by the error's slug, `login_failures` by its kind.
    pub labelled: Vec<(&'static str, Vec<(&'static str, u64)>)>,
    /// Durations and ages, by name; the name ends with the unit.
    pub histograms: Vec<Histogram>,
    /// The workspace's clock minus this machine's in milliseconds, once an answer told it.
    pub clock_skew_ms: Option<i64>,
}

/// A distribution of values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    /// Its name, ending with the unit: `mint_ms`, `token_age_s`.
    pub name: &'static str,
    /// The upper bound of each bucket, itself included; one more bucket has what is above the last.
    pub bounds: &'static [u64],
    /// How many values are in each bucket.
    pub counts: Vec<u64>,
    /// How many values there are.
    pub count: u64,
    /// What they add up to.
    pub sum: u64,
}

impl Stats {
    /// One count by its name, and by its label if it has one; none for a name that is not counted like that. What never
    /// happened is 0.
    pub fn count(&self, name: &str, label: Option<&str>) -> Option<u64> {
        fn of(counts: &[(&'static str, u64)], wanted: &str) -> Option<u64> {
            let found = counts.iter().find(|(known, _)| *known == wanted);
            found.map(|(_, count)| *count)
        }
        let Some(label) = label else {
            return of(&self.counters, name);
        };
        let (_, counts) = self.labelled.iter().find(|(known, _)| *known == name)?;
        Some(of(counts, label).unwrap_or_default())
    }
}

impl Handle {
    /// What was counted in this process, over all its clients.
    pub fn stats(&self) -> Result<Stats> {
        let shown = self.core()?.0.stats();
        let histogram = |(name, shown): (&'static str, lakekey::stats::Distribution)| Histogram {
            name,
            bounds: shown.bounds,
            counts: shown.counts,
            count: shown.count,
            sum: shown.sum,
        };
        Ok(Stats {
            counters: shown.counters,
            labelled: vec![
                ("failures", shown.failures),
                ("mint_failures", shown.mint_failures),
                ("login_failures", shown.login_failures),
            ],
            histograms: shown.histograms.into_iter().map(histogram).collect(),
            clock_skew_ms: shown.clock_skew_ms,
        })
    }

    /// The last events of this process, oldest first, each with its time. No secrets.
    pub fn recent_events(&self) -> Result<Vec<String>> {
        Ok(self.core()?.0.recent_events())
    }

    /// Counts that the binding handed out the same credential again so often by the same [`crate::glance::stamp`].
    pub fn count_repeats(&self, times: u64) {
        self.latest_core().count_repeats(times);
    }
}
