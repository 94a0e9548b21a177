//! A connect under way, for programs that dial with libpq: by PQconnectdb, or step by step by PQconnectPoll.
//! `include/lakekey_libpq.h` is such a program's loop.

use std::ffi::{c_char, c_void};

use lakekey_ffi::plan::{LoginFailure, Plan, PlanRequest};
use lakekey_ffi::{Call, CancelHandle, FfiError, Result};

use crate::boundary::{Out, run, tell};
use crate::client::Client;
use crate::code::{LK_OK, lk_status};
use crate::connect::{Connect, asked};
use crate::error::Failure;
use crate::log;
use crate::object::{self, Object, lk_client, lk_connect, lk_error, lk_plan};
use crate::options::lk_connect_request;
use crate::text::optional;

/// A connect under way, and what ends its waits.
pub(crate) struct Dialling {
    plan: Plan,
    cancel: CancelHandle,
}

/// Gets the next attempt: `status` is LK_OK and `connect` the attempt, or it is the number of `error`. Both are yours to
/// free; the other one is NULL. Called once, on a thread of lakekey's, which it must not block; it may call lakekey.
// SAFETY: called with the data that it came with, as the header says.
pub type lk_plan_callback = Option<
    unsafe extern "C" fn(
        data: *mut c_void,
        status: lk_status,
        connect: *mut lk_connect,
        error: *mut lk_error,
    ),
>;

/// Whom to tell of the next attempt.
struct Told {
    // SAFETY: as above.
    callback: unsafe extern "C" fn(*mut c_void, lk_status, *mut lk_connect, *mut lk_error),
    data: *mut c_void,
}

// SAFETY: the header says that the function is called with this data on another thread.
unsafe impl Send for Told {}

impl Told {
    fn tell(self, outcome: Result<*mut lk_connect>) {
        let (status, connect, error) = match outcome {
            Ok(connect) => (LK_OK, connect, std::ptr::null_mut()),
            Err(error) => {
                let status = error.code.into();
                let error = object::put(Object::Error(Failure::new(error)));
                // Without a place for the error its code is all that is told.
                (
                    status,
                    std::ptr::null_mut(),
                    error.unwrap_or(std::ptr::null_mut()),
                )
            }
        };
        // SAFETY: the caller's part.
        unsafe { (self.callback)(self.data, status, connect, error) };
    }
}

/// Begins a connect: it says what to dial, and after each failed login whether and what to dial next. Waits between the
/// tries, one fresh token for a refused one, other addresses and questions to the workspace happen in lk_plan_next. No
/// request yet; its budget runs from here. `request` may be NULL.
// SAFETY: the name is ours; the caller's part.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lk_client_plan(
    client: *const lk_client,
    request: *const lk_connect_request,
    out: *mut *mut lk_plan,
    err: *mut *mut lk_error,
) -> lk_status {
    let work = || {
        // SAFETY: the caller's part.
        let out = unsafe { Out::new("out", out) }?;
        let client = object::get::<Client>("client", client)?;
        // SAFETY: the caller's part.
        let asked = unsafe { asked(request) }?;
        let plan = client.handle.plan(PlanRequest {
            connect: asked.request,
            budget_ms: asked.budget_ms,
            addresses: Vec::new(),
        })?;
        let cancel = asked.cancel;
        out.put(object::put(Object::Plan(Box::new(Dialling {
            plan,
            cancel,
        })))?);
        Ok(())
    };
    // SAFETY: the caller's part.
    unsafe { run(err, work) }
}

/// The next attempt, after what became of the last one; it waits where that is worth it. `text` is what libpq said of
/// the last one, NULL before the first; `sqlstate` may be NULL. The attempt is for one address and has its time in
/// lk_connect_info, and as libpq's `connect_timeout`. It fails when another try is not worth it or the budget is over;
/// that error is the one to show. For failed logins only: what ran in a session is never tried again. For one thread at
/// a time.
// SAFETY: the name is ours; the caller's part.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lk_plan_next(
    plan: *const lk_plan,
    sqlstate: *const c_char,
    sqlstate_len: usize,
    text: *const c_char,
    text_len: usize,
    out: *mut *mut lk_connect,
    err: *mut *mut lk_error,
) -> lk_status {
    let work = || {
        // SAFETY: the caller's part.
        let out = unsafe { Out::new("out", out) }?;
        let plan = object::get::<Dialling>("plan", plan)?;
        // SAFETY: the caller's part.
        let call = unsafe { next(&plan, sqlstate, sqlstate_len, text, text_len) }?;
        let attempt = call.wait(&plan.cancel, &mut || false);
        log::hand_over();
        out.put(Connect::of_attempt(attempt?)?);
        Ok(())
    };
    // SAFETY: the caller's part.
    unsafe { run(err, work) }
}

/// As lk_plan_next for programs that must not wait, such as those that drive PQconnectPoll from a loop of events: it
/// returns at once and the callback is told later, unless this fails.
// SAFETY: the name is ours; the caller's part.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lk_plan_next_async(
    plan: *const lk_plan,
    sqlstate: *const c_char,
    sqlstate_len: usize,
    text: *const c_char,
    text_len: usize,
    callback: lk_plan_callback,
    data: *mut c_void,
    err: *mut *mut lk_error,
) -> lk_status {
    let work = || {
        let callback = callback.ok_or_else(|| FfiError::argument("callback", "is NULL"))?;
        let told = Told { callback, data };
        let plan = object::get::<Dialling>("plan", plan)?;
        // SAFETY: the caller's part.
        let call = unsafe { next(&plan, sqlstate, sqlstate_len, text, text_len) }?;
        call.start(&plan.cancel, move |attempt| {
            told.tell(attempt.and_then(Connect::of_attempt));
        })
    };
    // SAFETY: the caller's part.
    unsafe { run(err, work) }
}

/// # Safety
/// The caller's part.
unsafe fn next(
    plan: &Dialling,
    sqlstate: *const c_char,
    sqlstate_len: usize,
    text: *const c_char,
    text_len: usize,
) -> Result<Call<lakekey_ffi::plan::Attempt>> {
    // SAFETY: the caller's part, twice.
    let (code, text) = unsafe {
        (
            optional("sqlstate", sqlstate, sqlstate_len)?,
            optional("text", text, text_len)?,
        )
    };
    plan.plan.next(text.map(|text| LoginFailure {
        code: code.filter(|code| !code.is_empty()).map(str::to_owned),
        text: text.to_owned(),
    }))
}

/// Tells that the last attempt succeeded: it is counted.
// SAFETY: the name is ours; the caller's part.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lk_plan_connected(plan: *const lk_plan) -> lk_status {
    tell(|| {
        object::get::<Dialling>("plan", plan)?.plan.connected();
        Ok(())
    })
}

/// Ends a connect; what it gave stays good. A callback that is due still comes.
// SAFETY: the name is ours; the caller's part.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lk_plan_free(plan: *mut lk_plan) -> lk_status {
    tell(|| object::free::<Dialling>("plan", plan))
}
