//! One interpreter of a process has lakekey; the others are told so.
//!
//! What is kept for Python (the classes of errors, interned names) is kept once in a process. A second interpreter that got
//! the first one's objects would work until the first one ends, and then both would fail in ways that explain nothing.

use pyo3::exceptions::PyImportError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

/// The module `builtins` of the interpreter that has lakekey: each interpreter has one of its own. It is kept, so that no
/// later interpreter's is found at the same address.
static OWNER: PyOnceLock<Py<PyModule>> = PyOnceLock::new();

/// Takes the module for this interpreter, unless another one has it.
pub(crate) fn claim(py: Python<'_>) -> PyResult<()> {
    let mine = py.import("builtins")?;
    if OWNER.get_or_init(py, || mine.clone().unbind()).is(&mine) {
        return Ok(());
    }
    Err(PyImportError::new_err(
        "lakekey does not support subinterpreters: another interpreter of this process has imported it. Import it in one \
         interpreter only, such as the main one (mod_wsgi: `WSGIApplicationGroup %{GLOBAL}`)",
    ))
}
