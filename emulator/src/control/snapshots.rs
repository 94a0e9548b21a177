//! Writes of snapshots, and of the schedules that make them.

use serde_json::json;

use super::answer::{Answer, ApiError};
use super::branches::{check_expiration, check_point, source};
use super::write::{Write, typed};
use super::{find, permissions};
use crate::state::Resources;
use crate::state::kind::Kind;
use crate::state::model::{Branch, Level, Snapshot};
use crate::state::names;
use crate::state::operation::Work;
use crate::state::spec::{Cadence, SnapshotSpec};

const SHORTEST_RETENTION_S: i64 = 3600;

pub(super) fn create(write: &Write<'_>) -> Result<Answer, ApiError> {
    let id = write.good_id()?;
    let body = write.body()?;
    let spec: SnapshotSpec = typed(body.get("spec").unwrap_or(&json!({})))?;
    if spec.source_branch.is_empty() {
        return Err(ApiError::missing("snapshot.spec.source_branch"));
    }
    let p = write.id(0);
    let uid = names::uuid(&write.salt());
    write.begin(&format!("projects/{p}/snapshots/{id}"), |all, now| {
        find::project(all, p)?;
        permissions::may(
            all,
            write.caller,
            write.ids,
            Kind::Snapshot,
            Level::CanManage,
        )?;
        plan(all, p, &id, uid, spec, now)
    })
}

/// Puts a snapshot there that is yet to be made.
pub(super) fn plan(
    all: &mut Resources,
    p: &str,
    id: &str,
    uid: String,
    mut spec: SnapshotSpec,
    now: jiff::Timestamp,
) -> Result<Work, ApiError> {
    let project = find::project(all, p)?;
    if project.snapshots.iter().any(|snapshot| snapshot.id == id) {
        return Err(ApiError::already_exists("snapshot"));
    }
    let branch = source(project, &spec.source_branch)?;
    refuse_child(branch)?;
    if let Some(ttl) = spec.ttl.take() {
        spec.expire_time = Some(ttl.after(now));
    }
    if spec.expire_time.is_some_and(|end| end <= now) || spec.no_expiry == Some(false) {
        check_expiration(spec.expire_time, spec.no_expiry, now)?;
    }
    check_point(
        spec.source_branch_lsn.as_deref(),
        spec.source_branch_time,
        branch,
        now,
    )?;
    let snapshot = Snapshot {
        id: id.to_owned(),
        uid,
        created: now,
        spec,
        ready: false,
        full_size_bytes: 0,
        roles: branch.roles.clone(),
        databases: branch.databases.clone(),
    };
    if let Some(project) = all.project_mut(p) {
        project.snapshots.push(snapshot);
    }
    Ok(Work::Create)
}

fn refuse_child(branch: &Branch) -> Result<(), ApiError> {
    if branch.is_root() {
        Ok(())
    } else {
        Err(ApiError::bad_request(
            "not allowed to snapshot non-root branch",
        ))
    }
}

pub(super) fn delete(write: &Write<'_>) -> Result<Answer, ApiError> {
    let (p, s) = (write.id(0), write.id(1));
    write.begin(&format!("projects/{p}/snapshots/{s}"), |all, _| {
        find::snapshot(find::project(all, p)?, s)?;
        permissions::may(
            all,
            write.caller,
            write.ids,
            Kind::Snapshot,
            Level::CanManage,
        )?;
        Ok(Work::Delete {
            purge: true,
            reassign_to: None,
        })
    })
}

pub(super) fn update_schedule(write: &Write<'_>) -> Result<Answer, ApiError> {
    let (p, b) = (write.id(0), write.id(1));
    let name = format!("projects/{p}/branches/{b}/snapshot-schedule");
    write.begin(&name, |all, _| {
        let (_, branch) = find::branch(all, p, b)?;
        permissions::may(all, write.caller, write.ids, Kind::Branch, Level::CanManage)?;
        refuse_child(branch)?;
        let next = write.masked(&json!({"schedule": branch.schedule}))?;
        let schedule: Vec<Cadence> = typed(&next["schedule"])?;
        for (place, cadence) in schedule.iter().enumerate() {
            check_cadence(cadence, &format!("schedule[{place}]"))?;
        }
        Ok(Work::Update(json!(schedule)))
    })
}

fn check_cadence(cadence: &Cadence, path: &str) -> Result<(), ApiError> {
    let Some(retention) = cadence.retention else {
        return Err(ApiError::missing(&format!("{path}.retention")));
    };
    if retention.0 < SHORTEST_RETENTION_S {
        return Err(ApiError::invalid(format!(
            "Field '{path}.retention' must be at least {SHORTEST_RETENTION_S}s, got {retention}."
        )));
    }
    let daily = cadence.daily_schedule.map(|daily| daily.hour);
    let weekly = cadence.weekly_schedule.as_ref().map(|weekly| weekly.hour);
    let monthly = cadence.monthly_schedule.map(|monthly| monthly.hour);
    let Some(hour) = daily.or(weekly).or(monthly) else {
        return Err(ApiError::invalid(format!(
            "Field '{path}.cadence' is required: give one of daily_schedule, weekly_schedule and monthly_schedule."
        )));
    };
    if !(0..=23).contains(&hour) {
        return Err(ApiError::invalid(format!(
            "Field '{path}.hour' must be between 0 and 23, got {hour}."
        )));
    }
    if let Some(weekly) = &cadence.weekly_schedule
        && weekly.day_of_week.is_empty()
    {
        return Err(ApiError::missing(&format!(
            "{path}.weekly_schedule.day_of_week"
        )));
    }
    if let Some(monthly) = cadence.monthly_schedule
        && !(1..=31).contains(&monthly.day)
    {
        return Err(ApiError::invalid(format!(
            "Field '{path}.monthly_schedule.day' must be between 1 and 31, got {}.",
            monthly.day
        )));
    }
    Ok(())
}
