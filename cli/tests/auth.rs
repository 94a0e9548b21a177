//! `lakekey auth` as people and scripts use it: nothing but the given environment, and no secret unless asked.

#![allow(clippy::unwrap_used, clippy::expect_used)]
#![cfg(unix)]

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use lakekey_emulator::{Emulator, Options};
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

/// A folder with one program, of the size of the real Databricks CLI unless it is to be a legacy one.
fn programs(name: &str, script: &str, size: usize) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(name);
    let text = format!("#!/bin/sh\n{script}\nexit 0\n{}", "#".repeat(size));
    std::fs::write(&file, text).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

const REAL: usize = 1024 * 1024;
const VERSION: &str = r#"[ $1 = version ] && echo '{"Major":0,"Minor":300,"Patch":0}' && exit 0"#;

/// A local Lakebase without Postgres, and its host.
fn workspace() -> (tokio::runtime::Runtime, Emulator, String) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let started = Emulator::start(Options::control_plane_only());
    let emulator = runtime.block_on(started).unwrap();
    let host = emulator.urls().control.clone();
    (runtime, emulator, host)
}

/// A port that answers every connection with these bytes; none: with silence.
fn port(answer: Option<&'static [u8]>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let mut open = Vec::new();
        for stream in listener.incoming().flatten() {
            if let Some(answer) = answer {
                // The client may be gone already.
                let _ = std::io::Write::write_all(&mut &stream, answer);
            }
            open.push(stream);
        }
    });
    address
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table of troubles")]
fn each_trouble_has_one_code_and_a_hint_within_its_time() {
    let home = home("");
    let (_runtime, _emulator, workspace) = workspace();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
    let nobody = nobody.unwrap().to_string();
    let no_tls = format!("https://{}", port(Some(b"no TLS here\n")));
    let silent = format!("http://{}", port(None));
    let proxy_gone = format!("http://{nobody}");
    let proxy_refuses = port(Some(
        b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n",
    ));
    let proxy_refuses = format!("http://user:planted@{proxy_refuses}");
    let refresh =
        "Error: A new access token could not be retrieved because the refresh token is invalid.";
    let cli = |answer: &str| programs("databricks", &format!("{VERSION}\n{answer}"), REAL);
    let ended = cli(&format!("echo '{refresh}' >&2; exit 1"));
    let hangs = cli("exec /bin/sleep 60");
    let garbled = cli("echo planted");
    let legacy = programs("databricks", "echo 'Version 0.18.0'", 0);
    let old = programs("databricks", "echo 'Databricks CLI v0.99.0'", REAL);
    let none = tempfile::tempdir().unwrap();
    let secret = [
        (
            "DATABRICKS_CLIENT_ID",
            "00000000-0000-4000-8000-000000000001",
        ),
        ("DATABRICKS_CLIENT_SECRET", "planted"),
    ];
    let login = ("DATABRICKS_AUTH_TYPE", "databricks-cli");
    let at = |host: &'_ str| ("DATABRICKS_HOST".to_owned(), host.to_owned());
    let path = |folder: &TempDir| ("PATH".to_owned(), folder.path().display().to_string());
    let owned = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        pairs.iter().map(own).collect()
    };
    let far = "https://w.example.com";
    for (what, env, slug, hint) in [
        (
            "a wrong secret",
            [vec![at(&workspace)], owned(&secret)].concat(),
            "AUTH_DENIED",
            "client_secret (from DATABRICKS_CLIENT_SECRET",
        ),
        (
            "a wrong token",
            [
                vec![at(&workspace)],
                owned(&[("DATABRICKS_TOKEN", "planted\n")]),
            ]
            .concat(),
            "CONFIG_INVALID",
            "without what surrounds it",
        ),
        (
            "a login that ended",
            vec![at(&workspace), path(&ended)],
            "AUTH_DENIED",
            "databricks auth login --host",
        ),
        (
            "no CLI",
            [vec![at(&workspace), path(&none)], owned(&[login])].concat(),
            "AUTH_NOT_CONFIGURED",
            "Install the Databricks CLI",
        ),
        (
            "the legacy CLI",
            [vec![at(&workspace), path(&legacy)], owned(&[login])].concat(),
            "AUTH_NOT_CONFIGURED",
            "Install the Databricks CLI",
        ),
        (
            "an old CLI",
            [vec![at(&workspace), path(&old)], owned(&[login])].concat(),
            "AUTH_NOT_CONFIGURED",
            "Install the current Databricks CLI",
        ),
        (
            "a CLI that hangs",
            vec![at(&workspace), path(&hangs)],
            "TIMEOUT",
            "see what it waits for",
        ),
        (
            "a CLI that prints something else",
            vec![at(&workspace), path(&garbled)],
            "AUTH_FAILED",
            "see whether it prints JSON",
        ),
        (
            "a host that is not there",
            [vec![at(&format!("http://{nobody}"))], owned(&secret)].concat(),
            "HTTP_CONNECT",
            "",
        ),
        (
            "a host that says nothing",
            [vec![at(&silent)], owned(&secret)].concat(),
            "HTTP_TIMEOUT",
            "",
        ),
        (
            "a host without TLS",
            [vec![at(&no_tls)], owned(&secret)].concat(),
            "HTTP_TLS",
            "",
        ),
        (
            "a proxy that is gone",
            [
                vec![at(far)],
                owned(&secret),
                owned(&[("HTTPS_PROXY", &proxy_gone)]),
            ]
            .concat(),
            "HTTP_PROXY",
            "",
        ),
        (
            "a proxy that refuses",
            [
                vec![at(far)],
                owned(&secret),
                owned(&[("HTTPS_PROXY", &proxy_refuses)]),
            ]
            .concat(),
            "HTTP_PROXY",
            "",
        ),
        (
            "an account console",
            [
                vec![at("https://accounts.cloud.databricks.com")],
                owned(&secret),
            ]
            .concat(),
            "AUTH_ACCOUNT_HOST",
            "the workspace that owns",
        ),
        (
            "a user name in the host",
            [vec![at("https://u:planted@w")], owned(&secret)].concat(),
            "CONFIG_INVALID",
            "by their own attributes",
        ),
    ] {
        let env: Vec<(&str, &str)> = env
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let start = Instant::now();
        let output = lakekey(
            &home,
            &env,
            &["describe", "--timeout", "2s", "--output", "json"],
        );
        assert!(start.elapsed() < Duration::from_secs(8), "{what}");
        assert_eq!(output.status.code(), Some(1), "{what}");
        let error = &json(&output)["error"];
        assert_eq!(error["slug"], slug, "{what}: {error}");
        let given = error["hint"].as_str().unwrap_or_default();
        assert!(!given.is_empty() && given.contains(hint), "{what}: {error}");
    }
}

