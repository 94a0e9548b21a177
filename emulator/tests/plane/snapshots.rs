//! Snapshots and their schedules.

use serde_json::json;

use crate::common::api::{all_refused, done, get};
use crate::common::control_plane;
use crate::{BRANCH, IPV};

const CREATE: &str = "projects/emulator/snapshots?snapshot_id=s1";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_is_made_branched_from_and_deleted() {
    let emulator = control_plane().await;
    let made = done(
        &emulator,
        "POST",
        CREATE,
        &json!({"spec": {"source_branch": BRANCH, "ttl": "7200s"}}),
    );
    assert_eq!(made["snapshot_id"], "s1");
    assert!(made["status"]["expire_time"].is_string());
    let listed = get(&emulator, "projects/emulator/snapshots");
    assert_eq!(
        listed["snapshots"][0]["name"],
        "projects/emulator/snapshots/s1"
    );
    let from =
        json!({"spec": {"source_snapshot": "projects/emulator/snapshots/s1", "no_expiry": true}});
    let branch = done(
        &emulator,
        "POST",
        "projects/emulator/branches?branch_id=dev",
        &from,
    );
    assert_eq!(
        branch["status"]["source_snapshot"],
        "projects/emulator/snapshots/s1"
    );
    assert!(branch["status"]["source_branch"].is_null());
    let dev = "projects/emulator/branches/dev";
    let schedule = json!({"schedule": []});
    all_refused(
        &emulator,
        &[
            (
                "POST",
                "projects/emulator/snapshots",
                json!({"spec": {"source_branch": BRANCH}}),
                400,
                IPV,
                "Field 'snapshot_id' is required",
            ),
            (
                "POST",
                CREATE,
                json!({"spec": {"source_branch": BRANCH}}),
                409,
                "ALREADY_EXISTS",
                "already exists",
            ),
            (
                "POST",
                "projects/emulator/snapshots?snapshot_id=s2",
                json!({"spec": {}}),
                400,
                IPV,
                "source_branch",
            ),
            (
                "POST",
                "projects/emulator/snapshots?snapshot_id=s2",
                json!({"spec": {"source_branch": dev}}),
                400,
                "BAD_REQUEST",
                "not allowed to snapshot non-root branch",
            ),
            (
                "POST",
                "projects/emulator/snapshots?snapshot_id=s2",
                json!({"spec": {"source_branch": BRANCH, "source_branch_lsn": "0/1", "source_branch_time": "2026-01-01T00:00:00Z"}}),
                400,
                IPV,
                "at most one of",
            ),
            (
                "PATCH",
                "projects/emulator/branches/dev/snapshot-schedule?update_mask=schedule",
                schedule,
                400,
                "BAD_REQUEST",
                "not allowed to snapshot non-root branch",
            ),
        ],
    );
    done(
        &emulator,
        "DELETE",
        "projects/emulator/snapshots/s1",
        &json!(null),
    );
    assert!(get(&emulator, "projects/emulator/snapshots")["snapshots"].is_null());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schedule_is_never_missing_and_within_ranges() {
    let emulator = control_plane().await;
    let name = format!("{BRANCH}/snapshot-schedule");
    assert_eq!(get(&emulator, &name), json!({"name": name}));
    let patch = format!("{name}?update_mask=schedule");
    let patch = patch.as_str();
    let one = |cadence: serde_json::Value| json!({"schedule": [cadence]});
    let good = one(
        json!({"retention": "86400s", "weekly_schedule": {"day_of_week": "MONDAY", "hour": 4}}),
    );
    let set = done(&emulator, "PATCH", patch, &good);
    assert_eq!(set["schedule"], good["schedule"]);
    all_refused(
        &emulator,
        &[
            (
                "PATCH",
                &name,
                good.clone(),
                400,
                IPV,
                "Field 'update_mask' is required",
            ),
            (
                "PATCH",
                &format!("{name}?update_mask=spec"),
                good.clone(),
                400,
                IPV,
                "Unknown field path",
            ),
            (
                "PATCH",
                patch,
                one(json!({"daily_schedule": {"hour": 1}})),
                400,
                IPV,
                "retention",
            ),
            (
                "PATCH",
                patch,
                one(json!({"retention": "60s", "daily_schedule": {"hour": 1}})),
                400,
                IPV,
                "at least 3600s",
            ),
            (
                "PATCH",
                patch,
                one(json!({"retention": "3600s", "daily_schedule": {"hour": 24}})),
                400,
                IPV,
                "between 0 and 23",
            ),
            (
                "PATCH",
                patch,
                one(json!({"retention": "3600s", "monthly_schedule": {"day": 32}})),
                400,
                IPV,
                "between 1 and 31",
            ),
            (
                "PATCH",
                patch,
                one(json!({"retention": "3600s"})),
                400,
                IPV,
                "daily_schedule, weekly_schedule and monthly_schedule",
            ),
            (
                "PATCH",
                patch,
                one(
                    json!({"retention": "3600s", "daily_schedule": {}, "monthly_schedule": {"day": 1}}),
                ),
                400,
                IPV,
                "at most one of",
            ),
        ],
    );
}
