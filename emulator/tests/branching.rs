//! Branches through the management API, as a client makes, uses and deletes them: their data, and what is left of it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::path::Path;
use std::time::Duration;

use common::api::{done, get};
use common::session::{credential, login, login_to};
use common::victim::kill_when_committed;
use lakekey_emulator::{Emulator, Options, TOKEN, USER};
use serde_json::{Value, json};
use tokio_postgres::Client;

const BRANCHES: &str = "projects/emulator/branches";
const STATE: &str = "LAKEKEY_TEST_BRANCHING";

async fn started_in(dir: &Path) -> Emulator {
    let mut options = Options::default();
    options.state_dir = Some(dir.to_owned());
    Emulator::start(options).await.unwrap()
}

/// A directory that the account which runs Postgres can pass.
fn directory() -> tempfile::TempDir {
    let made = tempfile::tempdir().unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(made.path(), open).unwrap();
    made
}

async fn production(emulator: &Emulator) -> Client {
    let token = credential(emulator, TOKEN);
    login(emulator, USER, &token).await.unwrap()
}

/// A session on an endpoint, given by its name below the branches of the project.
async fn at(emulator: &Emulator, endpoint: &str) -> Client {
    let name = format!("{BRANCHES}/{endpoint}");
    let body = json!({"endpoint": name}).to_string();
    let minted = common::api(emulator, "POST", common::MINT)
        .body(&body)
        .send()
        .json();
    let host = get(emulator, &name)["status"]["hosts"]["host"]
        .as_str()
        .unwrap()
        .to_owned();
    let token = minted["token"].as_str().unwrap();
    login_to(emulator, &host, USER, token).await.unwrap()
}

fn branch(emulator: &Emulator, id: &str, mut spec: Value) -> Value {
    spec["no_expiry"] = json!(true);
    let create = format!("{BRANCHES}?branch_id={id}");
    done(emulator, "POST", &create, &json!({"spec": spec}))
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
async fn a_time_a_position_and_a_snapshot_of_the_api_are_what_sql_shows() {
    let emulator = Emulator::start(Options::default()).await.unwrap();
    let parent = production(&emulator).await;
    write(&parent, "1").await;
    let lsn: String = parent
        .query_one("SELECT pg_current_wal_lsn()::text", &[])
        .await
        .unwrap()
        .get(0);
    emulator.clock().advance(Duration::from_mins(90));
    let between = emulator.clock().now();
    emulator.clock().advance(Duration::from_mins(10));
    let parent = production(&emulator).await;
    write(&parent, "2").await;
    let snapshot =
        json!({"spec": {"source_branch": format!("{BRANCHES}/production"), "no_expiry": true}});
    done(
        &emulator,
        "POST",
        "projects/emulator/snapshots?snapshot_id=kept",
        &snapshot,
    );
    write(&parent, "3").await;
    let cases: [(&str, Value, &[&str]); 3] = [
        (
            "by-time",
            json!({"source_branch_time": between.to_string()}),
            &["1"],
        ),
        ("by-lsn", json!({"source_branch_lsn": lsn}), &["1"]),
        (
            "by-snapshot",
            json!({"source_snapshot": "projects/emulator/snapshots/kept"}),
            &["1", "2"],
        ),
    ];
    for (id, spec, wanted) in cases {
        branch(&emulator, id, spec);
        let child = at(&emulator, &format!("{id}/endpoints/primary")).await;
        assert_eq!(rows(&child).await, wanted, "{id}");
    }
    emulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_files_of_a_branch_stay_until_it_is_purged_or_the_state_is_reset() {
    let dir = directory();
    let emulator = started_in(dir.path()).await;
    write(&production(&emulator).await, "1").await;
    let files = |branch: &Value| {
        let uid = branch["uid"].as_str().unwrap();
        dir.path().join("branches").join(uid)
    };
    let [soft, hard, reset] = ["soft", "hard", "reset"].map(|id| {
        let made = branch(&emulator, id, json!({}));
        assert!(files(&made).exists());
        made
    });
    drop(at(&emulator, "soft/endpoints/primary").await);
    let nothing = &Value::Null;
    done(&emulator, "DELETE", &format!("{BRANCHES}/soft"), nothing);
    let purge = format!("{BRANCHES}/hard?purge=true");
    done(&emulator, "DELETE", &purge, nothing);
    assert!(files(&soft).exists() && !files(&hard).exists());
    let undelete = format!("{BRANCHES}/soft/undelete");
    done(&emulator, "POST", &undelete, &json!({}));
    let back = at(&emulator, "soft/endpoints/primary").await;
    assert_eq!(rows(&back).await, ["1"]);
    let all = common::admin(&emulator, "POST", "/_emulator/reset")
        .body("{}")
        .send();
    assert_eq!(all.status, 200, "{}", all.body);
    assert!(!files(&soft).exists() && !files(&reset).exists());
    // The branch that every emulator has keeps its data.
    assert_eq!(rows(&production(&emulator).await).await, ["1"]);
    emulator.shutdown().await;
}

/// Not a test of its own: the process that the test below kills.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn victim() {
    let Some(dir) = std::env::var_os(STATE) else {
        return;
    };
    let emulator = started_in(Path::new(&dir)).await;
    let parent = production(&emulator).await;
    write(&parent, "1").await;
    branch(&emulator, "dev", json!({}));
    let child = at(&emulator, "dev/endpoints/primary").await;
    let reader = json!({"spec": {"endpoint_type": "ENDPOINT_TYPE_READ_ONLY"}});
    let create = format!("{BRANCHES}/dev/endpoints?endpoint_id=ro");
    done(&emulator, "POST", &create, &reader);
    drop(at(&emulator, "dev/endpoints/ro").await);
    write(&child, "2").await;
    write(&parent, "3").await;
    println!("\ncommitted");
    std::future::pending::<()>().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn branches_of_the_api_outlive_a_sigkill_of_the_emulator() {
    let dir = directory();
    kill_when_committed("victim", STATE, dir.path());
    let emulator = started_in(dir.path()).await;
    assert_eq!(rows(&production(&emulator).await).await, ["1", "3"]);
    for endpoint in ["primary", "ro"] {
        let child = at(&emulator, &format!("dev/endpoints/{endpoint}")).await;
        assert_eq!(rows(&child).await, ["1", "2"], "{endpoint}");
    }
    emulator.shutdown().await;
}
