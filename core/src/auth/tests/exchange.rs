//! oauth-m2m on the wire: which requests, in which order, and how answers are read.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{NOW, api, ask, me};
use crate::clock::{Clock, ManualClock};
use crate::code::Code;
use crate::http::scripted::{Reply, Scripted, drive, ok, status};

const M2M: &[(&str, &str)] = &[
    ("host", "https://w"),
    ("client_id", "sp"),
    ("client_secret", "planted-secret"),
];
const WELL_KNOWN: &str = "GET /oidc/.well-known/oauth-authorization-server";
const DOCUMENT: &str = r#"{"token_endpoint":"https://w/oidc/v1/token"}"#;
const TOKEN: &str = r#"{"access_token":"planted-token","token_type":"bearer","expires_in":3600}"#;

/// A workspace that behaves, with one answer replaced.
fn workspace(
    path: &'static str,
    replaced: impl Fn() -> Reply + Send + 'static,
) -> std::sync::Arc<Scripted> {
    Scripted::new(move |request| match request.url.path() {
        asked if asked == path => replaced(),
        "/oidc/.well-known/oauth-authorization-server" => ok(DOCUMENT),
        "/oidc/v1/token" => ok(TOKEN),
        "/me" => ok("{}"),
        other => panic!("{other}"),
    })
}

#[tokio::test]
async fn two_requests_precede_the_first_call_and_none_the_second() {
    let clock = ManualClock::at(NOW);
    let wire = workspace("", || status(500));
    let api = api(
        M2M,
        &[("DATABRICKS_WORKSPACE_ID", "42")],
        &wire,
        &clock,
        None,
    )
    .unwrap();
    ask(&api, &clock).await.unwrap();
    ask(&api, &clock).await.unwrap();
    assert_eq!(
        wire.asked(),
        [WELL_KNOWN, "POST /oidc/v1/token", "GET /me", "GET /me"]
    );

    let seen = wire.seen();
    let header = |index: usize, name: &str| {
        let request: &crate::http::transport::Request = &seen[index];
        request
            .headers
            .get(name)
            .map(|value| value.to_str().unwrap().to_owned())
    };
    assert_eq!(header(0, "authorization"), None, "discovery is anonymous");
    assert_eq!(
        header(1, "authorization").unwrap(),
        format!("Basic {}", STANDARD.encode("sp:planted-secret"))
    );
    assert_eq!(
        seen[1].body,
        b"grant_type=client_credentials&scope=all-apis"
    );
    assert!(!seen[1].follow_redirects && !seen[2].follow_redirects);
    assert_eq!(
        header(2, "authorization").unwrap(),
        "Bearer planted-token",
        "any case of bearer"
    );
    assert_eq!(header(2, "x-databricks-workspace-id").unwrap(), "42");
    let agent = header(2, "user-agent").unwrap();
    assert!(
        agent.starts_with("lakekey/")
            && agent.contains(" os/")
            && agent.ends_with("auth/oauth-m2m"),
        "{agent}"
    );
    assert!(!format!("{seen:?} {api:?}").contains("planted"));
}

