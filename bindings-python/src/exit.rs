//! The end of the interpreter.
//!
//! Up to Python 3.13 a thread that wants the interpreter while it shuts down is ended on the spot, and unwinding that
//! through Rust aborts the process. So threads are counted while they may come back to the interpreter, and a hook at
//! exit waits for them. Threads that Python made and that run nothing of ours need no counting.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use lakekey_ffi::gate::Inside;
use lakekey_ffi::runtime::process;
use pyo3::prelude::*;

/// Whoever is inside only converts a result or notices within 50 ms that it should go; this is for a stalled machine.
const LIMIT: Duration = Duration::from_secs(2);

/// By then the process is gone, unless something at exit takes long.
const ASIDE: Duration = Duration::from_secs(5);

/// Goes in, from a thread that holds the interpreter. `None` if it is shutting down.
pub(crate) fn enter(py: Python<'_>) -> PyResult<Option<Inside<'static>>> {
    watch(py)?;
    Ok(process().gate().enter())
}

/// Keeps a thread that asks while the interpreter shuts down away from it. An error at once could find the thread in the
/// middle of being raised; and one that never came would hang whoever joins the thread at exit.
pub(crate) fn stand_aside(py: Python<'_>) {
    py.detach(|| thread::sleep(ASIDE));
}

/// Runs `work` with the interpreter, unless it is shutting down; for lakekey's own threads.
pub(crate) fn attach<T>(work: impl FnOnce(Python<'_>) -> T) -> Option<T> {
    let _inside = process().gate().enter()?;
    Python::try_attach(work)
}

/// Sees to it that the interpreter waits for those inside when it ends. Called before the first of them can be.
pub(crate) fn watch(py: Python<'_>) -> PyResult<()> {
    static WATCHING: AtomicBool = AtomicBool::new(false);
    if !WATCHING.swap(true, Ordering::Relaxed) {
        let hook = pyo3::wrap_pyfunction!(at_exit, py)?;
        py.import("atexit")?.call_method1("register", (hook,))?;
    }
    Ok(())
}

#[pyfunction]
fn at_exit(py: Python<'_>) {
    py.detach(|| process().gate().close(LIMIT));
}
