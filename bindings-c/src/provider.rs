//! The program's own source of workspace tokens: a C function. It is called on a thread of lakekey's, never two ways at
//! once for the same token, and answers before it returns.

use std::ffi::{c_char, c_void};
use std::sync::{Arc, Mutex, PoisonError};

use lakekey_ffi::provider::{HostFailure, HostToken, HostTokenProvider};
use lakekey_ffi::{Code, FfiError};

use crate::boundary::tell;
use crate::code::lk_status;
use crate::object::{self, Object, lk_token_answer};
use crate::options::lk_client_options;
use crate::text::required;

/// Gives a workspace token that is valid now: calls lk_token_answer_set and returns 0. Any other number means that there
/// is none, and is told in the error. Called on a thread of lakekey's, so it must be ready for that; it may call lakekey
/// with another client.
// SAFETY: called with the data that it came with, as the header says.
pub type lk_token_callback =
    Option<unsafe extern "C" fn(data: *mut c_void, answer: *mut lk_token_answer) -> i32>;

/// What the callback said.
#[derive(Clone, Default)]
pub(crate) struct Answer(Arc<Mutex<Option<HostToken>>>);

impl Answer {
    fn set(&self, token: HostToken) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(token);
    }

    fn take(&self) -> Option<HostToken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A callback and its data, which it frees at the end.
pub(crate) struct Callback {
    // SAFETY: as above.
    ask: unsafe extern "C" fn(*mut c_void, *mut lk_token_answer) -> i32,
    data: *mut c_void,
    // SAFETY: called with the data that it came with, once.
    free: Option<unsafe extern "C" fn(*mut c_void)>,
}

// SAFETY: the header says that the function and its data are used from other threads.
unsafe impl Send for Callback {}
// SAFETY: as above.
unsafe impl Sync for Callback {}

impl Callback {
    pub(crate) fn new(options: &lk_client_options) -> Option<Callback> {
        Some(Callback {
            ask: options.token_callback?,
            data: options.token_data,
            free: options.token_data_free,
        })
    }
}

impl Drop for Callback {
    fn drop(&mut self) {
        if let Some(free) = self.free {
            // SAFETY: the caller's part: the function may be called once with this data when the client has ended.
            unsafe { free(self.data) };
        }
    }
}

impl HostTokenProvider for Callback {
    fn token(&self) -> Result<HostToken, HostFailure> {
        let failed = |what: String| HostFailure { what, thrown: None };
        let answer = Answer::default();
        let handle: *mut lk_token_answer = object::put(Object::Answer(answer.clone()))
            .map_err(|error| failed(format!("could not be called: {error}")))?;
        // SAFETY: the caller's part: the function may be called with this data until the client has ended.
        let said = unsafe { (self.ask)(self.data, handle) };
        let over = object::free::<Answer>("answer", handle);
        match (said, answer.take()) {
            (0, Some(token)) => over
                .map(|()| token)
                .map_err(|error| failed(error.to_string())),
            (0, None) => Err(failed(
                "returned 0 and gave no token by lk_token_answer_set".to_owned(),
            )),
            (number, _) => Err(failed(format!("returned {number}"))),
        }
    }
}

/// Answers a token callback. `expires_at_ms` is the token's end in milliseconds since 1970, or 0 if that is not known.
/// The token is copied. Given twice, the last one counts.
// SAFETY: the name is ours; the caller's part.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lk_token_answer_set(
    answer: *mut lk_token_answer,
    token: *const c_char,
    token_len: usize,
    expires_at_ms: u64,
) -> lk_status {
    tell(|| {
        // SAFETY: the caller's part.
        let token = unsafe { required("token", token, token_len) }?;
        if token.contains('\0') {
            return Err(FfiError::new(Code::AuthCallback, "the token holds a NUL"));
        }
        object::get::<Answer>("answer", answer)?.set(HostToken {
            token: token.to_owned(),
            expires_at_ms: (expires_at_ms > 0).then_some(expires_at_ms),
        });
        Ok(())
    })
}
