//! Errors as Python exceptions: the classes live in `lakekey.errors`, chosen there by slug.

use lakekey_ffi::FfiError;
use lakekey_ffi::login::{self, Explanation};
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
            error.login.map(flat),
            error.events,
            error.api_code,
            error.details,
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

/// What an error means for a login: kind, retry, budget, invalidate, hint.
pub(crate) type Explained = (&'static str, bool, &'static str, bool, Option<String>);

/// What a driver's error means, by its code, if it knows one, and its text.
#[pyfunction]
#[pyo3(signature = (text, code=None))]
pub(crate) fn explain(text: &str, code: Option<&str>) -> Explained {
    flat(login::explain(code, text))
}

/// Every kind of trouble with a login.
#[pyfunction]
pub(crate) fn login_kinds() -> Vec<&'static str> {
    login::kinds()
}

fn flat(explanation: Explanation) -> Explained {
    let Explanation {
        kind,
        retry,
        budget,
        invalidate,
        hint,
    } = explanation;
    (kind, retry, budget, invalidate, hint)
}
