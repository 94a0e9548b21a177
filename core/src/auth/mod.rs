//! Who we are towards the workspace: one file per authentication type, one chain that picks among them, one cache for
//! the tokens they give.
//!
//! These are workspace tokens, for API calls. A database login never uses one: it has its own credential, minted with
//! the help of these, and no code path falls back from one to the other.

mod chain;
mod host_callback;
mod oauth;
mod oauth_m2m;
mod pat;
#[cfg(test)]
mod tests;
mod token_cache;

pub use host_callback::{ProvidedToken, TokenProvider};

pub(crate) use chain::{Authorization, Chosen, choose};
