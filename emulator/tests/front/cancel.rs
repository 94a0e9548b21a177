//! Cancel requests, with and without TLS.

use std::time::{Duration, Instant};

use lakekey_emulator::front::FrontOptions;
use lakekey_emulator::front::directory::ComputeState;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_postgres::NoTls;
use tokio_postgres::error::SqlState;

use crate::client::{Session, connect, ended, packet, startup, tcp, tls, until_ready};
use crate::client::{message, password};
use crate::stage::{HOST, Stage, TOKEN, USER, eventually};

/// Waits until Postgres runs a query that ends like this.
async fn until_running(watcher: &Session, end: &str) {
    let running = format!(
        "SELECT count(*)::text FROM pg_stat_activity WHERE query LIKE '%{end}' AND state = 'active' AND pid <> pg_backend_pid()"
    );
    let deadline = Instant::now() + Duration::from_secs(20);
    while watcher.one(&running).await != "1" {
        assert!(Instant::now() < deadline, "the query does not run");
    }
}

async fn raw_session(
    stage: &Stage,
) -> (
    tokio_rustls::client::TlsStream<tokio::net::TcpStream>,
    Vec<u8>,
) {
    let mut stream = tls(stage, stage.front.address(), Some(HOST)).await;
    let hello = startup(&[("user", USER), ("database", "databricks_postgres")]);
    stream.write_all(&hello).await.unwrap();
    message(&mut stream).await.unwrap();
    stream.write_all(&password(TOKEN)).await.unwrap();
    let seen = until_ready(&mut stream).await;
    let key = seen.into_iter().find(|(tag, _)| *tag == b'K').unwrap().1;
    (stream, key)
}

#[tokio::test]
async fn cancels_without_tls() {
    let stage = Stage::open().await;
    let session = connect(&stage).await.unwrap();
    let token = session.client.cancel_token();
    let Session { client, end } = session;
    let query = tokio::spawn(async move { client.batch_execute("SELECT pg_sleep(60)").await });
    let watcher = connect(&stage).await.unwrap();
    until_running(&watcher, "sleep(60)").await;
    token
        .cancel_query_raw(tcp(stage.front.address()).await, NoTls)
        .await
        .unwrap();
    let error = query.await.unwrap().unwrap_err();
    assert_eq!(error.code(), Some(&SqlState::QUERY_CANCELED));
    drop((end, watcher));
    stage.close().await;
}

#[tokio::test]
async fn cancels_over_tls_and_says_goodbye_after_the_backend_was_signalled() {
    let stage = Stage::open().await;
    let (mut stream, key) = raw_session(&stage).await;
    assert_eq!(key.len(), 8);
    stream
        .write_all(b"Q\0\0\0\x19SELECT pg_sleep(60);\0")
        .await
        .unwrap();
    let watcher = connect(&stage).await.unwrap();
    until_running(&watcher, "sleep(60);").await;
    let mut cancel = tls(&stage, stage.front.address(), Some(HOST)).await;
    cancel.write_all(&packet(80_877_102, &key)).await.unwrap();
    // rustls reports an end without close_notify as an error, which `ended` does not accept.
    ended(&mut cancel).await;
    let seen = until_ready(&mut stream).await;
    assert!(
        seen.iter()
            .any(|(tag, body)| *tag == b'E' && String::from_utf8_lossy(body).contains("57014")),
        "{seen:?}"
    );
    drop((stream, watcher));
    stage.close().await;
}

#[tokio::test]
async fn keys_are_random_and_die_with_their_session() {
    let stage = Stage::open().await;
    let (one, first) = raw_session(&stage).await;
    let (two, second) = raw_session(&stage).await;
    assert_ne!(first, second);
    let pids: Vec<_> = stage
        .front
        .sessions()
        .iter()
        .map(|session| session.backend_pid)
        .collect();
    for key in [&first, &second] {
        let shown = i32::from_be_bytes(key[..4].try_into().unwrap());
        assert!(!pids.contains(&shown), "the real process id is shown");
    }
    drop((one, two));
    eventually("the sessions are gone", || {
        stage.front.sessions().is_empty()
    })
    .await;
    // An unknown key is no error: nobody learns whether it was good.
    for key in [first, vec![0; 8]] {
        let mut cancel = tcp(stage.front.address()).await;
        cancel.write_all(&packet(80_877_102, &key)).await.unwrap();
        let mut rest = Vec::new();
        assert_eq!(cancel.read_to_end(&mut rest).await.unwrap(), 0);
    }
    stage.close().await;
}

#[tokio::test]
async fn a_cancel_is_no_activity_and_wakes_nothing() {
    let idle = Duration::from_hours(24);
    let stage = Stage::with(FrontOptions::default(), Some(idle)).await;
    let (stream, key) = raw_session(&stage).await;
    let cancel = async || {
        let mut cancel = tcp(stage.front.address()).await;
        cancel.write_all(&packet(80_877_102, &key)).await.unwrap();
        ended(&mut cancel).await;
    };
    stage.time.advance(Duration::from_mins(24 * 60 - 1));
    cancel().await;
    stage.time.advance(Duration::from_mins(2));
    eventually("it is suspended", || {
        stage.fleet.state("ep-one") == ComputeState::Suspended
    })
    .await;
    cancel().await;
    assert_eq!(stage.fleet.counts().starts, 1);
    drop(stream);
    stage.close().await;
}

#[tokio::test]
async fn a_cancel_reaches_a_server_that_is_doubted() {
    let stage = Stage::open().await;
    let (mut stream, key) = raw_session(&stage).await;
    let watcher = connect(&stage).await.unwrap();
    stream
        .write_all(b"Q\0\0\0\x19SELECT pg_sleep(60);\0")
        .await
        .unwrap();
    until_running(&watcher, "sleep(60);").await;
    stage.fleet.doubt(&stage.endpoint("ep-one"));
    let mut cancel = tcp(stage.front.address()).await;
    cancel.write_all(&packet(80_877_102, &key)).await.unwrap();
    let seen = tokio::time::timeout(Duration::from_secs(20), until_ready(&mut stream));
    let seen = seen.await.expect("the query is cancelled");
    assert!(
        seen.iter()
            .any(|(tag, body)| *tag == b'E' && String::from_utf8_lossy(body).contains("57014")),
        "{seen:?}"
    );
    drop((stream, watcher));
    stage.close().await;
}
