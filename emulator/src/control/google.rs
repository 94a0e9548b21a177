//! Look-alikes of Google's identity services: a token endpoint that believes the key of one service account, the API by
//! which a login speaks as that account, and a machine's instance metadata.
//!
//! The key is well known: whoever asks gets it, as it opens this workspace and nothing else. What is signed with it is
//! verified all the same, because a client that signs wrongly must be found out here and not at Google's.

use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{KeyPair, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};

use super::Call;
use super::answer::Answer;
use super::oidc::{Refusal, answered, refused, url_form};
use crate::state::Lakebase;
use crate::state::identity::{CLIENT_ID, REFRESH_TOKEN};

/// Made for this emulator; nothing else in the world trusts it.
const KEY: &str = include_str!("throwaway_google_key.pem");
const KEY_ID: &str = "emulator-key";
/// The service account, which is the service principal in the workspace.
const ACCOUNT: &str = "emulator@emulator.iam.gserviceaccount.com";
/// A token for Google Cloud itself.
const ACCESS_TOKEN: &str = "emulator-google-access";
const ACCESS_TTL_S: i64 = 3600;
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const GENERATE: &str = "/v1/projects/-/serviceAccounts/";

/// What is asked of Google.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    /// The key of the service account, as Google gives it out.
    Key,
    /// A token for what a key signed, or for the login of a user.
    Token,
    /// An ID token in the account's name.
    IdToken,
    /// An access token in the account's name.
    AccessToken,
    /// The token of a machine's own account.
    Machine,
}

impl Service {
    /// Tells it by a path, with the method that it takes.
    pub(crate) fn of(path: &str) -> Option<(&'static str, Self)> {
        let path = path.strip_prefix("/google")?;
        match path {
            "/key" => return Some(("GET", Self::Key)),
            "/token" => return Some(("POST", Self::Token)),
            "/computeMetadata/v1/instance/service-accounts/default/token" => {
                return Some(("GET", Self::Machine));
            }
            _ => {}
        }
        let account = path.strip_prefix(GENERATE)?.replace("%40", "@");
        match account.strip_prefix(ACCOUNT)? {
            ":generateIdToken" => Some(("POST", Self::IdToken)),
            ":generateAccessToken" => Some(("POST", Self::AccessToken)),
            _ => None,
        }
    }

    /// What the journal calls it.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Key => "/google/key",
            Self::Token => "/google/token",
            Self::IdToken => "/google/{account}:generateIdToken",
            Self::AccessToken => "/google/{account}:generateAccessToken",
            Self::Machine => "/google/computeMetadata/{token}",
        }
    }
}

/// Answers for Google.
pub(crate) fn answer(service: Service, lakebase: &Lakebase, base_url: &str, call: &Call) -> Answer {
    match service {
        Service::Key => Answer::ok(&json!({
            "type": "service_account",
            "project_id": "emulator",
            "private_key_id": KEY_ID,
            "private_key": KEY,
            "client_email": ACCOUNT,
            "client_id": "1",
            "token_uri": token_uri(base_url),
        })),
        Service::Token => answered(token(lakebase, base_url, call)),
        Service::IdToken => as_account(call, |asked| {
            let audience = asked["audience"].as_str().unwrap_or_default();
            id_token(lakebase, base_url, audience).map(|token| json!({"token": token}))
        }),
        Service::AccessToken => as_account(call, |_| {
            let end = lakebase.clock.now().as_second() + ACCESS_TTL_S;
            let end = jiff::Timestamp::from_second(end).unwrap_or(jiff::Timestamp::MAX);
            Ok(json!({"accessToken": ACCESS_TOKEN, "expireTime": end.to_string()}))
        }),
        Service::Machine if call.headers.get("metadata-flavor").is_none() => Answer::json(
            StatusCode::FORBIDDEN,
            &json!("Missing Metadata-Flavor:Google header."),
        ),
        Service::Machine => Answer::ok(&access_token()),
    }
}

fn token_uri(base_url: &str) -> String {
    format!("{base_url}/google/token")
}

fn access_token() -> Value {
    json!({"access_token": ACCESS_TOKEN, "expires_in": ACCESS_TTL_S, "token_type": "Bearer"})
}

/// `POST /token`.
fn token(lakebase: &Lakebase, base_url: &str, call: &Call) -> Result<Value, Refusal> {
    let form = url_form(&call.body);
    let field = |name: &str| {
        form.iter()
            .find(|(key, _)| key == name)
            .map_or("", |(_, value)| value.as_str())
    };
    match field("grant_type") {
        "refresh_token" if field("refresh_token") == REFRESH_TOKEN => Ok(access_token()),
        "refresh_token" => Err(refused(
            "invalid_grant",
            "Token has been expired or revoked.",
        )),
        GRANT => {
            let now = lakebase.clock.now().as_second();
            let claims = signed(field("assertion"), &token_uri(base_url), now)
                .map_err(|why| refused("invalid_grant", format!("Invalid JWT: {why}")))?;
            match claims["target_audience"].as_str() {
                Some(audience) => {
                    id_token(lakebase, base_url, audience).map(|token| json!({"id_token": token}))
                }
                None if claims["scope"]
                    .as_str()
                    .is_some_and(|scope| scope.contains(SCOPE)) =>
                {
                    Ok(access_token())
                }
                None => Err(refused(
                    "invalid_scope",
                    "Invalid OAuth scope or ID token audience provided.",
                )),
            }
        }
        other => Err(refused(
            "unsupported_grant_type",
            format!("Invalid grant_type: {other}"),
        )),
    }
}

