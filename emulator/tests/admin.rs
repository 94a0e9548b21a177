//! The admin API: who is let in, what it refuses, and how the clock and the tokens follow it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{ENDPOINT, MINT, admin, api, ask, control_plane, mint};
use lakekey_emulator::{Emulator, Options};
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_admin_token_opens_it() {
    let emulator = control_plane().await;
    for path in [
        "/_emulator/state",
        "/_emulator/faults",
        "/_emulator/nowhere",
        "/shutdown",
    ] {
        for token in ["", "dapi-emulator", "admin-"] {
            let reply = admin(&emulator, "GET", path).bearer(token).send();
            assert_eq!(reply.status, 401, "{path} {token}");
            assert!(
                reply.json()["error"]
                    .as_str()
                    .unwrap()
                    .contains("admin_token")
            );
        }
    }
    assert_eq!(
        ask("GET", &emulator.urls().admin, "/_emulator/health")
            .send()
            .json()["status"],
        "ok"
    );
    assert_eq!(
        admin(&emulator, "GET", "/_emulator/state").send().status,
        200
    );
    assert_eq!(
        admin(&emulator, "GET", "/_emulator/nowhere").send().status,
        404
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_keys_are_refused_by_name() {
    let emulator = control_plane().await;
    for (path, body, key) in [
        ("clock", r#"{"skew":5}"#, "skew"),
        ("clock", r#"{"rate":-1}"#, "rate"),
        ("tokens", r#"{"ttl":5}"#, "ttl"),
        ("tokens", r#"{"size_bytes":1000000}"#, "size_bytes"),
        ("reset", r#"{"keep":["clocks"]}"#, "clocks"),
        (
            "faults",
            r#"{"action":{"kind":"status","status":503},"match":{"verb":"GET"}}"#,
            "verb",
        ),
        (
            "faults",
            r#"{"action":{"kind":"status","status":503,"retryafter":1}}"#,
            "retryafter",
        ),
        ("faults", r#"{"action":{"kind":"hang","ms":1}}"#, "ms"),
        ("faults", r#"{"action":{"kind":"explode"}}"#, "explode"),
        ("faults", "{}", "action"),
        ("faults", r#"{"action":{"kind":"hang"},"time":1}"#, "time"),
        (
            "endpoints/projects%2Femulator%2Fbranches%2Fproduction%2Fendpoints%2Fprimary",
            r#"{"act":"disable"}"#,
            "act",
        ),
    ] {
        let reply = admin(&emulator, "POST", &format!("/_emulator/{path}"))
            .body(body)
            .send();
        assert_eq!(reply.status, 400, "{path} {body}");
        let error = reply.json()["error"].as_str().unwrap().to_owned();
        assert!(
            error.contains(&format!("`{key}`")) || error.contains(key),
            "{error}"
        );
    }
    assert!(emulator.faults().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_date_header_and_lifetimes_follow_the_virtual_clock() {
    let emulator = control_plane().await;
    let set = r#"{"set":"2030-01-01T00:00:00Z","freeze":true}"#;
    let reading = admin(&emulator, "POST", "/_emulator/clock")
        .body(set)
        .send()
        .json();
    assert_eq!(
        (&reading["now"], &reading["frozen"]),
        (&json!("2030-01-01T00:00:00Z"), &json!(true))
    );
    let reply = mint(&emulator).send();
    assert_eq!(reply.header("date"), Some("Tue, 01 Jan 2030 00:00:00 GMT"));
    assert_eq!(reply.json()["expire_time"], "2030-01-01T01:00:00Z");
    admin(&emulator, "POST", "/_emulator/clock")
        .body(r#"{"advance_s":600}"#)
        .send();
    assert_eq!(
        mint(&emulator).send().json()["expire_time"],
        "2030-01-01T01:10:00Z"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ttl_knob_is_the_default_and_lifts_the_limits() {
    let emulator = control_plane().await;
    let set = r#"{"set":"2030-01-01T00:00:00Z","freeze":true}"#;
    admin(&emulator, "POST", "/_emulator/clock")
        .body(set)
        .send();
    admin(&emulator, "POST", "/_emulator/tokens")
        .body(r#"{"ttl_s":5,"size_bytes":2000}"#)
        .send();
    let body = mint(&emulator).send().json();
    assert_eq!(body["expire_time"], "2030-01-01T00:00:05Z");
    assert!(body["token"].as_str().unwrap().len() >= 2000);
    let asked = format!(r#"{{"endpoint":"{ENDPOINT}","ttl":"7s"}}"#);
    assert_eq!(
        api(&emulator, "POST", MINT).body(&asked).send().json()["expire_time"],
        "2030-01-01T00:00:07Z"
    );
    admin(&emulator, "POST", "/_emulator/reset")
        .body(r#"{"keep":["clock"]}"#)
        .send();
    assert_eq!(
        mint(&emulator).send().json()["expire_time"],
        "2030-01-01T01:00:00Z"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_access_token_expires_by_the_virtual_clock_and_with_its_key() {
    let emulator = control_plane().await;
    let token = || {
        let form = "grant_type=client_credentials&client_id=00000000-0000-4000-8000-000000000001&client_secret=emulator-secret";
        let reply = ask("POST", &emulator.urls().control, "/oidc/v1/token")
            .body(form)
            .send();
        reply.json()["access_token"].as_str().unwrap().to_owned()
    };
    let status = |token: &str| mint(&emulator).bearer(token).send().status;
    let first = token();
    assert_eq!(status(&first), 200);
    admin(&emulator, "POST", "/_emulator/clock")
        .body(r#"{"advance_s":3601}"#)
        .send();
    assert_eq!(status(&first), 401);
    let second = token();
    assert_eq!(status(&second), 200);
    admin(&emulator, "POST", "/_emulator/tokens")
        .body(r#"{"rotate_key":true}"#)
        .send();
    assert_eq!(status(&second), 401);
    assert_eq!(status(&token()), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_journal_tells_what_was_sent_and_keeps_no_secret() {
    let emulator = control_plane().await;
    mint(&emulator)
        .header("user-agent", "app/1")
        .header("x-lakekey-test", "t")
        .send();
    let form = "grant_type=client_credentials&client_id=x&client_secret=very-secret";
    ask("POST", &emulator.urls().control, "/oidc/v1/token")
        .body(form)
        .send();
    let reply = admin(&emulator, "GET", "/_emulator/requests?since=0").send();
    for secret in ["very-secret", "dapi-emulator", emulator.admin_token()] {
        assert!(!reply.body.contains(secret), "{secret}");
    }
    let journal = reply.json();
    let first = &journal["entries"][0];
    assert_eq!(
        (&first["kind"], &first["route"]),
        (&json!("request"), &json!(format!("POST {MINT}")))
    );
    assert_eq!(
        (&first["status"], &first["auth"], &first["test"]),
        (&json!(200), &json!("bearer"), &json!("t"))
    );
    assert_eq!(first["body"]["endpoint"], ENDPOINT);
    assert_eq!(journal["counters"]["mints"], 1);
    assert_eq!(
        journal["counters"]["endpoints"][emulator.endpoint_uid()]["mints"],
        1
    );
    let last = journal["last"].as_u64().unwrap();
    let rest = admin(
        &emulator,
        "GET",
        &format!("/_emulator/requests?since={last}"),
    )
    .send()
    .json();
    assert_eq!(rest["entries"], json!([]));
    assert_eq!(
        admin(&emulator, "GET", "/_emulator/requests?from=1")
            .send()
            .status,
        400
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endpoints_are_named_by_uid_or_by_name_escaped_or_not() {
    let emulator = control_plane().await;
    let disabled = || {
        api(&emulator, "GET", &format!("/api/2.0/postgres/{ENDPOINT}"))
            .send()
            .json()["status"]["disabled"]
            .clone()
    };
    for id in [
        emulator.endpoint_uid(),
        ENDPOINT.to_owned(),
        ENDPOINT.replace('/', "%2F"),
    ] {
        let path = format!("/_emulator/endpoints/{id}");
        let reply = admin(&emulator, "POST", &path)
            .body(r#"{"action":"disable"}"#)
            .send();
        assert_eq!(
            (reply.status, &reply.json()["disabled"]),
            (200, &json!(true)),
            "{id}"
        );
        assert_eq!(disabled(), json!(true));
        admin(&emulator, "POST", &path)
            .body(r#"{"action":"enable"}"#)
            .send();
        assert_eq!(disabled(), json!(null));
    }
    let reply = admin(&emulator, "GET", "/_emulator/endpoints/ep-none").send();
    assert_eq!(reply.status, 404);
    assert!(reply.body.contains(ENDPOINT), "{}", reply.body);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_are_set_listed_and_taken_away() {
    let emulator = control_plane().await;
    let rule = r#"{"match":{"method":"POST","path":"*/credentials"},"action":{"kind":"status","status":503,"retry_after":{"date_s":5}},"times":2}"#;
    let id = admin(&emulator, "POST", "/_emulator/faults")
        .body(rule)
        .send()
        .json()["id"]
        .as_u64()
        .unwrap();
    assert_eq!(mint(&emulator).send().status, 503);
    let listed = admin(&emulator, "GET", "/_emulator/faults").send().json();
    assert_eq!(
        (&listed[0]["applied"], &listed[0]["action"]["kind"]),
        (&json!(1), &json!("status"))
    );
    assert_eq!(
        admin(&emulator, "DELETE", &format!("/_emulator/faults/{id}"))
            .send()
            .status,
        200
    );
    assert_eq!(
        admin(&emulator, "DELETE", &format!("/_emulator/faults/{id}"))
            .send()
            .status,
        404
    );
    assert_eq!(mint(&emulator).send().status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn asking_it_to_stop_is_heard() {
    let emulator = control_plane().await;
    assert_eq!(admin(&emulator, "POST", "/shutdown").send().status, 202);
    tokio::time::timeout(std::time::Duration::from_secs(20), emulator.stop_asked())
        .await
        .unwrap();
    let root = emulator.state_dir().to_owned();
    let address = emulator.urls().control.clone();
    emulator.shutdown().await;
    assert!(!root.exists(), "the temporary directory is gone");
    assert!(ask("GET", &address, "/").raw().is_err());
    let again = Emulator::start(Options::control_plane_only())
        .await
        .unwrap();
    assert_ne!(again.state_dir(), root);
}
