//! What the virtual clock makes due: branches and snapshots that expire, deleted ones that go for good, snapshots by
//! schedule, and copies that follow their source.

use jiff::Timestamp;
use jiff::civil::Weekday;
use jiff::tz::TimeZone;

use super::finish::Outcome;
use super::{Plane, branches, find, snapshots, tables, write};
use crate::state::kind::Kind;
use crate::state::model::{Branch, Project, Sync};
use crate::state::operation::Work;
use crate::state::spec::{Cadence, SchedulingPolicy, Seconds, SnapshotSpec};
use crate::state::{Lakebase, names};

/// Something that comes due.
#[derive(Debug)]
enum Due {
    Expire {
        project: String,
        branch: String,
    },
    PurgeBranch {
        project: String,
        branch: String,
    },
    PurgeProject {
        project: String,
    },
    DropSnapshot {
        project: String,
        snapshot: String,
    },
    TakeSnapshot {
        project: String,
        branch: String,
        at: Timestamp,
        retention: Option<Seconds>,
    },
}

/// Begins what is due now, and tells when something is due next.
pub(super) fn run(plane: &Plane) -> Option<Timestamp> {
    let lakebase = &plane.lakebase;
    let now = lakebase.clock.now();
    let mut next: Option<Timestamp> = None;
    let mut due = Vec::new();
    {
        let all = lakebase.view();
        for project in all.projects() {
            // Whatever is due waits while its project is busy; the end of that work is a change, and wakes this again.
            let busy = all.running().any(|it| it.project() == Some(&project.id));
            for (at, what) in of_project(project) {
                if at > now {
                    next = Some(next.map_or(at, |next| next.min(at)));
                } else if !busy {
                    due.push(what);
                    break;
                }
            }
        }
    }
    for what in due {
        if let Err(refusal) = begin(lakebase, &what) {
            tracing::warn!(
                ?what,
                message = refusal.message,
                "what came due was refused"
            );
        }
    }
    next
}

fn of_project(project: &Project) -> Vec<(Timestamp, Due)> {
    let id = || project.id.clone();
    if let Some(deleted) = project.deleted {
        return vec![(deleted.purge, Due::PurgeProject { project: id() })];
    }
    let mut list = Vec::new();
    for snapshot in project.snapshots.iter().filter(|it| it.ready) {
        if let Some(end) = snapshot.spec.expire_time {
            let what = Due::DropSnapshot {
                project: id(),
                snapshot: snapshot.id.clone(),
            };
            list.push((end, what));
        }
    }
    for branch in &project.branches {
        let named = || branch.id.clone();
        if let Some(deleted) = branch.deleted {
            let what = Due::PurgeBranch {
                project: id(),
                branch: named(),
            };
            list.push((deleted.purge, what));
            continue;
        }
        // A protected branch outlives its end, as does one that nothing may take away.
        let end = branch.spec.expire_time;
        if let Some(end) = end.filter(|_| branches::deletable(project, branch, false).is_ok()) {
            let what = Due::Expire {
                project: id(),
                branch: named(),
            };
            list.push((end, what));
        }
        list.extend(scheduled(project, branch));
    }
    list
}

fn scheduled(project: &Project, branch: &Branch) -> Option<(Timestamp, Due)> {
    let after = branch.scheduled_until?;
    let next = branch
        .schedule
        .iter()
        .filter_map(|cadence| Some((following(cadence, after)?, cadence.retention)))
        .min_by_key(|(at, _)| *at)?;
    let what = Due::TakeSnapshot {
        project: project.id.clone(),
        branch: branch.id.clone(),
        at: next.0,
        retention: next.1,
    };
    Some((next.0, what))
}

/// The first moment of the cadence after `after`.
fn following(cadence: &Cadence, after: Timestamp) -> Option<Timestamp> {
    let mut day = after.to_zoned(TimeZone::UTC).date();
    // The same day of the next month is at most so many days away.
    for _ in 0..=62 {
        let hour = match (
            cadence.daily_schedule,
            &cadence.weekly_schedule,
            cadence.monthly_schedule,
        ) {
            (Some(daily), _, _) => Some(daily.hour),
            (_, Some(weekly), _) => {
                (weekday(&weekly.day_of_week) == Some(day.weekday())).then_some(weekly.hour)
            }
            (_, _, Some(monthly)) => {
                let wanted = monthly.day.min(i64::from(day.days_in_month()));
                (i64::from(day.day()) == wanted).then_some(monthly.hour)
            }
            _ => return None,
        };
        if let Some(hour) = hour {
            let hour = i8::try_from(hour).ok()?;
            let at = day.at(hour, 0, 0, 0).to_zoned(TimeZone::UTC).ok()?;
            if at.timestamp() > after {
                return Some(at.timestamp());
            }
        }
        day = day.tomorrow().ok()?;
    }
    None
}

fn weekday(name: &str) -> Option<Weekday> {
    Some(match name {
        "MONDAY" => Weekday::Monday,
        "TUESDAY" => Weekday::Tuesday,
        "WEDNESDAY" => Weekday::Wednesday,
        "THURSDAY" => Weekday::Thursday,
        "FRIDAY" => Weekday::Friday,
        "SATURDAY" => Weekday::Saturday,
        "SUNDAY" => Weekday::Sunday,
        _ => return None,
    })
}

