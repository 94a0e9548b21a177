//! The extension module `lakekey._lakekey`: private, thin, and the only native part of the Python package.
//!
//! A function here parses its arguments, makes one call into `lakekey-ffi` and converts the result. Friendly types,
//! asyncio and drivers are Python's business, in `python/lakekey`.

mod callback;
mod client;
mod connect;
mod credential;
mod error;
mod exit;
mod interpreter;
mod logs;
mod management;
mod pending;
mod plan;
mod seconds;
mod stats;

/// The module.
#[pyo3::pymodule(name = "_lakekey")]
mod module {
    #[pymodule_export]
    use crate::callback::Answer;
    #[pymodule_export]
    use crate::client::{Client, token};
    #[pymodule_export]
    use crate::connect::Connect;
    #[pymodule_export]
    use crate::credential::Credential;
    #[pymodule_export]
    use crate::error::{codes, explain, login_kinds};
    #[pymodule_export]
    use crate::logs::hand_over;
    #[pymodule_export]
    use crate::management::{call, start_call, start_wait, wait_operation};
    #[pymodule_export]
    use crate::pending::Pending;
    #[pymodule_export]
    use crate::plan::{Attempt, Plan};
    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        crate::interpreter::claim(module.py())?;
        module.add("__version__", lakekey_ffi::version::VERSION)
    }

    /// Whether any call of this process has started lakekey's threads.
    #[pyfunction]
    fn has_threads() -> bool {
        lakekey_ffi::runtime::process().has_threads()
    }

    /// Panics, to show what a caller then sees. Not part of a release.
    #[cfg(debug_assertions)]
    #[pyfunction]
    #[pyo3(name = "_panic")]
    fn panic_now(py: Python<'_>) -> PyResult<()> {
        lakekey_ffi::guard::guard(|| panic!("asked for"))
            .map_err(|error| crate::error::raise(py, error))
    }
}
