//! The invariants of a soak, and whether each held.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::gauge::{Growth, JUDGED_FROM};
use super::journal::Journal;
use super::ledger::Judgement;

/// The lifetime of the credentials, by the emulator.
pub(super) const TOKEN_TTL_S: u64 = 20;

/// One invariant.
#[derive(Debug)]
pub(super) struct Verdict {
    pub(super) held: bool,
    pub(super) rule: &'static str,
    /// What was counted, or what broke it.
    pub(super) found: String,
}

/// All that was found out.
pub(super) struct Findings<'a> {
    pub(super) ran: Duration,
    pub(super) judgement: &'a Judgement,
    pub(super) journal: &'a Journal,
    /// The emulator's own counters at the end.
    pub(super) counters: &'a Value,
    /// By app: what became of its rows.
    pub(super) rows: &'a Value,
    /// By app: whose its rows must be.
    pub(super) identities: &'a BTreeMap<&'static str, String>,
    /// How often tokens in use became useless.
    pub(super) forced: u64,
    pub(super) growth: &'a [(&'static str, Option<Growth>)],
    pub(super) secrets: &'a [String],
    pub(super) left: &'a [String],
    pub(super) deaths: &'a [String],
}

/// The most mints that lifetimes and rotations explain. A process mints once at the beginning, then at the earliest after
/// half of a lifetime (a second of which is lost to the resolution of `Date`), and for each time that its token became
/// useless once, or twice when a mint was under way just then.
pub(super) fn most_mints(processes: u64, ran: Duration, forced: u64) -> u64 {
    let half_life = (TOKEN_TTL_S - 1) / 2;
    processes * (1 + ran.as_secs().div_ceil(half_life) + 2 * forced)
}

/// Judges everything.
pub(super) fn all(found: &Findings<'_>) -> Vec<Verdict> {
    let mut verdicts = logins(found);
    verdicts.extend(rows(found));
    verdicts.push(mints(found));
    verdicts.extend(flat(found));
    verdicts.push(none(
        "no secret in what any process printed",
        found.secrets,
        "none in the output of all",
    ));
    verdicts.push(none(
        "every process ended well, and none is left",
        &[found.deaths, found.left].concat(),
        "all ended, none left",
    ));
    verdicts
}

fn logins(found: &Findings<'_>) -> Vec<Verdict> {
    let journal = found.journal;
    let accepted = found.counters["logins_accepted"].as_u64();
    let logins = journal.logins();
    let (explained_logins, explained_queries) = found
        .judgement
        .explained
        .values()
        .fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    vec![
        Verdict {
            held: accepted == Some(logins) && logins > 0,
            rule: "every accepted login was looked at",
            found: format!("{logins} looked at of {}", accepted.unwrap_or_default()),
        },
        none(
            "no login accepted with an expired token",
            &journal.expired,
            &format!("none of {logins}"),
        ),
        none(
            "no login accepted with another identity's token",
            &journal.strangers,
            &format!("none of {logins}"),
        ),
        none(
            "no failed login that is ours",
            &found.judgement.logins,
            &format!("none; {explained_logins} gave up in the middle of trouble, after their time"),
        ),
        none(
            "no failed query but on sessions that were ended",
            &found.judgement.queries,
            &format!("none; {explained_queries} on sessions that were ended"),
        ),
    ]
}

fn rows(found: &Findings<'_>) -> Vec<Verdict> {
    let total = |name: &str| -> u64 {
        let apps = found.identities.keys();
        apps.filter_map(|app| found.rows[app][name].as_u64()).sum()
    };
    let listed = |name: &str| -> Vec<String> {
        let apps = found.identities.keys();
        apps.flat_map(|app| {
            let numbers = found.rows[app][name].as_array().into_iter().flatten();
            numbers.map(move |number| format!("{app} {number}"))
        })
        .collect()
    };
    let foreign: Vec<String> = found
        .identities
        .iter()
        .filter(|(app, who)| found.rows[*app]["who"] != serde_json::json!([who]))
        .map(|(app, who)| format!("{app}: {} instead of {who}", found.rows[app]["who"]))
        .collect();
    let idle: Vec<String> = found
        .identities
        .keys()
        .filter(|app| found.rows[**app]["acknowledged"].as_u64() < Some(found.ran.as_secs() / 2))
        .map(|app| (*app).to_owned())
        .collect();
    let (acknowledged, present) = (total("acknowledged"), total("present"));
    vec![
        none(
            "every app worked all the time",
            &idle,
            &format!("{acknowledged} rows, and of each app one in two seconds at least"),
        ),
        none(
            "no acknowledged row is lost",
            &listed("lost"),
            &format!("{acknowledged} acknowledged, {present} there"),
        ),
        none(
            "no row is there twice, and none that nobody wrote",
            &[listed("doubled"), listed("unknown")].concat(),
            &format!("{present} numbers, each once"),
        ),
        none(
            "every row was written by its app's own identity",
            &foreign,
            "two identities, none mixed up",
        ),
    ]
}

