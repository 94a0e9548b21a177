//! The management API as a test speaks it: writes that are waited for, and refusals.

use lakekey_emulator::Emulator;
use serde_json::{Value, json};

use super::{Reply, api};

/// A request below `/api/2.0/postgres/`.
pub fn send(emulator: &Emulator, method: &str, name: &str, body: &Value) -> Reply {
    let ask = api(emulator, method, &format!("/api/2.0/postgres/{name}"));
    if body.is_null() {
        ask.send()
    } else {
        ask.body(&body.to_string()).send()
    }
}

pub fn get(emulator: &Emulator, name: &str) -> Value {
    let reply = send(emulator, "GET", name, &Value::Null);
    assert_eq!(reply.status, 200, "{name}: {}", reply.body);
    reply.json()
}

/// A write, and the operation as it is once it has ended.
pub fn ended(emulator: &Emulator, method: &str, name: &str, body: &Value) -> Value {
    let reply = send(emulator, method, name, body);
    assert_eq!(reply.status, 200, "{method} {name}: {}", reply.body);
    wait(emulator, &reply.json())
}

/// Polls an operation until it has ended.
pub fn wait(emulator: &Emulator, operation: &Value) -> Value {
    let name = operation["name"].as_str().unwrap();
    let patience = std::time::Instant::now() + std::time::Duration::from_mins(1);
    loop {
        let now = get(emulator, name);
        if now["done"] == json!(true) {
            return now;
        }
        assert!(std::time::Instant::now() < patience, "still runs: {now}");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

/// A write that succeeds, and its result.
pub fn done(emulator: &Emulator, method: &str, name: &str, body: &Value) -> Value {
    let operation = ended(emulator, method, name, body);
    assert!(operation["error"].is_null(), "{operation}");
    operation["response"].clone()
}

#[track_caller]
pub fn refused(reply: &Reply, status: u16, code: &str, text: &str) {
    assert_eq!(
        (reply.status, reply.error_code().as_str()),
        (status, code),
        "{}",
        reply.body
    );
    assert!(reply.message().contains(text), "{text:?}: {}", reply.body);
}

/// Requests that are refused, each with what they are refused with.
#[track_caller]
pub fn all_refused(emulator: &Emulator, cases: &[(&str, &str, Value, u16, &str, &str)]) {
    for (method, name, body, status, code, text) in cases {
        let reply = send(emulator, method, name, body);
        assert_eq!(
            (reply.status, reply.error_code().as_str()),
            (*status, *code),
            "{method} {name} {body}: {}",
            reply.body
        );
        assert!(
            reply.message().contains(text),
            "{method} {name}: {text:?} is not in {}",
            reply.body
        );
    }
}
