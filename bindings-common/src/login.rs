//! What a refused login means, for adapters that live in the host's language.

use lakekey::login::Refusal;

use crate::error::FfiError;

/// A refused login, as the driver reports it.
#[derive(Clone, Debug, Default)]
pub struct RefusedLogin {
    /// SQLSTATE, where the driver knows it.
    pub sqlstate: Option<String>,
    /// The server's text.
    pub text: String,
    /// The role that was asked for.
    pub user: String,
    /// The identity in the token.
    pub subject: Option<String>,
}

impl RefusedLogin {
    fn core(&self) -> Refusal<'_> {
        Refusal {
            sqlstate: self.sqlstate.as_deref(),
            text: &self.text,
            user: &self.user,
            subject: self.subject.as_deref(),
        }
    }

    /// Whether the server refused the token, so that a fresh one is worth one more try.
    pub fn is_of_token(&self) -> bool {
        self.core().is_of_token()
    }

    /// The error to show, with the likeliest fix first.
    pub fn explain(&self) -> FfiError {
        self.core().explain().into()
    }
}
