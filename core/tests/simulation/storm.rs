//! Many at once, and callers who leave.

use crate::world::{HOUR, Mood, World, settle};
use lakekey::clock::Clock;
use lakekey::{Client, Code, CredentialRequest};

#[tokio::test]
async fn five_hundred_at_once_over_three_clients_mint_once() {
    let world = World::new(HOUR, 1);
    world.mood(Mood::Slow(300));
    let options = world.options();
    let clients: Vec<Client> = (0..3)
        .map(|_| Client::new(options.clone()).unwrap())
        .collect();
    let tasks: Vec<_> = (0..500)
        .map(|number| {
            let client = clients[number % 3].clone();
            tokio::spawn(async move { client.credential(&CredentialRequest::default()).await })
        })
        .collect();
    settle().await;
    world.pass(400).await;
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!((world.requests(), world.mints()), (1, 1));
}

#[tokio::test]
async fn a_cancelled_caller_does_not_cancel_the_others() {
    let world = World::new(HOUR, 2);
    world.mood(Mood::Slow(1_000));
    let client = world.client();
    let ask = |client: &Client| {
        let client = client.clone();
        tokio::spawn(async move { client.credential(&CredentialRequest::default()).await })
    };
    let leader = ask(&client);
    settle().await;
    let follower = ask(&client);
    settle().await;
    leader.abort();
    world.pass(1_100).await;
    assert!(leader.await.unwrap_err().is_cancelled());
    follower.await.unwrap().unwrap();
    assert_eq!(world.requests(), 1);
}

#[tokio::test]
async fn when_every_caller_has_left_nobody_goes_on_trying() {
    let world = World::new(HOUR, 3);
    world.mood(Mood::Refuse);
    let client = world.client();
    let task = tokio::spawn({
        let client = client.clone();
        async move { client.credential(&CredentialRequest::default()).await }
    });
    settle().await;
    task.abort();
    let _ = task.await;
    world.pass(30_000).await;
    assert!(world.requests() <= 2, "{} requests", world.requests());
}

#[tokio::test]
async fn closing_during_a_refresh_is_safe_and_final() {
    let world = World::new(HOUR, 4);
    let client = world.client();
    world.get(&client).await.unwrap();
    world.pass(HOUR * 3 / 4).await;
    world.mood(Mood::Slow(1_000));
    client
        .credential(&CredentialRequest::default())
        .await
        .unwrap();
    settle().await;
    client.close();
    assert!(client.peek(None).is_none());
    world.pass(2_000).await;
    let error = client
        .credential(&CredentialRequest::default())
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::Closed);
}

#[tokio::test]
async fn ten_thousand_endpoints_mint_once_each_at_a_bounded_rate() {
    let world = World::new(HOUR, 5);
    let client = world.client();
    let began = world.clock.now().boot_ms;
    let tasks: Vec<_> = (0..10_000)
        .map(|number| {
            let client = client.clone();
            let target = format!("projects/p{number}/branches/b/endpoints/e");
            let timeout = Some(std::time::Duration::from_mins(50));
            tokio::spawn(async move {
                client
                    .credential(&CredentialRequest {
                        target: Some(target),
                        ttl: None,
                        timeout,
                    })
                    .await
            })
        })
        .collect();
    settle().await;
    while tasks.iter().any(|task| !task.is_finished()) {
        world.pass(10_000).await;
    }
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(world.mints(), 10_000);
    let took = world.clock.now().boot_ms - began;
    assert!(
        took >= 900_000,
        "the process mints at most ten a second after a burst: {took} ms"
    );
}

#[tokio::test]
async fn a_child_uses_its_parents_token_and_mints_its_own_when_that_ends() {
    let world = World::new(HOUR, 6);
    let parent = world.client();
    let inherited = world.get(&parent).await.unwrap();
    let child = world.client();
    child.inherit(&parent);
    assert_eq!(
        child.peek(None).unwrap().issued_at_ms(),
        inherited.credential.issued_at_ms()
    );
    assert_eq!(world.mints(), 1);
    world.pass(HOUR).await;
    let own = world.get(&child).await.unwrap();
    assert!(world.accepts(own.credential.token().expose()));
    assert_eq!(world.mints(), 2);
}
