//! Idle suspension on the virtual clock.

use std::time::Duration;

use lakekey_emulator::front::FrontOptions;
use lakekey_emulator::front::directory::ComputeState;
use tokio_postgres::error::SqlState;

use crate::client::connect;
use crate::stage::{Stage, eventually};

const IDLE: Duration = Duration::from_hours(24);

async fn suspended(stage: &Stage) {
    eventually("it is suspended", || {
        stage.fleet.state("ep-one") == ComputeState::Suspended
    })
    .await;
}

#[tokio::test]
async fn moving_the_clock_suspends_an_idle_session() {
    let stage = Stage::with(FrontOptions::default(), Some(IDLE)).await;
    let session = connect(&stage).await.unwrap();
    assert_eq!(session.one("SELECT 1").await, "1");
    stage.time.advance(Duration::from_hours(23));
    // A query starts the idle time anew.
    assert_eq!(session.one("SELECT 2").await, "2");
    stage.time.advance(Duration::from_hours(2));
    assert_eq!(session.one("SELECT 3").await, "3");
    stage.time.advance(IDLE);
    suspended(&stage).await;
    assert_eq!(session.end_code().await, Some(SqlState::ADMIN_SHUTDOWN));
    assert_eq!(stage.fleet.counts().suspends, 1);
    stage.close().await;
}

#[tokio::test]
async fn an_open_transaction_keeps_it_awake() {
    let stage = Stage::with(FrontOptions::default(), Some(IDLE)).await;
    let session = connect(&stage).await.unwrap();
    session.client.batch_execute("BEGIN").await.unwrap();
    stage.time.advance(IDLE * 2);
    // Nothing must happen now, so there is nothing to wait for: this is time for several looks at the server.
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(stage.fleet.state("ep-one"), ComputeState::Ready);
    session.client.batch_execute("COMMIT").await.unwrap();
    stage.time.advance(IDLE);
    suspended(&stage).await;
    assert_eq!(session.end_code().await, Some(SqlState::ADMIN_SHUTDOWN));
    stage.close().await;
}

#[tokio::test]
async fn a_running_query_keeps_it_awake() {
    let stage = Stage::with(FrontOptions::default(), Some(IDLE)).await;
    let session = connect(&stage).await.unwrap();
    let query = session.client.batch_execute("SELECT pg_sleep(1)");
    let moved = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        stage.time.advance(IDLE);
    };
    let (answer, ()) = tokio::join!(query, moved);
    answer.unwrap();
    stage.time.advance(IDLE);
    suspended(&stage).await;
    drop(session);
    stage.close().await;
}

#[tokio::test]
async fn without_an_idle_time_it_stays() {
    let stage = Stage::open().await;
    let session = connect(&stage).await.unwrap();
    stage.time.advance(Duration::from_hours(24 * 365));
    assert_eq!(session.one("SELECT 1").await, "1");
    assert_eq!(stage.fleet.counts().suspends, 0);
    drop(session);
    stage.close().await;
}
