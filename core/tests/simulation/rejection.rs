//! Postgres refuses a token.

use crate::world::{HOUR, World};

#[tokio::test]
async fn a_rejected_token_earns_exactly_one_fresh_mint_joined_by_all() {
    let world = World::new(HOUR, 1);
    let client = world.client();
    let lease = world.get(&client).await.unwrap();
    let token = lease.credential.token().expose().to_owned();
    world.pass(1_000).await;
    assert_eq!((0..50).filter(|_| client.invalidate(&token)).count(), 1);
    let mut fresh = std::collections::BTreeSet::new();
    for _ in 0..50 {
        fresh.insert(
            world
                .get(&client)
                .await
                .unwrap()
                .credential
                .token()
                .expose()
                .to_owned(),
        );
    }
    assert_eq!(world.mints(), 2);
    assert!(fresh.len() == 1 && !fresh.contains(&token));
    assert!(
        !client.invalidate(&token),
        "an old token does not take its successor away"
    );
    assert!(!client.invalidate("something else"));
}

#[tokio::test]
async fn a_server_that_refuses_good_tokens_does_not_cause_a_mint_for_each_login() {
    let world = World::new(HOUR, 2);
    let client = world.client();
    for _ in 0..100 {
        let lease = world.get(&client).await.unwrap();
        world.pass(100).await;
        client.invalidate(lease.credential.token().expose());
    }
    assert!(
        world.mints() <= 2,
        "{} mints in ten seconds of rejections",
        world.mints()
    );
    world.pass(30_000).await;
    let lease = world.get(&client).await.unwrap();
    assert!(
        client.invalidate(lease.credential.token().expose()),
        "later a rejection counts again"
    );
}

#[tokio::test]
async fn a_token_minted_for_the_caller_is_not_called_cached() {
    let world = World::new(HOUR, 3);
    let client = world.client();
    assert!(!world.get(&client).await.unwrap().cached);
    assert!(world.get(&client).await.unwrap().cached);
}
