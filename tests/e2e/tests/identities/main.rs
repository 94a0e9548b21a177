//! The Rust client mints with each identity that the emulator's cloud knows: service principals of Databricks and of Azure,
//! federated jobs, a machine's own identity, a user's forwarded token.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;

use lakekey::auth::{AzureEndpoints, GoogleEndpoints, Outside};
use lakekey::clock::SystemClock;
use lakekey::config::Environment;
use lakekey::credential::Store;
use lakekey::jitter::FixedDice;
use lakekey::plan::{Failure, PlanRequest};
use lakekey::{Client, ClientOptions, Code, CredentialRequest, Result, Secret};
use lakekey_emulator::{CLIENT_ID, CLIENT_SECRET, Emulator, Options, TOKEN, USER};

const TARGET: &str = "projects/emulator/branches/production/endpoints/primary";
const RESOURCE: &str =
    "/subscriptions/s/resourceGroups/g/providers/Microsoft.Databricks/workspaces/w";
const TENANT: &str = "00000000-0000-4000-8000-00000000007e";

async fn emulator() -> Emulator {
    Emulator::start(Options::control_plane_only())
        .await
        .unwrap()
}

fn client(emulator: &Emulator, with_host: bool, env: &[(&str, &str)]) -> Client {
    let base = &emulator.urls().control;
    let host = with_host.then_some(("DATABRICKS_HOST", base.as_str()));
    Client::new(ClientOptions {
        environment: Environment::from_pairs(env.iter().copied().chain(host)),
        target: Some(TARGET.to_owned()),
        outside: Outside {
            azure: Some(AzureEndpoints {
                entra: format!("{base}/entra/"),
                resource_manager: format!("{base}/arm/"),
                service_management: "https://management/".to_owned(),
                instance_metadata: format!("{base}/"),
            }),
            google: Some(GoogleEndpoints {
                oauth: format!("{base}/google/"),
                iam_credentials: format!("{base}/google/"),
                instance_metadata: format!("{base}/google/"),
            }),
            ..Outside::default()
        },
        store: Store::new(Arc::new(SystemClock), Arc::new(FixedDice(0.5))),
        ..ClientOptions::default()
    })
    .unwrap()
}

