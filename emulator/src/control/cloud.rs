//! Look-alikes of the identity services around a workspace: an issuer of ID tokens such as a CI system's, Entra, the
//! Azure Resource Manager and a machine's instance metadata.
//!
//! All of them stand under paths of the workspace's own host, so that one address serves a whole cloud. They take the
//! service principal's well-known id and secret; what they give opens this workspace and nothing else.

use axum::http::StatusCode;
use serde_json::json;

use super::Call;
use super::answer::Answer;
use super::oidc::{Refusal, answered, refused, url_form};
use crate::state::Lakebase;
use crate::state::identity::{
    self, CLIENT_ID, CLIENT_SECRET, ISSUER_TOKEN, MANAGEMENT_TOKEN, TENANT,
};

/// The application id of Databricks in Entra.
const DATABRICKS_APP: &str = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d";
const ENTRA_AUDIENCE: &str = "api://AzureADTokenExchange";

fn said(status: StatusCode, error: &'static str, description: impl Into<String>) -> Refusal {
    Refusal::Oauth {
        status,
        error,
        description: description.into(),
    }
}

fn bearer(call: &Call) -> Option<&str> {
    let header = call.headers.get("authorization")?.to_str().ok()?;
    header.strip_prefix("Bearer ")
}

/// `GET /issuer/github?audience=...`: the ID token of a job of GitHub's Actions.
pub(crate) fn github(lakebase: &Lakebase, base_url: &str, call: &Call) -> Answer {
    issued(call, || {
        let audience = call
            .query("audience")
            .unwrap_or_else(|| format!("{base_url}/oidc/v1/token"));
        let token = lakebase.id_token("repo:emulator/app:ref:refs/heads/main", &audience)?;
        Ok(json!({"value": token, "count": token.len()}))
    })
}

/// `POST /issuer/{project}/_apis/distributedtask/.../oidctoken`: the ID token of a pipeline of Azure DevOps.
pub(crate) fn azure_devops(lakebase: &Lakebase, call: &Call) -> Answer {
    issued(call, || {
        let token = lakebase.id_token("sc://emulator/project/connection", ENTRA_AUDIENCE)?;
        Ok(json!({"oidcToken": token}))
    })
}

fn issued(call: &Call, make: impl FnOnce() -> Result<serde_json::Value, crate::Error>) -> Answer {
    if bearer(call) != Some(ISSUER_TOKEN) {
        let body = json!({"message": "The request token of this job is missing or wrong."});
        return Answer::json(StatusCode::UNAUTHORIZED, &body);
    }
    match make() {
        Ok(body) => Answer::ok(&body),
        Err(error) => Answer::json(
            StatusCode::INTERNAL_SERVER_ERROR,
            &json!({"message": error.to_string()}),
        ),
    }
}

/// `POST /entra/{tenant}/oauth2/token`.
pub(crate) fn entra(lakebase: &Lakebase, tenant: &str, call: &Call) -> Answer {
    answered(entra_token(lakebase, tenant, call))
}

fn entra_token(
    lakebase: &Lakebase,
    tenant: &str,
    call: &Call,
) -> Result<serde_json::Value, Refusal> {
    let form = url_form(&call.body);
    let field = |name: &str| {
        form.iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    };
    if tenant != TENANT {
        return Err(refused(
            "invalid_request",
            format!("AADSTS90002: Tenant '{tenant}' not found. Trace ID: 00000000"),
        ));
    }
    if field("grant_type") != Some("client_credentials") {
        return Err(refused(
            "unsupported_grant_type",
            "AADSTS70003: use client_credentials",
        ));
    }
    let proven = match field("client_assertion") {
        Some(assertion) => lakebase.is_id_token(assertion, &[ENTRA_AUDIENCE]),
        None => field("client_secret") == Some(CLIENT_SECRET),
    };
    if field("client_id") != Some(CLIENT_ID) || !proven {
        return Err(refused(
            "invalid_client",
            "AADSTS7000215: Invalid client secret provided. Trace ID: 00000000 Correlation ID: 00000000",
        ));
    }
    azure_token(lakebase, field("resource").unwrap_or_default())
}

