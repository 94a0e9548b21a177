//! Waiting for calls: blocking with signals looked at, or calling back.

use std::time::Duration;

use lakekey_ffi::call::stuck;
use lakekey_ffi::runtime::process;
use lakekey_ffi::{Call, CancelHandle, FfiError};
use pyo3::prelude::*;

use crate::error::raise;
use crate::exit;
use crate::logs;

/// Waits without the GIL. Ctrl-C raises within a tenth of a second.
pub(crate) fn wait<T: Send + 'static>(py: Python<'_>, call: Call<T>) -> PyResult<T> {
    wait_telling(py, call, |_| Ok(()))
}

/// The same, calling `tell` on this thread now and then; what it raises ends the wait.
pub(crate) fn wait_telling<T: Send + 'static>(
    py: Python<'_>,
    call: Call<T>,
    mut tell: impl FnMut(Python<'_>) -> PyResult<()> + Send,
) -> PyResult<T> {
    let Some(_inside) = exit::enter(py)? else {
        exit::stand_aside(py);
        return Err(raise(py, ending()));
    };
    let mut signal = None;
    let outcome = py.detach(|| {
        call.wait(&CancelHandle::new(), &mut || {
            if process().gate().is_closed() {
                return true;
            }
            #[allow(
                clippy::redundant_closure_for_method_calls,
                reason = "any lifetime is needed"
            )]
            let checked = Python::try_attach(|py| py.check_signals().and_then(|()| tell(py)));
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

fn ending() -> FfiError {
    FfiError::new(
        lakekey_ffi::Code::Cancelled,
        "the interpreter is shutting down and waits for no other thread",
    )
}

/// A call that will call back. Dropping it does not cancel the call.
#[pyclass(frozen, module = "lakekey._lakekey")]
pub(crate) struct Pending {
    cancel: CancelHandle,
    patience: Duration,
}

#[pymethods]
impl Pending {
    /// Ends this wait; what others wait for goes on. Harmless after the end.
    fn cancel(&self) {
        self.cancel.cancel();
    }

    /// How many seconds to wait for the call back before `late` is the answer.
    #[getter]
    fn patience(&self) -> f64 {
        self.patience.as_secs_f64()
    }

    /// The exception for a call that did not call back.
    fn late(&self, py: Python<'_>) -> Py<PyAny> {
        raise(py, stuck(self.patience)).into_value(py).into_any()
    }
}

/// Begins and returns at once. `deliver(value, error)` is called once, on a thread of lakekey, unless the interpreter
/// shuts down first; it must not block.
pub(crate) fn start<T: Send + 'static>(
    py: Python<'_>,
    call: Call<T>,
    deliver: Py<PyAny>,
    convert: fn(Python<'_>, T) -> PyResult<Py<PyAny>>,
) -> PyResult<Pending> {
    exit::watch(py)?;
    let (cancel, patience) = (CancelHandle::new(), call.patience());
    let begun = call.start(&cancel, move |outcome| {
        exit::attach(move |py| {
            // Its count goes down here, where the interpreter is held.
            let deliver = deliver.into_bound(py);
            let converted = match outcome {
                Ok(value) => convert(py, value),
                Err(error) => Err(raise(py, error)),
            };
            let delivered = match converted {
                Ok(value) => deliver.call1((value, py.None())),
                Err(error) => deliver.call1((py.None(), error.into_value(py))),
            };
            if let Err(error) = delivered {
                error.write_unraisable(py, Some(&deliver));
            }
        });
    });
    begun.map_err(|error| raise(py, error))?;
    Ok(Pending { cancel, patience })
}
