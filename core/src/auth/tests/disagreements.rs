//! What the official SDKs disagree on: each point has a test, and those that have no other place stand here.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use super::types::{ACTIONS, Pairs, api, find, form, works, world};
use super::{NOW, ask};
use crate::clock::ManualClock;
use crate::code::Code;
use crate::config::{Environment, Settings, resolve};
use crate::http::scripted::{Scripted, ok, status};

const TABLE: &str = include_str!("../../../../tests/auth/disagreements.json");
const TOKEN: &str = r#"{"access_token":"planted-token","token_type":"Bearer","expires_in":3600}"#;

const PIPELINE: Pairs = &[
    ("DATABRICKS_HOST", "w"),
    ("DATABRICKS_CLIENT_ID", "sp"),
    ("SYSTEM_ACCESSTOKEN", "planted-access"),
    (
        "SYSTEM_TEAMFOUNDATIONCOLLECTIONURI",
        "https://dev.azure/org/",
    ),
    ("SYSTEM_TEAMPROJECTID", "prj"),
    ("SYSTEM_PLANID", "pl"),
    ("SYSTEM_JOBID", "j"),
    ("SYSTEM_HOSTTYPE", "build"),
];

#[derive(Deserialize)]
struct Table {
    rows: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    point: String,
    file: String,
    test: String,
}

#[test]
fn each_disagreement_names_a_test_that_exists() {
    let table: Table = serde_json::from_str(TABLE).unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut names: HashSet<&str> = HashSet::new();
    for Row { point, file, test } in &table.rows {
        assert!(names.insert(point), "{point} twice");
        let text = std::fs::read_to_string(root.join(file)).unwrap();
        let wanted = match Path::new(file).extension().unwrap().to_str() {
            Some("rs") => format!("fn {test}()"),
            _ => format!("\"name\": \"{test}\""),
        };
        assert!(text.contains(&wanted), "{point}: no {test} in {file}");
    }
    assert_eq!(names.len(), 40);
}

#[test]
fn either_variable_names_the_audience_and_the_documented_one_wins() {
    for (env, audience) in [
        (&[("DATABRICKS_TOKEN_AUDIENCE", "a")][..], "a"),
        (&[("TOKEN_AUDIENCE", "b")], "b"),
        (
            &[("TOKEN_AUDIENCE", "b"), ("DATABRICKS_TOKEN_AUDIENCE", "a")],
            "a",
        ),
    ] {
        let environment = Environment::from_pairs(env.iter().copied()).into();
        let resolved = resolve(&Settings::default(), &environment).unwrap();
        assert_eq!(resolved.get("token_audience"), Some(audience), "{env:?}");
    }
}

#[tokio::test]
async fn scopes_are_no_way_to_authenticate() {
    let settings = [("host", "w"), ("token", "t"), ("scopes", "sql")];
    works(&settings, &[], "pat", &world(|_| ok("{}"))).await;
}

#[tokio::test]
async fn a_group_is_asked_for_as_assume_group() {
    let wire = world(|_| ok(TOKEN));
    let settings = [
        ("host", "w"),
        ("client_id", "sp"),
        ("client_secret", "planted"),
        ("group_id", "g-1"),
        ("authorization_details", "[{}]"),
    ];
    works(&settings, &[], "oauth-m2m", &wire).await;
    let asked = form(&find(&wire, "/oidc/v1/token"));
    assert_eq!(asked["assume_group"], "g-1");
    assert_eq!(asked["authorization_details"], "[{}]");
    let wire = world(|_| ok(TOKEN));
    let env = [("DATABRICKS_GROUP_ID", "g-2")];
    works(&settings[..3], &env, "oauth-m2m", &wire).await;
    let asked = form(&find(&wire, "/oidc/v1/token"));
    assert_eq!(asked["assume_group"], "g-2");
    assert!(!asked.contains_key("authorization_details"));
}

#[tokio::test]
async fn a_host_that_calls_itself_an_account_console_is_one_whatever_its_name() {
    let env = [("DATABRICKS_HOST", "w")];
    let settings = [("client_id", "sp"), ("client_secret", "planted")];
    for (kind, code) in [
        ("account", Code::AuthAccountHost),
        ("ACCOUNT", Code::AuthAccountHost),
        ("workspace", Code::AuthFailed),
        ("unified", Code::AuthFailed),
        ("of another kind", Code::AuthFailed),
    ] {
        let wire = Scripted::new(move |request| match request.url.path() {
            "/.well-known/databricks-config" => ok(format!(r#"{{"host_type":"{kind}"}}"#)),
            _ => status(404),
        });
        let clock = ManualClock::at(NOW);
        let api = api(&settings, &env, &wire, &clock).unwrap();
        let error = ask(&api, &clock).await.unwrap_err();
        assert_eq!(error.code(), code, "{kind}: {error}");
        if code == Code::AuthAccountHost {
            let (text, hint) = (error.message(), error.hint().unwrap());
            assert!(text.contains("https://w from DATABRICKS_HOST"), "{text}");
            assert!(hint.contains("the workspace that owns"), "{hint}");
        }
    }
}

#[tokio::test]
async fn a_federated_token_serves_many_calls_and_each_refresh_begins_with_a_new_id_token() {
    for (auth_type, env, issuer) in [
        ("github-oidc", ACTIONS, "/id"),
        ("azure-devops-oidc", PIPELINE, "/oidctoken"),
    ] {
        let wire = world(|request| match request.url.path() {
            "/.well-known/databricks-config" => ok(r#"{"workspace_id":"42"}"#),
            "/oidc/v1/token" => ok(TOKEN),
            _ => ok(r#"{"value":"planted-id","oidcToken":"planted-id"}"#),
        });
        let clock = ManualClock::at(NOW);
        let api = api(&[], env, &wire, &clock).unwrap();
        let asked = |path: &str| {
            let seen = wire.seen();
            seen.iter()
                .filter(|request| request.url.path().ends_with(path))
                .count()
        };
        for _ in 0..3 {
            ask(&api, &clock).await.unwrap();
        }
        assert_eq!(api.auth_type(), auth_type);
        assert_eq!(
            (asked(issuer), asked("/oidc/v1/token")),
            (1, 1),
            "{auth_type}"
        );
        clock.advance(Duration::from_hours(2));
        ask(&api, &clock).await.unwrap();
        assert_eq!(
            (asked(issuer), asked("/oidc/v1/token")),
            (2, 2),
            "{auth_type}"
        );
        assert!(asked("/.well-known/databricks-config") <= 1, "{auth_type}");
    }
}
