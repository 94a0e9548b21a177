//! What went wrong in the apps, beside what was made to go wrong: which failures the trouble explains, and which are ours.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::trouble::{Harm, Kind};
use crate::app::Failure;

/// How long after its end trouble may still be felt: the machine may be busy with other things.
const GRACE: Duration = Duration::from_secs(10);
/// A connect waits ten seconds for the workspace (the client's time limit) and half a minute for Postgres. One that gave up
/// must have seen trouble for at least half of the shorter time; no single piece of it is that long.
const NOT_WAITED_OUT: Duration = Duration::from_secs(5);

/// When something was wrong.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) kind: Kind,
    pub(super) from: Instant,
    /// Open while it lasts.
    pub(super) to: Option<Instant>,
}

/// All windows and all failures.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) windows: Vec<Window>,
    failures: Vec<(&'static str, Failure)>,
}

/// What the failures were.
#[derive(Debug, Default)]
pub(super) struct Judgement {
    /// Failed logins that no trouble explains.
    pub(super) logins: Vec<String>,
    /// Failed queries that no trouble explains.
    pub(super) queries: Vec<String>,
    /// Failed logins and failed queries of each app that trouble explains.
    pub(super) explained: BTreeMap<&'static str, (u64, u64)>,
}

impl Ledger {
    pub(super) fn begins(&mut self, kind: Kind, from: Instant) -> usize {
        self.windows.push(Window {
            kind,
            from,
            to: None,
        });
        self.windows.len() - 1
    }

    pub(super) fn ends(&mut self, window: usize, at: Instant) {
        if let Some(window) = self.windows.get_mut(window) {
            window.to = Some(at);
        }
    }

    /// Notes a failure of an app.
    pub(super) fn failed(&mut self, app: &'static str, failure: Failure) {
        self.failures.push((app, failure));
    }

    /// How often each kind came.
    pub(super) fn counts(&self) -> BTreeMap<Kind, u64> {
        let mut counts = BTreeMap::new();
        for window in &self.windows {
            *counts.entry(window.kind).or_default() += 1;
        }
        counts
    }

    /// The numbers that were asked for in vain.
    pub(super) fn numbers(&self, app: &str) -> Vec<u64> {
        let own = self.failures.iter().filter(|(name, ..)| *name == app);
        let numbers = own.map(|(.., failure)| failure.number);
        numbers.filter(|number| *number > 0).collect()
    }

    /// How much of the time that a failure took something was wrong.
    fn in_trouble(&self, failure: &Failure) -> Duration {
        let mut windows: Vec<(Instant, Instant)> = self
            .windows
            .iter()
            .map(|window| {
                let to = window.to.unwrap_or(failure.ended);
                (window.from.max(failure.began), to.min(failure.ended))
            })
            .filter(|(from, to)| from < to)
            .collect();
        windows.sort();
        let mut seen_until = failure.began;
        let mut sum = Duration::ZERO;
        for (from, to) in windows {
            sum += to.saturating_duration_since(from.max(seen_until));
            seen_until = seen_until.max(to);
        }
        sum
    }

    pub(super) fn judge(&self) -> Judgement {
        let mut judgement = Judgement::default();
        for (app, failure) in &self.failures {
            let during = |window: &&Window| {
                let felt_until = window.to.map(|to| to + GRACE);
                window.from <= failure.ended
                    && felt_until.is_none_or(|until| failure.began <= until)
            };
            let mut felt = self.windows.iter().filter(during);
            let explained = if failure.login {
                self.in_trouble(failure) >= NOT_WAITED_OUT
            } else {
                felt.any(|window| window.kind.harm() == Harm::Sessions)
            };
            let counts = judgement.explained.entry(app).or_default();
            let text = format!("{app}: {}", failure.text);
            match (explained, failure.login) {
                (true, true) => counts.0 += 1,
                (true, false) => counts.1 += 1,
                (false, true) => judgement.logins.push(text),
                (false, false) => judgement.queries.push(text),
            }
        }
        judgement
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{GRACE, Kind, Ledger};
    use crate::app::Failure;

    const SECOND: Duration = Duration::from_secs(1);

    /// A window of two seconds of this kind, and a failure so long after its end; how many of it are ours.
    fn ours(kind: Kind, login: bool, after: Duration) -> usize {
        let from = Instant::now();
        let mut ledger = Ledger::default();
        let window = ledger.begins(kind, from);
        ledger.ends(window, from + 2 * SECOND);
        let ended = from + 2 * SECOND + after;
        let failure = Failure {
            text: "no".to_owned(),
            number: 1,
            login,
            began: ended,
            ended,
        };
        ledger.failed("app", failure);
        let judgement = ledger.judge();
        judgement.logins.len() + judgement.queries.len()
    }

    #[test]
    fn a_login_that_could_have_waited_is_ours() {
        assert_eq!(ours(Kind::Unavailable, true, SECOND), 1);
        assert_eq!(ours(Kind::Unavailable, true, GRACE + SECOND), 1);
    }

    #[test]
    fn a_login_that_waited_through_trouble_upon_trouble_is_explained() {
        let begun = Instant::now();
        let mut ledger = Ledger::default();
        for (from, to) in [(0, 3), (2, 4), (6, 8)] {
            let window = ledger.begins(Kind::Hanging, begun + from * SECOND);
            ledger.ends(window, begun + to * SECOND);
        }
        let mut failure = Failure {
            text: "no".to_owned(),
            number: 0,
            login: true,
            began: begun,
            ended: begun + 10 * SECOND,
        };
        assert_eq!(ledger.in_trouble(&failure), 6 * SECOND);
        failure.began = begun + 3 * SECOND;
        assert_eq!(ledger.in_trouble(&failure), 3 * SECOND);
    }

    #[test]
    fn a_query_fails_only_where_its_session_may_end() {
        assert_eq!(ours(Kind::Crash, false, SECOND), 0);
        assert_eq!(ours(Kind::Throttled, false, SECOND), 1);
        assert_eq!(ours(Kind::Crash, false, GRACE + SECOND), 1);
    }
}
