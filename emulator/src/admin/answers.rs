//! Refusals of the admin API, and the reading of its bodies: strict, because a misspelled knob that is ignored makes a
//! test pass that tests nothing.

use axum::Json;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::Error;

/// Why an admin call was not carried out.
#[derive(Debug)]
pub(super) struct Refused {
    status: StatusCode,
    text: String,
}

impl Refused {
    pub(super) fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self {
            status,
            text: text.into(),
        }
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        let status = match error {
            Error::Invalid { .. } => StatusCode::BAD_REQUEST,
            Error::NoSuchEndpoint { .. } => StatusCode::NOT_FOUND,
            Error::NoPostgres(_) | Error::NoNameServer => StatusCode::CONFLICT,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, error.to_string())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.status, Json(json!({"error": self.text}))).into_response()
    }
}

/// A JSON body whatever its content type says; an empty one is `{}`.
pub(super) fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, Refused> {
    let body: &[u8] = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| {
        Refused::new(
            StatusCode::BAD_REQUEST,
            format!("the body is wrong: {error}"),
        )
    })
}
