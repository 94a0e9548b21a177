//! Texts from C, and texts for C.

use std::ffi::{CStr, CString, c_char};

use lakekey_ffi::{FfiError, Result};

/// As the length of a text: it ends with a NUL.
///
/// cbindgen:ignore
pub const LK_NUL_TERMINATED: usize = usize::MAX;

/// Reads a text; none if it is NULL.
///
/// # Safety
/// `data` is NULL, or `len` bytes can be read there, or up to a NUL with `LK_NUL_TERMINATED`.
pub(crate) unsafe fn optional<'a>(
    name: &str,
    data: *const c_char,
    len: usize,
) -> Result<Option<&'a str>> {
    if data.is_null() {
        return match len {
            0 | LK_NUL_TERMINATED => Ok(None),
            _ => Err(FfiError::argument(
                name,
                format!("is NULL and {len} bytes long"),
            )),
        };
    }
    let bytes = if len == LK_NUL_TERMINATED {
        // SAFETY: the caller's part.
        unsafe { CStr::from_ptr(data) }.to_bytes()
    } else if len > isize::MAX as usize {
        return Err(FfiError::argument(
            name,
            format!("cannot be {len} bytes long"),
        ));
    } else {
        // SAFETY: the caller's part; a slice is not larger than half of the memory.
        unsafe { std::slice::from_raw_parts(data.cast::<u8>(), len) }
    };
    std::str::from_utf8(bytes).map(Some).map_err(|error| {
        FfiError::argument(
            name,
            format!(
                "is no UTF-8: the byte at {} does not belong there",
                error.valid_up_to()
            ),
        )
    })
}

/// Reads a text that must be there.
///
/// # Safety
/// As [`optional`].
pub(crate) unsafe fn required<'a>(name: &str, data: *const c_char, len: usize) -> Result<&'a str> {
    // SAFETY: the caller's part.
    unsafe { optional(name, data, len) }?.ok_or_else(|| FfiError::argument(name, "is NULL"))
}

/// A text with a NUL at its end, for messages: a NUL inside becomes a mark.
pub(crate) fn shown(text: impl Into<String>) -> CString {
    CString::new(text.into()).unwrap_or_else(|error| {
        let text = String::from_utf8_lossy(&error.into_vec()).replace('\0', "\u{fffd}");
        CString::new(text).unwrap_or_default()
    })
}

/// A text with a NUL at its end, for a driver: it cannot hold another one.
pub(crate) fn exact(name: &str, text: &str) -> Result<CString> {
    CString::new(text).map_err(|_| FfiError::argument(name, "holds a NUL, which C cannot hand on"))
}

/// The pointer to a text, or NULL.
pub(crate) fn or_null(text: Option<&CString>) -> *const c_char {
    text.map_or(std::ptr::null(), |text| text.as_ptr())
}
