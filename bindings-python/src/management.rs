//! The management API: names and JSON. `lakekey.postgres` makes types of it.

use std::sync::mpsc::channel;

use lakekey_ffi::management::Tell;
use pyo3::prelude::*;

use crate::client::Client;
use crate::error::raise;
use crate::exit;
use crate::pending::{Pending, start, wait, wait_telling};
use crate::seconds::{Millis, millis};

/// Calls a method; gives the JSON of its answer.
#[pyfunction]
#[pyo3(signature = (client, method, arguments, timeout=None))]
pub(crate) fn call(
    py: Python<'_>,
    client: &Bound<'_, Client>,
    method: &str,
    arguments: &str,
    timeout: Option<Millis>,
) -> PyResult<String> {
    let call = client.get().handle.call(method, arguments, millis(timeout));
    wait(py, call.map_err(|error| raise(py, error))?)
}

/// The same, calling back.
#[pyfunction]
#[pyo3(signature = (client, deliver, method, arguments, timeout=None))]
pub(crate) fn start_call(
    py: Python<'_>,
    client: &Bound<'_, Client>,
    deliver: Py<PyAny>,
    method: &str,
    arguments: &str,
    timeout: Option<Millis>,
) -> PyResult<Pending> {
    let call = client.get().handle.call(method, arguments, millis(timeout));
    start(py, call.map_err(|error| raise(py, error))?, deliver, text)
}

/// Waits for an operation; gives the JSON that it ends with. `progress` is called on this thread, with JSON; what it raises
/// ends the wait.
#[pyfunction]
#[pyo3(signature = (client, operation, timeout=None, progress=None))]
pub(crate) fn wait_operation(
    py: Python<'_>,
    client: &Bound<'_, Client>,
    operation: &str,
    timeout: Option<Millis>,
    progress: Option<Py<PyAny>>,
) -> PyResult<String> {
    let (send, told) = channel();
    let tell = progress
        .is_some()
        .then(|| -> Tell { Box::new(move |text| send.send(text.to_owned()).is_ok()) });
    let call = client
        .get()
        .handle
        .wait_operation(operation, millis(timeout), tell);
    let call = call.map_err(|error| raise(py, error))?;
    wait_telling(py, call, move |py| {
        let Some(progress) = &progress else {
            return Ok(());
        };
        told.try_iter()
            .try_for_each(|text| progress.call1(py, (text,)).map(drop))
    })
}

/// The same, calling back. `progress` is called on a thread of lakekey and must not block.
#[pyfunction]
#[pyo3(signature = (client, deliver, operation, timeout=None, progress=None))]
pub(crate) fn start_wait(
    py: Python<'_>,
    client: &Bound<'_, Client>,
    deliver: Py<PyAny>,
    operation: &str,
    timeout: Option<Millis>,
    progress: Option<Py<PyAny>>,
) -> PyResult<Pending> {
    let tell = progress.map(|progress| -> Tell {
        Box::new(move |text| {
            let told = exit::attach(|py| match progress.call1(py, (text,)) {
                Ok(_) => true,
                Err(error) => {
                    error.write_unraisable(py, Some(progress.bind(py)));
                    false
                }
            });
            told.unwrap_or(false)
        })
    });
    let call = client
        .get()
        .handle
        .wait_operation(operation, millis(timeout), tell);
    start(py, call.map_err(|error| raise(py, error))?, deliver, text)
}

fn text(py: Python<'_>, text: String) -> PyResult<Py<PyAny>> {
    Ok(text.into_pyobject(py)?.into_any().unbind())
}
