//! Errors as plain objects: the classes live in `lib/errors.ts`, chosen there by number.

use lakekey_ffi::login::RefusedLogin;
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
    /// Which of the values that the token provider threw is the cause.
    pub thrown: Option<u32>,
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

/// Whether a login was refused for its token, so that a fresh one is worth one more try.
#[napi(catch_unwind)]
pub fn refuses_token(text: String, sqlstate: Option<String>) -> bool {
    let refused = RefusedLogin {
        sqlstate,
        text,
        ..RefusedLogin::default()
    };
    refused.is_of_token()
}

/// The error for a refused login, with the likeliest fix first.
#[napi(catch_unwind)]
pub fn login_failure(
    text: String,
    sqlstate: Option<String>,
    user: String,
    subject: Option<String>,
) -> Failure {
    let refused = RefusedLogin {
        sqlstate,
        text,
        user,
        subject,
    };
    refused.explain().into()
}
