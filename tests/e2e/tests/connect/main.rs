//! Connects by the core's plan against the real thing: what passes is waited out, what does not is told at once.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod dial;
mod driver;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lakekey::clock::{Clock, ManualClock, SystemClock};
use lakekey::config::Environment;
use lakekey::credential::Store;
use lakekey::jitter::{Dice, FixedDice, SystemDice};
use lakekey::login::Kind;
use lakekey::plan::PlanRequest;
use lakekey::{Client, ClientOptions, Code, ConnectRequest};
use lakekey_emulator::{Action, Emulator, Fault, Options, RetryAfter};

use dial::connect;

async fn emulator() -> Emulator {
    Emulator::start(Options::default())
        .await
        .expect("the emulator starts; run `cargo xtask postgres` first")
}

fn client(emulator: &Emulator, clock: Arc<dyn Clock>, dice: Arc<dyn Dice>) -> Client {
    Client::new(ClientOptions {
        environment: Environment::from_pairs(emulator.environment()),
        store: Store::new(clock, dice),
        ..ClientOptions::default()
    })
    .unwrap()
}

fn real(emulator: &Emulator) -> Client {
    client(emulator, Arc::new(SystemClock), Arc::new(SystemDice))
}

fn door_refuses(reason: Option<&str>) -> Fault {
    Fault::new(Action::ExternalAuthorization {
        reason: reason.map(str::to_owned),
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_branch_that_is_not_known_everywhere_for_a_minute_costs_no_error() {
    let emulator = emulator().await;
    emulator.clock().freeze(true);
    let now = u64::try_from(emulator.clock().now().as_millisecond()).unwrap();
    let clock = ManualClock::at(now);
    let client = client(&emulator, Arc::new(clock.clone()), Arc::new(FixedDice(0.9)));
    emulator.fault(door_refuses(None).for_s(60.0)).unwrap();
    let began = clock.now().boot_ms;
    let login = connect(&client, PlanRequest::default());
    tokio::pin!(login);
    loop {
        // Nothing happens any more: it waits, on the clock that only this test moves.
        let idle = tokio::time::sleep(Duration::from_millis(100));
        tokio::select! {
            biased;
            done = &mut login => break done.unwrap(),
            () = idle => {
                let due = clock.next_due().unwrap_or_default();
                let step = Duration::from_millis(due.saturating_sub(clock.now().boot_ms));
                emulator.clock().advance(step);
                clock.advance(step);
            }
        }
    }
    let took = clock.now().boot_ms - began;
    assert!((60_000..75_000).contains(&took), "{took} ms");
    let counters = emulator.counters();
    assert_eq!((counters.mints, counters.logins_accepted), (1, 1));
    emulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wake_of_ten_seconds_costs_no_error() {
    let emulator = emulator().await;
    let uid = emulator.endpoint_uid();
    emulator.suspend(&uid).await.unwrap();
    emulator
        .set_wake_latency(&uid, Duration::from_secs(10))
        .unwrap();
    let client = real(&emulator);
    let began = Instant::now();
    let logins = (0..8).map(|_| connect(&client, PlanRequest::default()));
    for login in logins.collect::<Vec<_>>() {
        login.await.unwrap();
    }
    let took = began.elapsed();
    assert!(
        (Duration::from_secs(9)..Duration::from_secs(25)).contains(&took),
        "{took:?}"
    );
    assert_eq!(emulator.counters().mints, 1);
    emulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_compute_that_fails_to_wake_is_tried_again() {
    let emulator = emulator().await;
    let uid = emulator.endpoint_uid();
    emulator.suspend(&uid).await.unwrap();
    emulator.fail_wakes(&uid, 3).unwrap();
    let client = real(&emulator);
    connect(&client, PlanRequest::default()).await.unwrap();
    let stats = client.stats();
    let server_gone = stats
        .login_failures
        .iter()
        .find(|(kind, _)| *kind == "server_gone");
    assert!(
        server_gone.is_some_and(|(_, count)| *count >= 3),
        "{stats:?}"
    );
    emulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_pass_is_told_at_once_with_the_fix() {
    let emulator = emulator().await;
    let client = real(&emulator);
    client
        .connect_params(&ConnectRequest::default())
        .await
        .unwrap();
    let refused = async |request: PlanRequest| {
        let attempts = || {
            let counters = client.stats().counters;
            counters
                .into_iter()
                .find(|(name, _)| *name == "login_attempts")
        };
        let before = attempts().unwrap().1;
        let began = Instant::now();
        let error = connect(&client, request).await.unwrap_err();
        let took = began.elapsed();
        // Some tens of milliseconds on a machine that has nothing else to do.
        assert!(took < Duration::from_secs(10), "{took:?}: {error}");
        assert!(!error.message().contains("no login within"), "{error}");
        assert!(attempts().unwrap().1 - before <= 2, "{error}");
        error
    };
    let reason = "Source IP address: 192.0.2.7 is blocked by Databricks IP ACL for workspace: 42";
    let fault = emulator.fault(door_refuses(Some(reason))).unwrap();
    let error = refused(PlanRequest::default()).await;
    assert_eq!(error.login(), Some(Kind::IpBlocked));
    assert!(error.hint().unwrap().contains("192.0.2.7"), "{error}");
    assert!(emulator.remove_fault(fault));

    let user = Some("nobody@example.com".to_owned());
    let connect_as = ConnectRequest {
        user,
        ..ConnectRequest::default()
    };
    let error = refused(PlanRequest {
        connect: connect_as,
        ..PlanRequest::default()
    })
    .await;
    assert_eq!(error.login(), Some(Kind::RoleMissing));
    assert_eq!(error.code(), Code::LoginRefused);
    let sql = "databricks_create_role('nobody@example.com', 'USER')";
    assert!(error.hint().unwrap().contains(sql), "{error}");

    emulator.disable(&emulator.endpoint_uid()).await.unwrap();
    let error = refused(PlanRequest::default()).await;
    assert_eq!(error.login(), Some(Kind::EndpointDisabled));
    assert!(!error.events().is_empty());
    let token = client.peek(None).unwrap();
    let shown = format!("{error} {error:?} {:?}", error.events());
    assert!(!shown.contains(token.token().expose()), "{shown}");
    emulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_500_connects_through_429s_is_three_mint_requests_and_no_failed_login() {
    const ROUTE: &str = "/api/2.0/postgres/credentials";
    let emulator = emulator().await;
    let limited = Fault::status(429).on("POST", ROUTE);
    let limited = limited.retry_after(RetryAfter::Seconds(1)).times(2);
    emulator.fault(limited).unwrap();
    let client = real(&emulator);
    let storm: Vec<_> = (0..500)
        .map(|_| {
            let client = client.clone();
            // Two cores do the work of both sides here, so the budget is no matter of this test.
            let request = PlanRequest {
                budget: Some(Duration::from_mins(2)),
                ..PlanRequest::default()
            };
            tokio::spawn(async move { connect(&client, request).await })
        })
        .collect();
    for login in storm {
        login.await.unwrap().unwrap();
    }
    let counters = emulator.counters();
    let asked: u64 = counters.requests[&format!("POST {ROUTE}")].values().sum();
    assert!(asked <= 3, "{asked} requests to mint");
    assert_eq!((counters.mints, counters.logins_accepted), (1, 500));
    let stats = client.stats();
    assert!(
        stats.mint_failures.contains(&("API_RATE_LIMITED", 2)),
        "{stats:?}"
    );
    emulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_address_is_passed_by_and_tried_last_from_then_on() {
    let emulator = emulator().await;
    let client = real(&emulator);
    let good = emulator.pg_address().unwrap().ip();
    // Nobody is there in the whole of the loopback network but the emulator.
    let dead: IpAddr = "127.255.255.254".parse().unwrap();
    let request = PlanRequest {
        addresses: vec![dead, good],
        ..PlanRequest::default()
    };
    let mut plan = client.plan(request.clone());
    let first = plan.next(None).await.unwrap();
    assert_eq!(first.address, Some(dead));
    connect(&client, request).await.unwrap();
    let stats = client.stats();
    assert_eq!(stats.login_failures, [("tcp", 1)]);
    emulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_an_hour_late_is_learnt_and_costs_no_login() {
    let emulator = emulator().await;
    emulator.clock().advance(Duration::from_hours(1));
    let client = real(&emulator);
    connect(&client, PlanRequest::default()).await.unwrap();
    let skew = client.skew_ms().unwrap();
    assert!((3_590_000..3_610_000).contains(&skew), "{skew} ms");
    let told = client.stats().clock_skew_ms;
    assert!(told.is_some_and(|ms| ms.abs_diff(skew) < 5_000), "{told:?}");
    emulator.shutdown().await;
}
