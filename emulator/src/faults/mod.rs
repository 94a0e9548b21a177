//! Faults on demand: rules that say which requests or logins go wrong, how, how often and until when.
//!
//! Rules are tried in their order. Latency adds up over all rules that match; of the others the first one wins. What
//! matches, and what was applied, is counted, so that a test can prove that its fault was met.

mod rule;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use ring::digest::{SHA256, digest};
use serde::Serialize;
use tokio::sync::watch;

use crate::{Clock, Error};
pub(crate) use rule::Subject;
pub use rule::{Action, Fault, LoginStep, LoginTrouble, Match, Phase, RetryAfter};

/// A rule in force, and what became of it.
#[derive(Clone, Debug, Serialize)]
pub struct FaultReport {
    /// Its number.
    pub id: u64,
    /// The rule.
    #[serde(flatten)]
    pub fault: Fault,
    /// How many requests or logins matched.
    pub seen: u64,
    /// How many it was applied to.
    pub applied: u64,
    /// When it ends or ended, by the virtual clock.
    pub until: Option<Timestamp>,
}

/// What to do about a request.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) latency: Duration,
    pub(crate) strike: Option<(u64, Action, Phase)>,
}

pub(crate) struct Faults {
    clock: Arc<Clock>,
    rules: Mutex<Rules>,
    changed: watch::Sender<u64>,
}

#[derive(Default)]
struct Rules {
    last: u64,
    list: Vec<FaultReport>,
}

impl Faults {
    pub(crate) fn new(clock: Arc<Clock>) -> Self {
        Self {
            clock,
            rules: Mutex::default(),
            changed: watch::Sender::new(0),
        }
    }

    /// Puts a rule behind the others; its number.
    pub(crate) fn add(&self, fault: Fault) -> Result<u64, Error> {
        fault.check()?;
        let until = fault.until_s.map(|seconds| {
            let length = SignedDuration::try_from_secs_f64(seconds).unwrap_or(SignedDuration::MAX);
            self.clock
                .now()
                .saturating_add(length)
                .unwrap_or(Timestamp::MAX)
        });
        let id = {
            let mut rules = self.rules();
            rules.last += 1;
            let id = rules.last;
            rules.list.push(FaultReport {
                id,
                fault,
                seen: 0,
                applied: 0,
                until,
            });
            id
        };
        self.changed.send_modify(|changes| *changes += 1);
        Ok(id)
    }

    pub(crate) fn list(&self) -> Vec<FaultReport> {
        self.rules().list.clone()
    }

    /// Takes one rule away; whether there was one.
    pub(crate) fn remove(&self, id: u64) -> bool {
        let removed = {
            let mut rules = self.rules();
            let before = rules.list.len();
            rules.list.retain(|rule| rule.id != id);
            rules.list.len() < before
        };
        self.changed.send_modify(|changes| *changes += 1);
        removed
    }

    /// Takes all rules away, and lets go of whom they hold.
    pub(crate) fn clear(&self) {
        self.rules().list.clear();
        self.changed.send_modify(|changes| *changes += 1);
    }

    /// What becomes of a request.
    pub(crate) fn judge(&self, subject: Subject<'_>) -> Verdict {
        let now = self.clock.now();
        let mut verdict = Verdict::default();
        for rule in &mut self.rules().list {
            let elsewhere = matches!(
                rule.fault.action,
                Action::ExternalAuthorization { .. } | Action::Login { .. } | Action::Refuse {}
            );
            if elsewhere || !rule.fault.on.fits(subject) {
                continue;
            }
            let latency = matches!(rule.fault.action, Action::Latency { .. });
            if (!latency && verdict.strike.is_some()) || !rule.strikes(now) {
                continue;
            }
            if let Action::Latency { ms, jitter_ms } = rule.fault.action {
                let jitter = Duration::from_millis(jitter_ms)
                    .mul_f64(share_of(rule.id, rule.seen, "jitter"));
                verdict.latency += Duration::from_millis(ms) + jitter;
            } else {
                verdict.strike = Some((rule.id, rule.fault.action.clone(), rule.fault.phase));
            }
        }
        verdict
    }

