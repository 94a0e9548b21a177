//! `azure-devops-oidc`: the ID token that Azure DevOps gives to a job of its pipelines.

use http::Method;
use http::header::{AUTHORIZATION, CONTENT_LENGTH};
use url::Url;

use crate::auth::chain::{Chosen, Ground, missing, sensitive};
use crate::auth::federation::{IdTokens, as_token, identity};
use crate::auth::token_request::{ask, object, unusable};
use crate::clock::{BoxFuture, Deadline};
use crate::code::Code;
use crate::error::{Error, Result};
use crate::http::{Retry, Wire};
use crate::secret::Secret;

const NAME: &str = "azure-devops-oidc";

pub(crate) fn make(ground: &Ground<'_>) -> Result<Chosen> {
    let var = |name: &str| {
        ground
            .resolved
            .environment()
            .var(name)
            .ok_or_else(|| missing(NAME, &format!("no variable {name}")))
    };
    let token = var("SYSTEM_ACCESSTOKEN")?;
    let address = format!(
        "{}/{}/_apis/distributedtask/hubs/{}/plans/{}/jobs/{}/oidctoken?api-version=7.2-preview.1",
        var("SYSTEM_TEAMFOUNDATIONCOLLECTIONURI")?.trim_end_matches('/'),
        var("SYSTEM_TEAMPROJECTID")?,
        var("SYSTEM_HOSTTYPE")?,
        var("SYSTEM_PLANID")?,
        var("SYSTEM_JOBID")?,
    );
    let url = Url::parse(&address).map_err(|cause| {
        Error::new(
            Code::ConfigInvalid,
            format!(
                "default auth: {NAME}: SYSTEM_TEAMFOUNDATIONCOLLECTIONURI is no address: {cause}"
            ),
        )
    })?;
    let source = Pipeline {
        url,
        token: Secret::new(token),
    };
    Ok(identity(ground, NAME, "azure-devops", source))
}

#[derive(Debug)]
struct Pipeline {
    url: Url,
    token: Secret,
}

impl IdTokens for Pipeline {
    fn id_token<'a>(
        &'a self,
        wire: &'a Wire,
        _audience: &'a str,
        deadline: Deadline,
        retry: Retry,
    ) -> BoxFuture<'a, Result<Secret>> {
        Box::pin(async move {
            let headers = vec![
                (
                    AUTHORIZATION,
                    sensitive(&format!("Bearer {}", self.token.expose()))?,
                ),
                (CONTENT_LENGTH, http::HeaderValue::from_static("0")),
            ];
            let url = self.url.clone();
            let response = ask(wire, Method::POST, url, headers, deadline, retry).await?;
            let body = object(&self.url, &response)?;
            let value = body.get("oidcToken").and_then(|value| value.as_str());
            let value = value.ok_or_else(|| unusable(&self.url, "the answer holds no ID token"))?;
            as_token(value, "Azure DevOps")
        })
    }
}
