//! Calls: retries within a budget, answers that are no answers, what goes over the wire.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method};

use crate::clock::{BoxFuture, Clock, Deadline, ManualClock, Moment};
use crate::code::Code;
use crate::config::{Environment, Settings, resolve};
use crate::error::Result;
use crate::http::scripted::{Reply, Scripted, drive, ok, status};
use crate::http::transport::Request;
use crate::http::{Answer, Api, Call, Retry, Wire};
use crate::jitter::FixedDice;

/// Sun, 06 Nov 1994 08:49:37 GMT.
const NOW: u64 = 784_111_777_000;

struct Bench {
    clock: ManualClock,
    wire: Arc<Scripted>,
    api: Api,
}

impl Bench {
    fn with(
        settings: &[(&str, &str)],
        product: Option<&str>,
        wire: Arc<Scripted>,
    ) -> Result<Bench> {
        let settings: Settings = [("host", "https://w.example.com"), ("token", "planted-pat")]
            .iter()
            .chain(settings)
            .copied()
            .collect();
        let resolved = resolve(&settings, &Arc::new(Environment::default()))?;
        let clock = ManualClock::at(NOW);
        let api = Api::new(
            Arc::new(resolved),
            &crate::auth::Outside::default(),
            Arc::clone(&wire) as _,
            Arc::new(clock.clone()),
            Arc::new(FixedDice(1.0)),
            None,
            product,
        )?;
        Ok(Bench { clock, wire, api })
    }

    fn new(script: impl FnMut(usize) -> Reply + Send + 'static) -> Bench {
        let mut script = script;
        let mut count = 0;
        let wire = Scripted::new(move |_| {
            count += 1;
            script(count)
        });
        Bench::with(&[], None, wire).unwrap()
    }

    async fn call(&self, retry: Retry, budget: Duration) -> (Result<Answer>, u64) {
        let start = self.clock.now().boot_ms;
        let call = Call {
            method: Method::GET,
            path: "/api/2.0/x",
            query: &[("a b", "c&d")],
            body: None,
            deadline: Deadline::after(&self.clock, budget),
            retry,
        };
        let answer = drive(&self.clock, self.api.call(call)).await;
        (answer, self.clock.now().boot_ms - start)
    }

    async fn patiently(&self) -> (Result<Answer>, u64) {
        self.call(Retry::WithinDeadline, Duration::from_mins(10))
            .await
    }
}

#[tokio::test]
async fn passing_troubles_are_waited_out() {
    for trouble in [429, 502, 503, 504] {
        let bench = Bench::new(move |count| if count < 3 { status(trouble) } else { ok("{}") });
        let (answer, took) = bench.patiently().await;
        answer.unwrap();
        assert_eq!(
            (bench.wire.asked().len(), took),
            (3, 1500),
            "0.5 s, then 1 s at most"
        );
    }
    let bench = Bench::new(|count| {
        if count < 3 {
            Reply::Fail(Code::HttpConnect)
        } else {
            ok("{}")
        }
    });
    bench.patiently().await.0.unwrap();
}

#[tokio::test]
async fn lasting_ones_are_not() {
    for (reply, code) in [
        (400, Code::ApiBadRequest),
        (401, Code::AuthDenied),
        (403, Code::ApiPermissionDenied),
        (404, Code::ApiNotFound),
        (409, Code::ApiConflict),
        (500, Code::ApiUnavailable),
    ] {
        let bench = Bench::new(move |_| status(reply));
        assert_eq!(bench.patiently().await.0.unwrap_err().code(), code);
        assert_eq!(bench.wire.asked().len(), 1, "{reply}");
    }
    let bench = Bench::new(|_| Reply::Fail(Code::HttpTls));
    assert_eq!(bench.patiently().await.0.unwrap_err().code(), Code::HttpTls);
    assert_eq!(bench.wire.asked().len(), 1);
}

