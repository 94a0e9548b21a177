//! A credential's ordinary life, and odd clocks and stamps.

use std::time::Duration;

use crate::world::{HOUR, Mood, T0, World, rfc3339, settle};
use lakekey::{Code, CredentialRequest};

#[tokio::test]
async fn a_day_of_logins_uses_valid_tokens_only_and_mints_in_the_third_quarter_of_each_life() {
    let world = World::new(HOUR, 1);
    let client = world.client();
    for _ in 0..24 * 60 * 6 {
        let lease = world.get(&client).await.unwrap();
        assert!(world.accepts(lease.credential.token().expose()));
        world.pass(10_000).await;
    }
    assert!(
        (32..=48).contains(&world.mints()),
        "{} mints in 24 h",
        world.mints()
    );
}

#[tokio::test]
async fn an_idle_client_mints_nothing_and_a_sleeping_machine_wakes_to_a_new_token() {
    let world = World::new(HOUR, 2);
    let client = world.client();
    let first = world.get(&client).await.unwrap();
    world.clock.advance(Duration::from_hours(2));
    settle().await;
    assert_eq!(world.mints(), 1, "no timer runs");
    assert!(client.peek(None).is_none(), "the old one is not given out");
    let second = world.get(&client).await.unwrap();
    assert!(!second.cached && world.accepts(second.credential.token().expose()));
    assert!(!world.accepts(first.credential.token().expose()));
    assert_eq!(world.mints(), 2);
}

#[tokio::test]
async fn clocks_ten_minutes_apart_make_no_difference() {
    for skew in [-600_000, 600_000] {
        let world = World::new(HOUR, 3);
        world.skew(skew);
        let client = world.client();
        for _ in 0..3 * 60 {
            let lease = world.get(&client).await.unwrap();
            assert!(
                world.accepts(lease.credential.token().expose()),
                "skew {skew}"
            );
            world.pass(60_000).await;
        }
        assert!(
            world.mints() <= 6,
            "{} mints with skew {skew}",
            world.mints()
        );
    }
}

#[tokio::test]
async fn a_wall_clock_that_is_set_never_leads_to_an_expired_token() {
    for jump in [-2 * 3_600_000, 2 * 3_600_000] {
        let world = World::new(HOUR, 4);
        let client = world.client();
        world.get(&client).await.unwrap();
        world.clock.shift(60_000, jump);
        // The server's clock did not jump with ours.
        world.skew(-jump);
        for _ in 0..90 {
            let lease = world.get(&client).await.unwrap();
            assert!(
                world.accepts(lease.credential.token().expose()),
                "jump {jump}"
            );
            world.pass(60_000).await;
        }
    }
}

#[tokio::test]
async fn a_stamp_that_is_missing_or_cannot_be_read_gives_a_short_life_and_no_loop() {
    for stamp in [None, Some("soon"), Some("")] {
        let world = World::new(HOUR, 5);
        world.stamp(stamp);
        let client = world.client();
        for _ in 0..60 {
            world.get(&client).await.unwrap();
            world.pass(60_000).await;
        }
        assert!(
            (12..=30).contains(&world.mints()),
            "{} mints in an hour for {stamp:?}",
            world.mints()
        );
    }
}

#[tokio::test]
async fn a_stamp_of_a_day_is_not_believed() {
    let world = World::new(24 * HOUR, 6);
    let client = world.client();
    for _ in 0..24 * 6 {
        world.get(&client).await.unwrap();
        world.pass(600_000).await;
    }
    assert!(
        (24..=48).contains(&world.mints()),
        "{} mints",
        world.mints()
    );
}

#[tokio::test]
async fn a_stamp_in_the_past_is_an_error_and_no_loop() {
    let world = World::new(HOUR, 7);
    world.stamp(Some(&rfc3339(T0 - 1000)));
    let client = world.client();
    let error = world.get(&client).await.unwrap_err();
    assert_eq!(error.code(), Code::CredentialUnavailable);
    assert!(error.to_string().contains("had already expired"), "{error}");
    assert!(
        world.requests() <= 12,
        "{} requests in ten seconds",
        world.requests()
    );
}

#[tokio::test]
async fn a_life_of_one_second_still_rotates() {
    let world = World::new(1_000, 8);
    let client = world.client();
    for _ in 0..200 {
        let lease = world.get(&client).await.unwrap();
        assert!(world.accepts(lease.credential.token().expose()));
        world.pass(100).await;
    }
    assert!(
        (20..=60).contains(&world.mints()),
        "{} mints in 20 s",
        world.mints()
    );
}

#[tokio::test]
async fn without_a_date_the_local_clock_has_to_do() {
    let world = World::new(HOUR, 9);
    world.without_date();
    let lease = world.get(&world.client()).await.unwrap();
    assert_eq!(lease.credential.expires_at_ms(), T0 + HOUR);
}

#[tokio::test]
async fn a_stale_token_is_given_out_at_once_while_one_refresh_runs() {
    let world = World::new(HOUR, 10);
    let client = world.client();
    let first = world.get(&client).await.unwrap();
    world.pass(HOUR * 3 / 4).await;
    world.mood(Mood::Slow(2_000));
    for _ in 0..100 {
        let lease = client
            .credential(&CredentialRequest::default())
            .await
            .unwrap();
        assert_eq!(
            lease.credential.issued_at_ms(),
            first.credential.issued_at_ms()
        );
    }
    assert!(
        client.peek(None).is_some(),
        "the refresh is under way, so reading is free again"
    );
    settle().await;
    assert_eq!(world.requests(), 2);
    world.pass(2_000).await;
    assert_ne!(
        client.peek(None).unwrap().issued_at_ms(),
        first.credential.issued_at_ms()
    );
}
