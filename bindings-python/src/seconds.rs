//! Durations as Python writes them: seconds as a number, or a `timedelta`.

use std::time::Duration;

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;

/// Milliseconds from a number of seconds or a `timedelta`; more than zero.
pub(crate) struct Millis(pub(crate) u64);

/// A year: longer is a mistake in the unit.
const LONGEST: Duration = Duration::from_hours(366 * 24);

impl<'py> FromPyObject<'_, 'py> for Millis {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Millis> {
        let duration = match given.extract::<f64>() {
            Ok(seconds) => Duration::try_from_secs_f64(seconds).ok(),
            Err(_) => match given.extract::<Duration>() {
                Ok(duration) => Some(duration),
                Err(error) if error.is_instance_of::<PyTypeError>(given.py()) => {
                    return Err(PyTypeError::new_err(
                        "a duration is a number of seconds or a timedelta",
                    ));
                }
                Err(_) => None,
            },
        };
        let millis = duration
            .filter(|duration| *duration <= LONGEST)
            .and_then(|duration| u64::try_from(duration.as_millis()).ok())
            .filter(|millis| *millis > 0);
        millis.map(Millis).ok_or_else(|| {
            PyValueError::new_err("a duration is more than zero and at most a year, in seconds")
        })
    }
}

pub(crate) fn millis(given: Option<Millis>) -> Option<u64> {
    given.map(|Millis(millis)| millis)
}
