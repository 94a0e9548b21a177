//! A state directory keeps what was committed, however its emulator ended, and serves one emulator at a time.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::path::Path;

use common::api::{done, get, send, wait};
use common::session::{credential, login, login_to};
use common::victim::kill_when_committed;
use lakekey_emulator::postgres::PostgresError;
use lakekey_emulator::{Emulator, Error, Options, TOKEN, USER};
use serde_json::{Value, json};
use tokio_postgres::Client;

const STATE: &str = "LAKEKEY_TEST_STATE";
/// The same for the process that is killed while it makes a branch.
const BRANCHING: &str = "LAKEKEY_TEST_BRANCHING";
/// Beside the state: the operation that was under way.
const OPERATION: &str = "operation.json";
const CHILD: &str = "projects/emulator/branches/child";

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

/// Not a test of its own: the process that the test below kills in the middle of a branch.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn branching_victim() {
    let Some(state) = std::env::var_os(BRANCHING) else {
        return;
    };
    let state = Path::new(&state);
    let emulator = Emulator::start(kept_in(state)).await.unwrap();
    let client = session(&emulator).await;
    write(&client, "before").await;
    // So much that copying it takes a while.
    client
        .batch_execute(
            "CREATE TABLE bulk AS SELECT n, repeat('x', 500) FROM generate_series(1, 60000) n",
        )
        .await
        .unwrap();
    let body = json!({"spec": {"no_expiry": true}});
    let begun = send(
        &emulator,
        "POST",
        "projects/emulator/branches?branch_id=child",
        &body,
    );
    assert_eq!(begun.status, 200, "{}", begun.body);
    std::fs::write(state.join(OPERATION), &begun.body).unwrap();
    let branches = state.join("branches");
    // Its files are being copied now.
    while std::fs::read_dir(&branches).unwrap().count() < 2 {
        tokio::task::yield_now().await;
    }
    write(&client, "after").await;
    println!("\ncommitted");
    std::future::pending::<()>().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_branch_that_a_sigkill_cut_off_is_finished_or_swept() {
    let state = directory();
    kill_when_committed("branching_victim", BRANCHING, state.path());
    let emulator = Emulator::start(kept_in(state.path())).await.unwrap();
    assert_eq!(rows(&session(&emulator).await).await, ["after", "before"]);
    let begun = std::fs::read_to_string(state.path().join(OPERATION)).unwrap();
    let ended = wait(&emulator, &serde_json::from_str(&begun).unwrap());
    let branch = send(&emulator, "GET", CHILD, &Value::Null);
    let kept = if ended["error"].is_null() {
        let branch = branch.json();
        assert_eq!(branch["status"]["current_state"], "READY", "{branch}");
        let host = get(&emulator, &format!("{CHILD}/endpoints/primary"))["status"]["hosts"]["host"]
            .clone();
        let password = credential(&emulator, TOKEN);
        let child = login_to(&emulator, host.as_str().unwrap(), USER, &password).await;
        let kept = rows(&child.unwrap()).await;
        assert_eq!(kept[kept.len() - 1], "before", "{kept:?}");
        2
    } else {
        assert_eq!(branch.status, 404, "{ended}: {}", branch.body);
        1
    };
    let left = std::fs::read_dir(state.path().join("branches")).unwrap();
    let left: Vec<String> = left
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(left.len(), kept, "{left:?} after {ended}");
    // The project takes the next write.
    let body = json!({"spec": {"no_expiry": true}});
    done(
        &emulator,
        "POST",
        "projects/emulator/branches?branch_id=next",
        &body,
    );
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
