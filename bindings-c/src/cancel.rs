//! Ending waits from another thread.

use lakekey_ffi::CancelHandle;

use crate::boundary::{Out, run, tell};
use crate::code::lk_status;
use crate::object::{self, Object, lk_cancel, lk_error};

/// Makes something by which waits can be ended. Calls take it in their request.
// SAFETY: the name is ours; the caller's part.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lk_cancel_new(
    out: *mut *mut lk_cancel,
    err: *mut *mut lk_error,
) -> lk_status {
    let work = || {
        // SAFETY: the caller's part.
        let out = unsafe { Out::new("out", out) }?;
        out.put(object::put(Object::Cancel(CancelHandle::new()))?);
        Ok(())
    };
    // SAFETY: the caller's part.
    unsafe { run(err, work) }
}

/// Ends the calls that were given it, now and later, with LK_CANCELLED. A mint that others wait for goes on. Harmless when
/// repeated.
// SAFETY: the name is ours; the caller's part.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lk_cancel_now(cancel: *const lk_cancel) -> lk_status {
    tell(|| {
        object::get::<CancelHandle>("cancel", cancel)?.cancel();
        Ok(())
    })
}

/// Frees it; waits under way go on and cannot be ended by it any more.
// SAFETY: the name is ours; the caller's part.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lk_cancel_free(cancel: *mut lk_cancel) -> lk_status {
    tell(|| object::free::<CancelHandle>("cancel", cancel))
}
