//! Methods of lakekey's own, where the service says what the emulator does not.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Bench, object, refused};
use crate::code::Code;
use crate::http::scripted::ok;

#[tokio::test]
async fn a_provisioned_instance_is_called_one() {
    let bench = Bench::new(|request, _| {
        if request
            .url
            .path()
            .ends_with("/api/2.0/database/instances/old")
        {
            ok(r#"{"name": "old", "state": "AVAILABLE"}"#)
        } else {
            refused(404, "NOT_FOUND", "project id not found")
        }
    });
    let finding = bench.call("find_endpoint", json!({"target": "old"}));
    let error = finding.await.unwrap_err();
    assert_eq!(error.code(), Code::TargetInvalid);
    assert!(
        error.message().contains("old is a Provisioned instance"),
        "{error}"
    );
    let finding = bench.call("find_endpoint", json!({"target": "nothing"}));
    assert_eq!(finding.await.unwrap_err().code(), Code::TargetNotFound);
}

#[tokio::test]
async fn no_room_for_a_branch_is_said_with_what_makes_room() {
    let bench = Bench::new(|_, _| {
        refused(
            400,
            "QUOTA_EXCEEDED",
            "the project has reached 500 branches",
        )
    });
    let asked = json!({"target": "shop", "branch_id": "run-7"});
    let error = bench.call("branch_for_ci", asked).await.unwrap_err();
    assert_eq!(error.api_code(), Some("QUOTA_EXCEEDED"));
    assert!(error.hint().unwrap().contains("ttl"), "{error}");
}

#[tokio::test]
async fn a_branch_that_was_deleted_is_not_taken_for_one_that_is_there() {
    let bench = Bench::new(|request, _| match request.method.as_str() {
        "POST" => refused(409, "ALREADY_EXISTS", "branch with such id already exists"),
        _ => ok(json!({
            "name": "projects/shop/branches/run-7",
            "status": {"current_state": "DELETED", "delete_time": "2026-01-02T03:04:05Z"},
        })
        .to_string()),
    });
    let asked = json!({"target": "shop.production", "branch_id": "run-7"});
    let error = bench.call("branch_for_ci", asked).await.unwrap_err();
    assert_eq!(error.code(), Code::ApiConflict);
    assert!(error.hint().unwrap().contains("purge"), "{error}");
    let created = bench.asked()[0].clone();
    assert!(
        created.contains(r#""source_branch":"projects/shop/branches/production","ttl":"7200s""#),
        "{created}"
    );
}

/// A table that is in these states one after the other.
fn table(states: &'static [&'static str]) -> Bench {
    let mut looks = 0;
    Bench::new(move |_, _| {
        let state = states[looks.min(states.len() - 1)];
        looks += 1;
        ok(json!({"name": "synced_tables/a.b.c", "status": {"detailed_state": state, "message": "no such column"}})
            .to_string())
    })
}

#[tokio::test]
async fn a_synced_table_is_waited_for_until_it_has_rows_or_never_will() {
    let wait = json!({"name": "a.b.c"});
    let bench = table(&[
        "SYNCED_TABLE_PROVISIONING",
        "SYNCED_TABLE_PROVISIONING_INITIAL_SNAPSHOT",
        "SYNCED_TABLE_ONLINE_NO_PENDING_UPDATE",
    ]);
    let ready = bench.call("wait_synced_table", wait.clone()).await.unwrap();
    assert_eq!(ready["name"], "synced_tables/a.b.c");
    assert_eq!(bench.asked().len(), 3);

    let bench = table(&["SYNCED_TABLE_PROVISIONING", "SYNCED_TABLE_OFFLINE_FAILED"]);
    let error = bench
        .call("wait_synced_table", wait.clone())
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::OperationFailed);
    assert!(error.message().contains("no such column"), "{error}");

    let bench = table(&["SYNCED_TABLE_PROVISIONING"]);
    let began = bench.now();
    let limit = Some(Duration::from_secs(30));
    let waiting = bench
        .postgres
        .call("wait_synced_table", object(wait), limit);
    let error = bench.run(waiting).await.unwrap_err();
    assert_eq!(error.code(), Code::Timeout);
    let waited = bench.now() - began;
    assert!((20_000..=30_500).contains(&waited), "{waited}");
}

#[tokio::test]
async fn a_reset_that_loses_the_branch_says_so() {
    let deleted = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let gone = Arc::clone(&deleted);
    let bench = Bench::new(move |request, _| {
        let done = |response: Value| {
            ok(
                json!({"name": "projects/p/operations/o", "done": true, "response": response})
                    .to_string(),
            )
        };
        match request.method.as_str() {
            "DELETE" => {
                gone.store(true, std::sync::atomic::Ordering::Relaxed);
                done(json!({}))
            }
            "POST" => refused(400, "QUOTA_EXCEEDED", "no room"),
            _ if request.url.path().contains("/endpoints") => ok(r#"{"endpoints": []}"#),
            _ => ok(json!({"name": "projects/p/branches/b", "status": {"source_branch": "projects/p/branches/a"}}).to_string()),
        }
    });
    let asked = json!({"name": "p.b", "confirm": "p.b"});
    let error = bench.call("reset_branch", asked).await.unwrap_err();
    assert!(deleted.load(std::sync::atomic::Ordering::Relaxed));
    assert!(
        error
            .message()
            .contains("was deleted, and could not be made again from projects/p/branches/a"),
        "{error}"
    );
    let asked = json!({"name": "p.b", "confirm": "p.c"});
    let before = bench.asked().len();
    assert_eq!(
        bench.call("reset_branch", asked).await.unwrap_err().code(),
        Code::ApiArgument
    );
    assert_eq!(bench.asked().len(), before, "nothing is sent unconfirmed");
}
