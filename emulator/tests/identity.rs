//! The identity services around the workspace: issuer, token exchange, refresh token, account paths, Entra, instance
//! metadata and the resource manager.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{Reply, api, ask, control_plane};
use lakekey_emulator::{CLIENT_ID, CLIENT_SECRET, Emulator, USER};

const TENANT: &str = "00000000-0000-4000-8000-00000000007e";
const ACCOUNT: &str = "/oidc/accounts/00000000-0000-4000-8000-0000000000ac";
const APP: &str = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d";
const EXCHANGE: &str = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange\
                        &subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Ajwt";

fn post(emulator: &Emulator, path: &str, form: &str) -> Reply {
    ask("POST", &emulator.urls().control, path)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form)
        .send()
}

fn user_of(emulator: &Emulator, reply: &Reply) -> String {
    assert_eq!(reply.status, 200, "{}", reply.body);
    let token = reply.json()["access_token"].as_str().unwrap().to_owned();
    let me = api(emulator, "GET", "/api/2.0/preview/scim/v2/Me")
        .bearer(&token)
        .send();
    me.json()["userName"].as_str().unwrap().to_owned()
}

fn id_token(emulator: &Emulator, audience: &str) -> String {
    let path = format!("/issuer/github?audience={audience}");
    let reply = ask("GET", &emulator.urls().control, &path)
        .bearer("emulator-job")
        .send();
    reply.json()["value"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_token_is_exchanged_for_the_service_principals() {
    let emulator = control_plane().await;
    let base = &emulator.urls().control;
    let account = ask(
        "GET",
        base,
        &format!("{ACCOUNT}/.well-known/oauth-authorization-server"),
    )
    .send();
    assert_eq!(
        account.json()["token_endpoint"],
        format!("{base}{ACCOUNT}/v1/token")
    );
    for (endpoint, audience) in [
        ("/oidc/v1/token".to_owned(), format!("{base}/oidc/v1/token")),
        (
            format!("{ACCOUNT}/v1/token"),
            format!("{base}{ACCOUNT}/v1/token"),
        ),
    ] {
        let form = format!(
            "{EXCHANGE}&client_id={CLIENT_ID}&subject_token={}",
            id_token(&emulator, &audience)
        );
        assert_eq!(
            user_of(&emulator, &post(&emulator, &endpoint, &form)),
            CLIENT_ID
        );
    }
    let wrong_audience = id_token(&emulator, "elsewhere");
    let good = id_token(&emulator, &format!("{base}/oidc/v1/token"));
    for (form, error) in [
        (
            format!("{EXCHANGE}&client_id={CLIENT_ID}&subject_token=junk"),
            "invalid_request",
        ),
        (
            format!("{EXCHANGE}&client_id={CLIENT_ID}&subject_token={wrong_audience}"),
            "invalid_request",
        ),
        (
            format!("{EXCHANGE}&client_id=other&subject_token={good}"),
            "invalid_client",
        ),
    ] {
        let reply = post(&emulator, "/oidc/v1/token", &form);
        assert_eq!(reply.json()["error"], error, "{}", reply.body);
    }
    // An ID token opens nothing by itself.
    let me = api(&emulator, "GET", "/api/2.0/preview/scim/v2/Me")
        .bearer(&good)
        .send();
    assert_eq!(me.status, 401);
    let stranger = ask("GET", base, "/issuer/github").bearer("junk").send();
    assert_eq!(stranger.status, 401);
    let pipeline = "/issuer/p/_apis/distributedtask/hubs/build/plans/1/jobs/2/oidctoken?api-version=7.2-preview.1";
    let reply = ask("POST", base, pipeline).bearer("emulator-job").send();
    assert!(reply.json()["oidcToken"].is_string(), "{}", reply.body);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_token_is_the_users_until_it_ends() {
    let emulator = control_plane().await;
    let form = "grant_type=refresh_token&client_id=databricks-cli&refresh_token=emulator-refresh";
    assert_eq!(
        user_of(&emulator, &post(&emulator, "/oidc/v1/token", form)),
        USER
    );
    let ended = post(
        &emulator,
        "/oidc/v1/token",
        "grant_type=refresh_token&refresh_token=old",
    );
    assert_eq!(
        (ended.status, &ended.json()["error"]),
        (400, &"invalid_grant".into())
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn azure_gives_two_tokens_and_knows_the_workspace() {
    let emulator = control_plane().await;
    let base = &emulator.urls().control;
    let tenant = ask("GET", base, "/aad/auth").send();
    assert!(
        tenant.header("location").unwrap().contains(TENANT),
        "{tenant:?}",
        tenant = tenant.headers
    );
    let entra = format!("/entra/{TENANT}/oauth2/token");
    let by_secret = |resource: &str, secret: &str| {
        let form = format!(
            "grant_type=client_credentials&resource={resource}&client_id={CLIENT_ID}&client_secret={secret}"
        );
        post(&emulator, &entra, &form)
    };
    assert_eq!(
        user_of(&emulator, &by_secret(APP, CLIENT_SECRET)),
        CLIENT_ID
    );
    let refused = by_secret(APP, "wrong");
    assert_eq!(refused.status, 401);
    assert!(refused.body.contains("AADSTS7000215"), "{}", refused.body);
    let assertion = id_token(&emulator, "api://AzureADTokenExchange");
    let form = format!(
        "grant_type=client_credentials&resource={APP}&client_id={CLIENT_ID}&client_assertion={assertion}"
    );
    assert_eq!(
        user_of(&emulator, &post(&emulator, &entra, &form)),
        CLIENT_ID
    );

    let management = by_secret("management", CLIENT_SECRET).json()["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    let resource = "/arm/subscriptions/s/resourceGroups/g?api-version=2018-04-01";
    let found = ask("GET", base, resource).bearer(&management).send();
    assert_eq!(found.json()["properties"]["workspaceUrl"], *base);
    assert_eq!(ask("GET", base, resource).send().status, 401);

    let imds = format!("/metadata/identity/oauth2/token?api-version=2018-02-01&resource={APP}");
    let machine = ask("GET", base, &imds).header("metadata", "true").send();
    assert_eq!(user_of(&emulator, &machine), CLIENT_ID);
    assert!(machine.json()["expires_on"].is_string());
    assert_eq!(ask("GET", base, &imds).send().status, 400);
}