/// `GET /metadata/identity/oauth2/token`: what only a machine on Azure can ask.
pub(crate) fn instance_metadata(lakebase: &Lakebase, call: &Call) -> Answer {
    let asked = || {
        if call
            .headers
            .get("metadata")
            .is_none_or(|value| value != "true")
        {
            return Err(refused(
                "invalid_request",
                "Required metadata header not specified",
            ));
        }
        match call.query("client_id") {
            Some(id) if id != CLIENT_ID => Err(said(
                StatusCode::BAD_REQUEST,
                "invalid_request",
                "Identity not found",
            )),
            _ => azure_token(lakebase, &call.query("resource").unwrap_or_default()),
        }
    };
    answered(asked())
}

/// Entra's numbers are texts.
fn azure_token(lakebase: &Lakebase, resource: &str) -> Result<serde_json::Value, Refusal> {
    let now = lakebase.clock.now().as_second();
    let (token, ttl_s) = if resource == DATABRICKS_APP {
        lakebase
            .workspace_token(CLIENT_ID, "all-apis")
            .map_err(|error| Refusal::Api(error.into()))?
    } else {
        (MANAGEMENT_TOKEN.to_owned(), 3600)
    };
    Ok(json!({
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": ttl_s.to_string(),
        "expires_on": now.saturating_add(ttl_s).to_string(),
        "resource": resource,
    }))
}

/// `GET /arm/subscriptions/...`: the workspace behind a resource id.
pub(crate) fn resource(base_url: &str, call: &Call) -> Answer {
    if bearer(call) != Some(MANAGEMENT_TOKEN) {
        let body =
            json!({"error": {"code": "AuthenticationFailed", "message": "Authentication failed."}});
        return Answer::json(StatusCode::UNAUTHORIZED, &body);
    }
    Answer::ok(&json!({"properties": {"workspaceUrl": base_url}}))
}

/// `GET /aad/auth`: where the workspace sends its users, by which clients learn the tenant.
pub(crate) fn tenant() -> Answer {
    let to =
        format!("https://login.emulator.test/{TENANT}/oauth2/authorize?client_id={DATABRICKS_APP}");
    Answer {
        status: StatusCode::FOUND,
        headers: vec![("location", to)],
        body: Vec::new(),
    }
}

/// `grant_type=urn:ietf:params:oauth:grant-type:token-exchange` of the workspace and of the account.
pub(crate) fn exchange(
    lakebase: &Lakebase,
    base_url: &str,
    call: &Call,
) -> Result<&'static str, Refusal> {
    let form = url_form(&call.body);
    let field = |name: &str| {
        form.iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    };
    if field("subject_token_type") != Some("urn:ietf:params:oauth:token-type:jwt") {
        return Err(refused(
            "invalid_request",
            "The form field subject_token_type must name a jwt.",
        ));
    }
    let audiences = [
        &*format!("{base_url}/oidc/v1/token"),
        &*format!("{base_url}/oidc/accounts/{}/v1/token", identity::ACCOUNT_ID),
        identity::ACCOUNT_ID,
        ENTRA_AUDIENCE,
    ];
    if !lakebase.is_id_token(field("subject_token").unwrap_or_default(), &audiences) {
        return Err(refused(
            "invalid_request",
            "The subject token is not one of this workspace's issuer.",
        ));
    }
    match field("client_id") {
        None | Some(CLIENT_ID) => Ok(CLIENT_ID),
        Some(other) => Err(refused(
            "invalid_client",
            format!("The service principal {other} has no federation policy for this subject."),
        )),
    }
}

/// Whether the path is a pipeline's address below `/issuer/`.
pub(crate) fn is_pipeline(path: &str) -> bool {
    path.contains("/_apis/distributedtask/hubs/") && path.ends_with("/oidctoken")
}
