//! Rotation against the real thing: minted tokens, TLS, SNI, Postgres, and a control plane that fails.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod world;

use std::time::Duration;

use lakekey::{Code, CredentialRequest};
use lakekey_emulator::{Action, Fault};

use world::{World, client_in_real_time};

const MINUTE: Duration = Duration::from_mins(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_of_logins_never_uses_an_expired_token() {
    let world = World::start().await;
    for _ in 0..24 * 6 {
        world.login().await.unwrap();
        world.pass(10 * MINUTE);
    }
    let mints = world.emulator.counters().mints;
    assert!((24..=60).contains(&mints), "{mints} mints in a day");
    world.emulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_from_40_to_90_percent_of_a_life_costs_no_login() {
    let world = World::start().await;
    world.login().await.unwrap();
    world.pass(24 * MINUTE);
    let before = world.requests();
    let status = Action::Status {
        status: 503,
        retry_after: None,
        error_code: None,
        message: None,
        body: None,
    };
    for action in [status, Action::Hang {}, Action::Refuse {}] {
        let fault = world.emulator.fault(Fault::new(action)).unwrap();
        for _ in 0..20 {
            world.login().await.unwrap();
            world.pass(Duration::from_secs(30));
        }
        assert!(world.emulator.remove_fault(fault));
    }
    let during = world.requests() - before;
    assert!(
        (1..=15).contains(&during),
        "{during} requests during the outage"
    );
    let mints = world.emulator.counters().mints;
    for _ in 0..40 {
        world.login().await.unwrap();
        world.pass(Duration::from_secs(15));
    }
    assert_eq!(
        world.emulator.counters().mints,
        mints + 1,
        "recovery takes one mint"
    );
    world.emulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_the_end_the_error_is_typed_says_since_when_and_comes_in_time() {
    let world = World::start().await;
    let client = client_in_real_time(&world.emulator);
    world.emulator.clock().freeze(false);
    world.emulator.set_ttl(2).unwrap();
    client
        .credential(&CredentialRequest::default())
        .await
        .unwrap();
    world.emulator.fault(Fault::new(Action::Hang {})).unwrap();
    let request = CredentialRequest {
        timeout: Some(Duration::from_secs(4)),
        ..CredentialRequest::default()
    };
    let error = loop {
        let began = std::time::Instant::now();
        if let Err(error) = client.credential(&request).await {
            assert!(
                began.elapsed() < Duration::from_secs(6),
                "{:?}",
                began.elapsed()
            );
            break error;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(error.code(), Code::CredentialUnavailable);
    assert!(
        error.to_string().contains("the last one ended at "),
        "{error}"
    );
    world.emulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workspace_token_is_never_the_password() {
    let world = World::start().await;
    let connect = world
        .client
        .connect_params(&lakekey::ConnectRequest::default())
        .await
        .unwrap();
    let mut params = connect.params.clone();
    params.set_password("dapi-emulator".into()).unwrap();
    let refused = world::query(&params).await.unwrap_err();
    assert!(refused.contains("not a valid JWT encoding"), "{refused}");
    assert!(connect.lease.unwrap().credential.token().expose().len() > 1024);
    world.emulator.shutdown().await;
}