#[tokio::test]
async fn a_host_without_the_document_is_asked_for_its_metadata() {
    let clock = ManualClock::at(NOW);
    let wire = Scripted::new(|request| match request.url.path() {
        "/.well-known/databricks-config" => {
            ok(r#"{"oidc_endpoint":"https://w/oidc/accounts/{account_id}/","account_id":"a1"}"#)
        }
        "/oidc/accounts/a1/.well-known/oauth-authorization-server" => ok(DOCUMENT),
        "/oidc/v1/token" => ok(TOKEN),
        "/me" => ok("{}"),
        _ => status(404),
    });
    let api = api(M2M, &[], &wire, &clock, None).unwrap();
    ask(&api, &clock).await.unwrap();
    assert_eq!(
        wire.asked()[..4],
        [
            WELL_KNOWN,
            "GET /.well-known/databricks-config",
            "GET /oidc/accounts/a1/.well-known/oauth-authorization-server",
            "POST /oidc/v1/token"
        ]
    );
}

#[tokio::test]
async fn a_host_without_oauth_says_so() {
    let clock = ManualClock::at(NOW);
    for metadata in [
        r"{}",
        r#"{"oidc_endpoint":"https://w/oidc/accounts/{account_id}"}"#,
        "<html>",
        "null",
    ] {
        let wire = Scripted::new(move |request| match request.url.path() {
            "/.well-known/databricks-config" => ok(metadata),
            _ => status(404),
        });
        let api = api(M2M, &[], &wire, &clock, None).unwrap();
        let error = ask(&api, &clock).await.unwrap_err();
        assert_eq!(error.code(), Code::AuthFailed);
        assert!(
            error
                .message()
                .contains("databricks OAuth is not supported for this host"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_configured_discovery_url_is_the_only_one_asked() {
    let clock = ManualClock::at(NOW);
    let wire = Scripted::new(|request| match request.url.path() {
        "/doc" => ok(DOCUMENT),
        "/oidc/v1/token" => ok(TOKEN),
        _ => ok("{}"),
    });
    let settings = [M2M, &[("discovery_url", "https://elsewhere/doc")]].concat();
    let api = api(&settings, &[], &wire, &clock, None).unwrap();
    ask(&api, &clock).await.unwrap();
    assert_eq!(wire.asked(), ["GET /doc", "POST /oidc/v1/token", "GET /me"]);
}

#[tokio::test]
async fn a_secret_never_goes_to_an_unencrypted_address() {
    let clock = ManualClock::at(NOW);
    let wire = workspace("/oidc/.well-known/oauth-authorization-server", || {
        ok(r#"{"token_endpoint":"http://evil.example.com/token"}"#)
    });
    let api = api(M2M, &[], &wire, &clock, None).unwrap();
    let error = ask(&api, &clock).await.unwrap_err();
    assert_eq!(error.code(), Code::AuthFailed);
    assert!(
        error
            .message()
            .contains("http://evil.example.com, which is not encrypted"),
        "{error}"
    );
    assert_eq!(wire.asked(), [WELL_KNOWN]);
}

#[tokio::test]
async fn answers_are_read_tolerantly() {
    let clock = ManualClock::at(NOW);
    let jwt = format!(
        "e30.{}.s",
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(r#"{"exp":1700003600}"#)
    );
    let with_jwt = format!(r#"{{"access_token":"{jwt}"}}"#);
    let form: &[(&str, &str)] = &[(
        "content-type",
        "application/x-www-form-urlencoded; charset=utf-8",
    )];
    let dated: &[(&str, &str)] = &[("date", "Tue, 14 Nov 2023 23:13:20 GMT")];
    // Each of these lives an hour: good after 30 minutes, refreshed in the background after 41, gone after 61.
    for (headers, body) in [
        (&[][..], r#"{"access_token":"t","expires_in":3600}"#),
        (
            &[],
            r#"{"access_token":"t","token_type":"BEARER","expires_in":"3600"}"#,
        ),
        (&[], r#"{"access_token":"t","expires_in":3600.0}"#),
        (&[], r#"{"access_token":"t","expires_on":"1700003600"}"#),
        (&[], r#"{"access_token":"t","expires_on":1700003600}"#),
        (dated, r#"{"access_token":"t","expires_on":1700007200}"#),
        (&[], &with_jwt),
        (form, "access_token=t&token_type=Bearer&expires_in=3600"),
    ] {
        let clock = ManualClock::at(NOW);
        let body = body.to_owned();
        let shown = body.clone();
        let wire = workspace("/oidc/v1/token", move || {
            Reply::Answer(200, headers, body.clone())
        });
        let api = api(M2M, &[], &wire, &clock, None).unwrap();
        let tokens = || {
            wire.asked()
                .iter()
                .filter(|asked| asked.starts_with("POST"))
                .count()
        };
        ask(&api, &clock).await.unwrap();
        clock.advance(Duration::from_mins(30));
        ask(&api, &clock).await.unwrap();
        assert_eq!(tokens(), 1, "{shown}");
        clock.advance(Duration::from_mins(31));
        ask(&api, &clock).await.unwrap();
        assert_eq!(tokens(), 2, "{shown}");
    }
    let wire = workspace("/oidc/v1/token", || ok(r#"{"access_token":"opaque"}"#));
    let api = api(M2M, &[], &wire, &clock, None).unwrap();
    ask(&api, &clock).await.unwrap();
    clock.advance(Duration::from_hours(1000));
    ask(&api, &clock).await.unwrap();
    assert_eq!(
        wire.asked().len(),
        4,
        "without an end it is kept until it is refused"
    );
}

#[tokio::test]
async fn answers_that_cannot_be_used_are_typed_and_show_no_secret() {
    for (answer, code, words) in [
        (r"{}", Code::AuthFailed, "no access_token"),
        (
            r#"{"access_token":null}"#,
            Code::AuthFailed,
            "no access_token",
        ),
        ("null", Code::AuthFailed, "neither JSON nor a form"),
        (
            "<html>planted-secret</html>",
            Code::AuthFailed,
            "neither JSON nor a form",
        ),
        ("", Code::AuthFailed, "neither JSON nor a form"),
        (
            r#"{"access_token":"planted\ntoken"}"#,
            Code::AuthFailed,
            "characters that no token has",
        ),
    ] {
        let clock = ManualClock::at(NOW);
        let wire = workspace("/oidc/v1/token", move || ok(answer));
        let error = ask(&api(M2M, &[], &wire, &clock, None).unwrap(), &clock)
            .await
            .unwrap_err();
        assert_eq!(error.code(), code, "{answer}: {error}");
        assert!(error.message().contains(words), "{answer}: {error}");
        assert!(error.message().starts_with("oauth-m2m: "), "{error}");
        assert!(!format!("{error} {error:?}").contains("planted"), "{error}");
    }
}

#[tokio::test]
async fn refusals_of_the_token_endpoint() {
    let echo = r#"{"error":"invalid_client","error_description":"bad planted-secret / c3A6cGxhbnRlZC1zZWNyZXQ="}"#;
    for (given, body, code, attempts) in [
        (401, echo, Code::AuthDenied, 1),
        (400, r#"{"error":"invalid_client"}"#, Code::AuthDenied, 1),
        (403, "", Code::AuthDenied, 1),
        (404, "", Code::AuthFailed, 1),
        (302, "", Code::AuthFailed, 1),
        (503, "", Code::ApiUnavailable, 6),
        (429, "", Code::ApiRateLimited, 6),
        (500, "", Code::ApiUnavailable, 1),
    ] {
        let clock = ManualClock::at(NOW);
        let wire = workspace("/oidc/v1/token", move || {
            Reply::Answer(given, &[], body.to_owned())
        });
        let api = api(M2M, &[], &wire, &clock, None).unwrap();
        let error = drive(&clock, api.call(me(&clock, Duration::from_secs(30))))
            .await
            .unwrap_err();
        assert_eq!(error.code(), code, "{given}: {error}");
        assert_eq!(error.http_status(), Some(given));
        let posts = wire
            .asked()
            .iter()
            .filter(|asked| asked.starts_with("POST"))
            .count();
        assert_eq!(posts, attempts, "{given}");
        let shown = format!("{error} {error:?}");
        assert!(
            !shown.contains("planted") && !shown.contains("c3A6"),
            "{shown}"
        );
        if code == Code::AuthDenied {
            assert!(
                error
                    .hint()
                    .unwrap()
                    .contains("client_secret (from explicit setting)"),
                "{error}"
            );
        }
    }
}

#[tokio::test]
async fn a_refused_token_is_replaced_once() {
    let clock = ManualClock::at(NOW);
    let mut count = 0;
    let wire = Scripted::new(move |request| match request.url.path() {
        "/oidc/v1/token" => {
            count += 1;
            ok(format!(
                r#"{{"access_token":"t{count}","expires_in":3600}}"#
            ))
        }
        "/me" if request.headers["authorization"] == "Bearer t1" => status(401),
        "/me" => ok("{}"),
        _ => ok(DOCUMENT),
    });
    let api = api(M2M, &[], &wire, &clock, None).unwrap();
    ask(&api, &clock).await.unwrap();
    assert_eq!(
        wire.asked(),
        [
            WELL_KNOWN,
            "POST /oidc/v1/token",
            "GET /me",
            "POST /oidc/v1/token",
            "GET /me"
        ]
    );

    let always = workspace("/me", || status(401));
    let api = super::api(M2M, &[], &always, &clock, None).unwrap();
    let error = ask(&api, &clock).await.unwrap_err();
    assert_eq!(error.code(), Code::AuthDenied);
    assert_eq!(always.asked().len(), 5, "and no more than once");
    assert!(
        error.hint().unwrap().contains(
            "auth type oauth-m2m. Config: host=https://w, client_id=sp, client_secret=***"
        ),
        "{error}"
    );
}

#[tokio::test]
async fn a_pat_asks_for_nothing_and_is_not_tried_twice() {
    let clock = ManualClock::at(NOW);
    let wire = workspace("/me", || status(401));
    let pat = [("host", "https://w"), ("token", "planted-pat")];
    let api = api(&pat, &[], &wire, &clock, None).unwrap();
    let error = ask(&api, &clock).await.unwrap_err();
    assert_eq!(error.code(), Code::AuthDenied);
    assert_eq!(wire.asked(), ["GET /me"]);
    assert_eq!(
        wire.seen()[0].headers["authorization"],
        "Bearer planted-pat"
    );
}

#[tokio::test]
async fn a_token_endpoint_that_hangs_costs_no_more_than_the_callers_time() {
    let clock = ManualClock::at(NOW);
    let wire = workspace("/oidc/v1/token", || Reply::Hang);
    let api = api(M2M, &[], &wire, &clock, None).unwrap();
    let start = clock.now().boot_ms;
    let error = ask(&api, &clock).await.unwrap_err();
    assert_eq!(error.code(), Code::HttpTimeout);
    assert_eq!(clock.now().boot_ms - start, 10_000);
}
