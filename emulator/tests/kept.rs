//! A state directory keeps what was committed, however its emulator ended, and serves one emulator at a time.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::path::Path;

use common::session::{credential, login};
use common::victim::kill_when_committed;
use lakekey_emulator::postgres::PostgresError;
use lakekey_emulator::{Emulator, Error, Options, TOKEN, USER};
use tokio_postgres::Client;

const STATE: &str = "LAKEKEY_TEST_STATE";

fn kept_in(state: &Path) -> Options {
    let mut options = Options::default();
    options.state_dir = Some(state.to_owned());
    options
}

/// A directory that the account which runs Postgres can pass.
fn directory() -> tempfile::TempDir {
    let made = tempfile::tempdir().unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(made.path(), open).unwrap();
    made
}

async fn session(emulator: &Emulator) -> Client {
    login(emulator, USER, &credential(emulator, TOKEN))
        .await
        .unwrap()
}

async fn write(client: &Client, row: &str) {
    let insert =
        format!("CREATE TABLE IF NOT EXISTS kept (row text); INSERT INTO kept VALUES ('{row}')");
    client.batch_execute(&insert).await.unwrap();
}

async fn rows(client: &Client) -> Vec<String> {
    let rows = client.query("SELECT row FROM kept ORDER BY row", &[]).await;
    rows.unwrap().iter().map(|row| row.get(0)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_outlive_a_clean_restart() {
    let state = directory();
    let emulator = Emulator::start(kept_in(state.path())).await.unwrap();
    let uid = emulator.endpoint_uid();
    let client = session(&emulator).await;
    write(&client, "one").await;
    // Not committed, so not kept.
    client
        .batch_execute("BEGIN; INSERT INTO kept VALUES ('open')")
        .await
        .unwrap();
    emulator.shutdown().await;
    let emulator = Emulator::start(kept_in(state.path())).await.unwrap();
    assert_eq!(emulator.endpoint_uid(), uid);
    assert_eq!(rows(&session(&emulator).await).await, ["one"]);
    emulator.shutdown().await;
}

/// Not a test of its own: the process that the test below kills.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn victim() {
    let Some(state) = std::env::var_os(STATE) else {
        return;
    };
    let emulator = Emulator::start(kept_in(Path::new(&state))).await.unwrap();
    let client = session(&emulator).await;
    write(&client, "two").await;
    println!("\ncommitted");
    std::future::pending::<()>().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_outlive_a_sigkill_of_the_emulator() {
    let state = directory();
    kill_when_committed("victim", STATE, state.path());
    let emulator = Emulator::start(kept_in(state.path())).await.unwrap();
    let client = session(&emulator).await;
    assert_eq!(rows(&client).await, ["two"]);
    write(&client, "three").await;
    assert_eq!(rows(&client).await, ["three", "two"]);
    emulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_emulator_is_refused_before_it_writes() {
    let state = directory();
    let mut plane = Options::control_plane_only();
    plane.state_dir = Some(state.path().to_owned());
    let first = Emulator::start(plane.clone()).await.unwrap();
    let before = std::fs::read(state.path().join("state.json")).unwrap();
    for mut second in [plane.clone(), kept_in(state.path())] {
        second.projects = vec!["shop".to_owned()];
        let error = Emulator::start(second).await.unwrap_err();
        assert!(
            matches!(&error, Error::Postgres(PostgresError::StateInUse(dir)) if dir == state.path()),
            "{error}"
        );
    }
    assert_eq!(
        std::fs::read(state.path().join("state.json")).unwrap(),
        before
    );
    first.shutdown().await;
    Emulator::start(plane).await.unwrap().shutdown().await;
}
