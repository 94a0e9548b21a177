//! The user's own source of workspace tokens: a Python callable.
//!
//! It runs on a daemon thread that Python made and answers over a channel. An interpreter that shuts down ends such a
//! thread wherever it is, and nothing of ours is below the user's code there.

use std::sync::{Arc, Mutex, PoisonError};

use lakekey_ffi::provider::{HostFailure, HostToken, HostTokenProvider, Reply, answered};
use pyo3::prelude::*;

use crate::exit;

/// A Python callable that takes an [`Answer`], starts a thread for the user's code and returns.
pub(crate) struct Callback(pub(crate) Py<PyAny>);

impl HostTokenProvider for Callback {
    fn token(&self) -> Result<HostToken, HostFailure> {
        answered(|reply| {
            let started = exit::attach(|py| {
                let answer = Answer(Mutex::new(Some(reply)));
                Py::new(py, answer)
                    .and_then(|answer| self.0.call1(py, (answer,)))
                    .map(drop)
                    .map_err(|error| failure(py, error))
            });
            started.unwrap_or_else(|| {
                Err(HostFailure {
                    what: "could not be called: the interpreter is shutting down".to_owned(),
                    thrown: None,
                })
            })
        })
    }
}

/// Where the answer goes; once. Dropped without one, the wait for it ends.
#[pyclass(frozen, module = "lakekey._lakekey")]
pub(crate) struct Answer(Mutex<Option<Reply>>);

#[pymethods]
impl Answer {
    /// The token, and its expiry in milliseconds since 1970 if known.
    #[pyo3(signature = (token, expires_at_ms=None))]
    fn token(&self, token: String, expires_at_ms: Option<u64>) {
        self.give(Ok(HostToken {
            token,
            expires_at_ms,
        }));
    }

    /// What was raised, and where: a file's name and a line.
    fn raised(&self, py: Python<'_>, error: Py<PyAny>, place: &str) {
        let mut failure = failure(py, PyErr::from_value(error.into_bound(py)));
        if !place.is_empty() {
            failure.what = format!("{} at {place}", failure.what);
        }
        self.give(Err(failure));
    }
}

impl Answer {
    fn give(&self, given: Result<HostToken, HostFailure>) {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waiting) = waiting {
            waiting.give(given);
        }
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
