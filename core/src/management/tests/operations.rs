use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::{Bench, object, refused, status_of};
use crate::clock::{Clock, ManualClock};
use crate::code::Code;
use crate::http::scripted::{Reply, ok};
use crate::management::{Branch, WaitOptions};

const NAME: &str = "projects/p/branches/b/operations/YWJj+/8=";

/// An operation that takes `after` and ends with `end`.
fn ending(after: Duration, end: Value) -> Bench {
    let ends_at = Mutex::new(None);
    Bench::new(move |request, clock: &ManualClock| {
        let now = clock.now().boot_ms;
        if request.method == "POST" {
            *ends_at.lock().unwrap() = Some(now + crate::clock::millis(after));
            return ok(json!({"name": NAME, "metadata": {"@type": "x"}}).to_string());
        }
        let ends_at = ends_at.lock().unwrap().unwrap_or(0);
        let mut operation = json!({"name": NAME, "metadata": {"@type": "x", "at": now}});
        if now >= ends_at {
            operation
                .as_object_mut()
                .unwrap()
                .extend(object(end.clone()));
        }
        ok(operation.to_string())
    })
}

fn branch() -> Value {
    json!({"done": true, "response": {"@type": "type.googleapis.com/databricks.postgres.v1.Branch", "uid": "br-1"}})
}

#[tokio::test]
async fn an_end_is_noticed_soon_and_the_service_is_not_pestered() {
    for (after_ms, late_ms) in [
        (0, 250),
        (300, 250),
        (1000, 250),
        (3000, 250),
        (9900, 250),
        (12_000, 600),
        (30_000, 1500),
        (600_000, 30_000),
    ] {
        let bench = ending(Duration::from_millis(after_ms), branch());
        let creating = bench
            .postgres
            .create_branch("projects/p", &Branch::default(), "b");
        let mut creating = bench.run(creating.into_future()).await.unwrap();
        let began = bench.now();
        let branch = bench
            .run(creating.wait(WaitOptions::default()))
            .await
            .unwrap();
        assert_eq!(branch.uid.as_deref(), Some("br-1"));
        let late = bench.now() - began - after_ms;
        assert!(late <= late_ms, "{after_ms} ms: {late} ms late");
        let (looks, seconds) = (
            bench.asked().len() as u64 - 1,
            after_ms.div_ceil(1000).max(1),
        );
        let allowed = 5 * seconds.min(10) + seconds.saturating_sub(10);
        assert!(looks <= allowed + 1, "{after_ms} ms: {looks} looks");
        assert!(
            bench.asked()[1].ends_with("/projects/p/branches/b/operations/YWJj+/8="),
            "{}",
            bench.asked()[1]
        );
    }
}

#[tokio::test]
async fn an_operation_is_resumed_by_its_name() {
    let bench = ending(Duration::ZERO, branch());
    let mut operation = bench.postgres.operation::<Branch>(NAME);
    assert_eq!(operation.resource(), Some("projects/p/branches/b"));
    let began = bench.now();
    bench
        .run(operation.wait(WaitOptions::default()))
        .await
        .unwrap();
    assert_eq!(
        (bench.now(), bench.asked().len()),
        (began, 1),
        "nothing is known of its age: it is looked at now"
    );
}

#[tokio::test]
async fn a_failure_has_the_codes_and_details_of_the_service() {
    let details = json!([{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "RESOURCE_CONFLICT"}]);
    let bench = ending(
        Duration::from_millis(500),
        json!({"done": true, "error": {"error_code": "BAD_REQUEST", "message": "cannot\nbe", "details": details}}),
    );
    let creating = bench
        .postgres
        .create_branch("projects/p", &Branch::default(), "b");
    let mut creating = bench.run(creating.into_future()).await.unwrap();
    let error = bench
        .run(creating.wait(WaitOptions::default()))
        .await
        .unwrap_err();
    assert_eq!(
        (error.code(), error.api_code()),
        (Code::OperationFailed, Some("BAD_REQUEST"))
    );
    assert_eq!(error.details()[0]["reason"], "RESOURCE_CONFLICT");
    assert!(
        error.message().ends_with("failed: BAD_REQUEST: cannot be"),
        "{error}"
    );
}

#[tokio::test]
async fn an_end_without_a_response_is_an_end() {
    let ended = json!({"name": "projects/p/branches/b/operations/o", "done": true});
    let bench = Bench::new(move |request, _| {
        if request.method == "GET" && !request.url.path().contains("operations") {
            ok(r#"{"uid":"br-2"}"#)
        } else {
            ok(ended.to_string())
        }
    });
    let creating = bench
        .postgres
        .create_branch("projects/p", &Branch::default(), "b");
    let mut creating = bench.run(creating.into_future()).await.unwrap();
    let branch = bench
        .run(creating.wait(WaitOptions::default()))
        .await
        .unwrap();
    assert_eq!(branch.uid.as_deref(), Some("br-2"), "what was made is read");
    let mut deleting = bench
        .run(
            bench
                .postgres
                .delete_branch("projects/p/branches/b")
                .into_future(),
        )
        .await
        .unwrap();
    let asked = bench.asked().len();
    bench
        .run(deleting.wait(WaitOptions::default()))
        .await
        .unwrap();
    assert_eq!(
        bench.asked().len(),
        asked,
        "of what was deleted nothing is to be read"
    );
}

#[tokio::test]
async fn a_wait_has_an_end_and_the_operation_a_name() {
    let bench = ending(Duration::from_hours(1), branch());
    let mut operation = bench.postgres.operation::<Branch>(NAME);
    // Begins the clock of the scripted operation.
    let creating = bench
        .postgres
        .create_branch("projects/p", &Branch::default(), "b");
    bench.run(creating.into_future()).await.unwrap();
    let began = bench.now();
    let error = bench
        .run(operation.wait(WaitOptions::timeout(Duration::from_mins(1))))
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::Timeout);
    assert!(error.to_string().contains(NAME), "{error}");
    assert_eq!(bench.now() - began, 60_000);
}

