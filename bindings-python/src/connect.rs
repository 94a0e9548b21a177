//! What connection is wanted, and how to make it, as Python sees them.

use lakekey_ffi::plain::{ConnectParams, ConnectRequest};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::seconds::{Millis, millis};

/// A dict of keyword arguments; an unknown one is refused as Python itself would.
pub(crate) struct Wanted(pub(crate) ConnectRequest);

impl<'py> FromPyObject<'_, 'py> for Wanted {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Wanted> {
        let mut wanted = ConnectRequest::default();
        for (name, value) in given.cast::<PyDict>()?.iter() {
            let name: String = name.extract()?;
            let done = match name.as_str() {
                "target" => value.extract().map(|value| wanted.target = value),
                "database" => value.extract().map(|value| wanted.database = value),
                "user" => value.extract().map(|value| wanted.user = value),
                "port" => value.extract().map(|value| wanted.port = value),
                "sslmode" => value.extract().map(|value| wanted.sslmode = value),
                "sslrootcert" => value.extract().map(|value| wanted.sslrootcert = value),
                "ttl" => value
                    .extract::<Option<Millis>>()
                    .map(|value| wanted.ttl_ms = millis(value)),
                "timeout" => value
                    .extract::<Option<Millis>>()
                    .map(|value| wanted.timeout_ms = millis(value)),
                _ => Err(PyTypeError::new_err(format!(
                    "unexpected keyword argument '{name}'"
                ))),
            };
            done?;
        }
        Ok(Wanted(wanted))
    }
}

/// How to connect once. Immutable; its representation shows no password.
#[pyclass(frozen, module = "lakekey._lakekey")]
pub(crate) struct Connect {
    params: ConnectParams,
}

impl Connect {
    pub(crate) fn object(py: Python<'_>, params: ConnectParams) -> PyResult<Py<PyAny>> {
        Ok(Py::new(py, Connect { params })?.into_any())
    }
}

#[pymethods]
impl Connect {
    /// libpq's keywords, the password among them.
    fn kwargs<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let kwargs = PyDict::new(py);
        for (keyword, value) in &self.params.pairs {
            kwargs.set_item(keyword, value)?;
        }
        kwargs.set_item("password", &self.params.password)?;
        Ok(kwargs)
    }

    /// One connection string for libpq, the password in it.
    fn conninfo(&self) -> &str {
        &self.params.conninfo
    }

    #[getter]
    fn password(&self) -> &str {
        &self.params.password
    }

    /// Whether the token was there already, so that a refused login earns a fresh one.
    #[getter]
    fn cached(&self) -> bool {
        self.params.cached
    }

    #[getter]
    fn user(&self) -> &str {
        &self.params.user
    }

    #[getter]
    fn subject(&self) -> Option<&str> {
        self.params.subject.as_deref()
    }

    fn __repr__(&self) -> String {
        format!("<{:?}>", self.params)
    }
}
