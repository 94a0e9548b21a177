//! Texts that must not be seen. They are kept by the core's own type, which wipes them, and always with a NUL at their
//! end, so that they can be handed to a driver as they are.

use std::ffi::c_char;
use std::sync::{Arc, Weak};

use lakekey_ffi::{Result, Secret};

use crate::boundary::{Out, tell};
use crate::code::lk_status;
use crate::object::{self, lk_secret};

/// A secret text with a NUL behind it. Cheap to clone; wiped with its last clone.
#[derive(Clone, Debug)]
pub(crate) struct Text(Arc<Secret>);

/// A text that may have been wiped meanwhile.
#[derive(Clone, Debug)]
pub(crate) struct Glimpse(Weak<Secret>);

impl Glimpse {
    pub(crate) fn text(&self) -> Option<Text> {
        self.0.upgrade().map(Text)
    }
}

impl Text {
    pub(crate) fn new(secret: &str) -> Text {
        // Of the right size at once: a buffer that grows leaves copies behind.
        let mut text = String::with_capacity(secret.len() + 1);
        text.push_str(secret);
        text.push('\0');
        Text(Arc::new(Secret::new(text)))
    }

    /// Takes over a text that is wiped as well.
    pub(crate) fn taken(secret: String) -> Text {
        let secret = Secret::new(secret);
        Text::new(secret.expose())
    }

    /// Does not keep it from being wiped.
    pub(crate) fn glimpse(&self) -> Glimpse {
        Glimpse(Arc::downgrade(&self.0))
    }

    /// The text, up to the first NUL for C.
    pub(crate) fn as_ptr(&self) -> *const c_char {
        self.0.expose().as_ptr().cast()
    }

    /// How long it is, without the NUL.
    pub(crate) fn len(&self) -> usize {
        self.0.expose().len() - 1
    }
}

/// The text of a secret, which ends with a NUL behind its `len` bytes. It belongs to the secret.
// SAFETY: the name is ours; the caller's part.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lk_secret_get(
    secret: *const lk_secret,
    data: *mut *const c_char,
    len: *mut usize,
) -> lk_status {
    tell(|| {
        // SAFETY: the caller's part, twice.
        let (data, len) = unsafe { (Out::new("data", data)?, len) };
        let text = object::get::<Text>("secret", secret)?;
        data.put(text.as_ptr());
        // SAFETY: the caller's part: whoever does not want to know the length gives NULL.
        if let Some(len) = unsafe { len.as_mut() } {
            *len = text.len();
        }
        Ok(())
    })
}

/// Wipes a secret.
// SAFETY: the name is ours; the caller's part.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lk_secret_free(secret: *mut lk_secret) -> lk_status {
    tell(|| object::free::<Text>("secret", secret))
}

/// A secret for C to hold.
pub(crate) fn hand_out(text: Text) -> Result<*mut lk_secret> {
    object::put(object::Object::Secret(text))
}
