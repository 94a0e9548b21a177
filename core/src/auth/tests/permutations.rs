//! The permutations that the official SDKs share, row by row.

use std::collections::HashMap;

use serde::Deserialize;

use super::standin::{Programs, ask_within};
use crate::http::scripted::{Scripted, ok};

const SHARED: &str = include_str!("../../../../tests/auth/permutations.json");
const DEFAULT: &str = "default auth: cannot configure default credentials, please check https://docs.databricks.com/en/dev-tools/auth.html#databricks-client-unified-authentication to configure credentials for your preferred authentication method";
const AZ: &str = r#"case "$1 $2" in
"account show") echo '{"user":{"name":"u@x","type":"user"}}';;
*) echo '{"accessToken":"t","tokenType":"Bearer","expiresOn":"2999-01-01 00:00:00.000000"}';;
esac"#;
const FAILING: &str = r#"case "$1 $2" in
"account show") echo '{"user":{"name":"u@x","type":"user"}}';;
*) echo 'This is just a failing script.' >&2; exit 1;;
esac"#;

#[derive(Deserialize)]
struct Shared {
    homes: HashMap<String, String>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    #[serde(default)]
    settings: HashMap<String, String>,
    #[serde(default)]
    env: HashMap<String, String>,
    home: Option<String>,
    az: Option<String>,
    auth: Option<String>,
    host: Option<String>,
    error: Option<String>,
}

fn pairs(map: &HashMap<String, String>) -> Vec<(&str, &str)> {
    map.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect()
}

#[tokio::test]
async fn the_permutations_that_four_sdks_share() {
    let shared: Shared = serde_json::from_str(SHARED).unwrap();
    assert_eq!(shared.cases.len(), 31);
    for case in &shared.cases {
        let name = &case.name;
        let programs = match case.az.as_deref() {
            None => Programs::new(),
            Some("works") => Programs::new().with_small("az", AZ),
            Some("fails") => Programs::new().with_small("az", FAILING),
            Some(other) => panic!("{name}: az {other}"),
        };
        let folder = tempfile::tempdir().unwrap();
        if let Some(home) = &case.home {
            std::fs::write(folder.path().join(".databrickscfg"), &shared.homes[home]).unwrap();
        }
        let home = folder.path().to_str().unwrap();
        let mut env = pairs(&case.env);
        env.push(("HOME", home));
        let wire = Scripted::new(|_| ok("{}"));
        let found = programs.api(&pairs(&case.settings), &env, &wire);
        let outcome = match found {
            Ok(api) => ask_within(&api, 5000).await.map(|_| api),
            Err(error) => Err(error),
        };
        match (outcome, &case.error) {
            (Ok(api), None) => {
                assert_eq!(Some(api.auth_type()), case.auth.as_deref(), "{name}");
                assert_eq!(Some(api.host()), case.host.as_deref(), "{name}");
            }
            (Err(error), Some(text)) => {
                let text = text.replace("$DEFAULT", DEFAULT).replace("$HOME", home);
                assert_eq!(error.message(), text, "{name}");
                assert!(error.hint().is_some(), "{name}: {error}");
            }
            (Ok(api), Some(text)) => panic!("{name}: {} instead of {text}", api.auth_type()),
            (Err(error), None) => panic!("{name}: {error}"),
        }
    }
}
