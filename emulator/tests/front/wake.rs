//! Waking, suspending, crashing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use lakekey_emulator::front::directory::ComputeState::{Ready, Starting, Stopping, Suspended};
use tokio::task::JoinSet;
use tokio_postgres::error::SqlState;

use crate::client::{connect, ended, log_in, tls};
use crate::stage::{HOST, Stage, TOKEN, USER, eventually};

#[tokio::test]
async fn suspend_ends_sessions_with_57p01_and_the_next_login_wakes() {
    let stage = Stage::open().await;
    let session = connect(&stage).await.unwrap();
    assert_eq!(stage.fleet.state("ep-one"), Ready);
    assert!(stage.fleet.suspend("ep-one").await.unwrap());
    assert_eq!(session.end_code().await, Some(SqlState::ADMIN_SHUTDOWN));
    assert_eq!(stage.fleet.state("ep-one"), Suspended);
    assert!(!stage.fleet.suspend("ep-one").await.unwrap());
    let session = connect(&stage).await.unwrap();
    assert_eq!(session.one("SELECT 1").await, "1");
    let counts = stage.fleet.counts();
    assert_eq!((counts.starts, counts.suspends, counts.running), (2, 1, 1));
    let states: Vec<_> = stage
        .plane
        .states
        .lock()
        .unwrap()
        .iter()
        .map(|(_, state)| *state)
        .collect();
    assert_eq!(
        states,
        [Starting, Ready, Stopping, Suspended, Starting, Ready]
    );
    drop(session);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_logins_at_a_suspended_endpoint_start_it_once_and_none_fails() {
    let stage = Arc::new(Stage::open().await);
    for round in 1..=20 {
        let mut logins = JoinSet::new();
        for _ in 0..50 {
            let stage = Arc::clone(&stage);
            logins.spawn(async move { connect(&stage).await.map(|session| (session, stage)) });
        }
        let mut sessions = Vec::new();
        while let Some(login) = logins.join_next().await {
            sessions.push(
                login
                    .unwrap()
                    .unwrap_or_else(|error| panic!("round {round}: {error:?}")),
            );
        }
        assert_eq!(stage.fleet.counts().starts, round);
        assert_eq!(sessions[0].0.one("SELECT 1").await, "1");
        drop(sessions);
        assert!(stage.fleet.suspend("ep-one").await.unwrap());
    }
    Arc::into_inner(stage).unwrap().close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn logins_that_race_with_suspensions_do_not_fail() {
    let stage = Arc::new(Stage::open().await);
    connect(&stage).await.unwrap();
    let mut clients = JoinSet::new();
    for _ in 0..8 {
        let stage = Arc::clone(&stage);
        clients.spawn(async move {
            for login in 0..8 {
                connect(&stage)
                    .await
                    .unwrap_or_else(|error| panic!("login {login}: {error:?}"));
            }
        });
    }
    let mut suspends = 0;
    // The pause leaves room for logins between two suspensions; nothing waits for it to be long enough.
    while !clients.is_empty() {
        suspends += u32::from(stage.fleet.suspend("ep-one").await.unwrap());
        tokio::time::sleep(Duration::from_millis(60)).await;
        while let Some(done) = clients.try_join_next() {
            done.unwrap();
        }
    }
    assert!(suspends >= 1, "{:?}", stage.fleet.counts());
    Arc::into_inner(stage).unwrap().close().await;
}

#[tokio::test]
async fn a_crash_ends_sessions_without_a_word_and_loses_nothing() {
    let stage = Stage::open().await;
    let session = connect(&stage).await.unwrap();
    session
        .client
        .batch_execute("CREATE TABLE kept AS SELECT 42 AS x")
        .await
        .unwrap();
    assert!(stage.fleet.crash("ep-one").await.unwrap());
    let code = session.end_code().await;
    assert!(
        code.is_none() || code == Some(SqlState::CRASH_SHUTDOWN),
        "{code:?}"
    );
    let session = connect(&stage).await.unwrap();
    assert_eq!(session.one("SELECT x FROM kept").await, "42");
    drop(session);
    stage.close().await;
}

#[tokio::test]
async fn a_server_that_ends_by_itself_is_noticed_and_started_again() {
    let stage = Stage::open().await;
    let session = connect(&stage).await.unwrap();
    let pid = stage.postmaster("ep-one").await;
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(session.end_code().await, Some(SqlState::ADMIN_SHUTDOWN));
    eventually("the end is noticed", || {
        stage.fleet.state("ep-one") == Suspended
    })
    .await;
    assert_eq!(connect(&stage).await.unwrap().one("SELECT 1").await, "1");
    stage.close().await;
}

#[tokio::test]
async fn restart_ends_sessions_and_comes_back() {
    let stage = Stage::open().await;
    let session = connect(&stage).await.unwrap();
    let endpoint = stage.endpoint("ep-one");
    let before = stage.fleet.wake(&endpoint).await.unwrap();
    let after = stage.fleet.restart(&endpoint).await.unwrap();
    assert_eq!(after.generation, before.generation + 1);
    assert_eq!(session.end_code().await, Some(SqlState::ADMIN_SHUTDOWN));
    assert_eq!(stage.fleet.state("ep-one"), Ready);
    stage.close().await;
}

#[tokio::test]
async fn ordered_wake_failures_close_without_a_message_and_then_stop() {
    let stage = Stage::open().await;
    stage.fleet.fail_wakes(&stage.endpoint("ep-one"), 2);
    for _ in 0..2 {
        let mut stream = tls(&stage, stage.front.address(), Some(HOST)).await;
        log_in(&mut stream, USER, TOKEN).await;
        ended(&mut stream).await;
    }
    assert_eq!(connect(&stage).await.unwrap().one("SELECT 1").await, "1");
    stage.close().await;
}

#[tokio::test]
async fn wake_latency_is_added() {
    let stage = Stage::open().await;
    stage
        .fleet
        .set_wake_latency(&stage.endpoint("ep-one"), Duration::from_millis(700));
    let began = Instant::now();
    drop(connect(&stage).await.unwrap());
    assert!(began.elapsed() >= Duration::from_millis(700));
    stage.close().await;
}

#[tokio::test]
async fn branches_are_apart() {
    let stage = Stage::open().await;
    let one = connect(&stage).await.unwrap();
    one.client
        .batch_execute("CREATE TABLE here AS SELECT 1 AS x")
        .await
        .unwrap();
    let two = crate::client::connect_as(&stage, "ep-two.database.localhost", "two")
        .await
        .unwrap();
    assert!(
        two.client
            .batch_execute("SELECT * FROM here")
            .await
            .is_err()
    );
    stage.fleet.suspend("ep-one").await.unwrap();
    assert_eq!(one.end_code().await, Some(SqlState::ADMIN_SHUTDOWN));
    assert_eq!(two.one("SELECT 2").await, "2");
    drop(two);
    stage.close().await;
}

#[tokio::test]
async fn after_shutdown_nothing_wakes() {
    let stage = Stage::open().await;
    drop(connect(&stage).await.unwrap());
    stage.fleet.shutdown().await;
    let mut stream = tls(&stage, stage.front.address(), Some(HOST)).await;
    log_in(&mut stream, USER, TOKEN).await;
    let refused = crate::client::refused(&mut stream).await;
    refused.assert(
        "XX000",
        "Internal error. the emulator is shutting down",
        None,
    );
    stage.close().await;
}
