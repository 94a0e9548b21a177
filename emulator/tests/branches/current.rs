//! Branches from the present of a parent.

use lakekey_emulator::postgres::{Lsn, Origin, PostgresError};

use crate::stage::{Stage, rows, text, write};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parent_and_child_share_the_past_and_nothing_after_it() {
    for pg_version in [17, 16] {
        let stage = Stage::of_version(pg_version).await;
        let parent = stage.session("main").await;
        write(&parent, "before").await;
        let pid = text(&parent, "pg_backend_pid()").await;
        parent
            .batch_execute("BEGIN; INSERT INTO kept VALUES ('open')")
            .await
            .unwrap();
        let point = stage.child("main", "child", Origin::Current).await.unwrap();
        // The session and its transaction are still there.
        parent.batch_execute("COMMIT").await.unwrap();
        assert_eq!(text(&parent, "pg_backend_pid()").await, pid);
        let child = stage.session("child").await;
        assert_eq!(rows(&child).await, ["before"]);
        let now: Lsn = text(&parent, "pg_current_wal_lsn()").await.parse().unwrap();
        assert!(point.lsn < now, "{} {now}", point.lsn);
        write(&child, "of the child").await;
        write(&parent, "of the parent").await;
        assert_eq!(rows(&child).await, ["before", "of the child"]);
        assert_eq!(rows(&parent).await, ["before", "of the parent", "open"]);
        let version = text(&child, "current_setting('server_version_num')::int / 10000").await;
        assert_eq!(version, pg_version.to_string());
        stage.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspended_parent_stays_suspended_and_a_grandchild_has_all_of_the_line() {
    let stage = Stage::open().await;
    write(&stage.session("main").await, "one").await;
    stage.suspend("main").await;
    let starts = stage.fleet.counts().starts;
    stage.child("main", "child", Origin::Current).await.unwrap();
    // A branch that was never started is a parent as good as any.
    stage
        .child("child", "quiet", Origin::Current)
        .await
        .unwrap();
    assert_eq!(stage.fleet.counts().starts, starts);
    write(&stage.session("child").await, "two").await;
    stage
        .child("child", "grandchild", Origin::Current)
        .await
        .unwrap();
    write(&stage.session("grandchild").await, "three").await;
    assert!(stage.fleet.remove_branch("br-main").await.unwrap());
    assert!(stage.fleet.remove_branch("br-child").await.unwrap());
    assert_eq!(stage.rows("grandchild").await, ["one", "three", "two"]);
    assert_eq!(stage.rows("quiet").await, ["one"]);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parent_that_was_never_used_gives_an_empty_child() {
    let stage = Stage::open().await;
    stage.child("main", "child", Origin::Current).await.unwrap();
    let child = stage.session("child").await;
    write(&child, "mine").await;
    assert_eq!(rows(&child).await, ["mine"]);
    let again = stage.child("main", "child", Origin::Current).await;
    assert!(
        matches!(again, Err(PostgresError::BranchExists(uid)) if uid == "br-child"),
        "a branch is not overwritten"
    );
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crashed_parent_mends_itself_before_it_is_copied() {
    let stage = Stage::open().await;
    write(&stage.session("main").await, "committed").await;
    assert!(stage.fleet.crash("ep-main").await.unwrap());
    stage.child("main", "child", Origin::Current).await.unwrap();
    assert_eq!(stage.rows("child").await, ["committed"]);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parent_that_is_stopped_and_started_during_the_copy_is_copied_again() {
    let stage = std::sync::Arc::new(Stage::open().await);
    write(&stage.session("main").await, "1").await;
    let size = stage.fleet.logical_size("br-main").await.unwrap();
    assert!((1_000_000..100_000_000).contains(&size), "{size}");
    for number in 0..3 {
        let copier = tokio::spawn({
            let stage = std::sync::Arc::clone(&stage);
            let child = format!("c{number}");
            async move { stage.child("main", &child, Origin::Current).await }
        });
        // At another moment of the copy each time.
        tokio::time::sleep(std::time::Duration::from_millis(20 + 40 * number)).await;
        stage.suspend("main").await;
        let session = stage.session("main").await;
        copier.await.unwrap().unwrap();
        assert_eq!(stage.rows(&format!("c{number}")).await, ["1"]);
        drop(session);
    }
    stage.fleet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_branch_that_could_not_be_made_does_not_come_to_life_empty() {
    let stage = Stage::open().await;
    let nothing = Origin::Snapshot("nothing".to_owned());
    let error = stage.child("main", "child", nothing).await.unwrap_err();
    assert!(error.to_string().contains("nothing"), "{error}");
    let woken = stage.fleet.wake(&stage.endpoint("child")).await;
    assert!(matches!(woken, Err(PostgresError::NoSuchBranch(_))));
    stage.child("main", "child", Origin::Current).await.unwrap();
    stage.session("child").await;
    stage.close().await;
}
