//! Types without a program: what they send, what they lack, and how refused and malformed answers are read.

use std::collections::HashMap;
use std::sync::Arc;

use url::form_urlencoded;

use super::{NOW, ask};
use crate::auth::{AzureEndpoints, GoogleEndpoints, Outside};
use crate::clock::ManualClock;
use crate::code::Code;
use crate::config::{Environment, Settings, resolve};
use crate::error::Result;
use crate::http::Api;
use crate::http::scripted::{Reply, Scripted, ok, status};
use crate::http::transport::Request;
use crate::jitter::FixedDice;

const DOCUMENT: &str = r#"{"token_endpoint":"https://w/oidc/v1/token"}"#;
const TOKEN: &str = r#"{"access_token":"planted-token","token_type":"Bearer","expires_in":3600}"#;

pub(super) type Pairs<'a> = &'a [(&'a str, &'a str)];

pub(super) fn api(
    settings: Pairs,
    env: Pairs,
    wire: &Arc<Scripted>,
    clock: &ManualClock,
) -> Result<Api> {
    let settings: Settings = settings.iter().copied().collect();
    let environment = Arc::new(Environment::from_pairs(env.iter().copied()));
    Api::new(
        Arc::new(resolve(&settings, &environment)?),
        &Outside {
            azure: Some(AzureEndpoints {
                entra: "https://entra/".to_owned(),
                resource_manager: "https://arm/".to_owned(),
                service_management: "https://management/".to_owned(),
                instance_metadata: "http://169.254.169.254/".to_owned(),
            }),
            google: Some(GoogleEndpoints {
                oauth: "https://google/".to_owned(),
                iam_credentials: "https://iam/".to_owned(),
                instance_metadata: "http://169.254.169.254/".to_owned(),
            }),
            ..Outside::default()
        },
        Arc::clone(wire) as _,
        Arc::new(clock.clone()),
        Arc::new(FixedDice(0.5)),
        None,
        None,
    )
}

/// A workspace that behaves; `other` answers what is not the workspace's.
pub(super) fn world(other: impl Fn(&Request) -> Reply + Send + 'static) -> Arc<Scripted> {
    Scripted::new(
        move |request| match (request.url.host_str().unwrap(), request.url.path()) {
            ("w", "/oidc/.well-known/oauth-authorization-server") => ok(DOCUMENT),
            ("w", "/me") => ok("{}"),
            _ => other(request),
        },
    )
}

pub(super) fn form(request: &Request) -> HashMap<String, String> {
    form_urlencoded::parse(&request.body).into_owned().collect()
}

pub(super) fn header<'r>(request: &'r Request, name: &str) -> Option<&'r str> {
    request
        .headers
        .get(name)
        .map(|value| value.to_str().unwrap())
}

pub(super) fn find(wire: &Scripted, path: &str) -> Request {
    let seen = wire.seen();
    let found = seen.iter().find(|request| request.url.path() == path);
    found
        .unwrap_or_else(|| panic!("{path} in {seen:?}"))
        .clone()
}

pub(super) async fn works(
    settings: Pairs<'_>,
    env: Pairs<'_>,
    auth_type: &str,
    wire: &Arc<Scripted>,
) -> Request {
    let clock = ManualClock::at(NOW);
    let api = api(settings, env, wire, &clock).unwrap();
    ask(&api, &clock).await.unwrap();
    assert_eq!(api.auth_type(), auth_type);
    assert!(!format!("{api:?}").contains("planted"));
    let me = find(wire, "/me");
    let agent = header(&me, "user-agent").unwrap();
    assert!(agent.contains(&format!("auth/{auth_type}")), "{agent}");
    me
}

/// Fails when made or when first used; the error hints at something and holds no secret.
pub(super) async fn fails(
    settings: Pairs<'_>,
    env: Pairs<'_>,
    wire: &Arc<Scripted>,
    code: Code,
    words: &str,
) {
    let clock = ManualClock::at(NOW);
    let error = match api(settings, env, wire, &clock) {
        Ok(api) => ask(&api, &clock).await.unwrap_err(),
        Err(error) => error,
    };
    assert_eq!(error.code(), code, "{error}");
    assert!(error.message().contains(words), "{words} in {error}");
    assert!(
        !format!("{error} {error:?} {:?}", error.causes()).contains("planted"),
        "{error:?}"
    );
}

