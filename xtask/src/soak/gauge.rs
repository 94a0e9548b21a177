//! How much memory, how many threads and how many files a process has, over time, and whether that grows.
//!
//! What an app needs comes and goes with its connections, so single values say little. The run is cut into quarters: the
//! first is warm-up, the second is what is usual, and the last must be like it: its memory by the median, its threads and
//! files by what they are at their fewest. A leak at each login passes any such bound in minutes.

use std::fs;
use std::path::Path;
use std::time::Duration;

/// The memory that the last quarter may have more than the second one had at most.
const MORE_KB: u64 = 12 * 1024;
const MORE_SHARE: f64 = 0.10;
/// In shorter runs a quarter may be one outage, with no connections at all: a judgement would be a guess.
pub(super) const JUDGED_FROM: Duration = Duration::from_mins(2);

/// One look at a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Look {
    /// Resident memory in KiB.
    pub(super) rss: u64,
    pub(super) threads: u64,
    pub(super) files: u64,
}

impl Look {
    /// Looks; nothing where there is no such process, or no `/proc`.
    pub(super) fn at(pid: u32) -> Option<Look> {
        let folder = Path::new("/proc").join(pid.to_string());
        let status = fs::read_to_string(folder.join("status")).ok()?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse().ok()
        };
        Some(Look {
            rss: field("VmRSS:")?,
            threads: field("Threads:")?,
            files: fs::read_dir(folder.join("fd")).ok()?.count() as u64,
        })
    }
}

/// All looks at one process.
#[derive(Debug, Default)]
pub(super) struct Gauge(Vec<Look>);

/// How a process was, at its usual most and at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Growth {
    /// The most of the second quarter.
    pub(super) usual: Look,
    /// Of the last quarter: the median of memory, the least of threads and files.
    pub(super) last: Look,
}

impl Gauge {
    /// Notes a look, if there was one.
    pub(super) fn add(&mut self, look: Option<Look>) {
        self.0.extend(look);
    }

    /// What became of it; nothing after too few looks.
    pub(super) fn growth(&self) -> Option<Growth> {
        let quarter = self.0.len() / 4;
        let second = self.0.get(quarter..2 * quarter)?;
        let last = self.0.get(3 * quarter..)?;
        let most = |field: fn(&Look) -> u64| second.iter().map(field).max();
        let fewest = |field: fn(&Look) -> u64| last.iter().map(field).min();
        let mut memory: Vec<u64> = last.iter().map(|look| look.rss).collect();
        memory.sort_unstable();
        Some(Growth {
            usual: Look {
                rss: most(|look| look.rss)?,
                threads: most(|look| look.threads)?,
                files: most(|look| look.files)?,
            },
            last: Look {
                rss: *memory.get(memory.len() / 2)?,
                threads: fewest(|look| look.threads)?,
                files: fewest(|look| look.files)?,
            },
        })
    }
}

impl Growth {
    /// The most memory that the end may have.
    pub(super) fn memory_bound(&self) -> u64 {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "KiB of a process fit"
        )]
        let share = (self.usual.rss as f64 * MORE_SHARE) as u64;
        self.usual.rss + share + MORE_KB
    }

    pub(super) fn memory_is_flat(&self) -> bool {
        self.last.rss <= self.memory_bound()
    }

    pub(super) fn threads_are_flat(&self) -> bool {
        self.last.threads <= self.usual.threads
    }

    pub(super) fn files_are_flat(&self) -> bool {
        self.last.files <= self.usual.files
    }
}

#[cfg(test)]
mod tests {
    use super::{Gauge, Look};

    fn gauge(at: impl Fn(u64) -> Look) -> Gauge {
        let mut gauge = Gauge::default();
        (0..600).for_each(|second| gauge.add(Some(at(second))));
        gauge
    }

    #[test]
    fn what_comes_and_goes_is_flat() {
        let growth = gauge(|second| Look {
            rss: 60_000 + second % 7 * 300,
            threads: 4 + second % 3,
            files: 20 + second % 5,
        })
        .growth();
        assert!(growth.is_some_and(|growth| {
            growth.memory_is_flat() && growth.threads_are_flat() && growth.files_are_flat()
        }));
    }

    #[test]
    fn what_grows_is_seen() {
        let growth = gauge(|second| Look {
            rss: 60_000 + second * 100,
            threads: 4 + second / 60,
            files: 20 + second / 40,
        })
        .growth();
        assert!(growth.is_some_and(|growth| {
            !growth.memory_is_flat() && !growth.threads_are_flat() && !growth.files_are_flat()
        }));
    }

    #[test]
    fn this_process_can_be_looked_at() {
        let look = Look::at(std::process::id());
        assert!(look.is_some_and(|look| look.rss > 0 && look.threads > 0 && look.files > 2));
    }
}
