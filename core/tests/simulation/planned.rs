//! Connects by the plan while something else than the server is in trouble.

use lakekey::login::Kind;
use lakekey::plan::{Failure, PlanRequest};
use lakekey::{Client, ConnectRequest, Error, Result};

use crate::world::{HOUR, Mood, World};

/// What the front door says of a compute that sleeps, and of one that is switched off.
const ASLEEP: Failure<'static> = Failure {
    code: Some("57P03"),
    text: "the database system is starting up",
};

/// A connect to a server that lets the second attempt in.
async fn second_attempt(client: Client) -> Result<()> {
    let mut plan = client.plan(PlanRequest::default());
    plan.next(None).await?;
    plan.next(Some(&ASLEEP)).await?;
    plan.connected();
    Ok(())
}

async fn connect(world: &World, client: &Client) -> (Result<()>, u64) {
    world.run(second_attempt(client.clone())).await
}

#[tokio::test]
async fn what_was_disabled_yesterday_is_not_told_today() {
    let world = World::new(HOUR, 1);
    let client = world.client();
    connect(&world, &client).await.0.unwrap();
    world.disable(true);
    world.pass(1_000).await;
    let (refused, took) = connect(&world, &client).await;
    assert_eq!(
        refused.as_ref().map_err(Error::login),
        Err(Some(Kind::EndpointDisabled))
    );
    assert!(took < 1_000, "{took} ms");

    // It is enabled, while the workspace is out of reach: only the server can tell.
    world.disable(false);
    world.pass(60_000).await;
    for mood in [Mood::Hang, Mood::Refuse, Mood::Status(503, None)] {
        world.mood(mood.clone());
        let (done, took) = connect(&world, &client).await;
        assert!(done.is_ok(), "{mood:?}: {done:?}");
        assert!(took < 5_000, "{took} ms with {mood:?}");
    }
}

#[tokio::test]
async fn a_resolver_that_hangs_leaves_time_to_dial_what_is_known() {
    let world = World::new(HOUR, 2);
    let client = world.client();
    let params = || {
        let client = client.clone();
        async move { client.connect_params(&ConnectRequest::default()).await }
    };
    let known = world.run(params()).await.0.unwrap().params.hostaddr();
    world.resolver_hangs();
    // Older than any answer of a resolver is kept.
    world.pass(HOUR / 2).await;
    let (connect, took) = world.run(params()).await;
    assert_eq!(connect.unwrap().params.hostaddr(), known);
    assert!((1_000..5_000).contains(&took), "{took} ms of ten seconds");
}
