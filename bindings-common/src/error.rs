//! The error as it crosses a language boundary: flat, owned, with the stable code and slug of the core's table.

use std::any::Any;
use std::error::Error as StdError;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use lakekey::Code;

use crate::login::Explanation;
use crate::provider::HostFailure;

/// A shorthand for results of this crate.
pub type Result<T, E = FfiError> = std::result::Result<T, E>;

/// What went wrong; its facts are read through it.
#[derive(Clone)]
pub struct FfiError(Box<Facts>);

/// The facts of an error, ready to become an exception, an error object or a struct.
#[derive(Clone)]
pub struct Facts {
    /// The stable number.
    pub code: u16,
    /// The stable name.
    pub slug: &'static str,
    /// What went wrong: a sentence without the hint.
    pub message: String,
    /// What the reader can do about it.
    pub hint: Option<String>,
    /// The status of the HTTP answer, if one came.
    pub http_status: Option<u16>,
    /// The server's id of the request.
    pub request_id: Option<String>,
    /// What the service itself calls the error, such as `ALREADY_EXISTS`.
    pub api_code: Option<String>,
    /// What the service says besides: a JSON array of objects with their type in `@type`.
    pub details: Option<String>,
    /// Whether the same call may succeed later with nothing changed.
    pub retryable: bool,
    /// What it means for a login, if it is about one.
    pub login: Option<Explanation>,
    /// What happened before it, oldest first: lines without secrets.
    pub events: Vec<String>,
    /// The messages of the causes, outermost first.
    pub causes: Vec<String>,
    /// What the host program's own callback threw: an exception object of the binding that made it.
    pub host_cause: Option<Arc<dyn Any + Send + Sync>>,
}

impl FfiError {
    /// An error of this crate or of a binding.
    pub fn new(code: Code, message: impl Into<String>) -> FfiError {
        lakekey::Error::new(code, message).into()
    }

    /// An argument that cannot be used; `name` is the argument as the user wrote it.
    pub fn argument(name: &str, problem: impl fmt::Display) -> FfiError {
        FfiError::new(Code::ConfigInvalid, format!("argument `{name}`: {problem}"))
    }

    /// Adds what the reader can do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> FfiError {
        self.0.hint = Some(hint.into());
        self
    }

    /// The facts, to be moved into the host's own object.
    pub fn into_facts(self) -> Facts {
        *self.0
    }

    /// Every published code as (number, slug, retryable), for the test that each language knows them all.
    pub fn table() -> Vec<(u16, &'static str, bool)> {
        Code::ALL
            .iter()
            .map(|code| (code.number(), code.slug(), code.is_retryable()))
            .collect()
    }
}

impl From<lakekey::Error> for FfiError {
    fn from(error: lakekey::Error) -> FfiError {
        FfiError(Box::new(Facts {
            code: error.code().number(),
            slug: error.code().slug(),
            message: error.message().to_owned(),
            hint: error.hint().map(str::to_owned),
            http_status: error.http_status(),
            request_id: error.request_id().map(str::to_owned),
            api_code: error.api_code().map(str::to_owned),
            details: (!error.details().is_empty())
                .then(|| serde_json::Value::from(error.details()).to_string()),
            retryable: error.is_retryable(),
            login: Explanation::of(&error),
            events: error.events().to_vec(),
            causes: error.causes(),
            host_cause: host_cause(&error),
        }))
    }
}

impl Deref for FfiError {
    type Target = Facts;

    fn deref(&self) -> &Facts {
        &self.0
    }
}

fn host_cause(error: &lakekey::Error) -> Option<Arc<dyn Any + Send + Sync>> {
    let mut next = error.source();
    while let Some(cause) = next {
        if let Some(failure) = cause.downcast_ref::<HostFailure>() {
            return failure.thrown.clone();
        }
        next = cause.source();
    }
    None
}

impl fmt::Display for FfiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, ". {hint}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for FfiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {self}", self.code, self.slug)?;
        self.causes
            .iter()
            .try_for_each(|cause| write!(f, " <- {cause}"))
    }
}

impl StdError for FfiError {}
