//! The management API of the Rust client against the emulator.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use lakekey::clock::SystemClock;
use lakekey::config::Environment;
use lakekey::credential::Store;
use lakekey::jitter::SystemDice;
use lakekey::management::{BranchStatusState, EndpointType, WaitOptions};
use lakekey::{Client, ClientOptions, Code};
use lakekey_emulator::{Emulator, Options};
use serde_json::Value;

const CALLS: &str = include_str!("../../../management/calls.json");
const BRANCH: &str = "projects/emulator/branches/production";

async fn started() -> (Emulator, Client) {
    let emulator = Emulator::start(Options::default())
        .await
        .expect("the emulator starts; run `cargo xtask postgres` first");
    let client = Client::new(ClientOptions {
        environment: Environment::from_pairs(emulator.environment()),
        store: Store::new(Arc::new(SystemClock), Arc::new(SystemDice)),
        ..ClientOptions::default()
    });
    (emulator, client.unwrap())
}

fn at<'a>(answer: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(answer, |value, part| match value {
        Value::Array(items) => &items[part.parse::<usize>().unwrap()],
        _ => &value[part],
    })
}

/// One order to the admin API.
fn tell(emulator: &Emulator, path: &str, body: &Value) {
    let (body, address) = (body.to_string(), emulator.urls().admin.clone());
    let address = address.trim_start_matches("http://").trim_end_matches('/');
    let mut connection = TcpStream::connect(address).unwrap();
    write!(
        connection,
        "POST {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        emulator.admin_token(),
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_every_language_makes() {
    let (emulator, client) = started().await;
    let table: Value = serde_json::from_str(CALLS).unwrap();
    tell(&emulator, "/_emulator/sources", &table["source"]);
    let calls = table["calls"].as_array().unwrap();
    assert!(calls.len() > 10);
    for call in calls {
        let (method, arguments) = (
            call["method"].as_str().unwrap(),
            call["arguments"].as_object().unwrap(),
        );
        let postgres = client.postgres();
        let mut answer = postgres.call(method, arguments.clone(), None).await;
        if let (true, Ok(Value::Object(operation))) = (call["wait"] == true, &answer) {
            let options = WaitOptions::timeout(Duration::from_mins(1));
            answer = postgres.wait_operation(operation.clone(), options).await;
        }
        if let Some(expected) = call.get("error") {
            let error = answer.expect_err(method);
            assert_eq!(error.code().slug(), expected["slug"], "{method}: {error}");
            assert_eq!(error.api_code(), expected["api_code"].as_str(), "{method}");
            assert!(
                error
                    .to_string()
                    .contains(expected["words"].as_str().unwrap()),
                "{error}"
            );
            continue;
        }
        let answer = answer.unwrap_or_else(|error| panic!("{method}: {error}"));
        for (path, value) in call
            .get("expect")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            assert_eq!(at(&answer, path), value, "{method}: {path}");
        }
        for (path, count) in call
            .get("count")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            assert_eq!(
                at(&answer, path)
                    .as_array()
                    .map(Vec::len)
                    .map(Value::from)
                    .as_ref(),
                Some(count),
                "{method}: {path}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn methods_are_typed() {
    let (_emulator, client) = started().await;
    let postgres = client.postgres();
    let branch = postgres.get_branch(BRANCH).await.unwrap();
    let status = branch.status.unwrap();
    assert_eq!(status.current_state, Some(BranchStatusState::Ready));
    assert!(branch.create_time.unwrap().to_system_time().is_some());
    let endpoints = postgres.list_endpoints(BRANCH).all().await.unwrap();
    let status = endpoints[0].status.as_ref().unwrap();
    assert_eq!(status.endpoint_type, Some(EndpointType::ReadWrite));
    let roles = postgres
        .list_roles(BRANCH)
        .page_size(1)
        .all()
        .await
        .unwrap();
    assert_eq!(roles.len(), 3);
    let endpoint = format!("{BRANCH}/endpoints/primary");
    let minting = postgres.generate_database_credential(&endpoint);
    let credential = minting.ttl(Duration::from_mins(10)).await.unwrap();
    assert!(credential.token.unwrap().expose().len() > 100);
    let missing = postgres
        .get_branch("projects/emulator/branches/nowhere")
        .await
        .unwrap_err();
    assert_eq!(
        (missing.code(), missing.api_code()),
        (Code::ApiNotFound, Some("NOT_FOUND"))
    );
}
