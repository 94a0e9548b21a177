//! Who sends a request: the check of the `Authorization` header of the workspace's API.

use axum::http::HeaderMap;

use super::answer::ApiError;
use crate::state::identity::{self, Principal, WORKSPACE_ID};
use crate::state::{Lakebase, WORKSPACE_AUDIENCE};
use crate::token::TokenRefusal;

/// Scopes that open the postgres API.
const POSTGRES_SCOPES: [&str; 2] = ["all-apis", "postgres"];

/// Who sent this, if they may use the API.
pub(crate) fn of(
    lakebase: &Lakebase,
    headers: &HeaderMap,
    postgres: bool,
) -> Result<&'static Principal, ApiError> {
    let header = headers
        .get("authorization")
        .map(|value| value.to_str().unwrap_or_default());
    let token = header.and_then(|header| {
        let (scheme, token) = header.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    let Some(token) = token.filter(|token| !token.is_empty()) else {
        return Err(ApiError::unauthenticated(
            "Credential was not sent or was of an unsupported type for this API.",
        ));
    };
    let principal = match identity::by_access_token(token) {
        Some(principal) => principal,
        None => of_oauth_token(lakebase, token, postgres)?,
    };
    let asked = headers
        .get("x-databricks-workspace-id")
        .or_else(|| headers.get("x-databricks-org-id"));
    if let Some(asked) = asked
        && asked.as_bytes() != WORKSPACE_ID.as_bytes()
    {
        return Err(ApiError::invalid(format!(
            "The workspace id in the request is {}, and this workspace is {WORKSPACE_ID}.",
            String::from_utf8_lossy(asked.as_bytes())
        )));
    }
    Ok(principal)
}

fn of_oauth_token(
    lakebase: &Lakebase,
    token: &str,
    postgres: bool,
) -> Result<&'static Principal, ApiError> {
    let claims = lakebase
        .tokens
        .verify(token, lakebase.clock.now())
        .map_err(|refusal| match refusal {
            TokenRefusal::NotAJwt => ApiError::forbidden("Invalid access token."),
            TokenRefusal::Untrusted => {
                ApiError::unauthenticated("The access token was not issued by this workspace.")
            }
            TokenRefusal::Expired => ApiError::unauthenticated("The access token has expired."),
        })?;
    if claims.aud != WORKSPACE_AUDIENCE {
        return Err(ApiError::unauthenticated(
            "The token is not an access token of this workspace.",
        ));
    }
    let scopes = claims
        .rest
        .get("scope")
        .and_then(|scope| scope.as_str())
        .unwrap_or_default();
    if postgres
        && !scopes
            .split(' ')
            .any(|scope| POSTGRES_SCOPES.contains(&scope))
    {
        return Err(ApiError::forbidden(format!(
            "Provided OAuth token does not have required scopes: postgres (it has: {scopes})"
        )));
    }
    identity::by_user_name(&claims.sub)
        .ok_or_else(|| ApiError::unauthenticated("The token's subject does not exist."))
}