fn begin(lakebase: &Lakebase, what: &Due) -> Result<(), super::ApiError> {
    let gone = |purge| Work::Delete {
        purge,
        reassign_to: None,
    };
    match what {
        Due::Expire { project, branch } => {
            let name = format!("projects/{project}/branches/{branch}");
            write::begin(lakebase, Kind::Branch, &name, None, |all, _| {
                let (project, branch) = find::branch(all, project, branch)?;
                branches::deletable(project, branch, false)
            })?;
        }
        Due::PurgeBranch { project, branch } => {
            let name = format!("projects/{project}/branches/{branch}");
            write::begin(lakebase, Kind::Branch, &name, None, |_, _| Ok(gone(true)))?;
        }
        Due::PurgeProject { project } => {
            let name = format!("projects/{project}");
            write::begin(lakebase, Kind::Project, &name, None, |_, _| Ok(gone(true)))?;
        }
        Due::DropSnapshot { project, snapshot } => {
            let name = format!("projects/{project}/snapshots/{snapshot}");
            write::begin(lakebase, Kind::Snapshot, &name, None, |_, _| Ok(gone(true)))?;
        }
        Due::TakeSnapshot {
            project,
            branch,
            at,
            retention,
        } => {
            let id = format!("{branch}-{}", at.strftime("%Y%m%d-%H%M"));
            let name = format!("projects/{project}/snapshots/{id}");
            let uid = names::uuid(&lakebase.tokens.random_id(true));
            let spec = SnapshotSpec {
                source_branch: format!("projects/{project}/branches/{branch}"),
                ttl: *retention,
                ..SnapshotSpec::default()
            };
            lakebase.change(|all| {
                if let Some(branch) = all.branch_mut(project, branch) {
                    branch.scheduled_until = Some(*at);
                }
                Ok::<_, super::ApiError>(())
            })?;
            write::begin(lakebase, Kind::Snapshot, &name, None, |all, now| {
                snapshots::plan(all, project, &id, uid, spec, now)
            })?;
        }
    }
    Ok(())
}

/// Synced tables that follow their source and are behind it.
pub(super) fn outdated(lakebase: &Lakebase) -> Vec<String> {
    let all = lakebase.view();
    let tables = all.kept().synced_tables.iter();
    tables
        .filter(|table| {
            let source = all.source(&table.spec.source_table_full_name);
            table.ready
                && table.failure.is_none()
                && table.spec.scheduling_policy == SchedulingPolicy::Continuous
                && table.last_sync.map(|sync| sync.version) != source.map(|source| source.version)
                && !tables::is_busy(&all, &table.id)
        })
        .map(|table| table.id.clone())
        .collect()
}

/// The sync of an emulator without Postgres: the state moves on as if rows had been copied.
pub(super) fn pretended_sync(lakebase: &Lakebase, id: &str) -> Outcome {
    let now = lakebase.clock.now();
    let all = lakebase.view();
    let source = all
        .synced_table(id)
        .and_then(|table| all.source(&table.spec.source_table_full_name));
    Outcome {
        sync: source.map(|source| Sync {
            started: now,
            ended: now,
            version: source.version,
            version_at: source.changed,
            rows: source.rows.len() as u64,
        }),
        ..Outcome::default()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::state::spec::{Daily, Monthly, Weekly};
    use jiff::SignedDuration;

    fn cadence() -> Cadence {
        Cadence {
            retention: Some(Seconds(3600)),
            daily_schedule: None,
            weekly_schedule: None,
            monthly_schedule: None,
        }
    }

    fn next(cadence: &Cadence, after: &str) -> String {
        let after: Timestamp = after.parse().unwrap();
        let next = following(cadence, after).unwrap();
        assert!(next.duration_since(after) > SignedDuration::ZERO);
        next.to_string()
    }

    #[test]
    fn cadences_go_on_by_day_week_and_month() {
        let daily = Cadence {
            daily_schedule: Some(Daily { hour: 3 }),
            ..cadence()
        };
        assert_eq!(next(&daily, "2026-01-31T02:59:59Z"), "2026-01-31T03:00:00Z");
        assert_eq!(next(&daily, "2026-01-31T03:00:00Z"), "2026-02-01T03:00:00Z");
        let weekly = Cadence {
            weekly_schedule: Some(Weekly {
                day_of_week: "MONDAY".to_owned(),
                hour: 0,
            }),
            ..cadence()
        };
        assert_eq!(
            next(&weekly, "2026-01-27T00:00:00Z"),
            "2026-02-02T00:00:00Z"
        );
        // The 31st is clamped to the last day of a short month.
        let monthly = Cadence {
            monthly_schedule: Some(Monthly { day: 31, hour: 5 }),
            ..cadence()
        };
        assert_eq!(
            next(&monthly, "2026-01-31T05:00:00Z"),
            "2026-02-28T05:00:00Z"
        );
    }
}
