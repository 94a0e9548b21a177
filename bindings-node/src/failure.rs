//! Errors as plain objects: the classes live in `lib/errors.ts`, chosen there by number.

use lakekey_ffi::login::Explanation;
use lakekey_ffi::{Code, FfiError};
use napi_derive::napi;

use crate::callback::Thrown;

/// What went wrong, as it crosses to JavaScript.
#[napi(object, object_from_js = false)]
pub struct Failure {
    /// The stable number.
    pub code: u16,
    /// The stable name.
    pub slug: String,
    /// What went wrong, without the hint.
    pub message: String,
    /// What the reader can do about it.
    pub hint: Option<String>,
    /// The status of the workspace's answer.
    pub http_status: Option<u16>,
    /// The workspace's id of the request.
    pub request_id: Option<String>,
    /// What the service itself calls it.
    pub api_code: Option<String>,
    /// What the service says besides: the JSON of a list.
    pub details: Option<String>,
    /// Whether the same call may succeed later.
    pub retryable: bool,
    /// The messages of the causes, outermost first.
    pub causes: Vec<String>,
    /// What it means for a login, if it is about one.
    pub explanation: Option<Explained>,
    /// What happened before it, oldest first.
    pub events: Vec<String>,
    /// Which of the values that the token provider threw is the cause.
    pub thrown: Option<u32>,
}

/// What an error means for a login.
#[napi(object, object_from_js = false)]
pub struct Explained {
    /// The kind of trouble, such as `role_missing`; `unknown` for what is not known.
    pub kind: String,
    /// Whether another try may succeed.
    pub retry: bool,
    /// For how long: `never`, `once`, `short`, `wake`, `connect` or `branch`.
    pub budget: String,
    /// Whether the cached token has to be thrown away first.
    pub invalidate: bool,
    /// The likeliest fix.
    pub hint: Option<String>,
}

impl From<Explanation> for Explained {
    fn from(explanation: Explanation) -> Explained {
        Explained {
            kind: explanation.kind.to_owned(),
            retry: explanation.retry,
            budget: explanation.budget.to_owned(),
            invalidate: explanation.invalidate,
            hint: explanation.hint,
        }
    }
}

impl From<FfiError> for Failure {
    fn from(error: FfiError) -> Failure {
        let error = error.into_facts();
        Failure {
            code: error.code,
            slug: error.slug.to_owned(),
            message: error.message,
            hint: error.hint,
            http_status: error.http_status,
            request_id: error.request_id,
            api_code: error.api_code,
            details: error.details,
            retryable: error.retryable,
            causes: error.causes,
            explanation: error.login.map(Explained::from),
            events: error.events,
            thrown: error
                .host_cause
                .and_then(|cause| cause.downcast_ref::<Thrown>().map(|thrown| thrown.0)),
        }
    }
}

/// One published error code.
#[napi(object, object_from_js = false)]
pub struct PublishedCode {
    /// The number.
    pub code: u16,
    /// The name.
    pub slug: String,
    /// Whether the same call may succeed later.
    pub retryable: bool,
}

/// Every published error code.
#[napi(catch_unwind)]
pub fn codes() -> Vec<PublishedCode> {
    FfiError::table()
        .into_iter()
        .map(|(code, slug, retryable)| PublishedCode {
            code,
            slug: slug.to_owned(),
            retryable,
        })
        .collect()
}

/// The error for an argument that cannot be used.
#[napi(catch_unwind)]
pub fn argument_failure(name: String, problem: String) -> Failure {
    FfiError::argument(&name, problem).into()
}

/// The error of a call that was given up before it began.
#[napi(catch_unwind)]
pub fn cancelled() -> Failure {
    FfiError::new(Code::Cancelled, "the call was cancelled before it began").into()
}
