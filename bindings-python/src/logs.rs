//! Log records on their way to Python's `logging`.
//!
//! Threads of lakekey never log through Python. What they had to say is handed over when a call that waited comes back, on the
//! thread of its caller or of the caller's event loop.

use lakekey_ffi::logs::{Level, set_level};
use lakekey_ffi::runtime::process;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

/// Collects from now on what the logger `lakekey` wants to see, by Python's numbers.
pub(crate) fn collect(py: Python<'_>) -> PyResult<()> {
    let wanted: i64 = py
        .import("lakekey._logging")?
        .call_method0("wanted")?
        .extract()?;
    set_level(match wanted {
        ..=10 => Level::Debug,
        11..=20 => Level::Info,
        21..=30 => Level::Warn,
        31..=50 => Level::Error,
        _ => Level::Off,
    });
    Ok(())
}

/// Gives what has come to Python's `logging`. Called on the caller's own thread or its loop's.
#[pyfunction]
pub(crate) fn hand_over(py: Python<'_>) {
    static EMIT: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let batch = process().ring().drain();
    if batch.records.is_empty() {
        return;
    }
    let records: Vec<(i64, f64, String, String)> = batch
        .records
        .into_iter()
        .map(|record| {
            #[allow(
                clippy::cast_precision_loss,
                reason = "milliseconds of this age fit into a double"
            )]
            let at = record.at_ms as f64 / 1000.0;
            (number(record.level), at, record.source, record.text)
        })
        .collect();
    let emitted = EMIT
        .import(py, "lakekey._logging", "emit")
        .and_then(|emit| emit.call1((records, batch.dropped)));
    if let Err(error) = emitted {
        error.write_unraisable(py, None);
    }
}

fn number(level: Level) -> i64 {
    match level {
        Level::Debug => 10,
        Level::Info => 20,
        Level::Warn => 30,
        Level::Error | Level::Off => 40,
    }
}
