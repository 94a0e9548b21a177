//! The whole of it: a credential of the control plane opens a session with a real Postgres, and what is no such
//! credential does not.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::time::Duration;

use common::session::{credential, login, login_to, who};
use common::{ENDPOINT, admin, api, ask};
use lakekey_emulator::front::SessionFilter;
use lakekey_emulator::{
    Action, CLIENT_ID, CLIENT_SECRET, Counters, Emulator, Fault, GROUP, HostMode, Options,
    STRANGER, STRANGER_TOKEN, SuspendAfter, TOKEN, USER,
};
use serde_json::json;

const PATIENCE: Duration = Duration::from_mins(1);

fn access_token(emulator: &Emulator) -> String {
    let form = format!(
        "grant_type=client_credentials&client_id={CLIENT_ID}&client_secret={CLIENT_SECRET}"
    );
    let reply = ask("POST", &emulator.urls().control, "/oidc/v1/token")
        .body(&form)
        .send();
    reply.json()["access_token"].as_str().unwrap().to_owned()
}

fn state(emulator: &Emulator) -> String {
    let endpoint = api(emulator, "GET", &format!("/api/2.0/postgres/{ENDPOINT}"))
        .send()
        .json();
    endpoint["status"]["current_state"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_credential_opens_a_session_for_its_owner_and_his_group() {
    let emulator = Emulator::start(Options::default()).await.unwrap();
    assert_eq!(state(&emulator), "IDLE");
    let token = credential(&emulator, TOKEN);
    for role in [USER, GROUP] {
        assert_eq!(
            who(&login(&emulator, role, &token).await.unwrap()).await,
            role
        );
    }
    let service = credential(&emulator, &access_token(&emulator));
    assert_eq!(
        who(&login(&emulator, CLIENT_ID, &service).await.unwrap()).await,
        CLIENT_ID
    );
    assert_eq!(state(&emulator), "ACTIVE");
    let counters = emulator.counters();
    assert_eq!((counters.logins_accepted, counters.logins_refused), (3, 0));
    assert_eq!(counters.endpoints[&emulator.endpoint_uid()].starts, 1);
    emulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_no_good_credential_is_refused_by_its_reason() {
    let emulator = Emulator::start(Options::default()).await.unwrap();
    let token = credential(&emulator, TOKEN);
    let stranger = credential(&emulator, STRANGER_TOKEN);
    let refused = async |role: &str, password: &str| {
        login(&emulator, role, password)
            .await
            .expect_err("a refusal")
    };
    let mut seen = Vec::new();
    for (role, password) in [
        (USER, access_token(&emulator).as_str()),
        (USER, TOKEN),
        (USER, stranger.as_str()),
        (STRANGER, stranger.as_str()),
        (CLIENT_ID, token.as_str()),
    ] {
        seen.push(refused(role, password).await);
    }
    emulator.clock().advance(Duration::from_secs(3601));
    seen.push(refused(USER, &token).await);
    let pooled = emulator.pg_host().replace(".database", "-pooler.database");
    let fresh = credential(&emulator, TOKEN);
    seen.push(
        login_to(&emulator, &pooled, USER, &fresh)
            .await
            .err()
            .unwrap(),
    );
    emulator
        .set_tokens(&serde_json::from_value(json!({"rotate_key": true})).unwrap())
        .unwrap();
    seen.push(refused(USER, &fresh).await);
    let no_password =
        |role: &str| format!("28P01: password authentication failed for user \"{role}\"");
    let no_identity = "28000: Invalid authorization for databricks identity login".to_owned();
    assert_eq!(
        seen,
        [
            no_identity.clone(),
            "28P01: Provided authentication token is not a valid JWT encoding".to_owned(),
            no_password(USER),
            no_password(STRANGER),
            no_password(CLIENT_ID),
            no_password(USER),
            "08P01: SASL authentication failed".to_owned(),
            no_identity,
        ]
    );
    assert_eq!(emulator.counters().logins_refused, seen.len() as u64);
    // One of them woke Postgres: the good credential of an identity whose role may have been made in SQL.
    assert_eq!(
        emulator
            .counters()
            .endpoints
            .get(&emulator.endpoint_uid())
            .map(|one| one.starts),
        Some(1)
    );

    let mut fault = Fault::new(Action::ExternalAuthorization {
        reason: Some("Source IP address: 1.2.3.4 is blocked".to_owned()),
    })
    .times(1);
    fault.on.endpoint = Some(ENDPOINT.to_owned());
    emulator.fault(fault).unwrap();
    let fresh = credential(&emulator, TOKEN);
    assert!(
        refused(USER, &fresh)
            .await
            .starts_with("28000: External authorization failed.")
    );
    emulator.disable(ENDPOINT).await.unwrap();
    assert!(
        refused(USER, &fresh)
            .await
            .starts_with("28000: External authorization failed.")
    );
    emulator.enable(ENDPOINT).unwrap();
    assert_eq!(
        who(&login(&emulator, USER, &fresh).await.unwrap()).await,
        USER
    );
    emulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn computes_sleep_by_the_virtual_clock_and_do_as_the_admin_says() {
    let mut options = Options::default();
    options.suspend_after = SuspendAfter::Idle(Duration::from_mins(5));
    options.token_ttl_s = Some(86_400);
    let emulator = Emulator::start(options).await.unwrap();
    let uid = emulator.endpoint_uid();
    let token = credential(&emulator, TOKEN);
    let client = login(&emulator, USER, &token).await.unwrap();
    who(&client).await;
    // The last bytes of a session may pass the gateway after its client has read them, and count as activity then.
    let mut suspended = false;
    for _ in 0..60 {
        emulator.clock().advance(Duration::from_secs(301));
        let seen = |counters: &Counters| counters.endpoints[&uid].suspends == 1;
        suspended = suspended || emulator.until(Duration::from_secs(1), seen).await;
        if suspended {
            break;
        }
    }
    assert!(suspended, "{:?}", emulator.counters());
    assert_eq!(state(&emulator), "IDLE");

    let order = |body: &str| {
        let reply = admin(&emulator, "POST", &format!("/_emulator/endpoints/{uid}"))
            .body(body)
            .send();
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.json()["compute"].as_str().unwrap().to_owned()
    };
    assert_eq!(order(r#"{"action":"wake"}"#), "ready");
    assert_eq!(order(r#"{"action":"suspend"}"#), "suspended");
    assert_eq!(order(r#"{"action":"restart"}"#), "ready");
    assert_eq!(order(r#"{"action":"crash"}"#), "suspended");
    order(r#"{"wake_fail":1}"#);
    assert!(login(&emulator, USER, &token).await.is_err());
    assert!(login(&emulator, USER, &token).await.is_ok());
    emulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_are_listed_and_ended() {
    let emulator = Emulator::start(Options::default()).await.unwrap();
    let token = credential(&emulator, TOKEN);
    let client = login(&emulator, USER, &token).await.unwrap();
    who(&client).await;
    let listed = admin(&emulator, "GET", "/_emulator/connections")
        .send()
        .json();
    assert_eq!(
        (listed[0]["role"].as_str(), listed[0]["endpoint"].as_str()),
        (Some(USER), Some(emulator.endpoint_uid().as_str()))
    );
    let order = format!(r#"{{"endpoint":"{ENDPOINT}","role":"{USER}","how":"57P01"}}"#);
    assert_eq!(
        admin(&emulator, "POST", "/_emulator/connections/kill")
            .body(&order)
            .send()
            .json(),
        json!({"killed": 1})
    );
    let ended = tokio::time::timeout(PATIENCE, async {
        while !client.is_closed() {
            tokio::task::yield_now().await;
        }
    });
    ended.await.expect("the session ends");
    let bad = admin(&emulator, "POST", "/_emulator/connections/kill")
        .body(r#"{"how":"softly"}"#)
        .send();
    assert_eq!(bad.status, 400);
    let second = login(&emulator, USER, &token).await.unwrap();
    who(&second).await;
    let how = lakekey_emulator::front::KillHow::Terminate;
    assert_eq!(
        emulator.kill(&SessionFilter::default(), how).await.unwrap(),
        1
    );
    emulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_host_modes_need_no_name() {
    for mode in [HostMode::Ip, HostMode::Port] {
        let mut options = Options::default();
        options.host_mode = mode;
        let emulator = Emulator::start(options).await.unwrap();
        let host = emulator.pg_host();
        let shown = api(&emulator, "GET", &format!("/api/2.0/postgres/{ENDPOINT}"))
            .send()
            .json();
        assert_eq!(shown["status"]["hosts"]["host"], host);
        assert!(
            emulator
                .environment()
                .iter()
                .all(|(name, _)| name != "PGHOSTADDR")
        );
        let client = login(&emulator, USER, &credential(&emulator, TOKEN))
            .await
            .unwrap();
        assert_eq!(who(&client).await, USER);
        let port = emulator.pg_port().unwrap();
        if mode == HostMode::Ip && std::net::TcpListener::bind("127.3.2.1:5432").is_ok() {
            assert_eq!(port, 5432);
        }
        let environment = emulator.environment();
        assert!(environment.contains(&("PGPORT".to_owned(), port.to_string())));
        emulator.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_environment_names_all_that_a_client_needs() {
    let emulator = Emulator::start(Options::default()).await.unwrap();
    let names: Vec<String> = emulator
        .environment()
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(
        names,
        [
            "DATABRICKS_HOST",
            "DATABRICKS_TOKEN",
            "LAKEBASE_ENDPOINT",
            "PGHOST",
            "PGHOSTADDR",
            "PGPORT",
            "PGDATABASE",
            "PGUSER",
            "PGSSLMODE",
            "PGSSLROOTCERT",
            "NODE_EXTRA_CA_CERTS"
        ]
    );
    emulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_made_in_sql_lets_its_identity_in() {
    let emulator = Emulator::start(Options::default()).await.unwrap();
    let stranger = credential(&emulator, STRANGER_TOKEN);
    let refused = login(&emulator, STRANGER, &stranger).await.unwrap_err();
    assert!(refused.starts_with("28P01: "), "{refused}");
    let owner = login(&emulator, USER, &credential(&emulator, TOKEN))
        .await
        .unwrap();
    owner
        .batch_execute(&format!(
            "CREATE EXTENSION databricks_auth; SELECT databricks_create_role('{STRANGER}', 'USER')"
        ))
        .await
        .unwrap();
    assert_eq!(
        who(&login(&emulator, STRANGER, &stranger).await.unwrap()).await,
        STRANGER
    );
    // A role that plain SQL made is none of an identity.
    owner
        .batch_execute("CREATE ROLE \"plain@example.com\" LOGIN")
        .await
        .unwrap();
    let refused = login(&emulator, "plain@example.com", &stranger)
        .await
        .unwrap_err();
    assert!(refused.starts_with("28P01: "), "{refused}");
    emulator.shutdown().await;
}
