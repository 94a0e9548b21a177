//! The one error type.
//!
//! It is opaque, so that a new cause is not a breaking change: callers look at [`Error::code`], people read the message
//! and the hint. Nothing that goes in may hold a secret; a test plants secrets and looks for them in what comes out.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use crate::code::Code;
use crate::login::Kind;

/// A shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, where it came from and what to do about it.
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    code: Code,
    message: String,
    hint: Option<String>,
    http_status: Option<u16>,
    request_id: Option<String>,
    retry_after: Option<Duration>,
    api_code: Option<String>,
    details: Vec<serde_json::Value>,
    attempts: u32,
    login: Option<Kind>,
    events: Vec<String>,
    source: Option<std::sync::Arc<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error with a message: a full sentence without a final full stop, naming the value and its source.
    pub fn new(code: Code, message: impl Into<String>) -> Error {
        Error(Box::new(Inner {
            code,
            message: message.into(),
            hint: None,
            http_status: None,
            request_id: None,
            retry_after: None,
            api_code: None,
            details: Vec::new(),
            attempts: 0,
            login: None,
            events: Vec::new(),
            source: None,
        }))
    }

    /// Adds what the reader can do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Error {
        self.0.hint = Some(hint.into());
        self
    }

    /// Adds the HTTP status and, where the answer had one, the request id.
    #[must_use]
    pub fn with_http(mut self, status: u16, request_id: Option<String>) -> Error {
        self.0.http_status = Some(status);
        self.0.request_id = request_id;
        self
    }

    /// Adds how long the server asked to wait.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Option<Duration>) -> Error {
        self.0.retry_after = wait;
        self
    }

    /// Adds further facts behind the message.
    #[must_use]
    pub fn with_detail(mut self, detail: impl fmt::Display) -> Error {
        self.0.message = format!("{} ({detail})", self.0.message);
        self
    }

    /// Adds what kind of trouble a login had.
    #[must_use]
    pub fn with_login(mut self, kind: Kind) -> Error {
        self.0.login = Some(kind);
        self
    }

    /// Adds what happened before it, oldest first: lines without secrets.
    #[must_use]
    pub fn with_events(mut self, events: Vec<String>) -> Error {
        self.0.events = events;
        self
    }

    /// Adds what the service itself calls the error, and what it says besides.
    #[must_use]
    pub(crate) fn with_api(
        mut self,
        code: Option<String>,
        details: Vec<serde_json::Value>,
    ) -> Error {
        self.0.api_code = code;
        self.0.details = details;
        self
    }

    /// Adds how often the request was sent.
    #[must_use]
    pub(crate) fn with_attempts(mut self, attempts: u32) -> Error {
        self.0.attempts = attempts;
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl StdError + Send + Sync + 'static) -> Error {
        self.0.source = Some(std::sync::Arc::new(source));
        self
    }

    /// Puts words in front of the message: what was being done when it happened.
    #[must_use]
    pub fn context(mut self, doing: impl fmt::Display) -> Error {
        self.0.message = format!("{doing}: {}", self.0.message);
        self
    }

    /// The stable code.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The message, without the hint.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What the reader can do about it.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// The status of the HTTP answer, if one came.
    pub fn http_status(&self) -> Option<u16> {
        self.0.http_status
    }

    /// The server's id of the request, for a support case.
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// How long the server asked to wait before the next try.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// What kind of trouble a login had, if this is about one.
    pub fn login(&self) -> Option<Kind> {
        self.0.login.or_else(|| Kind::of_code(self.0.code))
    }

    /// What happened before it, oldest first.
    pub fn events(&self) -> &[String] {
        &self.0.events
    }

    /// What the service itself calls the error, such as `ALREADY_EXISTS`.
    pub fn api_code(&self) -> Option<&str> {
        self.0.api_code.as_deref()
    }

    /// What the service says besides: JSON objects with their type in `@type`.
    pub fn details(&self) -> &[serde_json::Value] {
        &self.0.details
    }

    /// How often the request was sent; more than once, an earlier attempt may have done what the last was refused.
    pub(crate) fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// Whether the same call may succeed later with nothing changed by the caller.
    pub fn is_retryable(&self) -> bool {
        self.0.code.is_retryable()
    }

    /// The messages of the causes, outermost first.
    pub fn causes(&self) -> Vec<String> {
        let mut causes = Vec::new();
        let mut next = self.source();
        while let Some(cause) = next {
            causes.push(match cause.downcast_ref::<Error>() {
                Some(error) => error.message().to_owned(),
                None => cause.to_string(),
            });
            next = cause.source();
        }
        causes
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        if let Some(hint) = &self.0.hint {
            write!(f, ". {hint}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Error");
        out.field("code", &self.0.code.slug())
            .field("message", &self.0.message);
        if let Some(hint) = &self.0.hint {
            out.field("hint", hint);
        }
        if let Some(status) = self.0.http_status {
            out.field("http_status", &status);
        }
        if let Some(id) = &self.0.request_id {
            out.field("request_id", id);
        }
        if let Some(code) = &self.0.api_code {
            out.field("api_code", code);
        }
        let causes = self.causes();
        if !causes.is_empty() {
            out.field("causes", &causes);
        }
        out.finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0
            .source
            .as_ref()
            .map(|source| source.as_ref() as &(dyn StdError + 'static))
    }
}