#[tokio::test]
async fn once_is_once() {
    for reply in [503, 429] {
        let bench =
            Bench::new(move |_| Reply::Answer(reply, &[("retry-after", "3")], String::new()));
        let error = bench
            .call(Retry::Once, Duration::from_secs(10))
            .await
            .0
            .unwrap_err();
        assert_eq!(
            error.retry_after(),
            Some(Duration::from_secs(3)),
            "for whoever does the waiting"
        );
        assert_eq!(bench.wire.asked().len(), 1);
    }
}

#[tokio::test]
async fn retry_after_is_a_floor_in_both_forms() {
    for text in ["7", "Sun, 06 Nov 1994 08:49:44 GMT"] {
        let bench = Bench::new(move |count| match count {
            1 => Reply::Answer(
                429,
                if text == "7" {
                    &[("retry-after", "7")]
                } else {
                    &[("retry-after", "Sun, 06 Nov 1994 08:49:44 GMT")]
                },
                String::new(),
            ),
            _ => ok("{}"),
        });
        let (answer, took) = bench.patiently().await;
        answer.unwrap();
        assert_eq!(took, 7000, "{text}");
    }
}

#[tokio::test]
async fn a_wait_longer_than_the_time_left_is_not_begun() {
    let bench = Bench::new(|_| Reply::Answer(429, &[("retry-after", "60")], String::new()));
    let (answer, took) = bench.patiently().await;
    let error = answer.unwrap_err();
    assert_eq!((error.code(), took), (Code::ApiRateLimited, 0));
    assert_eq!(error.retry_after(), Some(Duration::from_mins(1)));
}

/// A clock whose sleeps take 300 ms longer than they should.
#[derive(Debug)]
struct Oversleeping(ManualClock);

impl Clock for Oversleeping {
    fn now(&self) -> Moment {
        self.0.now()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.0.sleep(duration + Duration::from_millis(300))
    }
}

#[tokio::test]
async fn an_attempt_without_time_does_not_hide_what_the_one_before_it_said() {
    let manual = ManualClock::at(NOW);
    let clocks: [Arc<dyn Clock>; 2] = [
        Arc::new(manual.clone()),
        Arc::new(Oversleeping(manual.clone())),
    ];
    for clock in clocks {
        // Waits of half a second, and of a quarter.
        for dice in [0.99, 0.5] {
            let transport = Scripted::new(|_| Reply::Fail(Code::HttpProxy));
            let wire = Wire {
                transport: Arc::clone(&transport) as _,
                clock: Arc::clone(&clock),
                dice: Arc::new(FixedDice(dice)),
                user_agent: HeaderValue::from_static("test"),
                secrets: Arc::new([]),
                attempt: None,
                budget: None,
                workspace_id: Arc::default(),
                trouble: Arc::default(),
            };
            let request = Request {
                method: Method::GET,
                url: "https://w.example.com/".parse().unwrap(),
                headers: HeaderMap::new(),
                body: Vec::new(),
                follow_redirects: false,
            };
            let deadline = Deadline::after(&manual, Duration::from_millis(500));
            let sent = drive(
                &manual,
                wire.exchange_counted(&request, deadline, Retry::WithinDeadline),
            );
            let (sent, attempts) = sent.await;
            assert_eq!(sent.unwrap_err().code(), Code::HttpProxy, "{dice}");
            let kept = wire.trouble.load_full();
            assert_eq!(kept.map(|error| error.code()), Some(Code::HttpProxy));
            assert_eq!(transport.asked().len(), attempts as usize);
        }
    }
}

#[tokio::test]
async fn nothing_takes_longer_than_its_budget() {
    let hanging = Bench::new(|_| Reply::Hang);
    let (answer, took) = hanging.patiently().await;
    assert_eq!(answer.unwrap_err().code(), Code::HttpTimeout);
    assert!(took <= 30_000, "{took}");
    assert!(
        hanging.wire.asked().len() > 2,
        "a hung attempt leaves time for another"
    );

    let (answer, took) = hanging.call(Retry::Once, Duration::from_secs(4)).await;
    let error = answer.unwrap_err();
    assert_eq!((error.code(), took), (Code::HttpTimeout, 4000));
    assert!(
        error
            .message()
            .contains("w.example.com did not answer within 4000 ms"),
        "{error}"
    );

    let refusing = Bench::new(|_| Reply::Fail(Code::HttpConnect));
    let (answer, took) = refusing
        .call(Retry::WithinDeadline, Duration::from_secs(2))
        .await;
    assert_eq!(
        answer.unwrap_err().code(),
        Code::HttpConnect,
        "the cause, not the lack of time"
    );
    assert!(took <= 2000, "{took}");
    let (answer, _) = refusing.call(Retry::Once, Duration::ZERO).await;
    assert_eq!(answer.unwrap_err().code(), Code::HttpTimeout);
}

