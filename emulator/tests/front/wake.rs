//! Waking and suspending.

use lakekey_emulator::front::directory::ComputeState;
use tokio_postgres::error::SqlState;

use crate::client::connect;
use crate::stage::Stage;

#[tokio::test]
async fn suspend_ends_sessions_with_57p01_and_the_next_login_wakes() {
    let stage = Stage::open().await;
    let session = connect(&stage).await.unwrap();
    assert_eq!(stage.fleet.state("ep-one"), ComputeState::Ready);
    assert!(stage.fleet.suspend("ep-one").await.unwrap());
    assert_eq!(session.end_code().await, Some(SqlState::ADMIN_SHUTDOWN));
    assert_eq!(stage.fleet.state("ep-one"), ComputeState::Suspended);
    assert!(!stage.fleet.suspend("ep-one").await.unwrap());
    let session = connect(&stage).await.unwrap();
    assert_eq!(session.one("SELECT 1").await, "1");
    let counts = stage.fleet.counts();
    assert_eq!((counts.starts, counts.suspends, counts.running), (2, 1, 1));
    drop(session);
    stage.close().await;
}
