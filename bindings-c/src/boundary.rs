//! The edge of every exported function: a panic becomes an error, an error becomes a code and an `lk_error`, and results
//! are written at the very end, so that a call that fails leaves them alone.

use lakekey_ffi::guard::guard;
use lakekey_ffi::{FfiError, Result};

use crate::code::{LK_OK, lk_status};
use crate::error::Failure;
use crate::object::{self, Object, lk_error};

/// Runs what a function does.
///
/// # Safety
/// `err` is NULL or may be written to.
pub(crate) unsafe fn run(err: *mut *mut lk_error, work: impl FnOnce() -> Result<()>) -> lk_status {
    let Err(error) = guard(work) else {
        return LK_OK;
    };
    let code = error.code.into();
    if !err.is_null() {
        // Without a place for the error its code is all that is told.
        if let Ok(handle) = guard(|| object::put(Object::Error(Failure::new(error)))) {
            // SAFETY: the caller's part.
            unsafe { err.write(handle) };
        }
    }
    code
}

/// Runs what a function does that has nowhere to put an error.
pub(crate) fn tell(work: impl FnOnce() -> Result<()>) -> lk_status {
    guard(work).map_or_else(|error| error.code.into(), |()| LK_OK)
}

/// A place for a result.
pub(crate) struct Out<T>(*mut T);

impl<T> Out<T> {
    /// Looks at the place before any work is done.
    ///
    /// # Safety
    /// `place` is NULL or may be written to until the function returns.
    pub(crate) unsafe fn new(name: &str, place: *mut T) -> Result<Out<T>> {
        if place.is_null() {
            return Err(FfiError::argument(
                name,
                "is NULL; it must say where to put the result",
            ));
        }
        Ok(Out(place))
    }

    /// Puts the result there.
    pub(crate) fn put(self, result: T) {
        // SAFETY: not NULL, and the caller's part by `new`. What stood there is the caller's and is not dropped.
        unsafe { self.0.write(result) };
    }
}
