//! `lakekey auth` as people and scripts use it: nothing but the given environment, and no secret unless asked.

#![allow(clippy::unwrap_used, clippy::expect_used)]
#![cfg(unix)]

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

const FILE: &str = "[DEFAULT]\nhost = https://d\ntoken = planted-default\n[m2m]\nhost = https://m/?o=7\nclient_id = sp\nclient_secret = planted-m2m\n";

fn lakekey(home: &TempDir, env: &[(&str, &str)], arguments: &[&str]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_lakekey"))
        .arg("auth")
        .args(arguments)
        .env_clear()
        .env("HOME", home.path())
        .envs(env.iter().copied())
        .output()
        .unwrap();
    let printed = [&output.stdout[..], &output.stderr[..]].concat();
    if !arguments.contains(&"--show-secrets") {
        let printed = String::from_utf8_lossy(&printed);
        assert!(!printed.contains("planted"), "{arguments:?}: {printed}");
    }
    output
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

fn home(file: &str) -> TempDir {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join(".databrickscfg"), file).unwrap();
    home
}

#[test]
fn describe_shows_every_setting_with_its_source() {
    let home = home(FILE);
    let file = home.path().join(".databrickscfg").display().to_string();
    let output = lakekey(
        &home,
        &[("DATABRICKS_ACCOUNT_ID", "acc")],
        &[
            "describe",
            "--no-network",
            "--verbose",
            "--profile",
            "m2m",
            "--set",
            "scopes=postgres",
            "--output",
            "json",
        ],
    );
    assert!(output.status.success(), "{output:?}");
    let shown = json(&output);
    assert_eq!(shown["auth_type"], "oauth-m2m");
    assert_eq!(shown["host"], "https://m");
    assert_eq!(shown["account_id"], "acc");
    assert_eq!(shown["workspace_id"], "7");
    let source = |name: &str| {
        shown["attributes"][name]["source"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(
        source("account_id"),
        "DATABRICKS_ACCOUNT_ID environment variable"
    );
    assert_eq!(source("scopes"), "explicit setting");
    assert_eq!(source("client_secret"), format!("profile m2m of {file}"));
    assert_eq!(shown["attributes"]["client_secret"]["value"], "***");
    assert_eq!(shown["tried"][0]["auth_type"], "pat");
    assert_eq!(shown["tried"][0]["reason"], "no token");

    let text = lakekey(&home, &[], &["describe"]);
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(
        text.starts_with("auth type:  pat\nhost:       https://d\n"),
        "{text}"
    );
    assert!(
        text.contains(&format!("token = ***  (from profile DEFAULT of {file})")),
        "{text}"
    );
}

#[test]
fn a_failure_is_an_exit_code_and_json() {
    let home = home(FILE);
    for (env, arguments, slug) in [
        (&[][..], &["--profile", "gone"][..], "CONFIG_PROFILE"),
        (&[("DATABRICKS_HOST", "x")], &[], "AUTH_NOT_CONFIGURED"),
        (
            &[("DATABRICKS_TOKEN", "planted")],
            &[],
            "CONFIG_MISSING_HOST",
        ),
        (&[], &["--set", "hots=x"], "CONFIG_INVALID"),
        (
            &[
                ("DATABRICKS_HOST", "x"),
                ("DATABRICKS_TOKEN", "planted"),
                ("DATABRICKS_USERNAME", "u"),
            ],
            &[],
            "CONFIG_CONFLICT",
        ),
        (
            &[("DATABRICKS_HOST", "https://accounts.cloud.databricks.com")],
            &[],
            "AUTH_ACCOUNT_HOST",
        ),
        (
            &[
                ("DATABRICKS_HOST", "x"),
                ("DATABRICKS_AUTH_TYPE", "google-id"),
            ],
            &[],
            "AUTH_NOT_CONFIGURED",
        ),
    ] {
        let arguments = [&["describe", "--output", "json"], arguments].concat();
        let output = lakekey(&home, env, &arguments);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let error = &json(&output)["error"];
        assert_eq!(error["slug"], slug, "{error}");
        assert!(error["message"].is_string());
    }
    let wrong = lakekey(&home, &[], &["describe", "--set", "planted"]);
    assert_eq!(wrong.status.code(), Some(1), "{wrong:?}");
}

#[test]
fn no_network_starts_no_program_and_sends_nothing() {
    let home = home("");
    let called = home.path().join("called");
    let mut script = format!(
        "#!/bin/sh\necho called >> {}\necho 'Error: planted no' >&2\nexit 1\n",
        called.display()
    );
    script.push_str(&"#".repeat(1024 * 1024));
    let program = home.path().join("databricks");
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let host = format!("http://{}", listener.local_addr().unwrap());
    let path = home.path().display().to_string();
    let env = [("PATH", path.as_str()), ("DATABRICKS_HOST", host.as_str())];
    let output = lakekey(
        &home,
        &env,
        &["describe", "--no-network", "--output", "json"],
    );
    assert_eq!(json(&output)["auth_type"], "databricks-cli", "{output:?}");
    assert!(!called.exists());
    assert!(listener.accept().is_err());
}

#[test]
fn describe_asks_for_a_token_unless_told_not_to() {
    let home = home("");
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let host = format!("http://{port}");
    let env = [
        ("DATABRICKS_HOST", host.as_str()),
        ("DATABRICKS_CLIENT_ID", "sp"),
        ("DATABRICKS_CLIENT_SECRET", "planted"),
    ];
    let start = Instant::now();
    let output = lakekey(
        &home,
        &env,
        &["describe", "--timeout", "2s", "--output", "json"],
    );
    assert!(start.elapsed() < Duration::from_secs(8));
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(json(&output)["error"]["slug"], "HTTP_CONNECT", "{output:?}");
}

#[test]
fn env_gives_a_child_the_same_identity() {
    let home = home(FILE);
    let masked = lakekey(&home, &[], &["env", "--profile", "m2m"]);
    assert_eq!(
        String::from_utf8(masked.stdout).unwrap(),
        "DATABRICKS_HOST=https://m\nDATABRICKS_WORKSPACE_ID=7\nDATABRICKS_CLIENT_ID=sp\nDATABRICKS_CLIENT_SECRET='***'\nDATABRICKS_AUTH_TYPE=oauth-m2m\n"
    );
    let shown = lakekey(
        &home,
        &[],
        &[
            "env",
            "--profile",
            "m2m",
            "--show-secrets",
            "--output",
            "json",
        ],
    );
    let env = json(&shown)["env"].clone();
    assert_eq!(env["DATABRICKS_CLIENT_SECRET"], "planted-m2m");
    let child: Vec<(String, String)> = env
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
        .collect();
    let child: Vec<(&str, &str)> = child
        .iter()
        .map(|(a, b)| (a.as_str(), b.as_str()))
        .collect();
    let elsewhere = tempfile::tempdir().unwrap();
    let again = lakekey(
        &elsewhere,
        &child,
        &["describe", "--no-network", "--output", "json"],
    );
    assert_eq!(json(&again)["auth_type"], "oauth-m2m", "{again:?}");
    assert_eq!(json(&again)["workspace_id"], "7");
}

#[test]
fn troubles_on_the_way_have_a_code_a_hint_and_a_bound() {
    let home = home("");
    let nobody = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    // Takes connections and speaks no TLS.
    let plain = TcpListener::bind("127.0.0.1:0").unwrap();
    let plain_at = format!("https://{}", plain.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in plain.incoming().flatten() {
            let _ = std::io::Write::write_all(&mut &stream, b"no TLS here\n");
        }
    });
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent_at = format!("http://{}", silent.local_addr().unwrap());
    let proxy = format!("http://{nobody}");
    for (host, proxy, slug) in [
        (plain_at.as_str(), None, "HTTP_TLS"),
        ("https://w.example.com", Some(proxy.as_str()), "HTTP_PROXY"),
        (silent_at.as_str(), None, "HTTP_TIMEOUT"),
    ] {
        let mut env = vec![
            ("DATABRICKS_HOST", host),
            ("DATABRICKS_CLIENT_ID", "sp"),
            ("DATABRICKS_CLIENT_SECRET", "planted"),
        ];
        env.extend(proxy.map(|proxy| ("HTTPS_PROXY", proxy)));
        let start = Instant::now();
        let output = lakekey(
            &home,
            &env,
            &["describe", "--timeout", "2s", "--output", "json"],
        );
        assert!(start.elapsed() < Duration::from_secs(8), "{slug}");
        assert_eq!(output.status.code(), Some(1));
        let error = &json(&output)["error"];
        assert_eq!(error["slug"], slug, "{error}");
        assert!(error["hint"].is_string(), "{error}");
    }
}
