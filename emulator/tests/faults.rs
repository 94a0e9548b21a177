//! The control plane goes wrong in the way it is told to, and says afterwards how often it did.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::io::ErrorKind;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use common::{MINT, control_plane, mint};
use lakekey_emulator::{Action, Emulator, Event, Fault, Request, RetryAfter};

type LetGo = fn(&Emulator);

const PATIENCE: Duration = Duration::from_secs(20);

fn last_request(emulator: &Emulator) -> Request {
    let last = emulator
        .journal(0)
        .into_iter()
        .rev()
        .find_map(|entry| match entry.event {
            Event::Request(request) => Some(request),
            _ => None,
        });
    last.expect("a request is in the journal")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_status_comes_as_often_as_told_with_its_retry_after() {
    let emulator = control_plane().await;
    emulator.clock().freeze(true);
    for (value, shown) in [
        (RetryAfter::Seconds(2), "2".to_owned()),
        (RetryAfter::Text("soon".to_owned()), "soon".to_owned()),
    ] {
        emulator
            .fault(
                Fault::status(503)
                    .on("POST", MINT)
                    .retry_after(value)
                    .times(1),
            )
            .unwrap();
        let reply = mint(&emulator).send();
        assert_eq!(
            (reply.status, reply.header("retry-after")),
            (503, Some(shown.as_str()))
        );
        assert_eq!(reply.error_code(), "TEMPORARILY_UNAVAILABLE");
        assert_eq!(mint(&emulator).send().status, 200);
    }
    emulator
        .fault(
            Fault::status(429)
                .retry_after(RetryAfter::Date { date_s: 30 })
                .times(1),
        )
        .unwrap();
    let reply = mint(&emulator).send();
    let after = reply.header("retry-after").unwrap();
    let after = jiff::fmt::rfc2822::DateTimeParser::new()
        .parse_timestamp(after)
        .unwrap();
    assert_eq!((reply.status, after.as_second() - reply.date()), (429, 30));
    assert_eq!(
        emulator
            .faults()
            .iter()
            .map(|fault| fault.applied)
            .collect::<Vec<_>>(),
        [1, 1, 1]
    );
    let requests = &emulator.counters().requests[&format!("POST {MINT}")];
    assert_eq!(
        (requests["503"], requests["429"], requests["200"]),
        (2, 1, 2)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_of_ones_own_replaces_the_error() {
    let emulator = control_plane().await;
    let mut fault = Fault::status(200).on("POST", MINT);
    if let Action::Status { body, .. } = &mut fault.action {
        *body = Some(serde_json::json!({"token": "t", "expire_time": "yesterday"}));
    }
    emulator.fault(fault).unwrap();
    assert_eq!(mint(&emulator).send().json()["expire_time"], "yesterday");
    assert_eq!(emulator.counters().mints, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reset_is_a_reset_and_a_close_is_a_close() {
    let emulator = control_plane().await;
    emulator
        .fault(Fault::new(Action::Reset {}).times(1))
        .unwrap();
    assert_eq!(
        mint(&emulator).raw().unwrap_err().kind(),
        ErrorKind::ConnectionReset
    );
    emulator
        .fault(Fault::new(Action::Close {}).times(1))
        .unwrap();
    assert_eq!(mint(&emulator).raw().unwrap(), b"");
    assert!(
        emulator
            .until(PATIENCE, |counters| counters.requests
                [&format!("POST {MINT}")]["none"]
                == 2)
            .await
    );
    assert_eq!(emulator.counters().mints, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_can_be_lost_after_the_work_was_done() {
    let emulator = control_plane().await;
    emulator
        .fault(Fault::new(Action::Reset {}).times(1).after_carrying_out())
        .unwrap();
    assert!(mint(&emulator).raw().is_err());
    assert_eq!(emulator.counters().mints, 1);
    assert_eq!(last_request(&emulator).outcome, "reset");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_and_truncated_answers_are_what_they_say() {
    let emulator = control_plane().await;
    emulator
        .fault(Fault::new(Action::Garbage { text: None }).times(1))
        .unwrap();
    let page = mint(&emulator).send();
    assert_eq!(
        (page.status, page.header("content-type")),
        (200, Some("text/html; charset=utf-8"))
    );
    assert!(page.body.starts_with("<!DOCTYPE html>"));
    emulator
        .fault(
            Fault::new(Action::Garbage {
                text: Some("{\"token\":".to_owned()),
            })
            .times(1),
        )
        .unwrap();
    assert_eq!(mint(&emulator).send().body, "{\"token\":");
    emulator
        .fault(Fault::new(Action::Truncate {}).times(1))
        .unwrap();
    let half = mint(&emulator).send();
    let promised: usize = half.header("content-length").unwrap().parse().unwrap();
    assert_eq!(half.body.len(), promised / 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_body_comes_whole_and_takes_its_time() {
    let emulator = control_plane().await;
    emulator
        .fault(Fault::new(Action::Slow { ms: 200 }).times(1))
        .unwrap();
    let began = Instant::now();
    let slow = mint(&emulator).send();
    assert!(began.elapsed() >= Duration::from_millis(150));
    assert_eq!(slow.status, 200);
    assert!(slow.json()["token"].is_string(), "{}", slow.body);
    assert_eq!(last_request(&emulator).outcome, "slow");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn latency_delays_and_hangs_hold_until_they_are_let_go() {
    let emulator = control_plane().await;
    emulator
        .fault(
            Fault::new(Action::Latency {
                ms: 50,
                jitter_ms: 0,
            })
            .times(1),
        )
        .unwrap();
    let started = Instant::now();
    assert_eq!(mint(&emulator).send().status, 200);
    assert!(started.elapsed() >= Duration::from_millis(50));

    let by_clearing: LetGo = |emulator| emulator.clear_faults();
    let by_time: LetGo = |emulator| emulator.clock().advance(Duration::from_mins(1));
    for let_go in [by_clearing, by_time] {
        let before = emulator.counters().requests_total;
        emulator.clock().freeze(true);
        emulator
            .fault(Fault::new(Action::Hang {}).for_s(60.0))
            .unwrap();
        let request = mint(&emulator);
        let hanging = tokio::task::spawn_blocking(move || request.raw());
        assert!(
            emulator
                .until(PATIENCE, |counters| counters.requests_total == before + 1)
                .await
        );
        assert!(!hanging.is_finished());
        let_go(&emulator);
        assert_eq!(hanging.await.unwrap().unwrap(), b"");
        assert_eq!(last_request(&emulator).outcome, "hung");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_refuses_connections_and_ends_by_the_virtual_clock() {
    let emulator = control_plane().await;
    let address = emulator
        .urls()
        .control
        .strip_prefix("http://")
        .unwrap()
        .to_owned();
    emulator.clock().freeze(true);
    let mut idle = TcpStream::connect(&address).unwrap();
    idle.set_read_timeout(Some(PATIENCE)).unwrap();
    emulator
        .fault(Fault::new(Action::Refuse {}).for_s(1500.0))
        .unwrap();
    // A kept-alive connection ends too, else a client with a pool would not notice the outage.
    let end = std::io::Read::read(&mut idle, &mut [0; 1]);
    assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
    for _ in 0..3 {
        assert_eq!(
            mint(&emulator).raw().unwrap_err().kind(),
            ErrorKind::ConnectionRefused
        );
    }
    emulator.clock().advance(Duration::from_secs(1499));
    assert_eq!(
        mint(&emulator).raw().unwrap_err().kind(),
        ErrorKind::ConnectionRefused
    );
    emulator.clock().advance(Duration::from_secs(1));
    let deadline = Instant::now() + PATIENCE;
    while mint(&emulator).raw().is_err() {
        assert!(
            Instant::now() < deadline,
            "the control plane did not come back"
        );
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_strike_only_whom_they_match() {
    let emulator = control_plane().await;
    let mut fault = Fault::status(500);
    fault.on.test = Some("mine".to_owned());
    fault.on.user_agent = Some("app/1".to_owned());
    emulator.fault(fault).unwrap();
    let mine = |test: &str, agent: &str| {
        mint(&emulator)
            .header("x-lakekey-test", test)
            .header("user-agent", agent)
            .send()
            .status
    };
    assert_eq!(mine("mine", "app/1.2 lakekey"), 500);
    assert_eq!(mine("yours", "app/1.2 lakekey"), 200);
    assert_eq!(mine("mine", "curl"), 200);
    assert_eq!(mint(&emulator).send().status, 200);
}
