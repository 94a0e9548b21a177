//! What a client asks before its first API call: the host's metadata, the OAuth document, and a token for its client
//! id and secret. Errors here have OAuth's shape, not the API's.

use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::Call;
use super::answer::{Answer, ApiError};
use crate::state::Lakebase;
use crate::state::identity::{self, ACCOUNT_ID, WORKSPACE_ID};

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
    Answer::ok(&json!({
        "issuer": format!("{base_url}/oidc"),
        "authorization_endpoint": format!("{base_url}/oidc/v1/authorize"),
        "token_endpoint": format!("{base_url}/oidc/v1/token"),
        "grant_types_supported": ["client_credentials"],
        "response_types_supported": ["code"],
        "scopes_supported": ["all-apis", "postgres", "offline_access"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
    }))
}

/// `POST /oidc/v1/token`.
pub(crate) fn token(lakebase: &Lakebase, call: &Call) -> Result<Answer, ApiError> {
    match grant(lakebase, call) {
        Ok(body) => Ok(Answer::ok(&body).with("cache-control", "no-store")),
        Err(Refusal::Oauth {
            status,
            error,
            description,
        }) => {
            let answer = Answer::json(
                status,
                &json!({"error": error, "error_description": description}),
            );
            let challenge = status == StatusCode::UNAUTHORIZED;
            Ok(if challenge {
                answer.with("www-authenticate", "Basic realm=\"lakekey-emulator\"")
            } else {
                answer
            })
        }
        Err(Refusal::Api(error)) => Err(error),
    }
}

enum Refusal {
    Oauth {
        status: StatusCode,
        error: &'static str,
        description: String,
    },
    Api(ApiError),
}

fn refused(error: &'static str, description: impl Into<String>) -> Refusal {
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

fn grant(lakebase: &Lakebase, call: &Call) -> Result<Value, Refusal> {
    let form: Vec<(String, String)> = url_form(&call.body);
    let field = |name: &str| {
        form.iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    };
    match field("grant_type") {
        Some("client_credentials") => {}
        None => {
            return Err(refused(
                "invalid_request",
                "The form field grant_type is missing.",
            ));
        }
        Some(other) => {
            return Err(refused(
                "unsupported_grant_type",
                format!("{other}: this version serves client_credentials."),
            ));
        }
    }
    let basic = basic_credentials(call)?;
    let (id, secret) = match (&basic, field("client_id"), field("client_secret")) {
        (Some((id, secret)), _, _) => (id.as_str(), secret.as_str()),
        (None, Some(id), Some(secret)) => (id, secret),
        _ => {
            return Err(refused(
                "invalid_client",
                "Client id and secret are missing.",
            ));
        }
    };
    let principal = identity::by_client_secret(id, secret)
        .ok_or_else(|| refused("invalid_client", "Client authentication failed"))?;
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
        .workspace_token(principal.user_name, scope)
        .map_err(|error| Refusal::Api(error.into()))?;
    Ok(json!({"access_token": token, "token_type": "Bearer", "expires_in": ttl_s, "scope": scope}))
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

fn url_form(body: &[u8]) -> Vec<(String, String)> {
    String::from_utf8_lossy(body)
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(super::form_pair)
        .collect()
}
