//! The management API: a method's name and JSON in, JSON out.

use std::ffi::c_char;

use lakekey_ffi::{Call, CancelHandle, Result};

use crate::boundary::{Out, run};
use crate::client::Client;
use crate::code::lk_status;
use crate::log;
use crate::object::{self, lk_cancel, lk_client, lk_error, lk_secret};
use crate::options::{self, SizeFirst};
use crate::secret::{Text, hand_out};
use crate::text::{optional, required};

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
}

// SAFETY: the size comes first, then a number and a pointer.
unsafe impl SizeFirst for lk_wait_options {
    const NAME: &'static str = "lk_wait_options";
}

/// How long to wait, and what may end it.
///
/// # Safety
/// The caller's part.
unsafe fn patience(given: *const lk_wait_options) -> Result<(Option<u64>, CancelHandle)> {
    // SAFETY: the caller's part.
    let Some(given) = (unsafe { options::read(given) })? else {
        return Ok((None, CancelHandle::new()));
    };
    let timeout_ms = (given.timeout_ms > 0).then_some(given.timeout_ms);
    Ok((timeout_ms, options::cancel(given.cancel)?))
}

fn wait(call: Call<String>, cancel: &CancelHandle) -> Result<Text> {
    let answer = call.wait(cancel, &mut || false);
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
        let (method, arguments, (timeout_ms, cancel)) = unsafe {
            (
                required("method", method, method_len)?,
                optional("arguments", arguments, arguments_len)?,
                patience(options)?,
            )
        };
        let call = client
            .handle
            .call(method, arguments.unwrap_or("{}"), timeout_ms)?;
        out.put(hand_out(wait(call, &cancel)?)?);
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
        let (operation, (timeout_ms, cancel)) = unsafe {
            (
                required("operation", operation, operation_len)?,
                patience(options)?,
            )
        };
        let call = client.handle.wait_operation(operation, timeout_ms, None)?;
        out.put(hand_out(wait(call, &cancel)?)?);
        Ok(())
    };
    // SAFETY: the caller's part.
    unsafe { run(err, work) }
}
