//! What a login that failed means, for programs that do not ask a plan, and for messages of other drivers.

use std::ffi::{CString, c_char};
use std::mem::size_of;

use lakekey_ffi::login;

use crate::boundary::{Out, run, tell};
use crate::code::lk_status;
use crate::object::{self, Object, lk_error, lk_explanation};
use crate::options::{self, SizeFirst};
use crate::text::{optional, or_null, required, shown};

/// What an error means for a login. The texts belong to the explanation.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct lk_explanation_info {
    /// Set it to sizeof the struct.
    pub struct_size: usize,
    /// The kind of trouble, such as `role_missing` or `endpoint_waking`; `unknown` for what is not known.
    pub kind: *const c_char,
    /// For how long another try is worth it: `never`, `once`, `short`, `wake`, `connect` or `branch`.
    pub budget: *const c_char,
    /// The likeliest fix, or NULL.
    pub hint: *const c_char,
    /// 1 if another try may succeed, else 0.
    pub retry: u32,
    /// 1 if the token has to be given to lk_client_invalidate first, else 0.
    pub invalidate: u32,
}

// SAFETY: the size comes first, then pointers and numbers.
unsafe impl SizeFirst for lk_explanation_info {
    const NAME: &'static str = "lk_explanation_info";
}

/// An explanation with its texts as C needs them.
pub(crate) struct Explanation {
    kind: CString,
    budget: CString,
    hint: Option<CString>,
    retry: bool,
    invalidate: bool,
}

impl Explanation {
    fn new(said: login::Explanation) -> Explanation {
        Explanation {
            kind: shown(said.kind),
            budget: shown(said.budget),
            hint: said.hint.map(shown),
            retry: said.retry,
            invalidate: said.invalidate,
        }
    }

    fn info(&self) -> lk_explanation_info {
        lk_explanation_info {
            struct_size: size_of::<lk_explanation_info>(),
            kind: self.kind.as_ptr(),
            budget: self.budget.as_ptr(),
            hint: or_null(self.hint.as_ref()),
            retry: self.retry.into(),
            invalidate: self.invalidate.into(),
        }
    }
}

/// What a login that failed means. `text` is what the driver said, whole; `code` is the SQLSTATE, the system's name of
/// the error such as `ECONNREFUSED`, or the slug of an lk_error, and may be NULL. No request.
// SAFETY: the name is ours; the caller's part.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lk_explain(
    code: *const c_char,
    code_len: usize,
    text: *const c_char,
    text_len: usize,
    out: *mut *mut lk_explanation,
    err: *mut *mut lk_error,
) -> lk_status {
    let work = || {
        // SAFETY: the caller's part.
        let out = unsafe { Out::new("out", out) }?;
        // SAFETY: the caller's part, twice.
        let (code, text) = unsafe {
            (
                optional("code", code, code_len)?,
                required("text", text, text_len)?,
            )
        };
        let said = login::explain(code.filter(|code| !code.is_empty()), text);
        let explanation = Box::new(Explanation::new(said));
        out.put(object::put(Object::Explanation(explanation))?);
        Ok(())
    };
    // SAFETY: the caller's part.
    unsafe { run(err, work) }
}

/// The facts of an explanation.
// SAFETY: the name is ours; the caller's part.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lk_explanation_get(
    explanation: *const lk_explanation,
    info: *mut lk_explanation_info,
) -> lk_status {
    tell(|| {
        let held = object::get::<Explanation>("explanation", explanation)?;
        // SAFETY: the caller's part.
        unsafe { options::write(info, &held.info()) }
    })
}

/// Frees an explanation.
// SAFETY: the name is ours; the caller's part.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lk_explanation_free(explanation: *mut lk_explanation) -> lk_status {
    tell(|| object::free::<Explanation>("explanation", explanation))
}
