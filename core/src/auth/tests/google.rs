//! The Google types: an ID token signed for with an account's key or asked for in its name, and the access token that
//! may be missing.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{KeyPair, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};

use super::NOW;
use super::types::{fails, find, form, header, works, world};
use crate::code::Code;
use crate::http::scripted::{Reply, ok, status};
use crate::http::transport::Request;

/// Made for these tests; nothing in the world trusts it.
const KEY: &str = include_str!("throwaway_rsa_key_for_tests.pem");
const EMAIL: &str = "sa@project.iam.gserviceaccount.com";
const ACCESS: &str = "x-databricks-gcp-sa-access-token";

fn key_file() -> Value {
    json!({
        "type": "service_account", "client_email": EMAIL, "private_key_id": "kid-1", "private_key": KEY,
        "token_uri": "https://google/token",
    })
}

fn id_token(mark: &str) -> String {
    let claims = json!({"aud": "https://w", "exp": NOW / 1000 + 3600, "mark": mark});
    format!("e30.{}.planted", URL_SAFE_NO_PAD.encode(claims.to_string()))
}

fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// Google's token endpoint: believes what the key signed, and only that.
fn google(request: &Request) -> Reply {
    assert_eq!(request.url.as_str(), "https://google/token");
    let form = form(request);
    assert_eq!(
        form["grant_type"],
        "urn:ietf:params:oauth:grant-type:jwt-bearer"
    );
    let assertion = &form["assertion"];
    let der = PrivatePkcs8KeyDer::from_pem_slice(KEY.as_bytes()).unwrap();
    let pair = RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).unwrap();
    let (signed, signature) = assertion.rsplit_once('.').unwrap();
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key().as_ref())
        .verify(
            signed.as_bytes(),
            &URL_SAFE_NO_PAD.decode(signature).unwrap(),
        )
        .unwrap();
    assert_eq!(
        part(assertion, 0),
        json!({"alg": "RS256", "typ": "JWT", "kid": "kid-1"})
    );
    let claims = part(assertion, 1);
    assert_eq!(
        (&claims["iss"], &claims["aud"]),
        (&json!(EMAIL), &json!("https://google/token"))
    );
    assert_eq!(claims["iat"], json!(NOW / 1000 - 10));
    assert_eq!(claims["exp"], json!(NOW / 1000 + 3600));
    match (claims["target_audience"].as_str(), claims["scope"].as_str()) {
        (Some("https://w"), None) => ok(json!({"id_token": id_token("key")}).to_string()),
        (None, Some(scope)) => {
            assert!(scope.starts_with("https://www.googleapis.com/auth/cloud-platform"));
            ok(r#"{"access_token":"planted-access","expires_in":3600,"token_type":"Bearer"}"#)
        }
        other => panic!("{other:?}"),
    }
}

const ON_GOOGLE: [(&str, &str); 2] = [("host", "w"), ("cloud", "GCP")];

fn with<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [&ON_GOOGLE[..], more].concat()
}

#[tokio::test]
async fn google_credentials_sign_for_both_tokens() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.json");
    std::fs::write(&path, key_file().to_string()).unwrap();
    let inline = key_file().to_string();
    for given in [inline.as_str(), path.to_str().unwrap()] {
        let wire = world(google);
        let env = [("GOOGLE_CREDENTIALS", given)];
        let me = works(&ON_GOOGLE, &env, "google-credentials", &wire).await;
        assert_eq!(
            header(&me, "authorization"),
            Some(&*format!("Bearer {}", id_token("key")))
        );
        assert_eq!(header(&me, ACCESS), Some("planted-access"));
        assert!(!find(&wire, "/token").follow_redirects);
    }
}

#[tokio::test]
async fn google_credentials_do_without_the_access_token() {
    for refusal in [403, 500] {
        let wire =
            world(
                move |request| match part(&form(request)["assertion"], 1)["scope"].as_str() {
                    Some(_) => status(refusal),
                    None => google(request),
                },
            );
        let inline = key_file().to_string();
        let settings = with(&[("google_credentials", &inline)]);
        let me = works(&settings, &[], "google-credentials", &wire).await;
        assert_eq!(header(&me, ACCESS), None);
    }
}

