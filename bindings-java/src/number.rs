//! What Java holds: numbers. One that was freed, or made up, is an error and no crash.

use jni::sys::jlong;
use lakekey_ffi::slab::{Held, Slab};
use lakekey_ffi::{Code, FfiError};

use crate::entry::Result;

/// Keeps a thing until it is removed and gives its number, which is never zero.
pub(crate) fn keep<T>(things: &Slab<T>, thing: T) -> Result<jlong> {
    match things.insert(thing) {
        Ok(number) => Ok(number.cast_signed()),
        Err(_) => Err(FfiError::new(Code::Internal, "too many things are open")
            .with_hint("Close clients that are not needed any more")
            .into()),
    }
}

/// The thing with this number; it stays while it is used. `gone` says what to tell when there is none.
pub(crate) fn held<T>(
    things: &'static Slab<T>,
    number: jlong,
    gone: &str,
) -> Result<Held<'static, T>> {
    find(things, number).ok_or_else(|| FfiError::new(Code::Closed, gone).into())
}

/// The same where nothing is to be told.
pub(crate) fn find<T>(things: &'static Slab<T>, number: jlong) -> Option<Held<'static, T>> {
    things.get(number.cast_unsigned())
}

/// Removes a thing. Harmless when repeated.
pub(crate) fn remove<T>(things: &Slab<T>, number: jlong) {
    things.remove(number.cast_unsigned());
}
