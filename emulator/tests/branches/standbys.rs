//! Read-only endpoints: standbys that follow the branch.

use lakekey_emulator::front::directory::ComputeState;
use lakekey_emulator::postgres::Origin;

use crate::stage::{Stage, eventually, rows, text, write};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_follows_refuses_writes_and_has_a_life_of_its_own() {
    for pg_version in [17, 16] {
        let stage = Stage::of_version(pg_version).await;
        let main = stage.session("main").await;
        write(&main, "1").await;
        let reader = stage.reader("main", "r");
        let standby = stage.session_at(&reader).await;
        assert_eq!(rows(&standby).await, ["1"]);
        let refused = standby.batch_execute("INSERT INTO kept VALUES ('x')").await;
        assert_eq!(refused.unwrap_err().code().unwrap().code(), "25006");
        write(&main, "2").await;
        eventually("the standby follows", async || {
            rows(&standby).await == ["1", "2"]
        })
        .await;
        // The branch sleeps, the reader does not.
        stage.suspend("main").await;
        assert_eq!(rows(&standby).await, ["1", "2"]);
        assert_eq!(stage.fleet.state("ep-main"), ComputeState::Suspended);
        let main = stage.session("main").await;
        write(&main, "3").await;
        eventually("it follows again", async || rows(&standby).await.len() == 3).await;
        // The reader sleeps, the branch does not.
        assert!(stage.fleet.suspend(&reader.uid).await.unwrap());
        write(&main, "4").await;
        let standby = stage.session_at(&reader).await;
        assert_eq!(rows(&standby).await.len(), 4);
        // Both sleep, and only the reader wakes.
        assert!(stage.fleet.suspend(&reader.uid).await.unwrap());
        write(&main, "5").await;
        stage.suspend("main").await;
        let standby = stage.session_at(&reader).await;
        assert_eq!(rows(&standby).await.len(), 5);
        assert_eq!(stage.fleet.state("ep-main"), ComputeState::Suspended);
        stage.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_of_a_new_branch_have_its_data_and_go_with_it() {
    let stage = Stage::open().await;
    write(&stage.session("main").await, "1").await;
    stage.child("main", "child", Origin::Current).await.unwrap();
    // Two of them before the branch itself was ever started.
    let readers = [stage.reader("child", "a"), stage.reader("child", "b")];
    for reader in &readers {
        assert_eq!(rows(&stage.session_at(reader).await).await, ["1"]);
    }
    let dir = stage.dir.join("branches/br-child");
    assert!(dir.join("standbys/ep-child-a").exists());
    stage
        .fleet
        .remove_endpoint("br-child", "ep-child-a")
        .await
        .unwrap();
    assert!(!dir.join("standbys/ep-child-a").exists());
    assert_eq!(rows(&stage.session_at(&readers[1]).await).await, ["1"]);
    stage.fleet.remove_branch("br-child").await.unwrap();
    assert!(!dir.exists());
    assert!(stage.fleet.wake(&readers[1]).await.is_err());
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_branch_from_the_past_has_readers_too() {
    let stage = Stage::open().await;
    let main = stage.session("main").await;
    write(&main, "1").await;
    let position = text(&main, "pg_current_wal_lsn()").await.parse().unwrap();
    write(&main, "2").await;
    let origin = Origin::Lsn(position);
    stage.child("main", "child", origin).await.unwrap();
    let child = stage.session("child").await;
    let reader = stage.reader("child", "r");
    assert_eq!(rows(&stage.session_at(&reader).await).await, ["1"]);
    assert!(stage.fleet.suspend(&reader.uid).await.unwrap());
    write(&child, "3").await;
    stage.suspend("child").await;
    let standby = stage.session_at(&reader).await;
    assert_eq!(rows(&standby).await, ["1", "3"]);
    write(&stage.session("child").await, "4").await;
    eventually("it follows", async || rows(&standby).await.len() == 3).await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_branch_is_suspended_though_a_standby_follows_it() {
    let stage = Stage::open().await;
    stage.clock.freeze(true);
    let mut endpoint = stage.endpoint("main");
    endpoint.suspend_after_ms = Some(300_000);
    write(&stage.session_at(&endpoint).await, "1").await;
    let reader = stage.reader("main", "r");
    let standby = stage.session_at(&reader).await;
    stage.clock.advance(std::time::Duration::from_mins(6));
    eventually("the branch is suspended", async || {
        stage.fleet.state("ep-main") == ComputeState::Suspended
    })
    .await;
    assert_eq!(rows(&standby).await, ["1"]);
    assert_eq!(rows(&stage.session_at(&endpoint).await).await, ["1"]);
    stage.close().await;
}