fn mints(found: &Findings<'_>) -> Verdict {
    let minted = found.counters["mints"].as_u64().unwrap_or(u64::MAX);
    let (lost, requests) = (found.journal.lost_mints, found.journal.mint_requests);
    let processes = found.identities.len() as u64;
    let most = most_mints(processes, found.ran, found.forced);
    Verdict {
        held: minted > 0 && minted <= most + lost,
        rule: "mints are bounded",
        found: format!(
            "{minted} <= {processes} processes x (1 + {} s / {} s + 2 x {} times that tokens became useless) = {most}, and \
             {lost} whose answer was lost; {requests} requests",
            found.ran.as_secs(),
            (TOKEN_TTL_S - 1) / 2,
            found.forced,
        ),
    }
}

fn flat(found: &Findings<'_>) -> Vec<Verdict> {
    let broken = |flat: fn(&Growth) -> bool, show: fn(&Growth) -> String| -> Vec<String> {
        let all = found.growth.iter();
        all.filter_map(|(name, growth)| {
            let growth = growth.as_ref()?;
            (!flat(growth)).then(|| format!("{name}: {}", show(growth)))
        })
        .collect()
    };
    let unseen: Vec<String> = found
        .growth
        .iter()
        .filter(|(_, growth)| growth.is_none())
        .map(|(name, _)| format!("{name} could not be looked at"))
        .collect();
    if found.ran < JUDGED_FROM {
        let found = format!("not judged in less than {} s", JUDGED_FROM.as_secs());
        return [
            "memory is flat",
            "threads are flat",
            "file descriptors are flat",
        ]
        .map(|rule| Verdict {
            held: true,
            rule,
            found: found.clone(),
        })
        .into();
    }
    let memory = none(
        "memory is flat",
        &broken(Growth::memory_is_flat, |growth| {
            format!(
                "{} KiB at the end, {} before, {} allowed",
                growth.last.rss,
                growth.usual.rss,
                growth.memory_bound()
            )
        }),
        "the last quarter has at most 10 % and 12 MiB more than the second, in each process",
    );
    let mut threads = broken(Growth::threads_are_flat, |growth| {
        format!(
            "{} threads at the end, {} before",
            growth.last.threads, growth.usual.threads
        )
    });
    threads.extend(unseen.clone());
    let mut files = broken(Growth::files_are_flat, |growth| {
        format!(
            "{} files at the end, {} before",
            growth.last.files, growth.usual.files
        )
    });
    files.extend(unseen);
    vec![
        memory,
        none("threads are flat", &threads, "in each process"),
        none("file descriptors are flat", &files, "in each process"),
    ]
}

/// Holds when there is nothing that breaks it.
fn none(rule: &'static str, broken: &[String], fine: &str) -> Verdict {
    let found = if broken.is_empty() {
        fine.to_owned()
    } else {
        let first: Vec<&str> = broken.iter().take(3).map(String::as_str).collect();
        format!("{}: {}", broken.len(), first.join("; "))
    };
    Verdict {
        held: broken.is_empty(),
        rule,
        found,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{most_mints, none};

    #[test]
    fn the_bound_of_mints_grows_with_time_and_with_tokens_that_became_useless() {
        assert_eq!(most_mints(1, Duration::from_secs(9), 0), 2);
        assert_eq!(most_mints(2, Duration::from_secs(90), 3), 2 * (1 + 10 + 6));
    }

    #[test]
    fn what_broke_a_rule_is_said() {
        assert!(none("rule", &[], "fine").held);
        let broken = none("rule", &["this".to_owned()], "fine");
        assert!(!broken.held && broken.found == "1: this");
    }
}
