//! What a refused login means, for programs that talk to libpq themselves.

use std::ffi::c_char;

use lakekey_ffi::Result;
use lakekey_ffi::login::RefusedLogin;

use crate::boundary::{Out, run, tell};
use crate::code::lk_status;
use crate::connect::Connect;
use crate::object::{self, lk_connect, lk_error};
use crate::text::{optional, required};

/// # Safety
/// The caller's part.
unsafe fn refused(
    sqlstate: *const c_char,
    sqlstate_len: usize,
    text: *const c_char,
    text_len: usize,
) -> Result<RefusedLogin> {
    // SAFETY: the caller's part, twice.
    let (sqlstate, text) = unsafe {
        (
            optional("sqlstate", sqlstate, sqlstate_len)?,
            required("text", text, text_len)?,
        )
    };
    Ok(RefusedLogin {
        sqlstate: sqlstate.map(str::to_owned),
        text: text.to_owned(),
        ..RefusedLogin::default()
    })
}

/// Whether the server refused the token: then `refuses` becomes 1, else 0. A token from the cache is then to be
/// invalidated, and a fresh one is worth one more try. `text` is what the server said; `sqlstate` may be NULL.
// SAFETY: the name is ours; the caller's part.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lk_login_refuses_token(
    sqlstate: *const c_char,
    sqlstate_len: usize,
    text: *const c_char,
    text_len: usize,
    refuses: *mut u32,
) -> lk_status {
    tell(|| {
        // SAFETY: the caller's part.
        let refuses = unsafe { Out::new("refuses", refuses) }?;
        // SAFETY: the caller's part.
        let said = unsafe { refused(sqlstate, sqlstate_len, text, text_len) }?;
        refuses.put(said.is_of_token().into());
        Ok(())
    })
}

/// The error for a login that was refused, with the likeliest fix first. It always fails: it returns the error's code, and
/// gives the error. `text` is what the server said; `sqlstate` may be NULL.
// SAFETY: the name is ours; the caller's part.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lk_connect_explain(
    connect: *const lk_connect,
    sqlstate: *const c_char,
    sqlstate_len: usize,
    text: *const c_char,
    text_len: usize,
    err: *mut *mut lk_error,
) -> lk_status {
    let work = || {
        let login = object::get::<Connect>("connect", connect)?;
        // SAFETY: the caller's part.
        let said = unsafe { refused(sqlstate, sqlstate_len, text, text_len) }?;
        let (user, subject) = login.who();
        Err(RefusedLogin {
            user,
            subject,
            ..said
        }
        .explain())
    };
    // SAFETY: the caller's part.
    unsafe { run(err, work) }
}
