//! Which library this is.

use std::ffi::c_char;

/// The version of this header. It grows when a program built with it could not use an older library.
pub const LK_ABI_VERSION: u32 = 1;

const _: () = assert!(LK_ABI_VERSION == lakekey_ffi::version::ABI);

/// The version of the library that was loaded; compared with LK_ABI_VERSION by lk_check.
// SAFETY: the name is ours (abi/symbols.txt).
#[unsafe(no_mangle)]
pub extern "C" fn lk_abi_version() -> u32 {
    lakekey_ffi::version::ABI
}

/// The version of lakekey, such as `0.1.0`. Never freed.
// SAFETY: the name is ours.
#[unsafe(no_mangle)]
pub extern "C" fn lk_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}
