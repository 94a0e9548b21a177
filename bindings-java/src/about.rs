//! What the loader, tests and bug reports ask of the library itself.

use jni::objects::{JClass, JObject, JString};
use jni::{EnvUnowned, jni_mangle};
use lakekey_ffi::FfiError;

use crate::entry::enter;
use crate::text;

/// The version of lakekey.
#[jni_mangle("io.lakekey.Native")]
pub extern "system" fn version<'local>(
    env: EnvUnowned<'local>,
    native: JClass<'local>,
) -> JString<'local> {
    enter(env, &native, |env| {
        text::java(env, Some(lakekey_ffi::version::VERSION))
    })
}

/// Every published error code: number, name, and whether the same call may succeed later.
#[jni_mangle("io.lakekey.Native")]
pub extern "system" fn codes<'local>(
    env: EnvUnowned<'local>,
    native: JClass<'local>,
) -> JObject<'local> {
    enter(env, &native, |env| {
        let mut texts = Vec::new();
        for (code, slug, retryable) in FfiError::table() {
            texts.extend([code.to_string(), slug.to_owned(), retryable.to_string()]);
        }
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        text::array(env, &texts)
    })
}

/// Whether any call of this process has started lakekey's threads.
#[jni_mangle("io.lakekey.Native", "hasThreads")]
pub extern "system" fn has_threads<'local>(
    env: EnvUnowned<'local>,
    native: JClass<'local>,
) -> bool {
    enter(env, &native, |_| {
        Ok(lakekey_ffi::runtime::process().has_threads())
    })
}

/// Panics, to show what a caller then sees. Not part of a release.
#[allow(clippy::missing_panics_doc, reason = "it panics into the guard")]
#[cfg(debug_assertions)]
#[jni_mangle("io.lakekey.Native", "panicNow")]
pub extern "system" fn panic_now<'local>(env: EnvUnowned<'local>, native: JClass<'local>) {
    enter::<()>(env, &native, |_| panic!("asked for"));
}
