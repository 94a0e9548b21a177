//! The management API against a scripted service, on the manual clock.

#![allow(clippy::unwrap_used)]

mod arguments;
mod lists;
mod lost;
mod messages;
mod operations;
mod own;

use std::future::Future;
use std::sync::Arc;

use serde_json::{Value, json};

use super::{Object, Postgres};
use crate::clock::{Clock, ManualClock};
use crate::config::Settings;
use crate::credential::Store;
use crate::http::scripted::{Reply, Scripted, drive, ok};
use crate::http::transport::Request;
use crate::jitter::FixedDice;
use crate::{Client, ClientOptions};

/// 2026-01-02T03:04:05Z.
const NOW: u64 = 1_767_323_045_000;

struct Bench {
    clock: ManualClock,
    wire: Arc<Scripted>,
    postgres: Postgres,
}

impl Bench {
    fn new(script: impl FnMut(&Request, &ManualClock) -> Reply + Send + 'static) -> Bench {
        let clock = ManualClock::at(NOW);
        let (hand, mut script) = (clock.clone(), script);
        let wire = Scripted::new(move |request| script(request, &hand));
        let settings = Settings::new()
            .with("host", "https://w.example.com")
            .with("token", "planted-pat");
        let client = Client::new(ClientOptions {
            settings,
            transport: Some(Arc::<Scripted>::clone(&wire)),
            store: Store::new(Arc::new(clock.clone()), Arc::new(FixedDice(0.5))),
            ..ClientOptions::default()
        });
        Bench {
            clock,
            wire,
            postgres: client.unwrap().postgres(),
        }
    }

    /// Answers everything with `body`.
    fn saying(body: &Value) -> Bench {
        let body = body.to_string();
        Bench::new(move |_, _| ok(body.clone()))
    }

    async fn run<T>(&self, work: impl Future<Output = T>) -> T {
        drive(&self.clock, work).await
    }

    async fn call(&self, method: &str, arguments: Value) -> crate::Result<Value> {
        self.run(self.postgres.call(method, object(arguments), None))
            .await
    }

    /// Milliseconds since boot.
    fn now(&self) -> u64 {
        self.clock.now().boot_ms
    }

    /// `POST /api/2.0/postgres/x?query {body}` of each request.
    fn asked(&self) -> Vec<String> {
        self.wire.seen().iter().map(shown).collect()
    }
}

fn shown(request: &Request) -> String {
    let path = request.url.path().replacen("/api/2.0/postgres", "", 1);
    let query = request
        .url
        .query()
        .map(|query| format!("?{query}"))
        .unwrap_or_default();
    let body = String::from_utf8(request.body.clone()).unwrap();
    format!("{} {path}{query} {body}", request.method)
        .trim_end()
        .to_owned()
}

fn object(value: Value) -> Object {
    match value {
        Value::Object(object) => object,
        other => panic!("{other} is no object"),
    }
}

fn refused(status: u16, code: &str, message: &str) -> Reply {
    let body = json!({"error_code": code, "message": message});
    Reply::Answer(status, &[], body.to_string())
}

fn status_of(status: u16) -> Reply {
    crate::http::scripted::status(status)
}
