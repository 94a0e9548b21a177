//! The Azure types: two tokens, the tenant, the workspace behind a resource id, the machine's own identity.

use std::collections::HashMap;
use std::sync::Arc;

use super::types::{ACTIONS, Pairs, api, fails, find, form, header, works, world};
use super::{NOW, ask};
use crate::auth::Outside;
use crate::clock::ManualClock;
use crate::code::Code;
use crate::config::{Environment, Settings, resolve};
use crate::http::Api;
use crate::http::scripted::{Reply, Scripted, ok, status};
use crate::http::transport::Request;
use crate::jitter::FixedDice;

const SECRET: Pairs = &[
    ("host", "https://w"),
    (
        "azure_workspace_resource_id",
        "/subscriptions/s/resourceGroups/g/providers/p/workspaces/ws",
    ),
    ("azure_client_id", "app"),
    ("azure_client_secret", "planted-secret"),
    ("azure_tenant_id", "ten"),
];

fn entra(request: &Request) -> Reply {
    match form(request).get("resource").map(String::as_str) {
        Some("https://management/") => ok(
            r#"{"access_token":"planted-management","token_type":"Bearer","expires_on":"1700003600"}"#,
        ),
        Some("2ff814a6-3304-4ab8-85cb-cd0e6f879c1d") => {
            ok(r#"{"access_token":"planted-token","token_type":"Bearer","expires_in":"3600"}"#)
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn azure_client_secret_sends_both_tokens_and_the_resource() {
    let wire = world(entra);
    let me = works(SECRET, &[], "azure-client-secret", &wire).await;
    assert_eq!(header(&me, "authorization"), Some("Bearer planted-token"));
    assert_eq!(
        header(&me, "x-databricks-azure-sp-management-token"),
        Some("planted-management")
    );
    assert_eq!(
        header(&me, "x-databricks-azure-workspace-resource-id"),
        Some(SECRET[1].1)
    );
    let asked = find(&wire, "/ten/oauth2/token");
    assert_eq!(
        (&*form(&asked)["client_id"], &*form(&asked)["client_secret"]),
        ("app", "planted-secret")
    );
    assert!(!asked.follow_redirects);

    let said = r#"{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret planted-secret provided. Trace ID: abc Correlation ID: d"}"#;
    let refusing = world(move |_| Reply::Answer(401, &[], said.to_owned()));
    fails(
        SECRET,
        &[],
        &refusing,
        Code::AuthDenied,
        "AADSTS7000215: Invalid client secret *** provided",
    )
    .await;
    fails(
        SECRET,
        &[],
        &world(|_| ok("{}")),
        Code::AuthFailed,
        "no access_token",
    )
    .await;
    let elsewhere = [("host", "w"), SECRET[2], SECRET[3], SECRET[4]];
    let wire = world(entra);
    fails(
        &elsewhere,
        &[],
        &wire,
        Code::AuthNotConfigured,
        "cannot configure default credentials",
    )
    .await;
    let pinned = [
        ("host", "w"),
        ("cloud", "azure"),
        ("auth_type", "azure-client-secret"),
        SECRET[2],
    ];
    fails(
        &pinned,
        &[],
        &wire,
        Code::AuthNotConfigured,
        "needs azure_client_secret",
    )
    .await;
    let unknown = [
        SECRET[0],
        SECRET[1],
        ("azure_environment", "MOON"),
        SECRET[2],
        SECRET[3],
        SECRET[4],
    ];
    let environment = Arc::new(Environment::default());
    let resolved = resolve(&unknown.iter().copied().collect::<Settings>(), &environment).unwrap();
    let error = Api::new(
        Arc::new(resolved),
        &Outside::default(),
        wire,
        Arc::new(ManualClock::at(NOW)),
        Arc::new(FixedDice(0.5)),
        None,
        None,
    )
    .unwrap_err();
    assert!(
        error
            .message()
            .contains("there is no azure_environment `MOON`"),
        "{error}"
    );
}

#[tokio::test]
async fn a_tenant_is_found_where_the_workspace_sends_its_users() {
    let settings = &SECRET[..4];
    let wire = world(|request| match request.url.path() {
        "/aad/auth" => Reply::Answer(
            302,
            &[("location", "https://login/found/oauth2/authorize?x=1")],
            String::new(),
        ),
        "/found/oauth2/token" => entra(request),
        other => panic!("{other}"),
    });
    works(settings, &[], "azure-client-secret", &wire).await;
    let asked = find(&wire, "/aad/auth");
    assert_eq!(header(&asked, "authorization"), None);
    assert!(!asked.follow_redirects);
    fails(
        settings,
        &[],
        &world(|_| status(404)),
        Code::AuthFailed,
        "names no tenant (HTTP 404)",
    )
    .await;
}

#[tokio::test]
async fn a_workspace_is_found_by_its_resource_id() {
    let settings = &SECRET[1..];
    let wire =
        Scripted::new(
            |request| match (request.url.host_str().unwrap(), request.url.path()) {
                ("entra", _) => entra(request),
                ("arm", path) => {
                    assert_eq!(path, SECRET[1].1);
                    assert_eq!(request.url.query(), Some("api-version=2018-04-01"));
                    assert_eq!(
                        header(request, "authorization"),
                        Some("Bearer planted-management")
                    );
                    ok(r#"{"properties":{"workspaceUrl":"adb-1.2.azuredatabricks.net"}}"#)
                }
                ("adb-1.2.azuredatabricks.net", "/me") => ok("{}"),
                other => panic!("{other:?}"),
            },
        );
    let clock = ManualClock::at(NOW);
    let found = api(settings, &[], &wire, &clock).unwrap();
    assert_eq!(
        (found.host(), found.principal()),
        ("", ""),
        "nothing is known before it is asked"
    );
    ask(&found, &clock).await.unwrap();
    assert_eq!(found.host(), "https://adb-1.2.azuredatabricks.net");
    assert_eq!(found.login_name(), Some("app"));
    for (answer, words) in [
        (
            (
                404,
                r#"{"error":{"code":"ResourceNotFound","message":"gone"}}"#,
            ),
            "404",
        ),
        ((200, "{}"), "names no workspaceUrl"),
        ((200, "[]"), "no JSON object"),
    ] {
        let wire = Scripted::new(move |request| match request.url.host_str() {
            Some("entra") => entra(request),
            _ => Reply::Answer(answer.0, &[], answer.1.to_owned()),
        });
        fails(settings, &[], &wire, Code::AuthFailed, words).await;
    }
}

#[tokio::test]
async fn azure_msi_asks_the_machine() {
    let settings = [
        ("host", "https://w"),
        ("cloud", "AZURE"),
        ("azure_use_msi", "true"),
        ("azure_client_id", "app"),
    ];
    let imds = |request: &Request| {
        assert_eq!(request.url.path(), "/metadata/identity/oauth2/token");
        assert_eq!(request.url.host_str(), Some("169.254.169.254"));
        let query: HashMap<String, String> = request.url.query_pairs().into_owned().collect();
        assert_eq!(
            (&*query["api-version"], &*query["client_id"]),
            ("2018-02-01", "app")
        );
        assert_eq!(header(request, "metadata"), Some("true"));
        match &*query["resource"] {
            "https://management/" => {
                ok(r#"{"access_token":"planted-management","expires_on":"1700003600"}"#)
            }
            _ => ok(
                r#"{"access_token":"planted-token","token_type":"Bearer","expires_on":"1700003600"}"#,
            ),
        }
    };
    let wire = world(imds);
    let me = works(&settings, &[], "azure-msi", &wire).await;
    assert_eq!(
        header(&me, "x-databricks-azure-sp-management-token"),
        Some("planted-management")
    );
    assert_eq!(
        header(&me, "x-databricks-azure-workspace-resource-id"),
        None
    );
    let off = [
        settings[0],
        settings[1],
        ("azure_use_msi", "false"),
        ("auth_type", "azure-msi"),
    ];
    fails(
        &off,
        &[],
        &wire,
        Code::AuthNotConfigured,
        "needs azure_use_msi",
    )
    .await;
    let unpinned = [settings[0], settings[1], settings[2]];
    fails(
        &unpinned,
        &[],
        &world(|_| ok(r#"{"access_token":"x"}"#)),
        Code::AuthFailed,
        "does not say when",
    )
    .await;
    fails(
        &unpinned,
        &[],
        &world(|_| Reply::Fail(Code::HttpConnect)),
        Code::AuthFailed,
        "azure-msi",
    )
    .await;
    fails(
        &unpinned,
        &[],
        &world(|_| {
            Reply::Answer(
                400,
                &[],
                r#"{"error":"invalid_request","error_description":"Identity not found"}"#
                    .to_owned(),
            )
        }),
        Code::AuthFailed,
        "Identity not found",
    )
    .await;
}

#[tokio::test]
async fn github_oidc_azure() {
    let settings = [SECRET[0], ("cloud", "azure"), SECRET[2], SECRET[4]];
    let env = [
        ACTIONS[2],
        ACTIONS[3],
        ("DATABRICKS_AUTH_TYPE", "github-oidc-azure"),
    ];
    let wire = world(|request| match request.url.path() {
        "/id" => ok(r#"{"value":"planted-id"}"#),
        _ => entra(request),
    });
    let me = works(&settings, &env, "github-oidc-azure", &wire).await;
    assert_eq!(header(&me, "authorization"), Some("Bearer planted-token"));
    let query: HashMap<String, String> =
        find(&wire, "/id").url.query_pairs().into_owned().collect();
    assert_eq!(query["audience"], "api://AzureADTokenExchange");
    let form = form(&find(&wire, "/ten/oauth2/token"));
    assert_eq!(form["client_assertion"], "planted-id");
    assert_eq!(
        form["client_assertion_type"],
        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    );
    let refusing = world(|request| match request.url.path() {
        "/id" => ok(r#"{"value":"planted-id"}"#),
        _ => Reply::Answer(
            400,
            &[],
            r#"{"error":"x","error_description":"no match for planted-id"}"#.to_owned(),
        ),
    });
    fails(
        &settings,
        &env,
        &refusing,
        Code::AuthDenied,
        "no match for ***",
    )
    .await;
}
