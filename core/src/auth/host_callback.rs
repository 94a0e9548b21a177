//! Tokens from the host program: a notebook's own token source, an SDK client, a forwarded user token.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::auth::chain::{Chosen, Tokens};
use crate::auth::token_cache::{Fetched, TokenCache, TokenSource};
use crate::clock::{BoxFuture, Clock, Deadline};
use crate::code::Code;
use crate::error::{Error, Result};
use crate::http::{Retry, Wire};
use crate::jwt;
use crate::secret::Secret;

pub(crate) const NAME: &str = "host-callback";

/// A workspace token and its end.
#[derive(Clone, Debug)]
pub struct ProvidedToken {
    /// The token itself, without a scheme.
    pub token: Secret,
    /// Its end in milliseconds since 1970. Without it the claim `exp` of a JWT tells; without that either, the token
    /// is kept until the workspace refuses it.
    pub expires_at_ms: Option<u64>,
}

/// The host program's own source of workspace tokens.
///
/// Called with no lock held, at most once at a time, and abandoned after 30 s.
pub trait TokenProvider: Send + Sync {
    /// Gives a token that is valid now.
    fn token(&self) -> BoxFuture<'_, Result<ProvidedToken>>;
    /// Names the identity behind the tokens, stable over their rotation; never a secret. Two providers of one
    /// fingerprint share database credentials.
    fn fingerprint(&self) -> String;
}

pub(crate) fn make(provider: Arc<dyn TokenProvider>, wire: Wire) -> Result<Chosen> {
    let fingerprint = provider.fingerprint();
    if fingerprint.is_empty() {
        return Err(Error::new(
            Code::ConfigInvalid,
            "default auth: host-callback: the token callback has an empty fingerprint",
        )
        .with_hint(
            "Give a name of the identity, so that two users never share a database credential",
        ));
    }
    let clock = Arc::clone(&wire.clock);
    Ok(Chosen {
        auth_type: NAME,
        principal: format!("callback-{}", Secret::new(fingerprint).fingerprint()),
        login_name: None,
        tokens: Tokens::Renewed(TokenCache::new(
            Box::new(Callback {
                provider,
                wire: wire.clone(),
            }),
            clock,
        )),
        wire,
    })
}

struct Callback {
    provider: Arc<dyn TokenProvider>,
    wire: Wire,
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Callback")
    }
}

impl TokenSource for Callback {
    fn fetch(&self, deadline: Deadline, _retry: Retry) -> BoxFuture<'_, Result<Fetched>> {
        Box::pin(async move {
            let clock: &dyn Clock = &*self.wire.clock;
            let allowed = deadline.left(clock);
            let Some(given) = deadline.limit(clock, self.provider.token()).await else {
                return Err(Error::new(
                    Code::AuthCallback,
                    format!(
                        "the token callback gave nothing within {} ms",
                        allowed.as_millis()
                    ),
                ));
            };
            let given = given.map_err(|cause| {
                Error::new(
                    Code::AuthCallback,
                    format!("the token callback failed: {}", cause.message()),
                )
                .with_source(cause)
            })?;
            let text = given.token.expose();
            if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(Error::new(
                    Code::AuthCallback,
                    "the token callback gave an empty token, or one with characters that no token has",
                )
                .with_hint("Return the bare token, without `Bearer `"));
            }
            let now = clock.now().wall_ms;
            let end = given.expires_at_ms.or_else(|| jwt::expires_at_ms(text));
            if end.is_some_and(|end| end <= now) {
                return Err(Error::new(
                    Code::AuthCallback,
                    "the token callback gave a token that has expired already",
                )
                .with_hint("Return a current token, and its end in milliseconds since 1970"));
            }
            let lifetime = end.map(|end| Duration::from_millis(end - now));
            Ok(Fetched::bearer(given.token, lifetime))
        })
    }
}
