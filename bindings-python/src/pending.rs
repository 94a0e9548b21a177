//! Waiting for calls: blocking with signals looked at, or calling back.

use lakekey_ffi::{Call, CancelHandle};
use pyo3::prelude::*;

use crate::error::raise;
use crate::logs;

/// Waits without the GIL. Ctrl-C raises within a tenth of a second.
pub(crate) fn wait<T: Send + 'static>(py: Python<'_>, call: Call<T>) -> PyResult<T> {
    let mut signal = None;
    let outcome = py.detach(|| {
        call.wait(&CancelHandle::new(), &mut || {
            #[allow(
                clippy::redundant_closure_for_method_calls,
                reason = "any lifetime is needed"
            )]
            let checked = Python::try_attach(|py| py.check_signals());
            // No attaching means that the interpreter is shutting down.
            let Some(checked) = checked else { return true };
            signal = checked.err();
            signal.is_some()
        })
    });
    if let Some(signal) = signal {
        return Err(signal);
    }
    logs::hand_over(py);
    outcome.map_err(|error| raise(py, error))
}

/// A call that will call back. Dropping it does not cancel the call.
#[pyclass(frozen, module = "lakekey._lakekey")]
pub(crate) struct Pending {
    cancel: CancelHandle,
}

#[pymethods]
impl Pending {
    /// Ends this wait; what others wait for goes on. Harmless after the end.
    fn cancel(&self) {
        self.cancel.cancel();
    }
}

/// Begins and returns at once. `deliver(value, error)` is called once, on a thread of lakekey.
pub(crate) fn start<T: Send + 'static>(
    py: Python<'_>,
    call: Call<T>,
    deliver: Py<PyAny>,
    convert: fn(Python<'_>, T) -> PyResult<Py<PyAny>>,
) -> PyResult<Pending> {
    let cancel = CancelHandle::new();
    let begun = call.start(&cancel, move |outcome| {
        // Without an interpreter nobody waits any more.
        Python::try_attach(|py| {
            logs::hand_over(py);
            let converted = match outcome {
                Ok(value) => convert(py, value),
                Err(error) => Err(raise(py, error)),
            };
            let delivered = match converted {
                Ok(value) => deliver.call1(py, (value, py.None())),
                Err(error) => deliver.call1(py, (py.None(), error.into_value(py))),
            };
            if let Err(error) = delivered {
                error.write_unraisable(py, Some(deliver.bind(py)));
            }
        });
    });
    begun.map_err(|error| raise(py, error))?;
    Ok(Pending { cancel })
}
