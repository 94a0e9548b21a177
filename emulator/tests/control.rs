//! The control plane answers as the service does: what it serves, and what it refuses.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use common::{ENDPOINT, MINT, Reply, api, ask, control_plane, mint};
use lakekey_emulator::{
    CLIENT_ID, CLIENT_SECRET, Emulator, Options, STRANGER_TOKEN, USER, WORKSPACE_ID,
};
use serde_json::json;

fn path(name: &str) -> String {
    format!("/api/2.0/postgres/{name}")
}

fn token_request(emulator: &Emulator, form: &str) -> common::Ask {
    ask("POST", &emulator.urls().control, "/oidc/v1/token")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form)
}

fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

fn assert_refused(reply: &Reply, status: u16, code: &str, text: &str) {
    assert_eq!(
        (reply.status, reply.error_code().as_str()),
        (status, code),
        "{}",
        reply.body
    );
    assert!(reply.message().contains(text), "{}", reply.body);
    let details = &reply.json()["details"][0];
    assert_eq!(
        details["@type"],
        "type.googleapis.com/google.rpc.RequestInfo"
    );
    assert_eq!(details["request_id"].as_str(), reply.header("x-request-id"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn discovery_leads_a_client_to_the_token_endpoint() {
    let emulator = control_plane().await;
    let base = &emulator.urls().control;
    let host = ask("GET", base, "/.well-known/databricks-config")
        .send()
        .json();
    assert_eq!(host["workspace_id"], WORKSPACE_ID);
    assert_eq!(host["host_type"], "workspace");
    let document = format!(
        "{}/.well-known/oauth-authorization-server",
        host["oidc_endpoint"].as_str().unwrap()
    );
    let document = ask("GET", "", &document).send().json();
    assert_eq!(document["token_endpoint"], format!("{base}/oidc/v1/token"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_secret_gives_an_access_token_by_header_or_by_form() {
    let emulator = control_plane().await;
    let form = "grant_type=client_credentials&scope=all-apis";
    let in_form = format!("{form}&client_id={CLIENT_ID}&client_secret={CLIENT_SECRET}");
    for request in [
        token_request(&emulator, form).header("authorization", &basic(CLIENT_ID, CLIENT_SECRET)),
        token_request(&emulator, &in_form),
    ] {
        let reply = request.send();
        let body = reply.json();
        assert_eq!(
            (reply.status, &body["token_type"], &body["expires_in"]),
            (200, &json!("Bearer"), &json!(3600))
        );
        assert_eq!(body["scope"], "all-apis");
        let token = body["access_token"].as_str().unwrap();
        let me = api(&emulator, "GET", "/api/2.0/preview/scim/v2/Me")
            .bearer(token)
            .send();
        assert_eq!(me.json()["userName"], CLIENT_ID);
        let minted = mint(&emulator).bearer(token).send();
        assert_eq!(minted.status, 200, "{}", minted.body);
    }
    assert_eq!(emulator.counters().workspace_tokens, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_token_requests_get_errors_of_oauth() {
    let emulator = control_plane().await;
    let good = basic(CLIENT_ID, CLIENT_SECRET);
    for (form, authorization, status, error) in [
        (
            "grant_type=client_credentials",
            basic(CLIENT_ID, "wrong"),
            401,
            "invalid_client",
        ),
        (
            "grant_type=client_credentials",
            "Basic !!!".to_owned(),
            401,
            "invalid_client",
        ),
        (
            "grant_type=client_credentials",
            "Bearer x".to_owned(),
            401,
            "invalid_client",
        ),
        (
            "grant_type=password",
            good.clone(),
            400,
            "unsupported_grant_type",
        ),
        ("scope=all-apis", good.clone(), 400, "invalid_request"),
        (
            "grant_type=client_credentials&scope=%22",
            good.clone(),
            400,
            "invalid_scope",
        ),
    ] {
        let reply = token_request(&emulator, form)
            .header("authorization", &authorization)
            .send();
        assert_eq!(
            (reply.status, reply.json()["error"].as_str()),
            (status, Some(error)),
            "{}",
            reply.body
        );
        assert!(reply.json()["error_description"].is_string());
        assert_eq!(reply.header("www-authenticate").is_some(), status == 401);
    }
    assert_eq!(
        token_request(&emulator, "grant_type=client_credentials")
            .send()
            .json()["error"],
        "invalid_client"
    );
    assert_eq!(
        ask("GET", &emulator.urls().control, "/oidc/v1/token")
            .send()
            .status,
        405
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn me_names_the_caller_and_the_workspace() {
    let emulator = control_plane().await;
    let reply = api(&emulator, "GET", "/api/2.0/preview/scim/v2/Me").send();
    assert_eq!(reply.header("x-databricks-org-id"), Some(WORKSPACE_ID));
    let me = reply.json();
    assert_eq!(
        (me["userName"].as_str(), me["active"].as_bool()),
        (Some(USER), Some(true))
    );
    assert_eq!(me["groups"][0]["display"], "data engineers");
    let stranger = api(&emulator, "GET", "/api/2.0/preview/scim/v2/Me")
        .bearer(STRANGER_TOKEN)
        .send()
        .json();
    assert_eq!(stranger["groups"], json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_call_is_told_why() {
    let emulator = control_plane().await;
    let narrow = token_request(&emulator, "grant_type=client_credentials&scope=sql")
        .header("authorization", &basic(CLIENT_ID, CLIENT_SECRET))
        .send()
        .json();
    let narrow = format!("Bearer {}", narrow["access_token"].as_str().unwrap());
    let credential = format!(
        "Bearer {}",
        mint(&emulator).send().json()["token"].as_str().unwrap()
    );
    for (authorization, status, code, text) in [
        ("", 401, "UNAUTHENTICATED", "Credential was not sent"),
        (
            "Basic abc",
            401,
            "UNAUTHENTICATED",
            "Credential was not sent",
        ),
        ("Bearer", 401, "UNAUTHENTICATED", "Credential was not sent"),
        (
            "Bearer dapi-wrong",
            403,
            "PERMISSION_DENIED",
            "Invalid access token.",
        ),
        (
            credential.as_str(),
            401,
            "UNAUTHENTICATED",
            "not an access token",
        ),
        (
            narrow.as_str(),
            403,
            "PERMISSION_DENIED",
            "required scopes: postgres",
        ),
    ] {
        let reply = api(&emulator, "GET", &path(ENDPOINT))
            .header("authorization", authorization)
            .send();
        assert_refused(&reply, status, code, text);
    }
    let elsewhere = api(&emulator, "GET", &path("projects"))
        .header("x-databricks-workspace-id", "7")
        .send();
    assert_refused(&elsewhere, 400, "INVALID_PARAMETER_VALUE", WORKSPACE_ID);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_show_status_and_no_spec() {
    let emulator = control_plane().await;
    let get = |name: &str| api(&emulator, "GET", &path(name)).send().json();
    let endpoint = get(ENDPOINT);
    assert_eq!(endpoint["name"], ENDPOINT);
    assert_eq!(
        endpoint["status"]["endpoint_type"],
        "ENDPOINT_TYPE_READ_WRITE"
    );
    assert_eq!(endpoint["status"]["current_state"], "IDLE");
    let uid = endpoint["uid"].as_str().unwrap();
    assert_eq!(
        endpoint["status"]["hosts"]["host"],
        format!("{uid}.database.localhost")
    );
    assert_eq!(
        endpoint["status"]["hosts"]["read_write_pooled_host"],
        format!("{uid}-pooler.database.localhost")
    );
    assert!(endpoint.get("spec").is_none() && endpoint["status"].get("disabled").is_none());

    assert_eq!(get("projects/emulator")["status"]["pg_version"], 17);
    let branch = get("projects/emulator/branches/production");
    assert_eq!(
        branch["status"],
        json!({"branch_id": "production", "current_state": "READY", "default": true,
        "state_change_time": branch["create_time"]})
    );
    let role = get("projects/emulator/branches/production/roles/data-engineers");
    assert_eq!(
        (
            &role["status"]["postgres_role"],
            &role["status"]["identity_type"]
        ),
        (&json!("data engineers"), &json!("GROUP"))
    );
    let database = get("projects/emulator/branches/production/databases/databricks-postgres");
    assert_eq!(
        database["status"]["postgres_database"],
        "databricks_postgres"
    );
    assert_eq!(get("projects/emulator/branches")["branches"][0], branch);
    assert_eq!(
        get("projects/emulator/branches/production/endpoints")["endpoints"][0],
        endpoint
    );
    assert_eq!(
        get("projects/emulator/branches/production/roles")["roles"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
    assert_eq!(
        get("projects/emulator/branches/production/databases")["databases"][0],
        database
    );
    emulator.disable(ENDPOINT).await.unwrap();
    assert_eq!(get(ENDPOINT)["status"]["disabled"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_missing_is_named_from_the_top_down() {
    let emulator = control_plane().await;
    let uid = emulator.endpoint_uid();
    for (name, text) in [
        (
            "projects/x/branches/y/endpoints/z".to_owned(),
            "project id not found [TraceId: ",
        ),
        (
            "projects/emulator/branches/y/endpoints/z".to_owned(),
            "branch id not found [TraceId: ",
        ),
        (
            "projects/emulator/branches/production/endpoints/z".to_owned(),
            "endpoint not found [TraceId: ",
        ),
        (
            format!("projects/emulator/branches/production/endpoints/{uid}"),
            "endpoint not found [TraceId: ",
        ),
        (
            "projects/emulator/branches/production/roles/z".to_owned(),
            "role not found; role_id:\"z\" [TraceId: ",
        ),
        (
            "projects/emulator/branches/production/databases/z".to_owned(),
            "database not found [TraceId: ",
        ),
        (
            "projects/emulator/trees/production".to_owned(),
            "resource not found [TraceId: ",
        ),
    ] {
        let reply = api(&emulator, "GET", &path(&name)).send();
        assert_refused(&reply, 404, "NOT_FOUND", text);
        let trace = reply
            .message()
            .rsplit_once("[TraceId: ")
            .unwrap()
            .1
            .trim_end_matches(']')
            .to_owned();
        assert_eq!(trace.len(), 32);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_served_says_what_is() {
    let emulator = control_plane().await;
    for (method, path) in [
        ("GET", "/api/2.0/clusters/list"),
        ("POST", "/api/2.0/database/instances"),
    ] {
        let reply = api(&emulator, method, path).send();
        assert_refused(
            &reply,
            501,
            "NOT_IMPLEMENTED",
            "POST /api/2.0/postgres/credentials",
        );
    }
    assert_eq!(
        ask("GET", &emulator.urls().control, "/nowhere")
            .send()
            .status,
        404
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_come_in_pages() {
    let mut options = Options::control_plane_only();
    options.projects = ["shop", "blog", "bank"].map(str::to_owned).into();
    let emulator = Emulator::start(options).await.unwrap();
    let mut seen = Vec::new();
    let mut query = "page_size=2".to_owned();
    loop {
        let page = api(&emulator, "GET", &path(&format!("projects?{query}")))
            .send()
            .json();
        for project in page["projects"].as_array().unwrap() {
            seen.push(project["project_id"].as_str().unwrap().to_owned());
        }
        let Some(token) = page["next_page_token"].as_str() else {
            break;
        };
        query = format!("page_size=2&page_token={token}");
    }
    assert_eq!(seen, ["emulator", "shop", "blog", "bank"]);
    for bad in [
        "page_size=-1",
        "page_size=101",
        "page_size=many",
        "page_token=zzz",
    ] {
        let reply = api(&emulator, "GET", &path(&format!("projects?{bad}"))).send();
        assert_refused(
            &reply,
            400,
            "INVALID_PARAMETER_VALUE",
            bad.split('=').next().unwrap(),
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_credential_is_a_long_jwt_that_ends_when_the_answer_says() {
    let emulator = control_plane().await;
    let reply = mint(&emulator).send();
    let body = reply.json();
    let token = body["token"].as_str().unwrap();
    assert!(token.len() > 1024, "{}", token.len());
    assert_eq!(token.split('.').count(), 3);
    let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(token.split('.').nth(1).unwrap())
        .unwrap();
    let claims: serde_json::Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!(
        (claims["sub"].as_str(), claims["endpoint"].as_str()),
        (Some(USER), Some(ENDPOINT))
    );
    assert_eq!(claims["workspace_id"], WORKSPACE_ID);
    let end: jiff::Timestamp = body["expire_time"].as_str().unwrap().parse().unwrap();
    assert_eq!(claims["exp"], end.as_second());
    assert!(
        (3599..=3601).contains(&(end.as_second() - reply.date())),
        "{body} {:?}",
        reply.headers
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lifetime_may_be_asked_for_within_limits() {
    let emulator = control_plane().await;
    emulator.clock().freeze(true);
    let now = emulator.clock().now();
    let asked = |extra: &str| {
        api(&emulator, "POST", MINT)
            .body(&format!(r#"{{"endpoint":"{ENDPOINT}",{extra}}}"#))
            .send()
    };
    let end = |seconds: i64| (now + jiff::SignedDuration::from_secs(seconds)).to_string();
    for (extra, lifetime) in [
        (r#""ttl":"300s""#.to_owned(), 300),
        (r#""ttl":"3600s","claims":[{"permission_set":"READ_ONLY","resources":[{"table_name":"c.s.t"}]}]"#.to_owned(), 3600),
        (format!(r#""expire_time":"{}""#, end(900)), 900),
        (r#""group_name":"ignored, as unknown fields are""#.to_owned(), 3600),
    ] {
        let reply = asked(&extra);
        let body = reply.json();
        let shown: jiff::Timestamp = body["expire_time"].as_str().unwrap().parse().unwrap();
        assert_eq!(shown.as_second() - reply.date(), lifetime, "{extra}");
    }
    for (extra, text) in [
        (r#""ttl":"299s""#.to_owned(), "'ttl'"),
        (r#""ttl":"3601s""#.to_owned(), "'ttl'"),
        (r#""ttl":"1h""#.to_owned(), "'ttl'"),
        (r#""ttl":600"#.to_owned(), "'ttl'"),
        (format!(r#""expire_time":"{}""#, end(299)), "'expire_time'"),
        (r#""expire_time":"tomorrow""#.to_owned(), "'expire_time'"),
        (
            format!(r#""ttl":"600s","expire_time":"{}""#, end(600)),
            "At most one",
        ),
        (r#""claims":{}"#.to_owned(), "'claims'"),
        (
            r#""claims":[{"permission_set":"ALL"}]"#.to_owned(),
            "permission_set",
        ),
        (
            r#""claims":[{"resources":[{"schema":"s"}]}]"#.to_owned(),
            "resources",
        ),
    ] {
        assert_refused(&asked(&extra), 400, "INVALID_PARAMETER_VALUE", text);
    }
    assert_eq!(emulator.counters().mints, 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_credential_needs_an_endpoint_that_is_there() {
    let emulator = control_plane().await;
    let uid = emulator.endpoint_uid();
    for (body, status, code, text) in [
        (
            "",
            400,
            "INVALID_PARAMETER_VALUE",
            "Field 'endpoint' is required",
        ),
        (
            r#"{"endpoint":""}"#,
            400,
            "INVALID_PARAMETER_VALUE",
            "Field 'endpoint' is required",
        ),
        (
            r#"{"endpoint":7}"#,
            400,
            "INVALID_PARAMETER_VALUE",
            "must be a string",
        ),
        ("{", 400, "MALFORMED_REQUEST", "Could not parse"),
        ("[]", 400, "MALFORMED_REQUEST", "JSON object"),
        (
            r#"{"endpoint":"projects/emulator/branches/production"}"#,
            404,
            "NOT_FOUND",
            "resource not found",
        ),
        (
            r#"{"endpoint":"projects/none/branches/production/endpoints/primary"}"#,
            404,
            "NOT_FOUND",
            "project id not found",
        ),
        (
            &format!(r#"{{"endpoint":"{uid}"}}"#),
            404,
            "NOT_FOUND",
            "resource not found",
        ),
    ] {
        assert_refused(
            &api(&emulator, "POST", MINT).body(body).send(),
            status,
            code,
            text,
        );
    }
    assert_eq!(emulator.counters().mints, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn state_is_kept_between_two_runs_and_hosts_are_stable() {
    let kept = tempfile::tempdir().unwrap();
    let start = |projects: &[&str]| {
        let mut options = Options::control_plane_only();
        options.state_dir = Some(kept.path().to_owned());
        options.projects = projects.iter().map(|id| (*id).to_owned()).collect();
        Emulator::start(options)
    };
    let first = start(&["shop"]).await.unwrap();
    first
        .disable("projects/shop/branches/production/endpoints/primary")
        .await
        .unwrap();
    let host = first.pg_host();
    first.shutdown().await;
    let second = start(&[]).await.unwrap();
    let shop = api(
        &second,
        "GET",
        &path("projects/shop/branches/production/endpoints/primary"),
    )
    .send()
    .json();
    assert_eq!(shop["status"]["disabled"], true);
    assert_eq!(second.pg_host(), host);
    assert_eq!(
        control_plane().await.pg_host(),
        host,
        "a fresh emulator has the same host"
    );
    second.shutdown().await;

    std::fs::write(kept.path().join("state.json"), "{").unwrap();
    let error = start(&[]).await.unwrap_err().to_string();
    assert!(
        error.contains("state.json") && error.contains("move it away"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_options_are_refused_by_name() {
    let mut bad_project = Options::control_plane_only();
    bad_project.projects = vec!["Shop".to_owned()];
    let mut bad_version = Options::control_plane_only();
    bad_version.pg_version = 15;
    let taken = control_plane().await;
    let mut bad_port = Options::control_plane_only();
    bad_port.port = taken
        .urls()
        .control
        .rsplit_once(':')
        .unwrap()
        .1
        .parse()
        .unwrap();
    for (options, text) in [
        (bad_project, "`project` is \"Shop\""),
        (bad_version, "`pg_version` is 15"),
        (bad_port, "cannot listen on"),
    ] {
        let error = Emulator::start(options).await.unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    }
}