#[tokio::test]
async fn google_credentials_that_cannot_be_used() {
    let inline = key_file().to_string();
    let settings = with(&[("google_credentials", &inline)]);
    for (answer, code, words) in [
        (
            Reply::Answer(
                400,
                &[],
                r#"{"error":"invalid_grant","error_description":"Invalid JWT Signature."}"#
                    .to_owned(),
            ),
            Code::AuthDenied,
            "google-credentials: ",
        ),
        (ok("{}"), Code::AuthFailed, "no id_token"),
        (ok("[]"), Code::AuthFailed, "no JSON object"),
        (
            ok(r#"{"id_token":"opaque"}"#),
            Code::AuthFailed,
            "does not say when",
        ),
    ] {
        let answer = std::sync::Mutex::new(Some(answer));
        let wire =
            world(
                move |request| match part(&form(request)["assertion"], 1)["scope"].as_str() {
                    Some(_) => status(403),
                    None => answer.lock().unwrap().take().unwrap(),
                },
            );
        fails(&settings, &[], &wire, code, words).await;
    }
    let without = |name: &str| {
        let mut fields = key_file();
        fields.as_object_mut().unwrap().remove(name);
        fields.to_string()
    };
    let replaced = |name: &str, value: &str| {
        let mut fields = key_file();
        fields[name] = json!(value);
        fields.to_string()
    };
    for (given, words) in [
        (
            "planted-junk".to_owned(),
            "it is no JSON, and as a file it cannot be read",
        ),
        ("{planted".to_owned(), "it is no JSON object"),
        (without("client_email"), "it has no client_email"),
        (without("private_key"), "it has no private_key"),
        (without("token_uri"), "it has no token_uri"),
        (replaced("private_key", "planted"), "no RSA key in PEM"),
        (
            replaced("token_uri", "http://google/token"),
            "no https address",
        ),
    ] {
        let settings = with(&[("google_credentials", &given)]);
        fails(&settings, &[], &world(google), Code::ConfigInvalid, words).await;
    }
    let pinned = with(&[("auth_type", "google-credentials")]);
    let lacks = "needs google_credentials";
    fails(&pinned, &[], &world(google), Code::AuthNotConfigured, lacks).await;
    let elsewhere = [
        ("host", "w"),
        ("google_credentials", &*inline),
        ("auth_type", "google-credentials"),
    ];
    let no = "no workspace on Google Cloud";
    fails(&elsewhere, &[], &world(google), Code::AuthNotConfigured, no).await;
}

/// Speaks as the account for whoever brings the token `login`.
fn impersonation(request: &Request, login: &str) -> Reply {
    assert_eq!(
        header(request, "authorization"),
        Some(&*format!("Bearer {login}"))
    );
    let asked: Value = serde_json::from_slice(&request.body).unwrap();
    let account = format!("/v1/projects/-/serviceAccounts/{EMAIL}");
    match request.url.path().strip_prefix(&account).unwrap() {
        ":generateIdToken" => {
            assert_eq!(
                asked,
                json!({"audience": "https://w", "includeEmail": true})
            );
            ok(json!({"token": id_token("iam")}).to_string())
        }
        ":generateAccessToken" => {
            ok(r#"{"accessToken":"planted-access","expireTime":"2023-11-14T23:13:20Z"}"#)
        }
        other => panic!("{other}"),
    }
}

fn machine(request: &Request) -> Reply {
    if request.url.host_str() == Some("iam") {
        return impersonation(request, "planted-machine");
    }
    assert_eq!(
        request.url.path(),
        "/computeMetadata/v1/instance/service-accounts/default/token"
    );
    assert_eq!(header(request, "metadata-flavor"), Some("Google"));
    ok(r#"{"access_token":"planted-machine","expires_in":3599,"token_type":"Bearer"}"#)
}

#[tokio::test]
async fn google_id_speaks_as_an_account_by_the_right_of_the_machine() {
    let settings = with(&[("google_service_account", EMAIL)]);
    let me = works(&settings, &[], "google-id", &world(machine)).await;
    assert_eq!(
        header(&me, "authorization"),
        Some(&*format!("Bearer {}", id_token("iam")))
    );
    assert_eq!(header(&me, ACCESS), Some("planted-access"));
    let only_id = world(|request| match request.url.path().rsplit_once(':') {
        Some((_, "generateAccessToken")) => status(403),
        _ => machine(request),
    });
    let me = works(&settings, &[], "google-id", &only_id).await;
    assert_eq!(header(&me, ACCESS), None);
}

#[tokio::test]
async fn google_id_uses_application_default_credentials() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, fields: Value| {
        let path = folder.path().join(name);
        std::fs::write(&path, fields.to_string()).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let settings = with(&[("google_service_account", EMAIL)]);
    let key = write("key.json", key_file());
    let wire = world(|request| match request.url.host_str() {
        Some("iam") => impersonation(request, "planted-access"),
        _ => google(request),
    });
    let env = [("GOOGLE_APPLICATION_CREDENTIALS", &*key)];
    works(&settings, &env, "google-id", &wire).await;

    let user = json!({
        "type": "authorized_user", "client_id": "gcloud", "client_secret": "planted-client", "refresh_token": "planted-refresh",
    });
    let login = write("application_default_credentials.json", user);
    let home = folder.path().to_str().unwrap();
    for env in [
        [("GOOGLE_APPLICATION_CREDENTIALS", &*login)],
        [("CLOUDSDK_CONFIG", home)],
    ] {
        let wire = world(|request| {
            if request.url.host_str() == Some("iam") {
                return impersonation(request, "planted-user");
            }
            let expected = [
                ("grant_type", "refresh_token"),
                ("client_id", "gcloud"),
                ("client_secret", "planted-client"),
                ("refresh_token", "planted-refresh"),
            ];
            let expected: HashMap<String, String> =
                expected.map(|(a, b)| (a.to_owned(), b.to_owned())).into();
            assert_eq!(form(request), expected);
            ok(r#"{"access_token":"planted-user","expires_in":3599}"#)
        });
        works(&settings, &env, "google-id", &wire).await;
    }

    let refusing = world(|_| {
        Reply::Answer(
            400,
            &[],
            r#"{"error":"invalid_grant","error_description":"planted-refresh was revoked"}"#
                .to_owned(),
        )
    });
    let env = [("GOOGLE_APPLICATION_CREDENTIALS", &*login)];
    fails(
        &settings,
        &env,
        &refusing,
        Code::AuthDenied,
        "*** was revoked",
    )
    .await;
    let other = write("other.json", json!({"type": "external_account"}));
    for (path, words) in [
        (
            &*other,
            "only the types service_account and authorized_user",
        ),
        ("/gone/x", "cannot be read"),
    ] {
        let env = [("GOOGLE_APPLICATION_CREDENTIALS", path)];
        fails(&settings, &env, &world(machine), Code::ConfigInvalid, words).await;
    }
}

#[tokio::test]
async fn google_id_refused_and_malformed() {
    let settings = with(&[("google_service_account", EMAIL)]);
    for (answer, code, words) in [
        (
            (
                403,
                r#"{"error":{"code":403,"message":"Permission iam.serviceAccounts.getOpenIdToken denied","status":"PERMISSION_DENIED"}}"#,
            ),
            Code::AuthDenied,
            "generateIdToken with 403",
        ),
        ((200, "{}"), Code::AuthFailed, "no token"),
        (
            (200, r#"{"token":"opaque"}"#),
            Code::AuthFailed,
            "does not say when",
        ),
    ] {
        let wire = world(move |request| match request.url.host_str() {
            Some("iam") => Reply::Answer(answer.0, &[], answer.1.to_owned()),
            _ => machine(request),
        });
        fails(&settings, &[], &wire, code, words).await;
    }
    let nobody = world(|_| Reply::Fail(Code::HttpConnect));
    let words = "no Application Default Credentials";
    fails(&settings, &[], &nobody, Code::AuthFailed, words).await;
    let pinned = with(&[("auth_type", "google-id")]);
    let lacks = "needs google_service_account";
    fails(
        &pinned,
        &[],
        &world(machine),
        Code::AuthNotConfigured,
        lacks,
    )
    .await;
}
