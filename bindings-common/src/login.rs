//! What a refused login means, for adapters that live in the host's language.

use lakekey::login::{Kind, Report};

use crate::error::FfiError;

/// A refused login, as the driver reports it.
#[derive(Clone, Debug, Default)]
pub struct RefusedLogin {
    /// The driver's code, where it knows one: an SQLSTATE, or the system's name of an error such as `ECONNREFUSED`.
    pub sqlstate: Option<String>,
    /// The driver's text, whole.
    pub text: String,
    /// The role that was asked for.
    pub user: String,
    /// The identity in the token.
    pub subject: Option<String>,
}

/// What it means, the same in every language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The kind of trouble: `role_missing`, `endpoint_waking`, ...; `unknown` for what is not known.
    pub kind: &'static str,
    /// Whether another try may succeed.
    pub retry: bool,
    /// For how long: `never`, `once`, `short`, `wake`, `connect` or `branch`.
    pub budget: &'static str,
    /// Whether the cached token has to be thrown away first.
    pub invalidate: bool,
    /// The likeliest fix.
    pub hint: Option<String>,
}

/// What a driver's error means: `code` is an SQLSTATE, the system's name of an error or a slug of lakekey's, where the
/// driver knows one, and `text` is its whole text.
pub fn explain(code: Option<&str>, text: &str) -> Explanation {
    let report = Report {
        code,
        text,
        ..Report::default()
    };
    report.explain().into()
}

/// Every kind, for the test that each language knows them all.
pub fn kinds() -> Vec<&'static str> {
    Kind::ALL.iter().map(|kind| kind.slug()).collect()
}

impl RefusedLogin {
    fn core(&self) -> Report<'_> {
        Report {
            code: self.sqlstate.as_deref(),
            text: &self.text,
            user: Some(self.user.as_str()).filter(|user| !user.is_empty()),
            subject: self.subject.as_deref(),
            ..Report::default()
        }
    }

    /// Whether the server refused the token, so that a fresh one is worth one more try.
    pub fn is_of_token(&self) -> bool {
        self.core().is_of_token()
    }

    /// The error to show, with the likeliest fix first.
    pub fn explain(&self) -> FfiError {
        let report = self.core();
        report.error(report.kind()).into()
    }

    /// What it means.
    pub fn explanation(&self) -> Explanation {
        self.core().explain().into()
    }
}

impl From<lakekey::login::Explanation> for Explanation {
    fn from(core: lakekey::login::Explanation) -> Explanation {
        Explanation {
            kind: core.kind.slug(),
            retry: core.retry,
            budget: core.budget.slug(),
            invalidate: core.invalidate,
            hint: core.hint,
        }
    }
}

impl Explanation {
    /// That of an error of lakekey's own, if it is about a login.
    pub(crate) fn of(error: &lakekey::Error) -> Option<Explanation> {
        let kind = error.login()?;
        Some(Explanation {
            kind: kind.slug(),
            retry: kind.is_retryable(),
            budget: kind.budget().slug(),
            invalidate: kind.invalidates(),
            hint: error.hint().map(str::to_owned),
        })
    }
}
