//! Sessions that are ended by order, in each way that a network or a server can end them.

use std::io;
use std::time::Duration;

use lakekey_emulator::front::{KillHow, SessionFilter};
use lakekey_gateway::Kill;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_postgres::error::SqlState;
use tokio_rustls::client::TlsStream;

use crate::client::{connect_as, ended, log_in, tls, until_ready};
use crate::stage::{HOST, Stage, TOKEN, USER, eventually};

async fn raw(stage: &Stage) -> TlsStream<TcpStream> {
    let mut stream = tls(stage, stage.front.address(), Some(HOST)).await;
    log_in(&mut stream, USER, TOKEN).await;
    until_ready(&mut stream).await;
    stream
}

async fn kill_all(stage: &Stage, how: KillHow) {
    assert_eq!(
        stage
            .front
            .kill(&SessionFilter::default(), how)
            .await
            .unwrap(),
        1
    );
}

#[tokio::test]
async fn the_list_tells_who_is_there() {
    let stage = Stage::open().await;
    let one = connect_as(&stage, HOST, "reports").await.unwrap();
    let two = connect_as(&stage, "ep-two.database.localhost", "web")
        .await
        .unwrap();
    let pid: i32 = one.one("SELECT pg_backend_pid()").await.parse().unwrap();
    let sessions = stage.front.sessions();
    assert_eq!(sessions.len(), 2);
    let (first, second) = (&sessions[0], &sessions[1]);
    assert_eq!(
        (first.place.as_str(), first.application_name.as_str()),
        ("ep-one", "reports")
    );
    assert_eq!(
        (first.user.as_str(), first.database.as_str()),
        (USER, "databricks_postgres")
    );
    assert_eq!(first.backend_pid, pid);
    assert_eq!(
        (second.place.as_str(), second.application_name.as_str()),
        ("ep-two", "web")
    );
    drop((one, two));
    eventually("they are gone", || stage.front.sessions().is_empty()).await;
    stage.close().await;
}

#[tokio::test]
async fn terminate_is_postgres_own_57p01_and_hits_only_whom_the_filter_takes() {
    let stage = Stage::open().await;
    let one = connect_as(&stage, HOST, "reports").await.unwrap();
    let two = connect_as(&stage, HOST, "web").await.unwrap();
    let filter = SessionFilter {
        application_name: Some("reports".into()),
        ..SessionFilter::default()
    };
    assert_eq!(
        stage.front.kill(&filter, KillHow::Terminate).await.unwrap(),
        1
    );
    assert_eq!(one.end_code().await, Some(SqlState::ADMIN_SHUTDOWN));
    assert_eq!(two.one("SELECT 1").await, "1");
    let nobody = SessionFilter {
        role: Some("nobody".into()),
        ..SessionFilter::default()
    };
    assert_eq!(
        stage.front.kill(&nobody, KillHow::Terminate).await.unwrap(),
        0
    );
    drop(two);
    stage.close().await;
}

#[tokio::test]
async fn fin_is_an_orderly_end() {
    let stage = Stage::open().await;
    let mut stream = raw(&stage).await;
    kill_all(&stage, KillHow::Wire(Kill::Fin)).await;
    ended(&mut stream).await;
    drop(stream);
    eventually("it left the list", || stage.front.sessions().is_empty()).await;
    stage.close().await;
}

#[tokio::test]
async fn reset_is_a_reset() {
    let stage = Stage::open().await;
    let mut stream = raw(&stage).await;
    kill_all(&stage, KillHow::Wire(Kill::Reset)).await;
    let error = stream.read_u8().await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "{error}");
    stage.close().await;
}

#[tokio::test]
async fn cut_is_an_end_without_the_goodbye_of_tls() {
    let stage = Stage::open().await;
    let mut stream = raw(&stage).await;
    kill_all(&stage, KillHow::Wire(Kill::Cut)).await;
    let error = stream.read_u8().await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{error}");
    stage.close().await;
}

#[tokio::test]
async fn half_open_swallows_everything_and_stays_until_the_client_goes() {
    let stage = Stage::open().await;
    let mut stream = raw(&stage).await;
    kill_all(&stage, KillHow::Wire(Kill::HalfOpen)).await;
    stream.write_all(b"Q\0\0\0\x0dSELECT 1\0").await.unwrap();
    assert!(
        timeout(Duration::from_millis(400), stream.read_u8())
            .await
            .is_err(),
        "an answer came"
    );
    assert_eq!(stage.front.sessions().len(), 1);
    drop(stream);
    eventually("it left the list", || stage.front.sessions().is_empty()).await;
    stage.close().await;
}

#[tokio::test]
async fn a_half_open_session_can_still_be_ended() {
    let stage = Stage::open().await;
    let mut stream = raw(&stage).await;
    kill_all(&stage, KillHow::Wire(Kill::HalfOpen)).await;
    kill_all(&stage, KillHow::Wire(Kill::HalfOpen)).await;
    kill_all(&stage, KillHow::Wire(Kill::Reset)).await;
    let error = timeout(Duration::from_secs(20), stream.read_u8())
        .await
        .expect("the session goes on")
        .unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "{error}");
    eventually("it left the list", || stage.front.sessions().is_empty()).await;
    stage.close().await;
}