#[tokio::test]
async fn who_comes_late_looks_at_once_and_who_leaves_looks_once_more() {
    let bench = ending(Duration::from_secs(30), branch());
    let creating = bench
        .postgres
        .create_branch("projects/p", &Branch::default(), "b");
    let mut operation = bench.run(creating.into_future()).await.unwrap();
    bench.run(bench.clock.sleep(Duration::from_mins(5))).await;
    let began = bench.now();
    bench
        .run(operation.wait(WaitOptions::default()))
        .await
        .unwrap();
    assert_eq!(bench.now(), began);

    let bench = ending(Duration::from_millis(58_500), branch());
    let creating = bench
        .postgres
        .create_branch("projects/p", &Branch::default(), "b");
    let mut operation = bench.run(creating.into_future()).await.unwrap();
    let limit = WaitOptions::timeout(Duration::from_mins(1));
    bench.run(operation.wait(limit)).await.unwrap();
}

#[tokio::test]
async fn a_pasted_token_is_not_shown() {
    let bench = ending(Duration::ZERO, branch());
    let error = bench
        .call("get_branch", json!({"name": "dapi0123456789planted"}))
        .await
        .unwrap_err();
    assert!(!format!("{error} {error:?}").contains("planted"), "{error}");
}

#[tokio::test]
async fn failures_that_pass_are_waited_out() {
    let mut asked = 0;
    let bench = Bench::new(move |_, _| {
        asked += 1;
        match asked {
            1 => Reply::Fail(Code::HttpConnect),
            2 => status_of(503),
            3 => Reply::Answer(429, &[("retry-after", "7")], String::new()),
            4 => Reply::Hang,
            _ => ok(branch().to_string()),
        }
    });
    let began = bench.now();
    let mut operation = bench.postgres.operation::<Branch>(NAME);
    bench
        .run(operation.wait(WaitOptions::default()))
        .await
        .unwrap();
    assert!(
        bench.now() - began >= 17_000,
        "7 s asked for, 10 s without an answer"
    );
    let bench = Bench::new(|_, _| refused(404, "NOT_FOUND", "operation not found"));
    let mut operation = bench.postgres.operation::<Branch>(NAME);
    let error = bench
        .run(operation.wait(WaitOptions::default()))
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::ApiNotFound, "{error}");
    assert_eq!(bench.asked().len(), 1);
}

#[tokio::test]
async fn progress_is_told_and_a_dropped_wait_asks_no_more() {
    let bench = ending(Duration::from_secs(2), branch());
    let creating = bench
        .postgres
        .create_branch("projects/p", &Branch::default(), "b");
    let mut creating = bench.run(creating.into_future()).await.unwrap();
    let told = Arc::new(Mutex::new(Vec::new()));
    let options = WaitOptions::default().progress(|progress| {
        assert_eq!(
            (progress.name, &progress.metadata.unwrap()["@type"]),
            (NAME, &json!("x"))
        );
        told.lock().unwrap().push(progress.waited);
    });
    bench.run(creating.wait(options)).await.unwrap();
    {
        let told = told.lock().unwrap();
        assert!(told.len() > 5 && told.is_sorted(), "{told:?}");
    }

    let bench = ending(Duration::from_hours(1), branch());
    let mut operation = bench.postgres.operation::<Branch>(NAME);
    let creating = bench
        .postgres
        .create_branch("projects/p", &Branch::default(), "b");
    bench.run(creating.into_future()).await.unwrap();
    let given_up = bench.clock.sleep(Duration::from_secs(5));
    tokio::select! {
        _ = bench.run(operation.wait(WaitOptions::default())) => panic!("it takes an hour"),
        () = given_up => {}
    }
    let asked = bench.asked().len();
    bench.run(bench.clock.sleep(Duration::from_mins(1))).await;
    assert_eq!(bench.asked().len(), asked);
}

#[tokio::test]
async fn bindings_wait_with_json() {
    let bench = ending(Duration::from_secs(1), branch());
    let creating = bench
        .call(
            "create_branch",
            json!({"parent": "projects/p", "branch_id": "b", "branch": {}}),
        )
        .await
        .unwrap();
    assert_eq!(creating["resource"], "projects/p/branches/b");
    let ended = bench
        .run(
            bench
                .postgres
                .wait_operation(object(creating), WaitOptions::default()),
        )
        .await
        .unwrap();
    assert_eq!(ended["uid"], "br-1");
    let error = bench
        .run(
            bench
                .postgres
                .wait_operation(object(json!({})), WaitOptions::default()),
        )
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::ApiArgument);
}

#[tokio::test]
async fn a_look_that_hangs_costs_no_operation() {
    let mut looks = 0;
    let bench = Bench::new(move |request, _| {
        if request.method == "POST" {
            return ok(json!({"name": NAME}).to_string());
        }
        looks += 1;
        if looks == 1 {
            return Reply::Hang;
        }
        let mut operation = branch();
        operation["name"] = NAME.into();
        ok(operation.to_string())
    });
    let creating = bench
        .postgres
        .create_branch("projects/p", &Branch::default(), "b");
    let mut creating = bench.run(creating.into_future()).await.unwrap();
    let branch = bench
        .run(creating.wait(WaitOptions::default()))
        .await
        .unwrap();
    assert_eq!(branch.uid.as_deref(), Some("br-1"));
}
