//! The management API of the Rust client against the emulator.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::sync::Arc;
use std::time::Duration;

use lakekey::clock::SystemClock;
use lakekey::config::Environment;
use lakekey::credential::Store;
use lakekey::jitter::SystemDice;
use lakekey::management::{BranchStatusState, EndpointType};
use lakekey::{Client, ClientOptions, Code};
use lakekey_emulator::{Emulator, Options};

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
