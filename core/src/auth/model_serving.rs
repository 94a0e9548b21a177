//! `model-serving`: the token that model serving mounts into its containers, read again every five minutes.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use crate::auth::chain::{Chosen, Ground, Tokens, missing};
use crate::auth::file_oidc::text_of;
use crate::auth::token_cache::{Fetched, TokenSource};
use crate::clock::{BoxFuture, Deadline};
use crate::code::Code;
use crate::config::SERVING;
use crate::error::{Error, Result};
use crate::http::Retry;
use crate::secret::Secret;

const NAME: &str = "model-serving";
const USUAL: &str = "/var/credentials-secret";
const FILE: &str = "model-dependencies-oauth-token";
/// The file is replaced beside us; it does not say when.
const AGE: Duration = Duration::from_mins(5);

pub(crate) fn make(ground: &Ground<'_>) -> Result<Chosen> {
    let environment = ground.resolved.environment();
    let inside = SERVING
        .iter()
        .any(|name| environment.var(name).is_some_and(|on| on == "true"));
    if !inside {
        return Err(missing(NAME, "not inside model serving"));
    }
    let folder = environment.var("SERVING_CREDENTIALS_DIR").unwrap_or(USUAL);
    let path = PathBuf::from(folder).join(FILE);
    if !path.is_file() {
        return Err(missing(NAME, &format!("no file {}", path.display())));
    }
    let name = path.display().to_string();
    Ok(Chosen {
        auth_type: NAME,
        principal: format!("{NAME}-{}", Secret::new(name).fingerprint()),
        login_name: None,
        tokens: Tokens::renewed(Mounted { path }, ground),
        wire: ground.wire.clone(),
    })
}

#[derive(Debug)]
struct Mounted {
    path: PathBuf,
}

impl TokenSource for Mounted {
    fn fetch(&self, _deadline: Deadline, _retry: Retry) -> BoxFuture<'_, Result<Fetched>> {
        Box::pin(async move {
            let bad = |why: &str| {
                Error::new(
                    Code::AuthFailed,
                    format!("{NAME}: {} {why}", self.path.display()),
                )
                .with_hint("Check that the model was logged with the resources it uses")
            };
            let text = text_of(&self.path).map_err(|why| bad(&why))?;
            let body: Option<Value> = serde_json::from_str(&text).ok();
            let token = body
                .as_ref()
                .and_then(|body| {
                    body.get("OAUTH_TOKEN")?
                        .get(0)?
                        .get("oauthTokenValue")?
                        .as_str()
                })
                .filter(|token| !token.is_empty())
                .ok_or_else(|| bad("holds no OAuth token"))?;
            Ok(Fetched::bearer(Secret::new(token), Some(AGE * 2)))
        })
    }
}
