//! A credential as Python sees it.

use lakekey_ffi::Lease;
use pyo3::prelude::*;
use pyo3::types::{PyDateTime, PyString, PyTzInfo};

/// A database credential. Immutable; its representation shows no token.
#[pyclass(frozen, module = "lakekey")]
pub(crate) struct Credential {
    lease: Lease,
}

impl Credential {
    pub(crate) fn object(py: Python<'_>, lease: Lease) -> PyResult<Py<PyAny>> {
        Ok(Py::new(py, Credential { lease })?.into_any())
    }
}

#[pymethods]
impl Credential {
    #[getter]
    fn token<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        PyString::new(py, self.lease.token())
    }

    #[getter]
    fn expires_at<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDateTime>> {
        utc(py, self.lease.expires_at_ms())
    }

    #[getter]
    fn issued_at<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDateTime>> {
        utc(py, self.lease.issued_at_ms())
    }

    #[getter]
    fn endpoint(&self) -> &str {
        self.lease.endpoint()
    }

    #[getter]
    fn subject(&self) -> Option<&str> {
        self.lease.subject()
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let expires_at = utc(py, self.lease.expires_at_ms())?.str()?;
        let subject = self.lease.subject().unwrap_or("unknown");
        let endpoint = self.lease.endpoint();
        Ok(format!(
            "<lakekey.Credential token=*** endpoint={endpoint} subject={subject} expires_at={expires_at}>"
        ))
    }
}

#[allow(
    clippy::cast_precision_loss,
    reason = "milliseconds of this age fit into a double"
)]
fn utc(py: Python<'_>, ms: u64) -> PyResult<Bound<'_, PyDateTime>> {
    let utc = PyTzInfo::utc(py)?.to_owned();
    PyDateTime::from_timestamp(py, ms as f64 / 1000.0, Some(&utc))
}
