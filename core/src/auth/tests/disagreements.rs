//! What the official SDKs disagree on: each point has a test, and those that have no other place stand here.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use serde::Deserialize;

use super::types::{find, form, works, world};
use crate::config::{Environment, Settings, resolve};
use crate::http::scripted::ok;

const TABLE: &str = include_str!("../../../../tests/auth/disagreements.json");
const TOKEN: &str = r#"{"access_token":"planted-token","token_type":"Bearer","expires_in":3600}"#;

#[derive(Deserialize)]
struct Table {
    untested: HashMap<String, String>,
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
    let mut names: HashSet<&str> = table.untested.keys().map(String::as_str).collect();
    for Row { point, file, test } in &table.rows {
        assert!(names.insert(point), "{point} twice");
        let text = std::fs::read_to_string(root.join(file)).unwrap();
        let wanted = match Path::new(file).extension().unwrap().to_str() {
            Some("rs") => format!("fn {test}()"),
            _ => format!("\"name\": \"{test}\""),
        };
        assert!(text.contains(&wanted), "{point}: no {test} in {file}");
    }
    assert_eq!(names.len(), 39);
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
    ];
    works(&settings, &[], "oauth-m2m", &wire).await;
    assert_eq!(form(&find(&wire, "/oidc/v1/token"))["assume_group"], "g-1");
}