#[tokio::test]
async fn bodies_that_are_no_object_are_protocol_errors() {
    for (body, words) in [
        ("null", "no object"),
        ("[1]", "no object"),
        ("", "empty"),
        ("<html>planted</html>", "HTML"),
        ("{\"a\":", "not JSON"),
        ("\u{0}garbage", "not JSON"),
    ] {
        let bench = Bench::new(move |_| ok(body));
        let error = bench.patiently().await.0.unwrap_err();
        assert_eq!(error.code(), Code::HttpProtocol, "{body}");
        assert!(error.message().contains(words), "{error}");
        assert!(error.message().contains("w.example.com"), "{error}");
        assert!(!format!("{error:?}").contains("planted"));
    }
    let bench = Bench::new(|_| status(204));
    assert_eq!(
        bench.patiently().await.0.unwrap().body,
        serde_json::json!({})
    );
}

#[tokio::test]
async fn an_answer_brings_the_servers_time_and_id() {
    let bench = Bench::new(|_| {
        Reply::Answer(
            200,
            &[
                ("date", "Sun, 06 Nov 1994 08:49:37 GMT"),
                ("x-request-id", "r-1"),
            ],
            r#"{"token":"planted"}"#.to_owned(),
        )
    });
    let answer = bench.patiently().await.0.unwrap();
    assert_eq!(answer.date_ms, Some(NOW));
    assert_eq!(answer.request_id.as_deref(), Some("r-1"));
    assert!(!format!("{answer:?}").contains("planted"));
    assert_eq!(
        bench.wire.seen()[0].url.as_str(),
        "https://w.example.com/api/2.0/x?a+b=c%26d"
    );
}

#[test]
fn a_product_joins_the_user_agent_if_it_fits() {
    let wire = || Scripted::new(|_| ok("{}"));
    assert!(Bench::with(&[], Some("app/1.0 lakekey-python/0.1"), wire()).is_ok());
    for bad in ["app\r\nX-Evil: 1", "(comment)", "ü"] {
        let error = Bench::with(&[], Some(bad), wire()).err().expect(bad);
        assert_eq!(error.code(), Code::ConfigInvalid);
    }
    let error = Bench::with(&[("workspace_id", "1\n2")], None, wire())
        .err()
        .expect("a bad id");
    assert!(
        error
            .message()
            .contains("workspace_id from explicit setting"),
        "{error}"
    );
}

#[tokio::test]
async fn a_refusal_that_echoes_the_token_does_not_show_it() {
    let bench = Bench::new(|_| {
        Reply::Answer(
            403,
            &[],
            r#"{"message":"no use of planted-pat here"}"#.to_owned(),
        )
    });
    let error = bench.patiently().await.0.unwrap_err();
    let shown = format!("{error} {error:?} {:?}", bench.api);
    assert!(!shown.contains("planted"), "{shown}");
    assert!(error.hint().unwrap().contains("token=***"), "{error}");
}

#[tokio::test]
async fn settings_bound_attempt_and_call() {
    let wire = Scripted::new(|_| Reply::Hang);
    let settings = [
        ("http_timeout_seconds", "3"),
        ("retry_timeout_seconds", "9"),
    ];
    let bench = Bench::with(&settings, None, wire).unwrap();
    let (answer, took) = bench.patiently().await;
    assert_eq!(answer.unwrap_err().code(), Code::HttpTimeout);
    assert!(took <= 9000, "{took}");
    assert!(bench.wire.asked().len() >= 3);
}
