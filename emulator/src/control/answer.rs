//! Answers and errors as Databricks shapes them.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::Error;

/// An answer, before the headers that all answers get.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(status: StatusCode, body: &Value) -> Self {
        Self {
            status,
            headers: vec![("content-type", "application/json".to_owned())],
            body: body.to_string().into_bytes(),
        }
    }

    pub(crate) fn ok(body: &Value) -> Self {
        Self::json(StatusCode::OK, body)
    }

    pub(crate) fn with(mut self, header: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((header, value.into()));
        self
    }
}

/// A refusal of the API.
#[derive(Debug)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    pub(crate) code: String,
    pub(crate) message: String,
    /// Whether the text ends in the request's trace id, as those of missing resources do.
    pub(crate) traced: bool,
    /// Details besides the request's id.
    pub(crate) details: Vec<Value>,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.to_owned(),
            message: message.into(),
            traced: false,
            details: Vec::new(),
        }
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BAD_REQUEST", message)
    }

    pub(crate) fn already_exists(what: &str) -> Self {
        let message = format!("{what} with such id already exists");
        Self::new(StatusCode::CONFLICT, "ALREADY_EXISTS", message)
    }

    /// A refusal that follows from what the resource belongs to.
    pub(crate) fn managed_by_parent(message: impl Into<String>) -> Self {
        Self {
            details: vec![json!({
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "RESOURCE_CONFLICT",
                "domain": "databricks.com",
                "metadata": {"declarative_context": "MANAGED_BY_PARENT"},
            })],
            ..Self::bad_request(message)
        }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "INVALID_PARAMETER_VALUE", message)
    }

    pub(crate) fn missing(field: &str) -> Self {
        Self::invalid(format!(
            "Field '{field}' is required, expected non-default value (not \"\")!"
        ))
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self {
            traced: true,
            ..Self::new(StatusCode::NOT_FOUND, "NOT_FOUND", message)
        }
    }

    pub(crate) fn unauthenticated(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED", message)
    }

    pub(crate) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "PERMISSION_DENIED", message)
    }

    pub(crate) fn answer(self, request_id: &str) -> Answer {
        let status = self.status;
        Answer::json(status, &self.body(request_id))
    }

    /// The error as an answer or a failed operation shows it.
    pub(crate) fn body(self, request_id: &str) -> Value {
        let mut message = self.message;
        if self.traced {
            message = format!("{message} [TraceId: {}]", request_id.replace('-', ""));
        }
        let mut details = self.details;
        details.push(json!({
            "@type": "type.googleapis.com/google.rpc.RequestInfo",
            "request_id": request_id,
            "serving_data": "",
        }));
        json!({"error_code": self.code, "message": message, "details": details})
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "INTERNAL_ERROR",
            error.to_string(),
        )
    }
}

/// The error code that goes with a status when nothing more is known.
pub(crate) fn usual_code(status: StatusCode) -> &'static str {
    match status.as_u16() {
        400 => "BAD_REQUEST",
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        409 => "ABORTED",
        429 => "RESOURCE_EXHAUSTED",
        499 => "CANCELLED",
        501 => "NOT_IMPLEMENTED",
        503 => "TEMPORARILY_UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        _ => "INTERNAL_ERROR",
    }
}