/// Whose credential is minted.
async fn subject(client: &Client) -> Result<String> {
    let lease = client.credential(&CredentialRequest::default()).await?;
    Ok(lease.credential.subject().unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_identity_mints_as_itself() {
    let emulator = emulator().await;
    let base = &emulator.urls().control;
    let issuer = format!("{base}/issuer/github?x=1");
    let collection = format!("{base}/issuer/");
    let actions = [
        ("ACTIONS_ID_TOKEN_REQUEST_URL", issuer.as_str()),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "emulator-job"),
    ];
    let pipeline = [
        ("SYSTEM_ACCESSTOKEN", "emulator-job"),
        ("SYSTEM_TEAMFOUNDATIONCOLLECTIONURI", collection.as_str()),
        ("SYSTEM_TEAMPROJECTID", "project"),
        ("SYSTEM_PLANID", "1"),
        ("SYSTEM_JOBID", "2"),
        ("SYSTEM_HOSTTYPE", "build"),
    ];
    let id = ("DATABRICKS_CLIENT_ID", CLIENT_ID);
    let on_azure = ("DATABRICKS_CLOUD", "AZURE");
    let azure = [
        ("ARM_CLIENT_ID", CLIENT_ID),
        ("ARM_CLIENT_SECRET", CLIENT_SECRET),
    ];
    let resource = ("DATABRICKS_AZURE_RESOURCE_ID", RESOURCE);
    let pinned = ("DATABRICKS_AUTH_TYPE", "github-oidc-azure");
    for (auth_type, with_host, env) in [
        (
            "oauth-m2m",
            true,
            vec![id, ("DATABRICKS_CLIENT_SECRET", CLIENT_SECRET)],
        ),
        ("github-oidc", true, vec![id, actions[0], actions[1]]),
        ("azure-devops-oidc", true, [&[id][..], &pipeline].concat()),
        (
            "azure-client-secret",
            true,
            vec![on_azure, azure[0], azure[1]],
        ),
        (
            "azure-client-secret",
            false,
            vec![resource, azure[0], azure[1], ("ARM_TENANT_ID", TENANT)],
        ),
        ("azure-msi", true, vec![on_azure, ("ARM_USE_MSI", "true")]),
        (
            "azure-msi",
            false,
            vec![resource, ("ARM_USE_MSI", "true"), azure[0]],
        ),
        (
            "github-oidc-azure",
            true,
            vec![on_azure, azure[0], actions[0], actions[1], pinned],
        ),
    ] {
        let client = client(&emulator, with_host, &env);
        assert_eq!(
            subject(&client).await.unwrap(),
            CLIENT_ID,
            "{auth_type} {env:?}"
        );
        let description = client.describe().unwrap();
        assert_eq!(description.auth_type, auth_type);
        assert_eq!(description.host.as_deref(), Some(base.as_str()));
    }
}

/// What the emulator's Google answers, over a plain connection.
async fn fetch(base: &str, path: &str) -> Result<String, std::io::Error> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let host = base.strip_prefix("http://").unwrap();
    let mut stream = tokio::net::TcpStream::connect(host).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer.split_once("\r\n\r\n").unwrap().1.to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_google_account_mints_by_its_key_and_by_the_right_of_whoever_is_logged_in() {
    const ACCOUNT: &str = "emulator@emulator.iam.gserviceaccount.com";
    let emulator = emulator().await;
    let key = fetch(&emulator.urls().control, "/google/key")
        .await
        .unwrap();
    let home = tempfile::tempdir().unwrap();
    let login = |name: &str, text: &str| {
        let path = home.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let user = r#"{"type":"authorized_user","client_id":"c","client_secret":"planted","refresh_token":"emulator-refresh"}"#;
    let (by_key, by_user) = (login("key", &key), login("user", user));
    let ended = login("ended", &user.replace("emulator-refresh", "planted-ended"));
    let adc = "GOOGLE_APPLICATION_CREDENTIALS";
    let impersonated = ("DATABRICKS_GOOGLE_SERVICE_ACCOUNT", ACCOUNT);
    let on_google = ("DATABRICKS_CLOUD", "GCP");
    for (auth_type, env) in [
        (
            "google-credentials",
            vec![("GOOGLE_CREDENTIALS", key.as_str())],
        ),
        (
            "google-credentials",
            vec![("GOOGLE_CREDENTIALS", by_key.as_str())],
        ),
        ("google-id", vec![impersonated, (adc, by_key.as_str())]),
        ("google-id", vec![impersonated, (adc, by_user.as_str())]),
        ("google-id", vec![impersonated]),
    ] {
        let env = [&[on_google][..], &env].concat();
        let client = client(&emulator, true, &env);
        assert_eq!(subject(&client).await.unwrap(), CLIENT_ID, "{auth_type}");
        assert_eq!(client.describe().unwrap().auth_type, auth_type);
    }
    let other = "DATABRICKS_GOOGLE_SERVICE_ACCOUNT";
    for (env, hint) in [
        (
            vec![impersonated, (adc, ended.as_str())],
            "gcloud auth application-default login",
        ),
        (
            vec![(other, "else@where"), (adc, by_user.as_str())],
            "Service Account Token Creator",
        ),
    ] {
        let env = [&[on_google][..], &env].concat();
        let error = subject(&client(&emulator, true, &env)).await.unwrap_err();
        assert!(
            error.hint().unwrap().contains(hint),
            "{error} {:?}",
            error.hint()
        );
        assert!(!format!("{error} {error:?} {:?}", error.causes()).contains("planted"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_says_who_asked() {
    let emulator = emulator().await;
    let id = ("DATABRICKS_CLIENT_ID", CLIENT_ID);
    for (env, who) in [
        (
            vec![id, ("DATABRICKS_CLIENT_SECRET", CLIENT_SECRET)],
            format!("as oauth-m2m ({CLIENT_ID})"),
        ),
        (vec![("DATABRICKS_TOKEN", TOKEN)], "as pat".to_owned()),
        (
            vec![
                ("DATABRICKS_USERNAME", "u"),
                ("DATABRICKS_PASSWORD", "planted"),
            ],
            "as basic (u)".to_owned(),
        ),
    ] {
        let client = client(&emulator, true, &env);
        let request = CredentialRequest {
            target: Some("projects/emulator/branches/production/endpoints/nowhere".to_owned()),
            ..CredentialRequest::default()
        };
        let error = client.credential(&request).await.unwrap_err();
        assert!(error.message().contains(&who), "{who}: {error}");
        // A login's refusal says the same in its hint.
        let auth_type = who.split(' ').nth(1).unwrap();
        let hint = error.hint().unwrap();
        assert!(
            hint.contains(&format!("(auth type {auth_type}. Config: ")),
            "{hint}"
        );
        assert!(!format!("{error} {error:?} {hint}").contains("planted"));
    }
    let env = [id, ("DATABRICKS_CLIENT_SECRET", "planted")];
    let error = subject(&client(&emulator, true, &env)).await.unwrap_err();
    assert!(
        error
            .hint()
            .unwrap()
            .contains(&format!("client_id {CLIENT_ID}")),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_login_says_who_its_token_is_of() {
    let emulator = emulator().await;
    let env = [
        ("DATABRICKS_CLIENT_ID", CLIENT_ID),
        ("DATABRICKS_CLIENT_SECRET", CLIENT_SECRET),
    ];
    let client = client(&emulator, true, &env);
    let mut plan = client.plan(PlanRequest {
        addresses: vec![std::net::IpAddr::from([127, 0, 0, 1])],
        ..PlanRequest::default()
    });
    plan.next(None).await.unwrap();
    let failure = Failure {
        code: Some("28000"),
        text: "FATAL: role \"x\" does not exist",
    };
    let error = plan.next(Some(&failure)).await.unwrap_err();
    assert_eq!(error.code(), Code::LoginRefused, "{error}");
    let hint = error.hint().unwrap();
    assert!(
        hint.ends_with(&format!("The token was minted by oauth-m2m ({CLIENT_ID})")),
        "{hint}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_secret_is_one_refusal_that_says_where_the_secret_came_from() {
    let emulator = emulator().await;
    for env in [
        [
            ("DATABRICKS_CLIENT_ID", CLIENT_ID),
            ("DATABRICKS_CLIENT_SECRET", "planted"),
            ("X", ""),
        ],
        [
            ("ARM_CLIENT_ID", CLIENT_ID),
            ("ARM_CLIENT_SECRET", "planted"),
            ("DATABRICKS_CLOUD", "azure"),
        ],
    ] {
        let client = client(&emulator, true, &env);
        let error = subject(&client).await.unwrap_err();
        assert_eq!(error.code(), Code::AuthDenied, "{error}");
        let hint = error.hint().unwrap();
        assert!(hint.contains("SECRET environment variable"), "{hint}");
        assert!(!format!("{error} {error:?} {:?}", error.causes()).contains("planted"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forwarded_token_mints_for_its_user() {
    let emulator = emulator().await;
    let env = [
        ("DATABRICKS_CLIENT_ID", CLIENT_ID),
        ("DATABRICKS_CLIENT_SECRET", CLIENT_SECRET),
    ];
    let app = client(&emulator, true, &env);
    let user = app.as_user(&Secret::new(TOKEN)).unwrap();
    assert_eq!(subject(&user).await.unwrap(), USER);
    assert_eq!(subject(&app).await.unwrap(), CLIENT_ID);
    let stranger = app.as_user(&Secret::new("dapi-planted")).unwrap();
    let error = subject(&stranger).await.unwrap_err();
    assert!(
        matches!(error.code(), Code::AuthDenied | Code::ApiPermissionDenied),
        "{error}"
    );
}
