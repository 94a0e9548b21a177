//! The user's own source of workspace tokens: a Python callable.

use std::sync::Arc;

use lakekey_ffi::provider::{HostFailure, HostToken, HostTokenProvider};
use pyo3::prelude::*;

/// Calls a Python callable that returns a token and its expiry in milliseconds, or `None` for an unknown one.
pub(crate) struct Callback(pub(crate) Py<PyAny>);

impl HostTokenProvider for Callback {
    fn token(&self) -> Result<HostToken, HostFailure> {
        let asked = Python::try_attach(|py| {
            self.0
                .call0(py)
                .and_then(|given| given.extract::<(String, Option<u64>)>(py))
                .map_err(|error| failure(py, error))
        });
        let (token, expires_at_ms) = asked.unwrap_or_else(|| {
            Err(HostFailure {
                what: "could not be called: the interpreter is shutting down".to_owned(),
                thrown: None,
            })
        })?;
        Ok(HostToken {
            token,
            expires_at_ms,
        })
    }
}

/// The exception's type is named; its text may quote a secret and stays with the exception.
fn failure(py: Python<'_>, error: PyErr) -> HostFailure {
    let name = error
        .get_type(py)
        .name()
        .map_or_else(|_| "an exception".to_owned(), |name| name.to_string());
    let thrown: Py<PyAny> = error.into_value(py).into_any();
    HostFailure {
        what: format!("raised {name}"),
        thrown: Some(Arc::new(thrown)),
    }
}
