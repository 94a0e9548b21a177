//! `env-oidc`: an ID token in a variable.

use std::sync::Arc;

use crate::auth::chain::{Chosen, Ground, missing};
use crate::auth::federation::{IdTokens, as_token, identity};
use crate::clock::{BoxFuture, Deadline};
use crate::config::Resolved;
use crate::error::Result;
use crate::http::{Retry, Wire};
use crate::secret::Secret;

const NAME: &str = "env-oidc";
const USUAL: &str = "DATABRICKS_OIDC_TOKEN";

pub(crate) fn make(ground: &Ground<'_>) -> Result<Chosen> {
    let variable = ground.text("oidc_token_env").unwrap_or(USUAL).to_owned();
    if ground.resolved.environment().var(&variable).is_none() {
        return Err(missing(NAME, &format!("no variable {variable}")));
    }
    let source = Variable {
        resolved: Arc::clone(ground.resolved),
        name: variable.clone(),
    };
    Ok(identity(ground, NAME, &variable, source))
}

#[derive(Debug)]
struct Variable {
    resolved: Arc<Resolved>,
    name: String,
}

impl IdTokens for Variable {
    fn id_token<'a>(
        &'a self,
        _wire: &'a Wire,
        _audience: &'a str,
        _deadline: Deadline,
        _retry: Retry,
    ) -> BoxFuture<'a, Result<Secret>> {
        let text = self.resolved.environment().var(&self.name);
        Box::pin(async move {
            as_token(
                text.unwrap_or_default(),
                &format!("the variable {}", self.name),
            )
        })
    }
}
