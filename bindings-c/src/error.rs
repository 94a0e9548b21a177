//! What went wrong, as C sees it.

use std::ffi::{CString, c_char};
use std::mem::size_of;

use lakekey_ffi::FfiError;

use crate::boundary::tell;
use crate::code::lk_status;
use crate::object::{self, lk_error};
use crate::options::{self, SizeFirst};
use crate::text::{or_null, shown};

/// The facts of an error. The texts belong to the error.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct lk_error_info {
    /// Set it to sizeof the struct.
    pub struct_size: usize,
    /// The stable number; what the function returned as well.
    pub code: lk_status,
    /// 1 if the same call may succeed later with nothing changed, else 0.
    pub retryable: u32,
    /// The status of the workspace's HTTP answer; 0 if none came.
    pub http_status: u32,
    /// How many causes there are.
    pub causes_count: u32,
    /// The stable name: `AUTH_DENIED`.
    pub slug: *const c_char,
    /// What went wrong: a sentence without the hint. Its wording may change.
    pub message: *const c_char,
    /// What the reader can do about it, or NULL.
    pub hint: *const c_char,
    /// The workspace's id of the request, or NULL.
    pub request_id: *const c_char,
    /// The messages of the causes, outermost first.
    pub causes: *const *const c_char,
    /// What the service itself calls the error, such as `ALREADY_EXISTS`, or NULL.
    pub api_code: *const c_char,
    /// What the service says besides: a JSON array of objects with their type in `@type`, or NULL.
    pub details: *const c_char,
    /// The kind of trouble if it is about a login, such as `role_missing`, or NULL.
    pub login_kind: *const c_char,
    /// What happened in this process before it, oldest first, each with its time. No secrets.
    pub events: *const *const c_char,
    /// How many events there are.
    pub events_count: usize,
}

// SAFETY: the size comes first, then numbers and pointers.
unsafe impl SizeFirst for lk_error_info {
    const NAME: &'static str = "lk_error_info";
}

/// An error with its texts as C needs them.
pub(crate) struct Failure {
    slug: CString,
    message: CString,
    hint: Option<CString>,
    request_id: Option<CString>,
    api_code: Option<CString>,
    details: Option<CString>,
    login_kind: Option<CString>,
    _texts: Vec<CString>,
    causes: Vec<*const c_char>,
    events: Vec<*const c_char>,
    /// All of it in one line.
    text: CString,
    code: lk_status,
    http_status: u32,
    retryable: bool,
}

// SAFETY: the pointers point into texts that are this value's own and never change.
unsafe impl Send for Failure {}
// SAFETY: as above.
unsafe impl Sync for Failure {}

impl Failure {
    pub(crate) fn new(error: FfiError) -> Box<Failure> {
        let text = shown(format!("{}: {error}", error.slug));
        let error = error.into_facts();
        let texts = error.causes.iter().chain(&error.events);
        let texts: Vec<CString> = texts.map(|text| shown(text.as_str())).collect();
        let mut causes: Vec<_> = texts.iter().map(|text| text.as_ptr()).collect();
        let events = causes.split_off(error.causes.len());
        Box::new(Failure {
            slug: shown(error.slug),
            message: shown(error.message),
            hint: error.hint.map(shown),
            request_id: error.request_id.map(shown),
            api_code: error.api_code.map(shown),
            details: error.details.map(shown),
            login_kind: error.login.map(|login| shown(login.kind)),
            _texts: texts,
            causes,
            events,
            text,
            code: error.code.into(),
            http_status: error.http_status.map_or(0, u32::from),
            retryable: error.retryable,
        })
    }

    fn info(&self) -> lk_error_info {
        lk_error_info {
            struct_size: size_of::<lk_error_info>(),
            code: self.code,
            retryable: self.retryable.into(),
            http_status: self.http_status,
            causes_count: u32::try_from(self.causes.len()).unwrap_or(u32::MAX),
            slug: self.slug.as_ptr(),
            message: self.message.as_ptr(),
            hint: or_null(self.hint.as_ref()),
            request_id: or_null(self.request_id.as_ref()),
            causes: self.causes.as_ptr(),
            api_code: or_null(self.api_code.as_ref()),
            details: or_null(self.details.as_ref()),
            login_kind: or_null(self.login_kind.as_ref()),
            events: self.events.as_ptr(),
            events_count: self.events.len(),
        }
    }
}

/// The facts of an error.
// SAFETY: the name is ours; the caller's part.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lk_error_get(
    error: *const lk_error,
    info: *mut lk_error_info,
) -> lk_status {
    tell(|| {
        let failure = object::get::<Failure>("error", error)?;
        // SAFETY: the caller's part.
        unsafe { options::write(info, &failure.info()) }
    })
}

/// An error in one line for people: slug, message and hint. It belongs to the error. Never NULL: for what is no error, or
/// was freed, it is a text that says so.
// SAFETY: the name is ours; the caller's part.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lk_error_text(error: *const lk_error) -> *const c_char {
    let mut text = c"HANDLE_INVALID: this is no error of lakekey, or was freed".as_ptr();
    tell(|| {
        text = object::get::<Failure>("error", error)?.text.as_ptr();
        Ok(())
    });
    text
}

/// Ends an error.
// SAFETY: the name is ours; the caller's part.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lk_error_free(error: *mut lk_error) -> lk_status {
    tell(|| object::free::<Failure>("error", error))
}
