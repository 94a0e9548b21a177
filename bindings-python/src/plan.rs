//! One connect, step by step, for the adapters of `python/lakekey`.

use lakekey_ffi::plan;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::error::raise;
use crate::pending::{Pending, start, wait};

/// A connect under way.
#[pyclass(frozen, module = "lakekey._lakekey")]
pub(crate) struct Plan {
    pub(crate) plan: plan::Plan,
}

#[pymethods]
impl Plan {
    /// The next attempt, after what became of the last one; raises the error to show.
    #[pyo3(signature = (text=None, code=None))]
    fn next(
        &self,
        py: Python<'_>,
        text: Option<String>,
        code: Option<String>,
    ) -> PyResult<Py<PyAny>> {
        let call = self.plan.next(failure(text, code));
        let call = call.map_err(|error| raise(py, error))?;
        Attempt::object(py, wait(py, call)?)
    }

    #[pyo3(signature = (deliver, text=None, code=None))]
    fn start_next(
        &self,
        py: Python<'_>,
        deliver: Py<PyAny>,
        text: Option<String>,
        code: Option<String>,
    ) -> PyResult<Pending> {
        let call = self.plan.next(failure(text, code));
        let call = call.map_err(|error| raise(py, error))?;
        start(py, call, deliver, Attempt::object)
    }

    /// Gives the connect up, whoever waits for it.
    fn cancel(&self) {
        self.plan.cancel();
    }

    /// Tells that the last attempt succeeded.
    fn connected(&self) {
        self.plan.connected();
    }
}

fn failure(text: Option<String>, code: Option<String>) -> Option<plan::LoginFailure> {
    text.map(|text| plan::LoginFailure { code, text })
}

/// One dial and login. Immutable; its representation shows no password.
#[pyclass(frozen, module = "lakekey._lakekey")]
pub(crate) struct Attempt {
    attempt: plan::Attempt,
}

impl Attempt {
    fn object(py: Python<'_>, attempt: plan::Attempt) -> PyResult<Py<PyAny>> {
        Ok(Py::new(py, Attempt { attempt })?.into_any())
    }
}

#[pymethods]
impl Attempt {
    /// libpq's keywords for this one address, the password among them.
    fn kwargs<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let kwargs = PyDict::new(py);
        for (keyword, value) in &self.attempt.pairs {
            kwargs.set_item(keyword, value)?;
        }
        kwargs.set_item("password", &self.attempt.password)?;
        Ok(kwargs)
    }

    /// How many seconds dial and login may take together.
    #[getter]
    fn timeout(&self) -> f64 {
        std::time::Duration::from_millis(self.attempt.timeout_ms).as_secs_f64()
    }

    /// 1 for the first attempt of this connect.
    #[getter]
    fn number(&self) -> u32 {
        self.attempt.number
    }

    fn __repr__(&self) -> String {
        format!("<{:?}>", self.attempt)
    }
}
