//! What a driver needs besides the credential: the host, its addresses, the login name.

use std::time::Duration;

use crate::world::{HOST, HOUR, Mood, USER, World, settle};
use lakekey::{Code, ConnectRequest, CredentialRequest};

#[tokio::test]
async fn five_hundred_logins_at_once_ask_for_everything_once() {
    let world = World::new(HOUR, 1);
    let client = world.client();
    let tasks: Vec<_> = (0..500)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.connect_params(&ConnectRequest::default()).await })
        })
        .collect();
    settle().await;
    world.pass(200).await;
    for task in tasks {
        let connect = task.await.unwrap().unwrap();
        assert_eq!(connect.params.host(), Some(HOST));
        assert_eq!(connect.params.user(), Some(USER));
    }
    assert_eq!((world.mints(), world.lookups()), (1, 1));
    assert_eq!(
        world.requests(),
        3,
        "the mint, the endpoint and the login name"
    );
}

#[tokio::test]
async fn a_workspace_that_does_not_say_who_we_are_delays_one_login_a_little_and_no_other() {
    for mood in [Mood::Status(503, None), Mood::Hang, Mood::Status(403, None)] {
        let world = World::new(HOUR, 2);
        world.me(mood.clone());
        let client = world.client();
        for limit in [1_200, 100, 100] {
            let client = client.clone();
            let (connect, took) = world
                .run(async move { client.connect_params(&ConnectRequest::default()).await })
                .await;
            assert_eq!(
                connect.unwrap().params.user(),
                Some(USER),
                "the token says so"
            );
            assert!(took <= limit, "{took} ms with {mood:?}");
        }
    }
}

#[tokio::test]
async fn a_refused_mint_is_told_at_once_whatever_else_is_slow() {
    let world = World::new(HOUR, 3);
    world.mood(Mood::Status(403, None));
    world.me(Mood::Hang);
    let client = world.client();
    let (result, took) = world
        .run(async move { client.connect_params(&ConnectRequest::default()).await })
        .await;
    assert_eq!(result.unwrap_err().code(), Code::ApiPermissionDenied);
    assert!(took < 100, "{took} ms");
}

#[tokio::test]
async fn an_hours_retry_after_does_not_lock_logins_out_for_an_hour() {
    let world = World::new(HOUR, 4);
    let client = world.client();
    world.mood(Mood::Status(503, Some("3600")));
    assert!(world.get(&client).await.is_err());
    world.mood(Mood::Up);
    world.pass(60_000).await;
    world.get(&client).await.unwrap();
}

#[tokio::test]
async fn a_token_that_is_over_when_it_comes_is_an_error_with_back_off() {
    let world = World::new(60, 5);
    world.mood(Mood::Slow(100));
    let client = world.client();
    let error = world.get(&client).await.unwrap_err();
    assert!(error.to_string().contains("over when it came"), "{error}");
    assert!(
        world.requests() <= 12,
        "{} requests in ten seconds",
        world.requests()
    );
}

#[tokio::test]
async fn a_ttl_is_whole_seconds() {
    let world = World::new(HOUR, 6);
    for ttl in [
        Duration::ZERO,
        Duration::from_millis(500),
        Duration::from_millis(1_500),
    ] {
        let request = CredentialRequest {
            ttl: Some(ttl),
            ..CredentialRequest::default()
        };
        let error = world.client().credential(&request).await.unwrap_err();
        assert_eq!(error.code(), Code::ConfigInvalid);
    }
    assert_eq!(world.requests(), 0);
}