    /// Whether a login is refused before authentication, and with which reason.
    #[expect(
        clippy::option_option,
        reason = "whether it is refused, and whether a reason is given"
    )]
    pub(crate) fn external_refusal(&self, uid: &str, name: &str) -> Option<Option<String>> {
        let now = self.clock.now();
        self.rules().list.iter_mut().find_map(|rule| {
            let Action::ExternalAuthorization { reason } = &rule.fault.action else {
                return None;
            };
            let reason = reason.clone();
            let fits = rule
                .fault
                .on
                .endpoint
                .as_deref()
                .is_none_or(|endpoint| endpoint == uid || endpoint == name);
            (fits && rule.strikes(now)).then_some(reason)
        })
    }

    /// What goes wrong with a login that has come so far, by which rule.
    pub(crate) fn login_trouble(&self, step: LoginStep) -> Option<(u64, LoginTrouble)> {
        let now = self.clock.now();
        self.rules().list.iter_mut().find_map(|rule| {
            let Action::Login { at, how } = &rule.fault.action else {
                return None;
            };
            let how = how.clone();
            (*at == step && rule.strikes(now)).then_some((rule.id, how))
        })
    }

    /// Until when connections are refused: `None` when they are not, `MAX` without an end.
    pub(crate) fn refusing_until(&self) -> Option<Timestamp> {
        let now = self.clock.now();
        let rules = self.rules();
        let refusing = rules
            .list
            .iter()
            .filter(|rule| matches!(rule.fault.action, Action::Refuse {}));
        refusing
            .map(|rule| rule.until.unwrap_or(Timestamp::MAX))
            .filter(|until| *until > now)
            .max()
    }

    /// Counts a connection that was closed because of a `refuse` rule in force.
    pub(crate) fn count_refused(&self) {
        let now = self.clock.now();
        let mut rules = self.rules();
        for rule in rules
            .list
            .iter_mut()
            .filter(|rule| matches!(rule.fault.action, Action::Refuse {}))
        {
            if rule.until.is_none_or(|until| until > now) {
                rule.seen += 1;
                rule.applied += 1;
            }
        }
    }

    /// Returns when the rule is gone or over: who hangs because of it is let go then.
    pub(crate) async fn over(&self, id: u64) {
        let mut changes = self.changes();
        loop {
            changes.borrow_and_update();
            let until = self
                .rules()
                .list
                .iter()
                .find(|rule| rule.id == id)
                .map(|rule| rule.until);
            let Some(until) = until else { return };
            tokio::select! {
                _ = changes.changed() => {}
                () = self.clock.wait_until(until.unwrap_or(Timestamp::MAX)) => return,
            }
        }
    }

    /// Is told when a rule is set or taken away.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn rules(&self) -> MutexGuard<'_, Rules> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FaultReport {
    /// Counts a match and says whether the rule is applied to it.
    fn strikes(&mut self, now: Timestamp) -> bool {
        if self.until.is_some_and(|until| until <= now) {
            return false;
        }
        self.seen += 1;
        let strikes = self.seen > self.fault.after
            && self.fault.times.is_none_or(|times| self.applied < times)
            && self
                .fault
                .probability
                .is_none_or(|share| share_of(self.id, self.seen, "strike") < share);
        self.applied += u64::from(strikes);
        strikes
    }
}

