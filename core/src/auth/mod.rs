//! Who we are towards the workspace: one file per authentication type.

pub mod host_callback;

pub use host_callback::{ProvidedToken, TokenProvider};
