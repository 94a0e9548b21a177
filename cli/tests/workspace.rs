//! `lakekey token` and `lakekey url` against a local Lakebase, and against a workspace that does not answer.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::TcpListener;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

const LAKEKEY: &str = env!("CARGO_BIN_EXE_lakekey");

/// Runs a shell script inside `lakekey emulate`; `$LAKEKEY` is the command.
fn emulated(script: &str) -> Output {
    let mut command = Command::new(LAKEKEY);
    for (name, _) in std::env::vars().filter(|(name, _)| is_ours(name)) {
        command.env_remove(name);
    }
    command
        .args(["emulate", "--", "sh", "-c", script])
        .env("LAKEKEY", LAKEKEY)
        .output()
        .unwrap()
}

fn is_ours(name: &str) -> bool {
    ["PG", "DATABRICKS_", "LAKEBASE_"]
        .iter()
        .any(|start| name.starts_with(start))
}

/// `lakekey` with a workspace on this port and nothing else from outside.
fn against(port: u16, arguments: &[&str]) -> Command {
    let mut command = Command::new(LAKEKEY);
    command
        .args(arguments)
        .env_clear()
        .env("DATABRICKS_HOST", format!("http://127.0.0.1:{port}"))
        .env("DATABRICKS_TOKEN", "dapi-planted")
        .env("LAKEBASE_ENDPOINT", "projects/a/branches/b/endpoints/c")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn thirty_two_processes_that_share_credentials_mint_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keys");
    let script = r#"for worker in $(seq 32); do "$LAKEKEY" token & done; wait"#;
    let mut command = Command::new(LAKEKEY);
    for (name, _) in std::env::vars().filter(|(name, _)| is_ours(name)) {
        command.env_remove(name);
    }
    let done = command
        .args(["emulate", "--", "sh", "-c", script])
        .env("LAKEKEY", LAKEKEY)
        .env(
            "LAKEKEY_SHARED_CREDENTIALS",
            format!("required:{}", path.display()),
        )
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", text(&done.stderr));
    let tokens: Vec<&str> = text(&done.stdout).lines().collect();
    assert_eq!(tokens.len(), 32);
    // Each mint gives another token.
    assert!(tokens.iter().all(|token| *token == tokens[0]), "one mint");
}

#[test]
fn token_prints_a_credential_and_url_leaves_it_out() {
    let done = emulated(
        r#"set -e
        "$LAKEKEY" token
        "$LAKEKEY" token --output json
        "$LAKEKEY" url --format json
        "$LAKEKEY" url --format json --with-token --with-hostaddr --database orders --user 'data engineers'
        "$LAKEKEY" url
        "$LAKEKEY" url --sslmode require --format keyword emulator.production
        "$LAKEKEY" url --format json projects/nope/branches/b || echo "ended with $?""#,
    );
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    let lines: Vec<&str> = text(&done.stdout).lines().collect();
    let json = |line: usize| serde_json::from_str::<Value>(lines[line]).unwrap();

    assert_eq!(lines[0].split('.').count(), 3, "a JWT: {}", lines[0]);
    let credential = json(1);
    assert!(credential["token"].as_str().unwrap().len() > 1000);
    assert_eq!(
        credential["endpoint"],
        "projects/emulator/branches/production/endpoints/primary"
    );
    assert_eq!(credential["subject"], "user@emulator.test");
    assert!(credential["expire_time"].as_str().unwrap().ends_with('Z'));

    let plain = json(2);
    assert_eq!(
        (&plain["user"], &plain["password"], &plain["hostaddr"]),
        (&"user@emulator.test".into(), &Value::Null, &Value::Null)
    );
    assert_eq!(plain["sslmode"], "verify-full");
    let full = json(3);
    assert!(full["password"].as_str().unwrap().len() > 1000);
    assert_eq!(
        (&full["dbname"], &full["user"], &full["host"]),
        (&"orders".into(), &"data engineers".into(), &plain["host"])
    );
    assert!(full["hostaddr"].is_string());

    assert!(
        lines[4].starts_with("postgresql://user%40emulator.test@ep-"),
        "{}",
        lines[4]
    );
    assert!(
        lines[5].contains(" user=user@emulator.test ") && lines[5].contains("sslmode=require"),
        "{}",
        lines[5]
    );
    assert_eq!(json(6)["error"]["slug"], "TARGET_NOT_FOUND");
    assert_eq!(lines[7], "ended with 1");
}

#[test]
fn a_workspace_that_is_not_there_is_named_at_once() {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let done = against(port, &["token", "--timeout", "2s"])
        .output()
        .unwrap();
    assert_eq!(done.status.code(), Some(1));
    let said = text(&done.stderr);
    assert!(
        said.starts_with("lakekey: ") && said.contains(&format!("127.0.0.1:{port}")),
        "{said}"
    );
    assert!(
        said.contains("\nhint: ") && !said.contains("dapi-planted"),
        "{said}"
    );
    assert_eq!(text(&done.stdout), "");
}

#[test]
fn a_workspace_that_does_not_answer_costs_the_timeout_and_no_more() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let started = Instant::now();
    let done = against(port, &["token", "--timeout", "1s", "--output", "json"])
        .output()
        .unwrap();
    assert!(
        started.elapsed() < Duration::from_secs(8),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(done.status.code(), Some(1));
    let answer: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(answer["error"]["retryable"], true, "{answer}");
}

#[test]
fn ctrl_c_ends_a_wait_with_130() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let started = Instant::now();
    let child = against(port, &["token", "--timeout", "60s"])
        .spawn()
        .unwrap();
    // It has connected, so that it waits for the answer now.
    let connection = silent.accept().unwrap();
    let killed = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
    let done = child.wait_with_output().unwrap();
    assert_eq!(done.status.code(), Some(130), "{}", text(&done.stderr));
    assert!(started.elapsed() < Duration::from_secs(30));
    drop(connection);
}
