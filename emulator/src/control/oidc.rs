//! What a client asks before its first API call: the host's metadata, the OAuth document, and a token for its client
//! id and secret. Errors here have OAuth's shape, not the API's.

use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::answer::{Answer, ApiError};
use super::{Call, cloud};
use crate::state::Lakebase;
use crate::state::identity::{self, ACCOUNT_ID, REFRESH_TOKEN, USER, WORKSPACE_ID};

const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

/// `GET /.well-known/databricks-config`. Without `oidc_endpoint` the Python SDK cannot log in by client secret.
pub(crate) fn host_metadata(base_url: &str) -> Answer {
    Answer::ok(&json!({
        "oidc_endpoint": format!("{base_url}/oidc"),
        "account_id": ACCOUNT_ID,
        "workspace_id": WORKSPACE_ID,
        "cloud": "AWS",
        "host_type": "workspace",
    }))
}

/// `GET /oidc/.well-known/oauth-authorization-server`.
pub(crate) fn document(base_url: &str) -> Answer {
    described(&format!("{base_url}/oidc"))
}

/// `GET /oidc/accounts/{account}/.well-known/oauth-authorization-server`.
pub(crate) fn account_document(base_url: &str) -> Answer {
    described(&format!("{base_url}/oidc/accounts/{ACCOUNT_ID}"))
}

fn described(issuer: &str) -> Answer {
    Answer::ok(&json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/v1/authorize"),
        "token_endpoint": format!("{issuer}/v1/token"),
        "grant_types_supported": ["client_credentials", "refresh_token", TOKEN_EXCHANGE],
        "response_types_supported": ["code"],
        "scopes_supported": ["all-apis", "postgres", "offline_access"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
    }))
}

/// `POST /oidc/v1/token`, of the workspace and of the account.
pub(crate) fn token(lakebase: &Lakebase, base_url: &str, call: &Call) -> Answer {
    answered(grant(lakebase, base_url, call))
}

/// The answer of a token endpoint.
pub(crate) fn answered(outcome: Result<Value, Refusal>) -> Answer {
    match outcome {
        Ok(body) => Answer::ok(&body).with("cache-control", "no-store"),
        Err(Refusal::Oauth {
            status,
            error,
            description,
        }) => {
            let answer = Answer::json(
                status,
                &json!({"error": error, "error_description": description}),
            );
            if status == StatusCode::UNAUTHORIZED {
                answer.with("www-authenticate", "Basic realm=\"lakekey-emulator\"")
            } else {
                answer
            }
        }
        Err(Refusal::Api(error)) => error.answer("token"),
    }
}

/// Why there is no token.
pub(crate) enum Refusal {
    Oauth {
        status: StatusCode,
        error: &'static str,
        description: String,
    },
    Api(ApiError),
}

/// A refusal in OAuth's shape.
pub(crate) fn refused(error: &'static str, description: impl Into<String>) -> Refusal {
    let status = if error == "invalid_client" {
        StatusCode::UNAUTHORIZED
    } else {
        StatusCode::BAD_REQUEST
    };
    Refusal::Oauth {
        status,
        error,
        description: description.into(),
    }
}

fn grant(lakebase: &Lakebase, base_url: &str, call: &Call) -> Result<Value, Refusal> {
    let form: Vec<(String, String)> = url_form(&call.body);
    let field = |name: &str| {
        form.iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    };
    let sub = match field("grant_type") {
        Some("client_credentials") => by_secret(call, field("client_id"), field("client_secret"))?,
        Some(TOKEN_EXCHANGE) => cloud::exchange(lakebase, base_url, call)?,
        Some("refresh_token") if field("refresh_token") == Some(REFRESH_TOKEN) => USER,
        Some("refresh_token") => {
            return Err(refused("invalid_grant", "Refresh token is invalid."));
        }
        None => {
            return Err(refused(
                "invalid_request",
                "The form field grant_type is missing.",
            ));
        }
        Some(other) => {
            return Err(refused(
                "unsupported_grant_type",
                format!(
                    "{other}: this version serves client_credentials, token-exchange and refresh_token."
                ),
            ));
        }
    };
    let scope = field("scope")
        .filter(|scope| !scope.trim().is_empty())
        .unwrap_or("all-apis");
    let allowed =
        |character: char| character.is_ascii_alphanumeric() || "-._: ".contains(character);
    if !scope.chars().all(allowed) {
        return Err(refused(
            "invalid_scope",
            "A scope is made of letters, digits, '-', '.', '_' and ':'.",
        ));
    }
    let (token, ttl_s) = lakebase
        .workspace_token(sub, scope)
        .map_err(|error| Refusal::Api(error.into()))?;
    Ok(json!({"access_token": token, "token_type": "Bearer", "expires_in": ttl_s, "scope": scope}))
}

/// The service principal that proves itself by its secret, in the header or in the form.
fn by_secret(call: &Call, id: Option<&str>, secret: Option<&str>) -> Result<&'static str, Refusal> {
    let basic = basic_credentials(call)?;
    let (id, secret) = match (&basic, id, secret) {
        (Some((id, secret)), _, _) => (id.as_str(), secret.as_str()),
        (None, Some(id), Some(secret)) => (id, secret),
        _ => {
            return Err(refused(
                "invalid_client",
                "Client id and secret are missing.",
            ));
        }
    };
    identity::by_client_secret(id, secret)
        .map(|principal| principal.user_name)
        .ok_or_else(|| refused("invalid_client", "Client authentication failed"))
}

/// Client id and secret of `Authorization: Basic`; each may be form-encoded (RFC 6749 2.3.1) or not.
fn basic_credentials(call: &Call) -> Result<Option<(String, String)>, Refusal> {
    let Some(header) = call.headers.get("authorization") else {
        return Ok(None);
    };
    let malformed = || {
        refused(
            "invalid_client",
            "The Authorization header is not Basic with a client id and a secret.",
        )
    };
    let header = header.to_str().map_err(|_| malformed())?;
    let (scheme, encoded) = header.split_once(' ').ok_or_else(malformed)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(malformed());
    }
    let decoded = STANDARD.decode(encoded.trim()).map_err(|_| malformed())?;
    let decoded = String::from_utf8(decoded).map_err(|_| malformed())?;
    let (id, secret) = decoded.split_once(':').ok_or_else(malformed)?;
    let plain = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    Ok(Some((plain(id), plain(secret))))
}

/// The fields of a form.
pub(crate) fn url_form(body: &[u8]) -> Vec<(String, String)> {
    String::from_utf8_lossy(body)
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(super::form_pair)
        .collect()
}
