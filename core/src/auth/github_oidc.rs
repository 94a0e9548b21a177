//! `github-oidc`: the ID token that GitHub gives to a job of its Actions.

use http::Method;
use http::header::AUTHORIZATION;
use url::Url;

use crate::auth::chain::{Chosen, Ground, sensitive};
use crate::auth::federation::{IdTokens, as_token, identity};
use crate::auth::token_request::{ask, object, unusable};
use crate::clock::{BoxFuture, Deadline};
use crate::code::Code;
use crate::error::{Error, Result};
use crate::http::{Retry, Wire};
use crate::secret::Secret;

const NAME: &str = "github-oidc";

pub(crate) fn make(ground: &Ground<'_>) -> Result<Chosen> {
    let source = Actions::of(ground, NAME)?;
    Ok(identity(ground, NAME, "github", source))
}

/// GitHub's issuer, as a job sees it.
#[derive(Debug)]
pub(crate) struct Actions {
    url: Url,
    token: Secret,
}

impl Actions {
    pub(crate) fn of(ground: &Ground<'_>, auth_type: &str) -> Result<Actions> {
        let url = ground.need(auth_type, "actions_id_token_request_url")?;
        let token = ground.need(auth_type, "actions_id_token_request_token")?;
        let url = Url::parse(url.expose()).map_err(|cause| {
            Error::new(
                Code::ConfigInvalid,
                format!(
                    "default auth: {auth_type}: actions_id_token_request_url from {} is no address: {cause}",
                    ground.source("actions_id_token_request_url")
                ),
            )
        })?;
        Ok(Actions {
            url,
            token: token.clone(),
        })
    }
}

impl IdTokens for Actions {
    fn wants_audience(&self) -> bool {
        true
    }

    fn id_token<'a>(
        &'a self,
        wire: &'a Wire,
        audience: &'a str,
        deadline: Deadline,
        retry: Retry,
    ) -> BoxFuture<'a, Result<Secret>> {
        Box::pin(async move {
            let mut url = self.url.clone();
            if !audience.is_empty() {
                url.query_pairs_mut().append_pair("audience", audience);
            }
            let bearer = sensitive(&format!("Bearer {}", self.token.expose()))?;
            let headers = vec![(AUTHORIZATION, bearer)];
            let response = ask(wire, Method::GET, url, headers, deadline, retry).await?;
            let body = object(&self.url, &response)?;
            let value = body.get("value").and_then(|value| value.as_str());
            let value = value.ok_or_else(|| unusable(&self.url, "the answer holds no ID token"))?;
            as_token(value, "GitHub")
        })
    }
}
