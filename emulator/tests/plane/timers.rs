//! What the virtual clock makes due.

use std::time::{Duration, Instant};

use lakekey_emulator::Emulator;
use serde_json::{Value, json};

use crate::BRANCH;
use crate::common::api::{done, get, send};
use crate::common::control_plane;

/// Waits until a read is as expected: what the clock sets off is done beside it.
fn until(emulator: &Emulator, name: &str, wanted: impl Fn(u16, &Value) -> bool) {
    let patience = Instant::now() + Duration::from_secs(20);
    loop {
        let reply = send(emulator, "GET", name, &Value::Null);
        if wanted(reply.status, &reply.json()) {
            return;
        }
        assert!(Instant::now() < patience, "{name}: {}", reply.body);
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_branch_expires_and_is_purged_a_week_later() {
    let emulator = control_plane().await;
    emulator.clock().freeze(true);
    let dev = "projects/emulator/branches/dev";
    let create = "projects/emulator/branches?branch_id=dev";
    done(
        &emulator,
        "POST",
        create,
        &json!({"spec": {"ttl": "3600s"}}),
    );
    emulator.clock().advance(Duration::from_secs(3599));
    assert_eq!(get(&emulator, dev)["status"]["current_state"], "READY");
    emulator.clock().advance(Duration::from_secs(1));
    until(&emulator, dev, |_, branch| {
        branch["status"]["current_state"] == "DELETED"
    });
    emulator.clock().advance(Duration::from_hours(7 * 24));
    until(&emulator, dev, |status, _| status == 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_protected_branch_outlives_its_end() {
    let emulator = control_plane().await;
    emulator.clock().freeze(true);
    let dev = "projects/emulator/branches/dev";
    let create = "projects/emulator/branches?branch_id=dev";
    done(
        &emulator,
        "POST",
        create,
        &json!({"spec": {"ttl": "60s", "is_protected": true}}),
    );
    emulator.clock().advance(Duration::from_hours(1));
    assert_eq!(get(&emulator, dev)["status"]["current_state"], "READY");
    let open = json!({"spec": {"is_protected": false}});
    // The end has passed, so a mask that touches nothing else must not stumble over it.
    let free = send(
        &emulator,
        "PATCH",
        &format!("{dev}?update_mask=spec.is_protected"),
        &open,
    );
    assert_eq!(free.status, 200, "{}", free.body);
    until(&emulator, dev, |_, branch| {
        branch["status"]["current_state"] == "DELETED"
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schedule_takes_snapshots_and_drops_them() {
    let emulator = control_plane().await;
    emulator.clock().freeze(true);
    let schedule = json!({"schedule": [{"retention": "7200s", "daily_schedule": {"hour": 3}}]});
    let name = format!("{BRANCH}/snapshot-schedule?update_mask=schedule");
    done(&emulator, "PATCH", &name, &schedule);
    emulator.clock().advance(Duration::from_hours(24));
    let list = "projects/emulator/snapshots";
    until(&emulator, list, |_, page| {
        page["snapshots"]
            .as_array()
            .is_some_and(|all| all.len() == 1)
    });
    let id = get(&emulator, list)["snapshots"][0]["snapshot_id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        id.starts_with("production-") && id.ends_with("-0300"),
        "{id}"
    );
    emulator.clock().advance(Duration::from_hours(2));
    until(&emulator, list, |_, page| page["snapshots"].is_null());
}