#[tokio::test]
async fn basic() {
    let settings = [("host", "w"), ("username", "u"), ("password", "planted")];
    let wire = world(|_| status(500));
    let me = works(&settings, &[], "basic", &wire).await;
    assert_eq!(header(&me, "authorization"), Some("Basic dTpwbGFudGVk"));
    let pinned = [("host", "w"), ("auth_type", "basic"), ("username", "u")];
    fails(
        &pinned,
        &[],
        &wire,
        Code::AuthNotConfigured,
        "basic: this auth type (from explicit setting) needs password",
    )
    .await;
    let refusing = Scripted::new(|_| {
        Reply::Answer(401, &[], r#"{"message":"dTpwbGFudGVk planted"}"#.to_owned())
    });
    fails(&settings, &[], &refusing, Code::AuthDenied, "***").await;
}

#[tokio::test]
async fn env_oidc() {
    let wire = world(|request| {
        assert_eq!(request.url.path(), "/oidc/v1/token");
        ok(TOKEN)
    });
    let env = [
        ("DATABRICKS_HOST", "w"),
        ("DATABRICKS_CLIENT_ID", "sp"),
        ("DATABRICKS_OIDC_TOKEN", " planted-id\n"),
    ];
    let me = works(&[], &env, "env-oidc", &wire).await;
    assert_eq!(header(&me, "authorization"), Some("Bearer planted-token"));
    let exchange = find(&wire, "/oidc/v1/token");
    assert_eq!(
        header(&exchange, "authorization"),
        None,
        "no client authentication"
    );
    assert!(!exchange.follow_redirects);
    let expected = [
        (
            "grant_type",
            "urn:ietf:params:oauth:grant-type:token-exchange",
        ),
        ("subject_token", "planted-id"),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
        ("scope", "all-apis"),
        ("client_id", "sp"),
    ];
    let expected: HashMap<String, String> =
        expected.map(|(a, b)| (a.to_owned(), b.to_owned())).into();
    assert_eq!(form(&exchange), expected);

    let other = [
        ("DATABRICKS_HOST", "w"),
        ("DATABRICKS_OIDC_TOKEN_ENV", "MINE"),
        ("MINE", "planted-id"),
    ];
    let wire = world(|_| ok(TOKEN));
    works(&[], &other, "env-oidc", &wire).await;
    assert!(
        !form(&find(&wire, "/oidc/v1/token")).contains_key("client_id"),
        "account-wide federation"
    );

    let pinned = [
        ("host", "w"),
        ("auth_type", "env-oidc"),
        ("client_id", "sp"),
    ];
    fails(
        &pinned,
        &[],
        &wire,
        Code::AuthNotConfigured,
        "env-oidc: no variable DATABRICKS_OIDC_TOKEN",
    )
    .await;
    let refusing = world(|_| {
        Reply::Answer(
            400,
            &[],
            r#"{"error":"invalid_request","error_description":"no policy for planted-id"}"#
                .to_owned(),
        )
    });
    fails(&[], &env, &refusing, Code::AuthDenied, "no policy for ***").await;
    let malformed = world(|_| ok("<html>"));
    fails(
        &[],
        &env,
        &malformed,
        Code::AuthFailed,
        "neither JSON nor a form",
    )
    .await;
}

#[tokio::test]
async fn file_oidc_reads_the_file_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "\nplanted-one\n").unwrap();
    let path = file.display().to_string();
    for name in ["oidc_token_filepath", "databricks_id_token_filepath"] {
        let wire = world(|_| ok(TOKEN));
        works(&[("host", "w"), (name, &path)], &[], "file-oidc", &wire).await;
        assert_eq!(
            form(&find(&wire, "/oidc/v1/token"))["subject_token"],
            "planted-one"
        );
    }
    let settings = [("host", "w"), ("oidc_token_filepath", path.as_str())];
    let wire = world(|_| ok(TOKEN));
    for (text, words) in [
        ("", "is empty"),
        ("planted-one\nplanted-two", "more than one token"),
    ] {
        std::fs::write(&file, text).unwrap();
        fails(&settings, &[], &wire, Code::AuthFailed, words).await;
    }
    std::fs::remove_file(&file).unwrap();
    fails(&settings, &[], &wire, Code::AuthFailed, "cannot be read").await;
    let pinned = [("host", "w"), ("auth_type", "file-oidc")];
    fails(
        &pinned,
        &[],
        &wire,
        Code::AuthNotConfigured,
        "needs oidc_token_filepath",
    )
    .await;
}

