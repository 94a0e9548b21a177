//! Workload identity federation: an ID token of somebody else's issuer, exchanged for a workspace token.
//!
//! No secret is kept anywhere: the issuer vouches for the workload each time. What differs between the types is only
//! where the ID token comes from, so each of them is a [`IdTokens`] in a file of its own.

use std::sync::Arc;

use std::fmt;

use crate::auth::chain::{Chosen, Ground, Tokens};
use crate::auth::oauth::OAuth;
use crate::auth::token_cache::{Fetched, TokenSource};
use crate::clock::{BoxFuture, Deadline};
use crate::code::Code;
use crate::error::{Error, Result};
use crate::http::{Retry, Wire};
use crate::secret::Secret;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

/// Where ID tokens come from.
pub(crate) trait IdTokens: fmt::Debug + Send + Sync + 'static {
    /// Whether the issuer wants to be told for whom the token is.
    fn wants_audience(&self) -> bool {
        false
    }

    /// A new ID token.
    fn id_token<'a>(
        &'a self,
        wire: &'a Wire,
        audience: &'a str,
        deadline: Deadline,
        retry: Retry,
    ) -> BoxFuture<'a, Result<Secret>>;
}

/// An identity that lives on `source`; `origin` names the source, never a secret.
pub(crate) fn identity(
    ground: &Ground<'_>,
    auth_type: &'static str,
    origin: &str,
    source: impl IdTokens,
) -> Chosen {
    let client_id = ground.text("client_id").map(str::to_owned);
    let scope = ground.resolved.scopes().join(" ");
    let identity = format!(
        "{}\n{origin}\n{scope}",
        client_id.as_deref().unwrap_or_default()
    );
    let federated = Federated {
        auth_type,
        source: Box::new(source),
        oauth: OAuth::new(ground.resolved, ground.wire.clone()),
        client_id: client_id.clone(),
        scope,
    };
    Chosen {
        auth_type,
        principal: format!("{auth_type}-{}", Secret::new(identity).fingerprint()),
        login_name: client_id,
        tokens: Tokens::renewed(federated, ground),
        wire: ground.wire.clone(),
    }
}

#[derive(Debug)]
struct Federated {
    auth_type: &'static str,
    source: Box<dyn IdTokens>,
    oauth: OAuth,
    client_id: Option<String>,
    scope: String,
}

impl Federated {
    async fn exchange(&self, deadline: Deadline, retry: Retry) -> Result<Fetched> {
        let wire = self.oauth.wire();
        let audience = if self.source.wants_audience() {
            self.oauth.audience(deadline, retry).await?
        } else {
            String::new()
        };
        let id_token = self
            .source
            .id_token(wire, &audience, deadline, retry)
            .await?;
        let mut form = vec![
            ("grant_type", GRANT),
            ("subject_token", id_token.expose()),
            ("subject_token_type", JWT),
            ("scope", &self.scope),
        ];
        if let Some(id) = &self.client_id {
            form.push(("client_id", id));
        }
        self.oauth
            .token_hiding(&id_token, &form, deadline, retry)
            .await
            .map_err(|error| match error.code() {
                Code::AuthDenied => error.with_hint(match &self.client_id {
                    Some(id) => format!(
                        "Check that the service principal {id} has a federation policy for this issuer, subject and \
                         audience"
                    ),
                    None => "Check the account's federation policies, or set client_id (DATABRICKS_CLIENT_ID) to the \
                             service principal that has one"
                        .to_owned(),
                }),
                _ => error,
            })
    }
}

impl TokenSource for Federated {
    fn trouble(&self) -> Option<Arc<Error>> {
        self.oauth.wire().trouble.load_full()
    }

    fn fetch(&self, deadline: Deadline, retry: Retry) -> BoxFuture<'_, Result<Fetched>> {
        Box::pin(async move {
            let deadline = self.oauth.wire().bounded(deadline);
            self.exchange(deadline, retry)
                .await
                .map_err(|error| error.context(self.auth_type))
        })
    }
}

/// The text as a token: trimmed, one line, nothing that no token has.
pub(crate) fn as_token(text: &str, from: &str) -> Result<Secret> {
    let text = text.trim();
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        let why = if text.is_empty() {
            "is empty"
        } else {
            "holds more than one token on one line"
        };
        return Err(
            Error::new(Code::AuthFailed, format!("the ID token of {from} {why}"))
                .with_hint("Put the bare ID token there and nothing else"),
        );
    }
    Ok(Secret::new(text))
}
