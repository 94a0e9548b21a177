//! What tests and bug reports ask of the module itself.

use napi_derive::napi;

/// The version of lakekey.
#[napi(catch_unwind)]
pub fn version() -> String {
    lakekey_ffi::version::VERSION.to_owned()
}

/// Whether any call of this process has started lakekey's threads.
#[napi(catch_unwind)]
pub fn has_threads() -> bool {
    lakekey_ffi::runtime::process().has_threads()
}

/// Panics, to show what a caller then sees. Not part of a release.
#[allow(clippy::missing_panics_doc, reason = "it panics into the guard")]
#[cfg(debug_assertions)]
#[napi(catch_unwind)]
pub fn panic_now() -> Option<crate::failure::Failure> {
    lakekey_ffi::guard::guard::<()>(|| panic!("asked for"))
        .err()
        .map(crate::failure::Failure::from)
}
