//! databricks-cli and azure-cli against stand-in programs: how they are found and called, what they may answer, and how
//! long they may take.

use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::standin::{Programs, ask_within};
use crate::auth::{Process, Program, SystemProcess};
use crate::code::Code;
use crate::config::Environment;
use crate::http::scripted::{Scripted, ok};

const TOKEN: &str = r#"echo '{"access_token":"planted-cli","token_type":"Bearer","expiry":"2999-01-02T03:04:05.123456789+01:00"}'"#;
const HOST: &[(&str, &str)] = &[("host", "https://w")];

/// Everything that is asked of the workspace succeeds.
fn workspace() -> Arc<Scripted> {
    Scripted::new(|_| ok("{}"))
}

fn databricks(version: &str, token: &str) -> Programs {
    Programs::new().with(
        "databricks",
        &format!("case \"$1\" in version) {version};; auth) {token};; esac"),
    )
}

fn bearer(wire: &Scripted) -> String {
    let seen = wire.seen();
    let header = seen.last().unwrap().headers.get("authorization").unwrap();
    header.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn what_is_asked_of_each_version() {
    let json = |version: &str| {
        let parts: Vec<&str> = version.split('.').collect();
        format!(
            r#"echo '{{"Major":{},"Minor":{},"Patch":{}}}'"#,
            parts[0], parts[1], parts[2]
        )
    };
    for (version, profile, expected) in [
        (
            json("0.296.0"),
            true,
            "auth token --profile p --force-refresh",
        ),
        (
            json("0.296.0"),
            false,
            "auth token --host https://w --force-refresh",
        ),
        (json("0.295.9"), true, "auth token --profile p"),
        (json("0.207.0"), true, "auth token --host https://w"),
        (
            json("1.0.0"),
            true,
            "auth token --profile p --force-refresh",
        ),
        // A development build says nothing about what it can do.
        (json("0.0.0"), true, "auth token --host https://w"),
        (
            "echo 'Databricks CLI v0.230.1'".to_owned(),
            true,
            "auth token --profile p",
        ),
        ("exit 1".to_owned(), true, "auth token --host https://w"),
    ] {
        let programs = databricks(&version, TOKEN);
        let file = programs.file("config");
        std::fs::write(&file, "[p]\nhost = https://w\n").unwrap();
        let file = file.display().to_string();
        let named = [("profile", "p"), ("config_file", file.as_str())];
        let wire = workspace();
        let api = programs
            .api(if profile { &named } else { HOST }, &[], &wire)
            .unwrap();
        ask_within(&api, 5000).await.unwrap();
        ask_within(&api, 5000).await.unwrap();
        assert_eq!(bearer(&wire), "Bearer planted-cli");
        let calls = programs.calls();
        let tokens: Vec<&String> = calls.iter().filter(|call| call.contains("auth")).collect();
        assert_eq!(tokens, [&format!("databricks {expected}")], "{version}");
        assert!(!format!("{api:?}").contains("planted"));
    }
}

#[tokio::test]
async fn answers_of_the_databricks_cli() {
    let modern = r#"echo '{"Major":1,"Minor":2,"Patch":3}'"#;
    for (token, code, words, hint) in [
        (
            "echo 'Error: cache: databricks OAuth is not configured for this host. no cached credentials' >&2; exit 1",
            Code::AuthNotConfigured,
            "cannot get access token: cache: databricks OAuth is not configured",
            "databricks auth login --host https://w",
        ),
        (
            "echo 'Error: A new access token could not be retrieved because the refresh token is invalid. To reauthenticate, run' >&2; exit 1",
            Code::AuthDenied,
            "refresh token is invalid",
            "databricks auth login --host https://w",
        ),
        (
            "exit 3",
            Code::AuthFailed,
            "it failed and said nothing",
            "auth login",
        ),
        (
            "echo planted-junk",
            Code::AuthFailed,
            "cannot parse CLI response",
            "prints JSON",
        ),
        (
            "echo '{\"planted\":1}'",
            Code::AuthFailed,
            "no access_token",
            "prints JSON",
        ),
        (
            "echo '{\"access_token\":\"planted\",\"expiry\":\"soon\"}'",
            Code::AuthFailed,
            "its expiry is no time",
            "prints JSON",
        ),
        (
            "echo '{\"access_token\":\"planted\",\"expiry\":\"2020-01-01T00:00:00Z\"}'",
            Code::AuthDenied,
            "an expired token",
            "auth login",
        ),
        (
            "echo '{\"access_token\":\"plan ted\"}'",
            Code::AuthFailed,
            "characters that no token has",
            "prints JSON",
        ),
    ] {
        let programs = databricks(modern, token);
        let api = programs.api(HOST, &[], &workspace()).unwrap();
        let error = ask_within(&api, 5000).await.unwrap_err();
        assert_eq!(error.code(), code, "{token}: {error}");
        assert!(error.message().contains(words), "{error}");
        assert!(error.hint().unwrap().contains(hint), "{error}");
        assert!(!format!("{error} {error:?}").contains("planted"), "{error}");
    }
}

#[tokio::test]
async fn scopes_of_a_login_must_be_those_that_are_configured() {
    let jwt = |claims: &str| format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(claims));
    for (token, fits) in [
        (jwt(r#"{"scope":"postgres offline_access all-apis"}"#), true),
        (jwt(r#"{"scope":["all-apis","postgres"]}"#), true),
        (jwt("{}"), true),
        ("opaque".to_owned(), true),
        (jwt(r#"{"scope":"all-apis"}"#), false),
    ] {
        let programs = databricks(
            "exit 1",
            &format!("echo '{{\"access_token\":\"{token}\"}}'"),
        );
        let settings = [("host", "w"), ("scopes", "all-apis, postgres")];
        let api = programs.api(&settings, &[], &workspace()).unwrap();
        match ask_within(&api, 5000).await {
            Ok(_) => assert!(fits, "{token}"),
            Err(error) => {
                assert!(!fits, "{token}: {error}");
                assert_eq!(error.code(), Code::AuthNotConfigured);
                let hint = error.hint().unwrap();
                assert!(hint.contains("--scopes all-apis,postgres"), "{hint}");
            }
        }
    }
}

#[test]
fn which_program_is_the_cli() {
    let nobody = workspace();
    let pinned = [("host", "w"), ("auth_type", "databricks-cli")];
    let none = Programs::new();
    let error = none.api(&pinned, &[], &nobody).unwrap_err();
    assert!(
        error.message().contains("databricks CLI not found"),
        "{error}"
    );
    assert!(
        error.hint().unwrap().contains("databricks auth login"),
        "{error}"
    );

    let legacy = Programs::new().with_small("databricks", "");
    let error = legacy.api(&pinned, &[], &nobody).unwrap_err();
    assert_eq!(error.code(), Code::AuthNotConfigured);
    assert!(
        error
            .message()
            .contains("legacy databricks CLI detected; upgrade to >= 0.100.0"),
        "{error}"
    );

    // A small one is passed over, a folder of that name too, and a relative folder is not looked into.
    let modern = databricks("exit 1", TOKEN);
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("databricks")).unwrap();
    let path = format!(
        ".:{}:{}:{}",
        folder.path().display(),
        legacy.path(),
        modern.path()
    );
    assert!(none.api(&pinned, &[("PATH", &path)], &nobody).is_ok());
    let error = none.api(&pinned, &[("PATH", ".")], &nobody).unwrap_err();
    assert!(error.message().contains("not found"), "{error}");

    // A path is taken as it is, whatever its size.
    let small = legacy.file("databricks").display().to_string();
    let named = [
        pinned[0],
        pinned[1],
        ("databricks_cli_path", small.as_str()),
    ];
    assert!(none.api(&named, &[], &nobody).is_ok());
    let gone = [
        pinned[0],
        pinned[1],
        ("databricks_cli_path", "/nowhere/databricks"),
    ];
    let error = none.api(&gone, &[], &nobody).unwrap_err();
    assert!(
        error
            .message()
            .contains("/nowhere/databricks (databricks_cli_path from explicit setting) is no file"),
        "{error}"
    );
}

#[tokio::test]
async fn a_cli_that_hangs_costs_its_caller_no_more_than_the_caller_allows() {
    let programs = databricks("exit 1", "exec /bin/sleep 1000");
    let api = programs.api(HOST, &[], &workspace()).unwrap();
    let start = Instant::now();
    let error = ask_within(&api, 400).await.unwrap_err();
    assert!(
        start.elapsed() < Duration::from_secs(4),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(error.code(), Code::Timeout, "{error}");
    assert!(
        error.message().contains("`databricks auth token"),
        "{error}"
    );
    assert!(error.hint().unwrap().contains("yourself"), "{error}");
}

fn shell(script: &str) -> Program {
    Program {
        file: "/bin/sh".into(),
        arguments: vec!["-c".to_owned(), script.to_owned()],
        environment: Arc::new(Environment::from_pairs([("ONLY", "this")])),
    }
}

#[tokio::test]
async fn a_program_sees_the_snapshot_and_no_standard_input() {
    let ended = SystemProcess
        .run(
            shell("read line; echo \"$? $ONLY ${HOME-none}\"; echo complaint >&2; exit 3"),
            Duration::from_secs(5),
        )
        .await
        .unwrap();
    assert!(!ended.success);
    assert_eq!(ended.stdout, b"1 this none\n");
    assert_eq!(ended.stderr, b"complaint\n");
    assert!(!format!("{ended:?}").contains("complaint"));
}

#[tokio::test]
async fn a_program_ends_with_all_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pids");
    let script = format!(
        "/bin/sleep 1000 & echo $! > {0}; echo $$ >> {0}; trap '' TERM; wait",
        file.display()
    );
    let start = Instant::now();
    let error = SystemProcess
        .run(shell(&script), Duration::from_millis(500))
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::Timeout);
    assert!(
        error
            .message()
            .contains("/bin/sh did not end within 500 ms and was killed"),
        "{error}"
    );
    assert!(start.elapsed() < Duration::from_secs(5));
    for pid in std::fs::read_to_string(&file).unwrap().lines() {
        let pid = rustix::process::Pid::from_raw(pid.parse().unwrap()).unwrap();
        // The one that nobody waits for may stay a zombie for a moment.
        let deadline = Instant::now() + Duration::from_secs(5);
        while alive(pid) {
            assert!(Instant::now() < deadline, "{pid:?} lives on");
            std::thread::yield_now();
        }
    }
}

fn alive(pid: rustix::process::Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}

#[tokio::test]
async fn what_a_program_leaves_behind_does_not_hold_its_answer_up() {
    let start = Instant::now();
    let ended = SystemProcess
        .run(
            shell("/bin/sleep 1000 & echo done"),
            Duration::from_secs(30),
        )
        .await
        .unwrap();
    assert!(ended.success);
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn endless_output_is_cut_off() {
    let ended = SystemProcess
        .run(
            shell("while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done"),
            Duration::from_secs(30),
        )
        .await
        .unwrap();
    assert!(!ended.success, "the writer loses its reader");
    assert_eq!(ended.stdout.len(), 256 * 1024);
}

#[tokio::test]
async fn a_program_that_cannot_be_run_is_named() {
    let mut program = shell("");
    program.file = "/nowhere/tool".into();
    let error = SystemProcess
        .run(program, Duration::from_secs(1))
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::AuthNotConfigured);
    assert!(
        error.message().contains("/nowhere/tool cannot be run"),
        "{error}"
    );
}

const AZ_TOKEN: &str = r#"echo '{"accessToken":"planted-az","expires_on":32503680000,"expiresOn":"2020-01-01 00:00:00.000000"}'"#;
const ON_AZURE: &[(&str, &str)] = &[("host", "https://adb-1.2.azuredatabricks.net")];

fn az(account: &str, token: &str) -> Programs {
    Programs::new().with_small(
        "az",
        &format!("case \"$2\" in show) {account};; get-access-token) {token};; esac"),
    )
}

#[tokio::test]
async fn the_azure_cli_is_asked_for_two_tokens() {
    let programs = az("exit 1", AZ_TOKEN);
    let wire = workspace();
    let api = programs.api(ON_AZURE, &[], &wire).unwrap();
    ask_within(&api, 5000).await.unwrap();
    assert_eq!(api.auth_type(), "azure-cli");
    assert_eq!(bearer(&wire), "Bearer planted-az");
    let mut calls = programs.calls();
    calls.sort();
    assert_eq!(
        calls,
        [
            "az account get-access-token --resource 2ff814a6-3304-4ab8-85cb-cd0e6f879c1d --output json",
            "az account get-access-token --resource https://management --output json",
        ]
    );
    let seen = wire.seen();
    let header = |name: &str| {
        seen[0]
            .headers
            .get(name)
            .map(|value| value.to_str().unwrap())
    };
    assert_eq!(
        header("x-databricks-azure-sp-management-token"),
        Some("planted-az")
    );
}

#[tokio::test]
async fn tenant_and_subscription_are_named_and_then_given_up() {
    let settings = [
        ON_AZURE[0],
        ("azure_tenant_id", "t"),
        (
            "azure_workspace_resource_id",
            "/subscriptions/sub/resourceGroups/g",
        ),
    ];
    for (account, first) in [
        (
            r#"echo '{"user":{"type":"user","name":"me"}}'"#,
            "--tenant t --subscription sub",
        ),
        (
            r#"echo '{"user":{"type":"servicePrincipal","name":"systemAssignedIdentity"}}'"#,
            "--subscription sub",
        ),
    ] {
        let programs = az(
            account,
            &format!("case \"$*\" in *--t*|*--s*) echo no >&2; exit 1;; *) {AZ_TOKEN};; esac"),
        );
        let api = programs.api(&settings, &[], &workspace()).unwrap();
        ask_within(&api, 5000).await.unwrap();
        let calls = programs.calls();
        let own: Vec<&String> = calls
            .iter()
            .filter(|call| call.contains("2ff814a6"))
            .collect();
        assert!(own[0].ends_with(first), "{own:?}");
        assert!(own.last().unwrap().ends_with("--output json"), "{own:?}");
    }
}

#[tokio::test]
async fn answers_of_the_azure_cli() {
    for (token, code, words) in [
        (
            "echo 'ERROR: No subscription found. Run az account set' >&2; exit 1",
            Code::AuthNotConfigured,
            "No subscription found",
        ),
        (
            "echo 'ERROR: Please run az login' >&2; exit 1",
            Code::AuthDenied,
            "azure-cli: cannot get access token: Please run az login",
        ),
        (
            "echo 'This is just a failing script.' >&2; exit 1",
            Code::AuthFailed,
            "azure-cli: cannot get access token: This is just a failing script.",
        ),
        ("echo planted", Code::AuthFailed, "no JSON object"),
        ("echo '{}'", Code::AuthFailed, "no accessToken"),
        (
            "echo '{\"accessToken\":\"planted\",\"expiresOn\":\"soon\"}'",
            Code::AuthFailed,
            "expiresOn is no time",
        ),
        (
            "echo '{\"accessToken\":\"planted\",\"expiresOn\":\"2020-01-01 00:00:00.000000\"}'",
            Code::AuthDenied,
            "an expired token",
        ),
    ] {
        let programs = az("exit 1", token);
        let api = programs.api(ON_AZURE, &[], &workspace()).unwrap();
        let error = ask_within(&api, 5000).await.unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(error.message().contains(words), "{error}");
        assert!(error.hint().is_some(), "{error}");
        assert!(!format!("{error} {error:?}").contains("planted"), "{error}");
    }
}

#[tokio::test]
async fn a_refused_type_gives_way_to_the_next_and_the_last_lists_them_all() {
    // Both CLIs are there: the Databricks one has no login, the Azure one has.
    let programs = |az_token: &str| {
        databricks("exit 1", "echo 'Error: no login here' >&2; exit 1").with_small("az", az_token)
    };
    let both = programs(AZ_TOKEN);
    let api = both.api(ON_AZURE, &[], &workspace()).unwrap();
    ask_within(&api, 5000).await.unwrap();
    assert_eq!(api.auth_type(), "azure-cli");
    let tried = api.tried();
    let refused = tried
        .iter()
        .find(|tried| tried.auth_type == "databricks-cli")
        .unwrap();
    assert_eq!(refused.reason, "cannot get access token: no login here");

    let neither = programs("echo 'ERROR: neither here' >&2; exit 1");
    let api = neither.api(ON_AZURE, &[], &workspace()).unwrap();
    let error = ask_within(&api, 5000).await.unwrap_err();
    assert_eq!(
        error.message(),
        "default auth: databricks-cli: cannot get access token: no login here"
    );
    let hint = error.hint().unwrap();
    assert!(
        hint.contains("Tried after it: azure-cli (cannot get access token: neither here)"),
        "{hint}"
    );
    assert!(
        hint.contains("Not configured: pat (no token), basic (no username, password)"),
        "{hint}"
    );
}

#[tokio::test]
async fn a_network_that_is_away_moves_nobody_to_another_identity() {
    let programs = databricks("exit 1", TOKEN);
    let wire = Scripted::new(|_| crate::http::scripted::Reply::Fail(Code::HttpDns));
    let settings = [
        ("host", "w"),
        ("client_id", "i"),
        ("client_secret", "planted"),
    ];
    let api = programs.api(&settings, &[], &wire).unwrap();
    let error = ask_within(&api, 1000).await.unwrap_err();
    assert_eq!(error.code(), Code::HttpDns, "{error}");
    assert!(programs.calls().is_empty(), "the CLI is not asked");
}