/// The claims of a JWT that the account's key signed for this endpoint.
fn signed(assertion: &str, token_uri: &str, now: i64) -> Result<Value, &'static str> {
    let key = PrivatePkcs8KeyDer::from_pem_slice(KEY.as_bytes())
        .ok()
        .and_then(|key| RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()).ok())
        .ok_or("there is no key")?;
    let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
    let object = |part: &str| serde_json::from_slice::<Value>(&decoded(part)?).ok();
    let (text, signature) = assertion.rsplit_once('.').ok_or("Not a valid JWT.")?;
    let (header, claims) = text.split_once('.').ok_or("Not a valid JWT.")?;
    let signature = decoded(signature).ok_or("Not a valid signature.")?;
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public_key().as_ref())
        .verify(text.as_bytes(), &signature)
        .map_err(|_| "Invalid JWT Signature.")?;
    let header = object(header).ok_or("Not a valid header.")?;
    let claims = object(claims).ok_or("Not a valid payload.")?;
    if header["alg"] != "RS256" || header["kid"].as_str().is_some_and(|kid| kid != KEY_ID) {
        return Err("The key is not known.");
    }
    // Some libraries name Google's own endpoint wherever they send it.
    let audiences = [token_uri, "https://oauth2.googleapis.com/token"];
    if claims["iss"] != ACCOUNT || audiences.iter().all(|audience| claims["aud"] != *audience) {
        return Err("iss or aud is wrong.");
    }
    let time = |name: &str| claims[name].as_i64().unwrap_or_default();
    // Google takes an hour at most, and clocks that are a few minutes wrong.
    if time("exp") <= now || time("iat") > now + 300 || time("exp") - time("iat") > 3660 {
        return Err(
            "Token must be a short-lived token (60 minutes) and in a reasonable timeframe.",
        );
    }
    Ok(claims)
}

/// An ID token for the workspace, which takes it as its own.
fn id_token(lakebase: &Lakebase, base_url: &str, audience: &str) -> Result<String, Refusal> {
    let audience = audience.trim_end_matches('/');
    // A recorder may stand in front of this host, on the same machine or under a workspace's name.
    let loopback = audience.starts_with("http://127.0.0.1:");
    if audience != base_url && !loopback && !audience.ends_with(".gcp.databricks.com") {
        return Err(refused(
            "invalid_audience",
            "The audience is not this workspace.",
        ));
    }
    let made = lakebase.workspace_token(CLIENT_ID, "all-apis");
    made.map(|(token, _)| token)
        .map_err(|error| Refusal::Api(error.into()))
}

/// What only somebody with a token for Google Cloud may ask.
fn as_account(call: &Call, make: impl FnOnce(Value) -> Result<Value, Refusal>) -> Answer {
    let bearer = format!("Bearer {ACCESS_TOKEN}");
    let refusal = |status: StatusCode, text: &str| {
        let code = status.as_u16();
        Answer::json(status, &json!({"error": {"code": code, "message": text}}))
    };
    if call
        .headers
        .get("authorization")
        .is_none_or(|given| given != bearer.as_str())
    {
        return refusal(
            StatusCode::UNAUTHORIZED,
            "Request had invalid authentication credentials.",
        );
    }
    let Ok(asked) = serde_json::from_slice(&call.body) else {
        return refusal(StatusCode::BAD_REQUEST, "Invalid JSON payload received.");
    };
    answered(make(asked))
}

#[cfg(test)]
mod tests {
    use super::Service;

    #[test]
    fn services_are_told_by_their_paths() {
        let path =
            "/google/v1/projects/-/serviceAccounts/emulator@emulator.iam.gserviceaccount.com";
        for (path, service) in [
            ("/google/token", Some(("POST", Service::Token))),
            (
                &format!("{path}:generateIdToken"),
                Some(("POST", Service::IdToken)),
            ),
            (
                &format!("{}:generateAccessToken", path.replace('@', "%40")),
                Some(("POST", Service::AccessToken)),
            ),
            (&format!("{path}:signJwt"), None),
            (
                "/google/v1/projects/-/serviceAccounts/else@where:generateIdToken",
                None,
            ),
        ] {
            assert_eq!(Service::of(path), service, "{path}");
        }
    }
}
