//! Servers that run and yet let nobody in: neither is such a server ended, nor its client kept waiting.

use std::time::Duration;

use tokio::time::timeout;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, NoTls};

use crate::client::{log_in, message, refused, tls};
use crate::stage::{HOST, Stage, TOKEN, USER};

const PATIENCE: Duration = Duration::from_secs(40);

/// A session of the cluster's own superuser, around the door.
async fn superuser(stage: &Stage) -> Result<Client, tokio_postgres::Error> {
    let ready = stage.fleet.wake(&stage.endpoint("ep-one")).await.unwrap();
    let (client, connection) = tokio_postgres::Config::new()
        .host_path(ready.socket.parent().unwrap())
        .user("databricks_control_plane")
        .dbname("databricks_postgres")
        .connect(NoTls)
        .await?;
    tokio::spawn(connection);
    Ok(client)
}

/// Runs `body` whenever the user of these tests logs in.
async fn at_login(stage: &Stage, body: &str) {
    let setup = format!(
        "CREATE FUNCTION at_login() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS
             $$ BEGIN IF session_user = '{USER}' THEN {body}; END IF; END $$;
         CREATE EVENT TRIGGER at_login ON login EXECUTE FUNCTION at_login();"
    );
    let client = superuser(stage).await.unwrap();
    client.batch_execute(&setup).await.unwrap();
}

#[tokio::test]
async fn a_server_without_a_free_slot_is_healthy() {
    let stage = Stage::open().await;
    let mut held = Vec::new();
    let full = loop {
        match superuser(&stage).await {
            Ok(client) => held.push(client),
            Err(full) => break full,
        }
    };
    assert_eq!(full.code().map(SqlState::code), Some("53300"), "{full}");
    stage.fleet.doubt(&stage.endpoint("ep-one"));
    let endpoint = stage.endpoint("ep-one");
    let woken = timeout(PATIENCE, stage.fleet.wake(&endpoint)).await;
    woken.expect("it is found ready").unwrap();
    assert_eq!(stage.fleet.counts().starts, 1);
    held[0].simple_query("SELECT 1").await.unwrap();
    stage.close().await;
}

#[tokio::test]
async fn a_login_that_ends_itself_each_time_is_told_so() {
    let stage = Stage::open().await;
    at_login(&stage, "PERFORM pg_terminate_backend(pg_backend_pid())").await;
    let mut stream = tls(&stage, stage.front.address(), Some(HOST)).await;
    log_in(&mut stream, USER, TOKEN).await;
    let told = async {
        assert_eq!(
            message(&mut stream).await.unwrap(),
            (b'R', vec![0, 0, 0, 0])
        );
        refused(&mut stream).await
    };
    let told = timeout(PATIENCE, told).await.expect("the client is told");
    assert_eq!(told.get('C'), Some("57P01"), "{told:?}");
    assert_eq!(stage.fleet.counts().starts, 1);
    stage.close().await;
}

#[tokio::test]
async fn a_login_that_crashes_each_time_is_told_so() {
    let stage = Stage::open().await;
    at_login(
        &stage,
        "COPY (SELECT 1) TO PROGRAM 'kill -KILL $PPID'; PERFORM pg_sleep(30)",
    )
    .await;
    let mut stream = tls(&stage, stage.front.address(), Some(HOST)).await;
    log_in(&mut stream, USER, TOKEN).await;
    let told = timeout(PATIENCE, refused(&mut stream)).await;
    let told = told.expect("the client is told");
    assert_eq!(told.get('C'), Some("XX000"), "{told:?}");
    assert!(
        told.get('M').unwrap().contains("without a word"),
        "{told:?}"
    );
    stage.close().await;
}
