//! The control plane is down, slow, wrong or says no.

use std::time::Duration;

use crate::world::{HOUR, Mood, World, settle};
use lakekey::{Code, CredentialRequest};

#[tokio::test]
async fn an_outage_from_40_to_90_percent_of_a_life_costs_no_login_and_few_requests() {
    for lifetime in [300_000, HOUR] {
        for seed in 0..20 {
            let world = World::new(lifetime, seed);
            let client = world.client();
            world.get(&client).await.unwrap();
            world.pass(lifetime * 40 / 100).await;
            let before = world.requests();
            let third = lifetime / 6;
            for mood in [Mood::Status(503, None), Mood::Hang, Mood::Refuse] {
                world.mood(mood);
                for _ in 0..100 {
                    let lease = world.get(&client).await.unwrap();
                    assert!(world.accepts(lease.credential.token().expose()));
                    world.pass(third / 100).await;
                }
            }
            let during = world.requests() - before;
            assert!((1..=15).contains(&during), "{during} requests, seed {seed}");
            world.mood(Mood::Up);
            let mints = world.mints();
            while world.mints() == mints {
                let lease = world.get(&client).await.unwrap();
                assert!(world.accepts(lease.credential.token().expose()));
                world.pass(lifetime / 200).await;
            }
            world.get(&client).await.unwrap();
            assert_eq!(world.mints(), mints + 1, "recovery takes one mint");
        }
    }
}

#[tokio::test]
async fn after_the_true_end_the_error_says_since_when_and_why_within_the_callers_time() {
    let world = World::new(HOUR, 1);
    let client = world.client();
    world.get(&client).await.unwrap();
    world.pass(HOUR * 3 / 4).await;
    world.mood(Mood::Status(503, None));
    world.pass(HOUR / 2).await;
    for mood in [
        Mood::Status(503, None),
        Mood::Hang,
        Mood::Refuse,
        Mood::Garbage,
    ] {
        world.mood(mood.clone());
        let client = client.clone();
        let request = CredentialRequest {
            timeout: Some(Duration::from_secs(7)),
            ..CredentialRequest::default()
        };
        let (result, took) = world
            .run(async move { client.credential(&request).await })
            .await;
        let error = result.unwrap_err();
        assert_eq!(
            error.code(),
            Code::CredentialUnavailable,
            "{mood:?}: {error}"
        );
        assert!(took <= 7_010, "{took} ms");
        let text = error.to_string();
        assert!(
            text.contains("the last one ended at 2027-01-15T09:") && text.contains("min ago"),
            "{text}"
        );
        assert!(
            text.contains("failed in") && !error.causes().is_empty(),
            "{text}"
        );
    }
    world.mood(Mood::Up);
    let mints = world.mints();
    world.get(&client).await.unwrap();
    assert_eq!(world.mints(), mints + 1);
}

#[tokio::test]
async fn a_refusal_comes_at_once_and_is_not_hammered() {
    for (status, code) in [
        (400, Code::ApiBadRequest),
        (403, Code::ApiPermissionDenied),
        (404, Code::ApiNotFound),
    ] {
        let world = World::new(HOUR, 2);
        let client = world.client();
        world.mood(Mood::Status(status, None));
        for _ in 0..200 {
            let client = client.clone();
            let (result, took) = world
                .run(async move { client.credential(&CredentialRequest::default()).await })
                .await;
            assert_eq!(result.unwrap_err().code(), code);
            assert!(took < 100, "{took} ms");
            world.pass(100).await;
        }
        assert!(
            world.requests() <= 8,
            "{} requests in 20 s for {status}",
            world.requests()
        );
        world.mood(Mood::Up);
        world.pass(30_000).await;
        world.get(&client).await.unwrap();
    }
}

#[tokio::test]
async fn one_hung_request_is_abandoned_and_replaced() {
    let world = World::new(HOUR, 3);
    let client = world.client();
    world.mood(Mood::Hang);
    let task = tokio::spawn({
        let client = client.clone();
        async move { client.credential(&CredentialRequest::default()).await }
    });
    settle().await;
    world.mood(Mood::Up);
    world.pass(9_000).await;
    assert!(
        task.is_finished(),
        "the first attempt's time limit leaves room for another"
    );
    task.await.unwrap().unwrap();
    assert_eq!(world.requests(), 2);
}

#[tokio::test]
async fn a_refresh_that_hangs_does_not_keep_callers_who_have_nothing() {
    let world = World::new(60_000, 4);
    let client = world.client();
    world.get(&client).await.unwrap();
    world.pass(52_000).await;
    world.mood(Mood::Hang);
    client
        .credential(&CredentialRequest::default())
        .await
        .unwrap();
    settle().await;
    world.mood(Mood::Up);
    world.clock.advance(Duration::from_secs(3));
    let lease = world.get(&client).await.unwrap();
    assert!(world.accepts(lease.credential.token().expose()));
}

#[tokio::test]
async fn retry_after_is_honoured() {
    let world = World::new(HOUR, 5);
    let client = world.client();
    world.mood(Mood::Status(429, Some("3")));
    let task = tokio::spawn({
        let client = client.clone();
        async move { client.credential(&CredentialRequest::default()).await }
    });
    settle().await;
    world.mood(Mood::Up);
    world.pass(2_900).await;
    assert_eq!(world.requests(), 1, "not before the server said");
    world.pass(400).await;
    assert!(task.is_finished());
    task.await.unwrap().unwrap();

    let world = World::new(HOUR, 6);
    let client = world.client();
    world.mood(Mood::Status(429, Some("3600")));
    let _ = world.get(&client).await;
    let (result, took) = world
        .run(async move { client.credential(&CredentialRequest::default()).await })
        .await;
    assert!(
        result.is_err() && took < 100,
        "nothing can come within the time limit, so it is said at once"
    );
    assert!(world.requests() <= 2);
}
