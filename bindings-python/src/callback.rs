//! The user's own source of workspace tokens: a Python callable.
//!
//! It runs on a daemon thread that Python made and answers over a channel. An interpreter that shuts down ends such a
//! thread wherever it is, and nothing of ours is below the user's code there.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use lakekey_ffi::provider::{HostFailure, HostToken, HostTokenProvider};
use pyo3::prelude::*;

use crate::exit;

type Given = Result<HostToken, HostFailure>;

/// A Python callable that takes an [`Answer`], starts a thread for the user's code and returns.
pub(crate) struct Callback(pub(crate) Py<PyAny>);

impl HostTokenProvider for Callback {
    fn token(&self) -> Given {
        let started = exit::attach(|py| self.ask(py).map_err(|error| failure(py, error)));
        let answer = started.unwrap_or_else(|| Err(said("could not be called")))?;
        answer
            .recv()
            .unwrap_or_else(|_| Err(said("ended without an answer")))
    }
}

impl Callback {
    fn ask(&self, py: Python<'_>) -> PyResult<Receiver<Given>> {
        let (send, receive) = channel();
        let answer = Answer(Mutex::new(Some(send)));
        self.0.call1(py, (Py::new(py, answer)?,))?;
        Ok(receive)
    }
}

/// Where the answer goes; once. Dropped without one, the wait for it ends.
#[pyclass(frozen, module = "lakekey._lakekey")]
pub(crate) struct Answer(Mutex<Option<Sender<Given>>>);

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
    fn give(&self, given: Given) {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waiting) = waiting {
            // Nobody waits any more when the call's budget ended first.
            let _ = waiting.send(given);
        }
    }
}

fn said(what: &str) -> HostFailure {
    HostFailure {
        what: format!("{what}: the interpreter is shutting down"),
        thrown: None,
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
