//! The HTTP control plane: what Databricks serves at the workspace's host, as far as this version serves it.

mod answer;
mod caller;
mod cloud;
mod credentials;
mod google;
mod oidc;
mod page;
mod render;
mod resources;
mod route;
mod scim;
pub(crate) mod serve;
mod strike;

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use percent_encoding::percent_decode_str;

use crate::state::Lakebase;
use answer::{Answer, ApiError};
use route::{SERVED, Target};

const BAD_REQUEST: StatusCode = StatusCode::BAD_REQUEST;

/// A request with its body.
pub(crate) struct Call {
    pub(crate) target: Target,
    pub(crate) query: Option<String>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Call {
    /// The first value of a query parameter.
    pub(crate) fn query(&self, name: &str) -> Option<String> {
        self.query
            .as_deref()?
            .split('&')
            .map(form_pair)
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
    }
}

/// `key=value` of a query or a form, decoded.
fn form_pair(pair: &str) -> (String, String) {
    let decoded = |text: &str| {
        percent_decode_str(&text.replace('+', " "))
            .decode_utf8_lossy()
            .into_owned()
    };
    let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
    (decoded(key), decoded(value))
}

/// Carries a request out.
pub(crate) fn carry_out(
    lakebase: &Lakebase,
    base_url: &str,
    call: &Call,
    request_id: &str,
) -> Answer {
    dispatch(lakebase, base_url, call).unwrap_or_else(|refusal| refusal.answer(request_id))
}

fn dispatch(lakebase: &Lakebase, base_url: &str, call: &Call) -> Result<Answer, ApiError> {
    match &call.target {
        Target::HostMetadata => Ok(oidc::host_metadata(base_url)),
        Target::OauthDocument => Ok(oidc::document(base_url)),
        Target::AccountDocument => Ok(oidc::account_document(base_url)),
        Target::OauthToken => Ok(oidc::token(lakebase, base_url, call)),
        Target::GithubIssuer => Ok(cloud::github(lakebase, base_url, call)),
        Target::PipelineIssuer => Ok(cloud::azure_devops(lakebase, call)),
        Target::Entra(tenant) => Ok(cloud::entra(lakebase, tenant, call)),
        Target::InstanceMetadata => Ok(cloud::instance_metadata(lakebase, call)),
        Target::AzureResource => Ok(cloud::resource(base_url, call)),
        Target::Tenant => Ok(cloud::tenant()),
        Target::Google(service) => Ok(google::answer(*service, lakebase, base_url, call)),
        Target::Me => Ok(scim::me(caller::of(lakebase, &call.headers, false)?)),
        Target::Credentials => {
            credentials::mint(lakebase, caller::of(lakebase, &call.headers, true)?, call)
        }
        Target::NotServed => {
            caller::of(lakebase, &call.headers, false)?;
            let message = format!(
                "lakekey-emulator does not serve this. It serves: {}",
                SERVED.join("; ")
            );
            Err(ApiError::new(
                StatusCode::NOT_IMPLEMENTED,
                "NOT_IMPLEMENTED",
                message,
            ))
        }
        Target::WrongMethod(allowed) => {
            let message = format!("The method is not allowed here; use {allowed}.");
            Err(ApiError::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "BAD_REQUEST",
                message,
            ))
        }
        Target::Unknown => Err(ApiError::new(
            StatusCode::NOT_FOUND,
            "ENDPOINT_NOT_FOUND",
            "No API found for this path.",
        )),
        resource => {
            caller::of(lakebase, &call.headers, true)?;
            resources::read(lakebase, call, resource)
        }
    }
}
