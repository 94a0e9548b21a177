//! Answers that never came.

use serde_json::json;

use super::{Bench, refused};
use crate::clock::Clock;
use crate::code::Code;
use crate::http::scripted::{Reply, ok, status};
use crate::management::{Branch, Role, WaitOptions};

const CREATED: &str = "2026-01-02T03:04:05Z";
const LONG_AGO: &str = "2026-01-02T03:03:05Z";

/// The first create is done and its answer lost; the resource then says that it is of `created`.
fn losing(created: &'static str, there: fn() -> Reply) -> Bench {
    let mut posts = 0;
    Bench::new(move |request, _| {
        match request.method.as_str() {
        "POST" => {
            posts += 1;
            if posts == 1 { Reply::Fail(Code::HttpConnect) } else { there() }
        }
        _ => ok(json!({"name": "projects/p/branches/b", "create_time": created, "status": {"current_state": "READY"}}).to_string()),
    }
    })
}

#[tokio::test]
async fn a_create_is_found_again_by_its_id() {
    for there in [
        (|| refused(409, "ALREADY_EXISTS", "branch with such id already exists")) as fn() -> Reply,
        || refused(400, "BAD_REQUEST", "role with that name already exists"),
    ] {
        let bench = losing(CREATED, there);
        let creating = bench
            .postgres
            .create_branch("projects/p", &Branch::default(), "b");
        let mut creating = bench.run(creating.into_future()).await.unwrap();
        assert_eq!(creating.resource(), Some("projects/p/branches/b"));
        let branch = bench
            .run(creating.wait(WaitOptions::default()))
            .await
            .unwrap();
        assert_eq!(branch.name.as_deref(), Some("projects/p/branches/b"));
        assert_eq!(
            bench
                .asked()
                .iter()
                .filter(|line| line.starts_with("POST"))
                .count(),
            2
        );
    }
}

#[tokio::test]
async fn what_was_there_before_is_no_answer_that_was_lost() {
    let bench = losing(LONG_AGO, || {
        refused(409, "ALREADY_EXISTS", "already exists")
    });
    let creating = bench
        .postgres
        .create_branch("projects/p", &Branch::default(), "b");
    let error = bench.run(creating.into_future()).await.unwrap_err();
    assert_eq!(
        (error.code(), error.api_code()),
        (Code::ApiConflict, Some("ALREADY_EXISTS"))
    );
    let bench = Bench::new(|_, _| refused(409, "ALREADY_EXISTS", "already exists"));
    let creating = bench
        .postgres
        .create_branch("projects/p", &Branch::default(), "b");
    bench.run(creating.into_future()).await.unwrap_err();
    assert_eq!(bench.asked().len(), 1, "asked once, refused once");
}

#[tokio::test]
async fn a_create_without_an_id_of_ours_is_sent_once() {
    for reply in [
        || Reply::Fail(Code::HttpConnect),
        || status(503),
        || status(429),
        || Reply::Hang,
    ] {
        let bench = Bench::new(move |_, _| reply());
        let creating = bench
            .postgres
            .create_role("projects/p/branches/b", &Role::default());
        bench.run(creating.into_future()).await.unwrap_err();
        assert_eq!(bench.asked().len(), 1);
        let creating = bench
            .postgres
            .create_role("projects/p/branches/b", &Role::default())
            .role_id("r");
        bench.run(creating.into_future()).await.unwrap_err();
        assert!(bench.asked().len() > 2, "with an id it may be");
    }
}

#[tokio::test]
async fn a_delete_whose_answer_was_lost_is_done() {
    let mut asked = 0;
    let bench = Bench::new(move |_, _| {
        asked += 1;
        if asked == 1 {
            Reply::Fail(Code::HttpConnect)
        } else {
            refused(404, "NOT_FOUND", "branch id not found")
        }
    });
    let mut deleting = bench
        .run(
            bench
                .postgres
                .delete_branch("projects/p/branches/b")
                .into_future(),
        )
        .await
        .unwrap();
    bench
        .run(deleting.wait(WaitOptions::default()))
        .await
        .unwrap();
    let bench = Bench::new(|_, _| refused(404, "NOT_FOUND", "branch id not found"));
    let deleting = bench.postgres.delete_branch("projects/p/branches/b");
    let error = bench.run(deleting.into_future()).await.unwrap_err();
    assert_eq!(
        error.code(),
        Code::ApiNotFound,
        "never there is another thing"
    );
}

#[tokio::test]
async fn a_busy_project_is_waited_for() {
    let free_at = std::sync::OnceLock::new();
    let bench = Bench::new(move |_, clock| {
        let now = clock.now().boot_ms;
        if now < *free_at.get_or_init(|| now + 3000) {
            refused(
                409,
                "ABORTED",
                "Your project already has conflicting operations in progress",
            )
        } else {
            ok(json!({"name": "projects/p/operations/o"}).to_string())
        }
    });
    bench
        .call(
            "create_branch",
            json!({"parent": "projects/p", "branch_id": "b", "branch": {}}),
        )
        .await
        .unwrap();
    let bench = Bench::new(|_, _| refused(409, "ABORTED", "conflicting operations in progress"));
    let error = bench
        .call("delete_branch", json!({"name": "projects/p/branches/b"}))
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::ApiConflict, "but not for ever");
}

#[tokio::test]
async fn what_is_there_already_is_given_to_those_who_want_it_so() {
    let bench = losing(LONG_AGO, || {
        refused(409, "ALREADY_EXISTS", "already exists")
    });
    let creating = bench
        .postgres
        .create_branch("projects/p", &Branch::default(), "b")
        .get_existing(true);
    let mut creating = bench.run(creating.into_future()).await.unwrap();
    let branch = bench
        .run(creating.wait(WaitOptions::default()))
        .await
        .unwrap();
    assert_eq!(branch.name.as_deref(), Some("projects/p/branches/b"));
    assert!(
        bench.asked()[0].ends_with("branch_id=b {}"),
        "the service does not see it"
    );
}
