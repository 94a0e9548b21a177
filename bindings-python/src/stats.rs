//! What was counted, as Python's own dicts.

use lakekey_ffi::stats::Stats;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// `counters`, the labelled counts, `histograms` and `clock_skew_ms`.
pub(crate) fn dict(py: Python<'_>, stats: Stats) -> PyResult<Bound<'_, PyDict>> {
    let counts = |pairs: &[(&'static str, u64)]| {
        let dict = PyDict::new(py);
        pairs
            .iter()
            .try_for_each(|(name, count)| dict.set_item(name, count))
            .map(|()| dict)
    };
    let all = counts(&stats.counters)?;
    for (name, pairs) in &stats.labelled {
        all.set_item(name, counts(pairs)?)?;
    }
    let histograms = PyDict::new(py);
    for histogram in stats.histograms {
        let shown = PyDict::new(py);
        shown.set_item("bounds", histogram.bounds)?;
        shown.set_item("counts", histogram.counts)?;
        shown.set_item("count", histogram.count)?;
        shown.set_item("sum", histogram.sum)?;
        histograms.set_item(histogram.name, shown)?;
    }
    all.set_item("histograms", histograms)?;
    all.set_item("clock_skew_ms", stats.clock_skew_ms)?;
    Ok(all)
}