#[test]
fn describe_shows_whom_it_slid_to_and_why() {
    let home = home("");
    let (_runtime, _emulator, workspace) = workspace();
    let token =
        r#"{"access_token":"planted-user","token_type":"Bearer","expiry":"2999-01-01T00:00:00Z"}"#;
    let cli = programs("databricks", &format!("{VERSION}\necho '{token}'"), REAL);
    let path = cli.path().display().to_string();
    let env = [
        ("DATABRICKS_HOST", workspace.as_str()),
        (
            "DATABRICKS_CLIENT_ID",
            "00000000-0000-4000-8000-000000000001",
        ),
        ("DATABRICKS_CLIENT_SECRET", "planted"),
        ("PATH", path.as_str()),
    ];
    let output = lakekey(&home, &env, &["describe", "--output", "json"]);
    assert!(output.status.success(), "{output:?}");
    let shown = json(&output);
    assert_eq!(shown["auth_type"], "databricks-cli");
    let refused = |auth_type: &str| {
        let tried = shown["tried"].as_array().unwrap();
        let found = tried.iter().find(|tried| tried["auth_type"] == auth_type);
        found.unwrap()["reason"].as_str().unwrap().to_owned()
    };
    let reason = refused("oauth-m2m");
    assert!(reason.contains("Client authentication failed"), "{reason}");
    assert_eq!(refused("pat"), "no token");

    let text = String::from_utf8(lakekey(&home, &env, &["describe"]).stdout).unwrap();
    assert!(text.starts_with("auth type:  databricks-cli\n"), "{text}");
    assert!(
        text.contains("\n  oauth-m2m (127.0.0.1 answered POST /oidc/v1/token with 401"),
        "{text}"
    );

    // From the configuration alone it is the first that has all it needs.
    let alone = lakekey(
        &home,
        &env,
        &["describe", "--no-network", "--output", "json"],
    );
    assert_eq!(json(&alone)["auth_type"], "oauth-m2m");
}
