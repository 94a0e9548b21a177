//! `oauth-m2m`: a service principal with a secret. What Databricks Apps and most servers use.

use std::sync::Arc;

use crate::auth::chain::{Chosen, Ground, Tokens};
use crate::auth::oauth::OAuth;
use crate::auth::token_cache::{Fetched, TokenSource};
use crate::clock::{BoxFuture, Deadline};
use crate::code::Code;
use crate::error::{Error, Result};
use crate::http::Retry;
use crate::secret::Secret;

pub(crate) fn make(ground: &Ground<'_>) -> Result<Chosen> {
    let client_id = ground.need("oauth-m2m", "client_id")?.expose().to_owned();
    let secret = ground.need("oauth-m2m", "client_secret")?;
    let scope = ground.resolved.scopes().join(" ");
    // The secret is part of it: a client with a wrong one must not live on what a right one has fetched.
    let identity = format!("{client_id}\n{}\n{scope}", secret.fingerprint());
    let source = ServicePrincipal {
        client_secret: secret.clone(),
        hint: format!(
            "Check client_id {client_id} (from {}) and client_secret (from {}), and that the service principal is assigned to \
             this workspace",
            ground.source("client_id"),
            ground.source("client_secret")
        ),
        oauth: OAuth::new(ground.resolved, ground.wire.clone()),
        extra: [
            ("authorization_details", "authorization_details"),
            ("group_id", "assume_group"),
        ]
        .into_iter()
        .filter_map(|(attribute, field)| Some((field, ground.text(attribute)?.to_owned())))
        .collect(),
        client_id: client_id.clone(),
        scope,
    };
    Ok(Chosen {
        auth_type: "oauth-m2m",
        principal: format!("oauth-m2m-{}", Secret::new(identity).fingerprint()),
        login_name: Some(client_id),
        tokens: Tokens::renewed(source, ground),
        wire: ground.wire.clone(),
    })
}

#[derive(Debug)]
struct ServicePrincipal {
    client_id: String,
    client_secret: Secret,
    scope: String,
    extra: Vec<(&'static str, String)>,
    hint: String,
    oauth: OAuth,
}

impl TokenSource for ServicePrincipal {
    fn trouble(&self) -> Option<Arc<Error>> {
        self.oauth.wire().trouble.load_full()
    }

    fn fetch(&self, deadline: Deadline, retry: Retry) -> BoxFuture<'_, Result<Fetched>> {
        Box::pin(async move {
            let mut form = vec![
                ("grant_type", "client_credentials"),
                ("scope", &*self.scope),
            ];
            form.extend(self.extra.iter().map(|(name, value)| (*name, &**value)));
            let basic = Some((&*self.client_id, &self.client_secret));
            self.oauth
                .token(&form, basic, self.oauth.wire().bounded(deadline), retry)
                .await
                .map_err(|error| {
                    let error = error.context("oauth-m2m");
                    match error.code() {
                        Code::AuthDenied => error.with_hint(&*self.hint),
                        _ => error,
                    }
                })
        })
    }
}
