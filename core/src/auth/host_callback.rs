//! Tokens from the host program: a notebook's own token source, an SDK client, a forwarded user token.

use crate::clock::BoxFuture;
use crate::error::Result;
use crate::secret::Secret;

/// A workspace token and its end.
#[derive(Clone, Debug)]
pub struct ProvidedToken {
    /// The token itself.
    pub token: Secret,
    /// Its end in milliseconds since 1970, if known.
    pub expires_at_ms: Option<u64>,
}

/// The host program's own source of workspace tokens.
pub trait TokenProvider: Send + Sync {
    /// Gives a token that is valid now.
    fn token(&self) -> BoxFuture<'_, Result<ProvidedToken>>;
    /// Names the identity behind the tokens, stable over their rotation; never a secret.
    fn fingerprint(&self) -> String;
}
