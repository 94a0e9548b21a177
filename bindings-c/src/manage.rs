//! The management API: a method's name and JSON in, JSON out.

use std::ffi::{c_char, c_void};
use std::sync::mpsc::channel;

use lakekey_ffi::management::Tell;
use lakekey_ffi::{Call, CancelHandle, Result};

use crate::boundary::{Out, run};
use crate::client::Client;
use crate::code::lk_status;
use crate::log;
use crate::object::{self, lk_cancel, lk_client, lk_error, lk_secret};
use crate::options::{self, SizeFirst};
use crate::secret::{Text, hand_out};
use crate::text::{optional, required};

/// Told of an unfinished operation, on the thread that waits for it: `{"name": ..., "waited_ms": ..., "metadata": ...}`,
/// which is gone afterwards. Anything but 0 ends the wait with LK_CANCELLED, and not the operation.
// SAFETY: called with the data that it came with, until lk_wait_operation returns.
pub type lk_progress =
    Option<unsafe extern "C" fn(data: *mut c_void, json: *const c_char, len: usize) -> i32>;

/// How a call of the management API is waited for.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct lk_wait_options {
    /// Set it to sizeof the struct.
    pub struct_size: usize,
    /// How long to wait.
    pub timeout_ms: u64,
    /// What may end the wait; NULL for nothing.
    pub cancel: *const lk_cancel,
    /// Told of an unfinished operation now and then by lk_wait_operation; may be NULL.
    pub progress: lk_progress,
    /// Given to it.
    pub progress_data: *mut c_void,
}

// SAFETY: the size comes first, then a number, pointers and a function that may be absent.
unsafe impl SizeFirst for lk_wait_options {
    const NAME: &'static str = "lk_wait_options";
}

/// How long to wait, what may end it, and who is told of it.
#[derive(Default)]
struct Patience {
    timeout_ms: Option<u64>,
    cancel: CancelHandle,
    progress: lk_progress,
    progress_data: Option<*mut c_void>,
}

/// # Safety
/// The caller's part.
unsafe fn patience(given: *const lk_wait_options) -> Result<Patience> {
    // SAFETY: the caller's part.
    let Some(given) = (unsafe { options::read(given) })? else {
        return Ok(Patience::default());
    };
    Ok(Patience {
        timeout_ms: (given.timeout_ms > 0).then_some(given.timeout_ms),
        cancel: options::cancel(given.cancel)?,
        progress: given.progress,
        progress_data: Some(given.progress_data),
    })
}

fn wait(call: Call<String>, cancel: &CancelHandle, stop: &mut dyn FnMut() -> bool) -> Result<Text> {
    let answer = call.wait(cancel, stop);
    log::hand_over();
    answer.map(Text::taken)
}

/// Calls a method of the management API by its name there, such as `create_branch`. `arguments` is a JSON object: what
/// stands in the path, what stands in the query, and the resource under its own name; NULL for none. The answer's JSON
/// is a secret because it may hold one. `options` may be NULL.
// SAFETY: the name is ours; the caller's part.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lk_call(
    client: *const lk_client,
    method: *const c_char,
    method_len: usize,
    arguments: *const c_char,
    arguments_len: usize,
    options: *const lk_wait_options,
    out: *mut *mut lk_secret,
    err: *mut *mut lk_error,
) -> lk_status {
    let work = || {
        // SAFETY: the caller's part.
        let out = unsafe { Out::new("out", out) }?;
        let client = object::get::<Client>("client", client)?;
        // SAFETY: the caller's part, three times.
        let (method, arguments, patience) = unsafe {
            (
                required("method", method, method_len)?,
                optional("arguments", arguments, arguments_len)?,
                patience(options)?,
            )
        };
        let call = client
            .handle
            .call(method, arguments.unwrap_or("{}"), patience.timeout_ms)?;
        out.put(hand_out(wait(call, &patience.cancel, &mut || false)?)?);
        Ok(())
    };
    // SAFETY: the caller's part.
    unsafe { run(err, work) }
}

/// Waits for an operation, as lk_call gave it or as `{"name": "..."}`, and gives the JSON that it ends with. It goes on
/// when the wait is given up. `options` may be NULL.
// SAFETY: the name is ours; the caller's part.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lk_wait_operation(
    client: *const lk_client,
    operation: *const c_char,
    operation_len: usize,
    options: *const lk_wait_options,
    out: *mut *mut lk_secret,
    err: *mut *mut lk_error,
) -> lk_status {
    let work = || {
        // SAFETY: the caller's part.
        let out = unsafe { Out::new("out", out) }?;
        let client = object::get::<Client>("client", client)?;
        // SAFETY: the caller's part, twice.
        let (operation, patience) = unsafe {
            (
                required("operation", operation, operation_len)?,
                patience(options)?,
            )
        };
        let (send, told) = channel();
        let tell = patience
            .progress
            .map(|_| -> Tell { Box::new(move |text| send.send(text.to_owned()).is_ok()) });
        let call = client
            .handle
            .wait_operation(operation, patience.timeout_ms, tell)?;
        let mut stop = || {
            let Some((progress, data)) = patience.progress.zip(patience.progress_data) else {
                return false;
            };
            told.try_iter().any(|text| {
                // SAFETY: the caller's part: the function may be called with this data until we return.
                (unsafe { progress(data, text.as_ptr().cast(), text.len()) }) != 0
            })
        };
        out.put(hand_out(wait(call, &patience.cancel, &mut stop)?)?);
        Ok(())
    };
    // SAFETY: the caller's part.
    unsafe { run(err, work) }
}
