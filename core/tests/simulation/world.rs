//! The simulated world: one manual clock, one scripted control plane, one client.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue};
use lakekey::clock::{BoxFuture, Clock, ManualClock};
use lakekey::config::Settings;
use lakekey::credential::Store;
use lakekey::http::transport::{Request, Response, Transport};
use lakekey::jitter::Dice;
use lakekey::resolve::{Found, Lookup};
use lakekey::{Client, ClientOptions, Code, CredentialRequest, Error, Lease, Result};
use serde_json::{Value, json};

pub(crate) const T0: u64 = 1_800_000_000_000;
pub(crate) const ENDPOINT: &str = "projects/shop/branches/production/endpoints/primary";
pub(crate) const HOUR: u64 = 3_600_000;
pub(crate) const HOST: &str = "ep-calm-river-d1a2b3c4.database.example.com";
pub(crate) const USER: &str = "ann@example.com";

/// How the control plane answers a request to mint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    Up,
    /// Answers after this many milliseconds.
    Slow(u64),
    Status(u16, Option<&'static str>),
    Hang,
    Refuse,
    Garbage,
}

/// What the answers say as `expire_time`.
#[derive(Debug)]
enum Stamp {
    True,
    Odd(String),
    Missing,
}

#[derive(Debug)]
struct Plane {
    mood: Mood,
    /// How the workspace answers who this identity is.
    me: Mood,
    lookups: u32,
    /// Whether the resolver never answers.
    deaf: bool,
    /// Whether the workspace says that somebody switched the endpoint off.
    disabled: bool,
    lifetime_ms: u64,
    /// Milliseconds that the server's clock is ahead of ours.
    skew_ms: i64,
    stamp: Stamp,
    date: bool,
    requests: u32,
    mints: u32,
    /// Tokens and when they end, by the server's clock.
    tokens: BTreeMap<String, u64>,
}

#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) clock: ManualClock,
    plane: Arc<Mutex<Plane>>,
    dice: Arc<Throws>,
}

/// Repeatable throws.
#[derive(Debug)]
struct Throws(Mutex<u64>);

impl Dice for Throws {
    fn unit(&self) -> f64 {
        let mut state = self.0.lock().unwrap();
        *state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        f64::from(u32::try_from(*state >> 33).unwrap()) / f64::from(1_u32 << 31)
    }
}

impl World {
    pub(crate) fn new(lifetime_ms: u64, seed: u64) -> World {
        World {
            clock: ManualClock::at(T0),
            plane: Arc::new(Mutex::new(Plane {
                mood: Mood::Up,
                me: Mood::Up,
                lookups: 0,
                deaf: false,
                disabled: false,
                lifetime_ms,
                skew_ms: 0,
                stamp: Stamp::True,
                date: true,
                requests: 0,
                mints: 0,
                tokens: BTreeMap::new(),
            })),
            dice: Arc::new(Throws(Mutex::new(seed))),
        }
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(self.options()).unwrap()
    }

    pub(crate) fn options(&self) -> ClientOptions {
        let clock: Arc<dyn Clock> = Arc::new(self.clock.clone());
        let dice: Arc<dyn Dice> = Arc::clone(&self.dice) as Arc<dyn Dice>;
        ClientOptions {
            settings: Settings::new()
                .with("host", "https://workspace.example.com")
                .with("token", "dapi-planted"),
            target: Some(ENDPOINT.to_owned()),
            store: Store::new(clock, dice),
            transport: Some(Arc::new(self.clone())),
            lookup: Arc::new(self.clone()),
            direct_lookup: None,
            ..ClientOptions::default()
        }
    }

    pub(crate) fn mood(&self, mood: Mood) {
        self.plane.lock().unwrap().mood = mood;
    }

    pub(crate) fn me(&self, mood: Mood) {
        self.plane.lock().unwrap().me = mood;
    }

    pub(crate) fn lookups(&self) -> u32 {
        self.plane.lock().unwrap().lookups
    }

    pub(crate) fn resolver_hangs(&self) {
        self.plane.lock().unwrap().deaf = true;
    }

    pub(crate) fn disable(&self, disabled: bool) {
        self.plane.lock().unwrap().disabled = disabled;
    }

    pub(crate) fn skew(&self, skew_ms: i64) {
        self.plane.lock().unwrap().skew_ms = skew_ms;
    }

    pub(crate) fn stamp(&self, expire_time: Option<&str>) {
        self.plane.lock().unwrap().stamp =
            expire_time.map_or(Stamp::Missing, |text| Stamp::Odd(text.to_owned()));
    }

    pub(crate) fn without_date(&self) {
        self.plane.lock().unwrap().date = false;
    }

    pub(crate) fn requests(&self) -> u32 {
        self.plane.lock().unwrap().requests
    }

    pub(crate) fn mints(&self) -> u32 {
        self.plane.lock().unwrap().mints
    }

    /// Whether Postgres would take the token now.
    pub(crate) fn accepts(&self, token: &str) -> bool {
        let plane = self.plane.lock().unwrap();
        let server_now = self
            .clock
            .now()
            .wall_ms
            .saturating_add_signed(plane.skew_ms);
        plane.tokens.get(token).is_some_and(|end| server_now < *end)
    }

