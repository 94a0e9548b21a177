//! Errors as Python exceptions: the classes live in `lakekey.errors`, chosen there by slug.

use lakekey_ffi::FfiError;
use lakekey_ffi::login::RefusedLogin;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

/// The exception for an error.
pub(crate) fn raise(py: Python<'_>, error: FfiError) -> PyErr {
    build(py, error).unwrap_or_else(|broken| broken)
}

fn build(py: Python<'_>, error: FfiError) -> PyResult<PyErr> {
    static FROM_NATIVE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let error = error.into_facts();
    let thrown = error
        .host_cause
        .as_ref()
        .and_then(|cause| cause.downcast_ref::<Py<PyAny>>())
        .map(|cause| PyErr::from_value(cause.bind(py).clone()));
    let exception = FROM_NATIVE
        .import(py, "lakekey.errors", "from_native")?
        .call1((
            error.code,
            error.slug,
            error.message,
            error.hint,
            error.http_status,
            error.request_id,
            error.retryable,
            error.causes,
        ))?;
    let exception = PyErr::from_value(exception);
    exception.set_cause(py, thrown);
    Ok(exception)
}

/// Every published error code as (number, slug, retryable).
#[pyfunction]
pub(crate) fn codes() -> Vec<(u16, &'static str, bool)> {
    FfiError::table()
}

/// Whether a login was refused for its token, so that a fresh one is worth one more try.
#[pyfunction]
pub(crate) fn refuses_token(text: String, sqlstate: Option<String>) -> bool {
    let refused = RefusedLogin {
        sqlstate,
        text,
        ..RefusedLogin::default()
    };
    refused.is_of_token()
}

/// The exception for a refused login, with the likeliest fix first.
#[pyfunction]
pub(crate) fn login_error(
    py: Python<'_>,
    text: String,
    sqlstate: Option<String>,
    user: String,
    subject: Option<String>,
) -> Py<PyAny> {
    let refused = RefusedLogin {
        sqlstate,
        text,
        user,
        subject,
    };
    raise(py, refused.explain()).into_value(py).into_any()
}