/// A number from 0 to 1 that looks random and is the same at each run.
fn share_of(id: u64, seen: u64, purpose: &str) -> f64 {
    let hash = digest(&SHA256, format!("{purpose} {id} {seen}").as_bytes());
    let first: [u8; 4] = std::array::from_fn(|at| hash.as_ref()[at]);
    f64::from(u32::from_be_bytes(first)) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const MINT: Subject<'_> = Subject {
        method: "POST",
        path: "/api/2.0/postgres/credentials",
        user_agent: Some("app/1"),
        test: Some("t1"),
    };

    fn frozen() -> (Arc<Clock>, Faults) {
        let clock = Arc::new(Clock::default());
        clock.freeze(true);
        (clock.clone(), Faults::new(clock))
    }

    #[test]
    fn a_rule_strikes_after_so_many_matches_and_so_often() {
        let (_, faults) = frozen();
        faults
            .add(
                Fault::status(503)
                    .on("post", "*/credentials")
                    .after(1)
                    .times(2),
            )
            .unwrap();
        let struck: Vec<bool> = (0..5)
            .map(|_| faults.judge(MINT).strike.is_some())
            .collect();
        assert_eq!(struck, [false, true, true, false, false]);
        assert_eq!((faults.list()[0].seen, faults.list()[0].applied), (5, 2));
        assert!(
            faults
                .judge(Subject {
                    method: "GET",
                    ..MINT
                })
                .strike
                .is_none()
        );
    }

    #[test]
    fn a_rule_ends_by_the_virtual_clock() {
        let (clock, faults) = frozen();
        faults.add(Fault::new(Action::Hang {}).for_s(30.0)).unwrap();
        assert!(faults.judge(MINT).strike.is_some());
        clock.advance(Duration::from_secs(30));
        assert!(faults.judge(MINT).strike.is_none());
    }

    #[test]
    fn latencies_add_up_and_of_the_others_the_first_wins() {
        let (_, faults) = frozen();
        faults
            .add(Fault::new(Action::Latency {
                ms: 20,
                jitter_ms: 0,
            }))
            .unwrap();
        faults.add(Fault::status(500)).unwrap();
        faults.add(Fault::status(503)).unwrap();
        faults
            .add(Fault::new(Action::Latency {
                ms: 5,
                jitter_ms: 0,
            }))
            .unwrap();
        let verdict = faults.judge(MINT);
        assert_eq!(verdict.latency, Duration::from_millis(25));
        assert!(matches!(
            verdict.strike,
            Some((2, Action::Status { status: 500, .. }, Phase::Before))
        ));
    }

    #[test]
    fn probability_strikes_about_its_share_and_the_same_at_each_run() {
        let struck = || {
            let (_, faults) = frozen();
            faults
                .add(Fault {
                    probability: Some(0.3),
                    ..Fault::status(503)
                })
                .unwrap();
            (0..1000)
                .map(|_| faults.judge(MINT).strike.is_some())
                .collect::<Vec<_>>()
        };
        let first = struck();
        let share = first.iter().filter(|struck| **struck).count();
        assert!((250..350).contains(&share), "{share}");
        assert_eq!(first, struck());
    }

    #[test]
    fn a_rule_that_cannot_be_is_refused_by_field() {
        let (_, faults) = frozen();
        let mut by_path_and_endpoint = Fault::status(500);
        by_path_and_endpoint.on.endpoint = Some("ep".to_owned());
        for (fault, field) in [
            (Fault::status(700), "action.status"),
            (
                Fault {
                    probability: Some(1.5),
                    ..Fault::status(500)
                },
                "probability",
            ),
            (Fault::status(500).for_s(f64::NAN), "until_s"),
            (Fault::new(Action::Refuse {}).times(1), "times"),
            (login("57P0").times(1), "action.how.error.code"),
            (login("57P03").on("GET", "/"), "match"),
            (Fault::new(Action::Refuse {}).on("GET", "/"), "match"),
            (by_path_and_endpoint, "match.endpoint"),
            (
                Fault::status(500).retry_after(RetryAfter::Text("a\nb".to_owned())),
                "retry_after",
            ),
        ] {
            let error = faults.add(fault).unwrap_err().to_string();
            assert!(error.contains(field), "{error}");
        }
    }

    fn login(code: &str) -> Fault {
        Fault::new(Action::Login {
            at: LoginStep::Startup,
            how: LoginTrouble::Error {
                code: code.to_owned(),
                message: "the database system is starting up".to_owned(),
            },
        })
    }

    #[test]
    fn a_login_goes_wrong_at_its_step_only_and_no_request_does() {
        let (_, faults) = frozen();
        let id = faults.add(login("57P03").times(1)).unwrap();
        assert!(faults.judge(MINT).strike.is_none());
        assert_eq!(faults.login_trouble(LoginStep::Password), None);
        let struck = faults.login_trouble(LoginStep::Startup).unwrap();
        assert_eq!(struck.0, id);
        assert_eq!(faults.login_trouble(LoginStep::Startup), None);
    }

    #[test]
    fn external_authorization_refuses_the_endpoint_it_names() {
        let (_, faults) = frozen();
        let mut fault = Fault::new(Action::ExternalAuthorization {
            reason: Some("blocked".to_owned()),
        })
        .times(1);
        fault.on.endpoint = Some("ep-1".to_owned());
        faults.add(fault).unwrap();
        assert_eq!(faults.external_refusal("ep-2", "n2"), None);
        assert_eq!(
            faults.external_refusal("ep-1", "n1"),
            Some(Some("blocked".to_owned()))
        );
        assert_eq!(faults.external_refusal("ep-1", "n1"), None);
    }
}