    /// Moves time on in small steps, letting every task run after each.
    pub(crate) async fn pass(&self, ms: u64) {
        let mut left = ms;
        while left > 0 {
            let due = self.clock.next_due().map_or(left, |due| {
                due.saturating_sub(self.clock.now().boot_ms).max(1)
            });
            let step = due.min(left);
            self.clock.advance(Duration::from_millis(step));
            settle().await;
            left -= step;
        }
    }

    /// Runs `work` while time passes, until it ends; the answer comes with the virtual milliseconds it took.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> (T, u64) {
        let began = self.clock.now().boot_ms;
        let task = tokio::spawn(work);
        settle().await;
        while !task.is_finished() {
            self.pass(10).await;
            assert!(self.clock.now().boot_ms - began < 600_000, "nothing hangs");
        }
        (task.await.unwrap(), self.clock.now().boot_ms - began)
    }

    pub(crate) async fn get(&self, client: &Client) -> Result<Lease> {
        let client = client.clone();
        self.run(async move { client.credential(&CredentialRequest::default()).await })
            .await
            .0
    }
}

/// Lets every task run until nothing is ready.
pub(crate) async fn settle() {
    for _ in 0..64 {
        tokio::task::yield_now().await;
    }
}

pub(crate) fn rfc3339(ms: u64) -> String {
    jiff::Timestamp::from_millisecond(i64::try_from(ms).unwrap())
        .unwrap()
        .to_string()
}

impl Transport for World {
    fn send(&self, request: Request, timeout: Duration) -> BoxFuture<'_, Result<Response>> {
        Box::pin(async move {
            let mints = request.url.path() == "/api/2.0/postgres/credentials";
            let mood = {
                let mut plane = self.plane.lock().unwrap();
                plane.requests += 1;
                match request.url.path() {
                    "/api/2.0/preview/scim/v2/Me" => plane.me.clone(),
                    _ => plane.mood.clone(),
                }
            };
            match mood {
                Mood::Slow(ms) => self.clock.sleep(Duration::from_millis(ms)).await,
                Mood::Hang => {
                    self.clock.sleep(timeout).await;
                    return Err(Error::new(
                        Code::HttpTimeout,
                        "https://workspace.example.com did not answer",
                    ));
                }
                Mood::Refuse => {
                    return Err(Error::new(
                        Code::HttpConnect,
                        "https://workspace.example.com refused the connection",
                    ));
                }
                Mood::Up | Mood::Status(..) | Mood::Garbage => {}
            }
            Ok(match mood {
                Mood::Status(status, retry_after) => {
                    let mut response = self.answer(
                        status,
                        &json!({ "error_code": "X", "message": format!("status {status}") }),
                    );
                    if let Some(wait) = retry_after {
                        response
                            .headers
                            .insert("retry-after", HeaderValue::from_static(wait));
                    }
                    response
                }
                Mood::Garbage => Response {
                    body: b"<html>".to_vec(),
                    ..self.answer(200, &Value::Null)
                },
                _ if mints => {
                    let body = self.mint();
                    self.answer(200, &body)
                }
                _ => {
                    let disabled = self.plane.lock().unwrap().disabled;
                    let status = json!({ "endpoint_type": "ENDPOINT_TYPE_READ_WRITE", "hosts": { "host": HOST }, "disabled": disabled });
                    self.answer(
                        200,
                        &json!({ "name": ENDPOINT, "status": status, "userName": USER }),
                    )
                }
            })
        })
    }
}

impl World {
    fn mint(&self) -> Value {
        let mut plane = self.plane.lock().unwrap();
        plane.mints += 1;
        let claims = URL_SAFE_NO_PAD.encode(json!({ "sub": USER }).to_string());
        let token = format!("minted-{}.{claims}.signature", plane.mints);
        let end = self
            .clock
            .now()
            .wall_ms
            .saturating_add_signed(plane.skew_ms)
            + plane.lifetime_ms;
        plane.tokens.insert(token.clone(), end);
        match &plane.stamp {
            Stamp::True => json!({ "token": token, "expire_time": rfc3339(end) }),
            Stamp::Odd(text) => json!({ "token": token, "expire_time": text }),
            Stamp::Missing => json!({ "token": token }),
        }
    }

    fn answer(&self, status: u16, body: &Value) -> Response {
        let plane = self.plane.lock().unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        if plane.date {
            let now = i64::try_from(self.clock.now().wall_ms).unwrap() + plane.skew_ms;
            let date = jiff::Timestamp::from_millisecond(now).unwrap();
            headers.insert(
                "date",
                HeaderValue::from_str(&date.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string())
                    .unwrap(),
            );
        }
        Response {
            status,
            headers,
            body: body.to_string().into_bytes(),
        }
    }
}

impl Lookup for World {
    fn lookup(&self, host: &str) -> BoxFuture<'static, std::io::Result<Found>> {
        assert_eq!(host, HOST);
        let mut plane = self.plane.lock().unwrap();
        plane.lookups += 1;
        let takes = if plane.deaf { HOUR } else { 50 };
        let slow = self.clock.sleep(Duration::from_millis(takes));
        Box::pin(async move {
            slow.await;
            Ok(Found::new([IpAddr::from([192, 0, 2, 7])]))
        })
    }
}
