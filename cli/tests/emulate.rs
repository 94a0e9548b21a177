//! `lakekey emulate` says when it is ready, passes its environment on, and leaves nothing behind.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(30);

fn lakekey(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lakekey"));
    command
        .arg("emulate")
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    command
}

fn ready(child: &mut Child) -> Value {
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
}

fn ended(child: &mut Child) -> Option<i32> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill().unwrap();
    panic!("lakekey emulate does not end");
}

#[test]
fn the_ready_line_names_all_and_a_signal_ends_it() {
    for signal in [rustix::process::Signal::TERM, rustix::process::Signal::INT] {
        let mut child = lakekey(&[]).stdout(Stdio::piped()).spawn().unwrap();
        let line = ready(&mut child);
        assert_eq!(line["event"], "ready");
        assert_eq!(line["env"]["DATABRICKS_HOST"], line["url"]);
        assert_eq!(line["env"]["PGPORT"], line["pg"]["port"].to_string());
        let ca_file = line["ca_file"].as_str().unwrap();
        assert!(
            std::fs::read_to_string(ca_file)
                .unwrap()
                .starts_with("-----BEGIN CERTIFICATE-----")
        );
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, signal).unwrap();
        assert_eq!(ended(&mut child), Some(0));
        assert!(!Path::new(line["state_dir"].as_str().unwrap()).exists());
    }
}

#[test]
fn a_command_gets_the_environment_alone_and_gives_its_exit_code() {
    let script = r#"test -z "$DATABRICKS_CLIENT_ID" && test "$DATABRICKS_TOKEN" = dapi-emulator && echo "$PGSSLMODE" && exit 7"#;
    let output = lakekey(&["--", "sh", "-c", script])
        .env("DATABRICKS_CLIENT_ID", "of-a-real-workspace")
        .output()
        .unwrap();
    assert_eq!(
        (output.status.code(), output.stdout.as_slice()),
        (Some(7), b"verify-full\n".as_slice())
    );
    let killed = lakekey(&["--", "sh", "-c", "kill -9 $$"]).output().unwrap();
    assert_eq!(killed.status.code(), Some(137));
}

#[test]
fn files_hold_the_environment_and_the_ready_line() {
    let directory = tempfile::tempdir().unwrap();
    let (env_file, ready_file) = (
        directory.path().join(".env"),
        directory.path().join("ready.json"),
    );
    let arguments = [
        "--env-file",
        env_file.to_str().unwrap(),
        "--ready-file",
        ready_file.to_str().unwrap(),
        "--",
        "true",
    ];
    assert_eq!(lakekey(&arguments).status().unwrap().code(), Some(0));
    let environment = std::fs::read_to_string(env_file).unwrap();
    assert!(
        environment.starts_with("DATABRICKS_HOST=http://127.0.0.1:"),
        "{environment}"
    );
    let line: Value = serde_json::from_str(&std::fs::read_to_string(ready_file).unwrap()).unwrap();
    assert!(line["admin_token"].is_string());
}

#[test]
fn what_cannot_be_is_refused_with_a_reason() {
    for (arguments, text) in [
        (["--pg-bin-dir", "/nowhere"], "--pg-bin-dir"),
        (["--parent-pid", "0"], "--parent-pid 0"),
        (["--state-dir", "/proc/none"], "/proc/none"),
        (["--project", "Shop"], "`project`"),
    ] {
        let output = lakekey(&arguments).stderr(Stdio::piped()).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(
            error.contains("lakekey emulate: ") && error.contains(text),
            "{error}"
        );
    }
}
