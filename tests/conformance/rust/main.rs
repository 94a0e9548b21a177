//! Runs the conformance cases through the Rust crate: the reference for the runners of the other languages.
//!
//! Without one corpus for all of them, each binding would be tested for what its author thought of, and they would
//! come to differ. Arguments are the ids of the cases to run; none means all.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod case;
mod login;
mod run;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use case::{Case, Fields, File, Wrong};
use lakekey_emulator::{Emulator, Options};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::run::Run;

/// The admin API, as any other language sees it.
pub(crate) struct Admin {
    url: String,
    token: String,
}

impl Admin {
    pub(crate) fn call(&self, call: &str, body: &Value) -> Result<Value, Wrong> {
        let (method, path) = call.split_once(' ').ok_or("no method and path")?;
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}/_emulator{path}", self.url))
            .header("authorization", format!("Bearer {}", self.token))
            .body(body.to_string())
            .map_err(|error| error.to_string())?;
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .build()
            .into();
        let mut answer = agent.run(request).map_err(|error| error.to_string())?;
        let text = answer
            .body_mut()
            .read_to_string()
            .map_err(|error| error.to_string())?;
        if !answer.status().is_success() {
            return Err(format!("the admin API refused {call}: {text}"));
        }
        serde_json::from_str(&text).map_err(|error| error.to_string())
    }
}

fn load() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../cases");
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    let mut cases: BTreeMap<String, Case> = BTreeMap::new();
    for path in paths {
        let text = std::fs::read_to_string(&path).unwrap();
        let file: File = serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for mut case in file.cases {
            let own = std::mem::replace(&mut case.env, file.env.clone());
            case.env.extend(own);
            let id = case.id.clone();
            assert!(
                cases.insert(id.clone(), case).is_none(),
                "two cases are called {id}"
            );
        }
    }
    cases.into_values().collect()
}

/// What is wrong with a case, if anything.
fn prove(case: &Case, emulator: &Emulator, admin: &Admin) -> Result<(), Wrong> {
    admin.call("POST /reset", &json!({}))?;
    let home = tempfile::tempdir().unwrap();
    let mut names: BTreeMap<String, String> = emulator.environment().into_iter().collect();
    names.insert("home".to_owned(), home.path().display().to_string());
    names.insert("uid".to_owned(), emulator.endpoint_uid());
    for (name, text) in &case.files {
        let mut text = Value::from(text.as_str());
        case::fill(&mut text, &names)?;
        std::fs::write(home.path().join(name), text.as_str().unwrap()).unwrap();
    }
    let mut env = Vec::new();
    for (name, value) in &case.env {
        if let Some(value) = value {
            let mut value = Value::from(value.as_str());
            case::fill(&mut value, &names)?;
            env.push((name.clone(), value.as_str().unwrap().to_owned()));
        }
    }
    // A case has its own process in the other languages; here its background work ends with its runtime.
    let runtime = Runtime::new().unwrap();
    let outcome = runtime.block_on(Run::new(env, home.path(), names, admin).steps(&case.steps));
    runtime.shutdown_timeout(Duration::from_secs(5));
    outcome?;
    let end = Instant::now() + Duration::from_secs(2);
    loop {
        let counters = &admin.call("GET /requests", &json!({}))?["counters"];
        let counts = counts(&counters["requests"]);
        let ended: u64 = counts.values().filter_map(Value::as_u64).sum();
        let judged = match &case.requests {
            _ if Some(ended) != counters["requests_total"].as_u64() => {
                Err("one has not ended".to_owned())
            }
            Some(expected) => {
                let unnamed = counts.keys().map(|route| (route.clone(), Value::Null));
                let mut wanted: Fields = unnamed.collect();
                wanted.extend(expected.clone());
                case::matches(&counts, &wanted)
            }
            None => Ok(()),
        };
        if judged.is_ok() || Instant::now() > end {
            return judged.map_err(|wrong| format!("requests: {wrong}"));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Requests by route.
fn counts(requests: &Value) -> Fields {
    let by_route = requests.as_object().into_iter().flatten();
    by_route
        .map(|(route, by_status)| {
            let by_status = by_status.as_object().into_iter().flatten();
            let sum: u64 = by_status.filter_map(|(_, count)| count.as_u64()).sum();
            (route.clone(), json!(sum))
        })
        .collect()
}

fn main() {
    let begun = Instant::now();
    let chosen: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let mut cases = load();
    cases.retain(|case| chosen.is_empty() || chosen.contains(&case.id));
    let runtime = Runtime::new().unwrap();
    let mut options = Options::default();
    options.projects = vec!["shop".to_owned()];
    let emulator = runtime
        .block_on(Emulator::start(options))
        .expect("the emulator starts");
    let admin = Admin {
        url: emulator.urls().admin.clone(),
        token: emulator.admin_token().to_owned(),
    };
    let mut failed = 0;
    for case in &cases {
        if let Err(wrong) = prove(case, &emulator, &admin) {
            failed += 1;
            println!(
                "FAILED {}: {wrong}\n  which is to prove: {}",
                case.id, case.why
            );
        }
    }
    runtime.block_on(emulator.shutdown());
    println!(
        "== {} passed, {failed} failed in {:.1} s: conformance, Rust ==",
        cases.len() - failed,
        begun.elapsed().as_secs_f64()
    );
    if failed > 0 || cases.is_empty() {
        std::process::exit(1);
    }
}