pub(super) const ACTIONS: Pairs = &[
    ("DATABRICKS_HOST", "w"),
    ("DATABRICKS_CLIENT_ID", "sp"),
    (
        "ACTIONS_ID_TOKEN_REQUEST_URL",
        "https://github/id?api-version=2",
    ),
    ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "planted-request"),
];

#[tokio::test]
async fn github_oidc_asks_for_a_token_for_the_right_audience() {
    for (metadata, settings, audience) in [
        (
            r#"{"token_federation_default_oidc_audiences":["aud-1"],"account_id":"acc"}"#,
            &[][..],
            "aud-1",
        ),
        (
            r#"{"token_federation_default_oidc_audiences":[null],"account_id":"acc"}"#,
            &[],
            "acc",
        ),
        (
            r#"{"token_federation_default_oidc_audiences":[""],"account_id":"acc"}"#,
            &[],
            "acc",
        ),
        (
            r#"{"account_id":"acc","workspace_id":"42"}"#,
            &[],
            "https://w/oidc/v1/token",
        ),
        ("", &[], "https://w/oidc/v1/token"),
        (
            r#"{"token_federation_default_oidc_audiences":["aud-1"]}"#,
            &[("token_audience", "own")],
            "own",
        ),
        ("{}", &[("audience", "own")], "own"),
    ] {
        let wire = world(move |request| match request.url.path() {
            "/.well-known/databricks-config" if metadata.is_empty() => status(404),
            "/.well-known/databricks-config" => ok(metadata),
            "/id" => ok(r#"{"value":"planted-id"}"#),
            _ => ok(TOKEN),
        });
        let me = works(settings, ACTIONS, "github-oidc", &wire).await;
        let asked = find(&wire, "/id");
        let query: HashMap<String, String> = asked.url.query_pairs().into_owned().collect();
        assert_eq!(query["audience"], audience, "{metadata}");
        assert_eq!(query["api-version"], "2");
        assert_eq!(
            header(&asked, "authorization"),
            Some("Bearer planted-request")
        );
        assert_eq!(
            form(&find(&wire, "/oidc/v1/token"))["subject_token"],
            "planted-id"
        );
        let learnt = metadata.contains("42").then_some("42");
        assert_eq!(
            header(&me, "x-databricks-workspace-id"),
            learnt,
            "back-filled"
        );
    }
    for (answer, code, words) in [
        (
            (401, r#"{"message":"bad planted-request"}"#),
            Code::AuthFailed,
            "bad ***",
        ),
        ((200, "{}"), Code::AuthFailed, "holds no ID token"),
        ((200, "<html>"), Code::AuthFailed, "no JSON object"),
        ((302, ""), Code::AuthFailed, "302"),
    ] {
        let wire = world(move |request| match request.url.path() {
            "/id" => Reply::Answer(answer.0, &[], answer.1.to_owned()),
            _ => status(404),
        });
        fails(&[], ACTIONS, &wire, code, words).await;
    }
}

#[tokio::test]
async fn azure_devops_oidc_joins_its_address_with_one_slash() {
    for uri in ["https://dev.azure/org", "https://dev.azure/org/"] {
        let env = [
            ("DATABRICKS_HOST", "w"),
            ("DATABRICKS_CLIENT_ID", "sp"),
            ("SYSTEM_ACCESSTOKEN", "planted-access"),
            ("SYSTEM_TEAMFOUNDATIONCOLLECTIONURI", uri),
            ("SYSTEM_TEAMPROJECTID", "prj"),
            ("SYSTEM_PLANID", "pl"),
            ("SYSTEM_JOBID", "j"),
            ("SYSTEM_HOSTTYPE", "build"),
        ];
        let wire = world(|request| match request.url.host_str() {
            Some("dev.azure") => ok(r#"{"oidcToken":"planted-id"}"#),
            _ => ok(TOKEN),
        });
        works(&[], &env, "azure-devops-oidc", &wire).await;
        let path = "/org/prj/_apis/distributedtask/hubs/build/plans/pl/jobs/j/oidctoken";
        let asked = find(&wire, path);
        assert_eq!(asked.url.query(), Some("api-version=7.2-preview.1"));
        assert_eq!(
            (asked.method.as_str(), header(&asked, "authorization")),
            ("POST", Some("Bearer planted-access"))
        );
        let wire = world(|_| ok("{}"));
        fails(&[], &env, &wire, Code::AuthFailed, "holds no ID token").await;
        let pinned = [("auth_type", "azure-devops-oidc")];
        fails(
            &pinned,
            &env[..5],
            &wire,
            Code::AuthNotConfigured,
            "no variable SYSTEM_HOSTTYPE",
        )
        .await;
    }
}

#[tokio::test]
async fn metadata_service() {
    let settings = [
        ("host", "w"),
        ("metadata_service_url", "http://127.0.0.1:9/planted-path"),
    ];
    let wire = world(|_| {
        ok(r#"{"access_token":"planted-token","token_type":"Bearer","expires_on":1700003600}"#)
    });
    let me = works(&settings, &[], "metadata-service", &wire).await;
    assert_eq!(header(&me, "authorization"), Some("Bearer planted-token"));
    let asked = &wire.seen()[0];
    assert_eq!(header(asked, "x-databricks-metadata-version"), Some("1"));
    assert_eq!(header(asked, "x-databricks-host"), Some("https://w"));
    for (url, words) in [
        (
            "http://example.com/planted",
            "only localhost URLs are allowed",
        ),
        ("planted", "invalid auth server URL"),
    ] {
        fails(
            &[settings[0], ("metadata_service_url", url)],
            &[],
            &wire,
            Code::ConfigInvalid,
            words,
        )
        .await;
    }
    fails(
        &settings,
        &[],
        &world(|_| status(404)),
        Code::AuthFailed,
        "404",
    )
    .await;
    fails(
        &settings,
        &[],
        &world(|_| Reply::Fail(Code::HttpConnect)),
        Code::AuthFailed,
        "metadata-service",
    )
    .await;
    fails(
        &settings,
        &[],
        &world(|_| ok("{}")),
        Code::AuthFailed,
        "no access_token",
    )
    .await;
}

#[tokio::test]
async fn model_serving() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("model-dependencies-oauth-token");
    let dir = folder.path().display().to_string();
    let env = [
        ("IS_IN_DB_MODEL_SERVING_ENV", "true"),
        ("SERVING_CREDENTIALS_DIR", dir.as_str()),
    ];
    let wire = world(|_| status(404));
    let pinned = [("host", "w"), ("auth_type", "model-serving")];
    fails(
        &pinned,
        &env,
        &wire,
        Code::AuthNotConfigured,
        "model-serving: no file",
    )
    .await;
    fails(
        &pinned,
        &[],
        &wire,
        Code::AuthNotConfigured,
        "not inside model serving",
    )
    .await;
    std::fs::write(
        &file,
        r#"{"OAUTH_TOKEN":[{"oauthTokenValue":"planted-token"}]}"#,
    )
    .unwrap();
    let me = works(&[("host", "w")], &env, "model-serving", &wire).await;
    assert_eq!(header(&me, "authorization"), Some("Bearer planted-token"));
    let by_variable = [env[0], env[1], ("DATABRICKS_MODEL_SERVING_HOST_URL", "w")];
    works(&[], &by_variable, "model-serving", &wire).await;
    std::fs::write(&file, r#"{"planted":1}"#).unwrap();
    fails(
        &[("host", "w")],
        &env,
        &wire,
        Code::AuthFailed,
        "holds no OAuth token",
    )
    .await;
}

#[tokio::test]
async fn a_service_principal_without_a_secret_means_its_federation_and_not_who_sits_here() {
    let env = [
        ("DATABRICKS_HOST", "w"),
        ("DATABRICKS_CLIENT_ID", "sp"),
        ("DATABRICKS_OIDC_TOKEN", "planted-id"),
    ];
    let wire = world(|_| ok(TOKEN));
    works(&[], &env, "env-oidc", &wire).await;
}
