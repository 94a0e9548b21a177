//! Long-running operations: their life on the virtual clock, conflicts, failures, and what a restart makes of them.

use std::time::Duration;

use lakekey_emulator::{Action, Emulator, Fault, Options};
use serde_json::json;

use crate::common::api::{done, ended, get, refused, send, wait};
use crate::common::{admin, control_plane};

const CREATE: &str = "projects/emulator/branches?branch_id=dev";

fn forever() -> serde_json::Value {
    json!({"spec": {"no_expiry": true}})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operation_takes_its_time_on_the_virtual_clock() {
    let emulator = control_plane().await;
    emulator.clock().freeze(true);
    let knob = admin(&emulator, "POST", "/_emulator/operations")
        .body(r#"{"delay_s": 30}"#)
        .send();
    assert_eq!(knob.status, 200, "{}", knob.body);
    let begun = send(&emulator, "POST", CREATE, &forever()).json();
    let name = begun["name"].as_str().unwrap();
    assert!(
        name.starts_with("projects/emulator/branches/dev/operations/") && name.ends_with('='),
        "{name}"
    );
    assert!(
        begun.get("done").is_none() && begun.get("response").is_none(),
        "{begun}"
    );
    assert_eq!(
        begun["metadata"]["@type"],
        "type.googleapis.com/databricks.postgres.v1.BranchOperationMetadata"
    );
    let branch = get(&emulator, "projects/emulator/branches/dev");
    assert_eq!(branch["status"]["current_state"], "INIT");
    assert_eq!(branch["status"]["pending_state"], "READY");
    let endpoint = get(
        &emulator,
        "projects/emulator/branches/dev/endpoints/primary",
    );
    assert_eq!(endpoint["status"]["current_state"], "INIT");
    assert!(endpoint["status"]["hosts"]["host"].is_null(), "{endpoint}");
    emulator.clock().advance(Duration::from_secs(29));
    assert!(get(&emulator, name).get("done").is_none());
    emulator.clock().advance(Duration::from_secs(1));
    let ended = wait(&emulator, &begun);
    assert_eq!(
        ended["response"]["@type"],
        "type.googleapis.com/databricks.postgres.v1.Branch"
    );
    assert_eq!(
        get(&emulator, "projects/emulator/branches/dev")["status"]["current_state"],
        "READY"
    );
    refused(
        &send(
            &emulator,
            "GET",
            "projects/emulator/operations/bm9uZQ==",
            &json!(null),
        ),
        404,
        "NOT_FOUND",
        "operation not found",
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_takes_one_write_at_a_time() {
    let mut options = Options::control_plane_only();
    options.operation_delay = Duration::from_mins(1);
    let emulator = Emulator::start(options).await.unwrap();
    emulator.clock().freeze(true);
    let first = send(&emulator, "POST", CREATE, &forever()).json();
    let other = "projects/emulator/branches?branch_id=other";
    let conflict = "Your project already has conflicting operations in progress";
    refused(
        &send(&emulator, "POST", other, &forever()),
        409,
        "ABORTED",
        conflict,
    );
    let endpoint =
        "projects/emulator/branches/production/endpoints/primary?update_mask=spec.disabled";
    let disabled = json!({"spec": {"disabled": true}});
    refused(
        &send(&emulator, "PATCH", endpoint, &disabled),
        409,
        "ABORTED",
        "reconciliation",
    );
    // Another project goes on.
    let elsewhere = send(&emulator, "POST", "projects?project_id=shop", &json!({})).json();
    emulator.clock().advance(Duration::from_mins(1));
    wait(&emulator, &first);
    wait(&emulator, &elsewhere);
    emulator.set_operation_delay(Duration::ZERO);
    done(&emulator, "POST", other, &forever());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operations_fail_and_end_empty_by_fault_rule() {
    let emulator = control_plane().await;
    let fail = Action::FailOperation {
        error_code: Some("RESOURCE_EXHAUSTED".to_owned()),
        message: Some("no room".to_owned()),
    };
    emulator
        .fault(Fault::new(fail).on("POST", "*/branches").times(1))
        .unwrap();
    let failed = ended(&emulator, "POST", CREATE, &forever());
    assert_eq!(failed["error"]["error_code"], "RESOURCE_EXHAUSTED");
    assert_eq!(failed["error"]["message"], "no room");
    assert!(failed.get("response").is_none());
    // Of what failed nothing stays.
    assert_eq!(
        send(
            &emulator,
            "GET",
            "projects/emulator/branches/dev",
            &json!(null)
        )
        .status,
        404
    );
    emulator
        .fault(
            Fault::new(Action::EmptyOperation {})
                .on("POST", "*/branches")
                .times(1),
        )
        .unwrap();
    let empty = ended(&emulator, "POST", CREATE, &forever());
    assert!(
        empty.get("response").is_none() && empty.get("error").is_none(),
        "{empty}"
    );
    get(&emulator, "projects/emulator/branches/dev");
    emulator
        .fault(
            Fault::new(Action::StickOperation {})
                .on("DELETE", "*/branches/dev")
                .times(1),
        )
        .unwrap();
    let stuck = send(
        &emulator,
        "DELETE",
        "projects/emulator/branches/dev",
        &json!(null),
    )
    .json();
    assert!(
        get(&emulator, stuck["name"].as_str().unwrap())
            .get("done")
            .is_none()
    );
    assert_eq!(send(&emulator, "POST", CREATE, &forever()).status, 409);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_is_found_again_by_its_id() {
    let emulator = control_plane().await;
    emulator
        .fault(
            Fault::new(Action::Reset {})
                .on("POST", "*/branches")
                .times(1)
                .after_carrying_out(),
        )
        .unwrap();
    let ask = crate::common::api(&emulator, "POST", &format!("/api/2.0/postgres/{CREATE}"));
    assert!(ask.body(&forever().to_string()).raw().is_err());
    refused(
        &send(&emulator, "POST", CREATE, &forever()),
        409,
        "ALREADY_EXISTS",
        "already exists",
    );
    get(&emulator, "projects/emulator/branches/dev");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_begun_and_what_was_answered_outlive_a_restart() {
    let state = tempfile::tempdir().unwrap();
    let mut options = Options::control_plane_only();
    options.state_dir = Some(state.path().to_owned());
    let emulator = Emulator::start(options.clone()).await.unwrap();
    done(&emulator, "POST", CREATE, &forever());
    done(&emulator, "POST", "projects?project_id=shop", &json!({}));
    done(&emulator, "DELETE", "projects/shop", &json!(null));
    emulator.set_operation_delay(Duration::from_hours(1));
    let second = send(
        &emulator,
        "POST",
        "projects/emulator/branches?branch_id=two",
        &forever(),
    )
    .json();
    drop(emulator);
    // A kill in the middle of a line leaves a piece of it, which nobody was told of.
    let log = state.path().join("state.log");
    let mut text = std::fs::read(&log).unwrap();
    text.extend_from_slice(b"{\"branch\":[\"emu");
    std::fs::write(&log, text).unwrap();
    let emulator = Emulator::start(options).await.unwrap();
    assert_eq!(
        get(&emulator, "projects/emulator/branches/dev")["status"]["current_state"],
        "READY"
    );
    assert!(get(&emulator, "projects/shop")["delete_time"].is_string());
    assert!(
        get(&emulator, second["name"].as_str().unwrap())
            .get("done")
            .is_none()
    );
    emulator.clock().advance(Duration::from_hours(2));
    let ended = wait(&emulator, &second);
    assert_eq!(ended["response"]["branch_id"], "two");
    emulator.shutdown().await;
}
