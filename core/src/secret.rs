//! Secrets: tokens, client secrets, passwords.
//!
//! A [`Secret`] is wiped when dropped and cannot be printed, compared in variable time or serialized. This is the only
//! file that gives out a secret's bytes, so a reviewer looks for `expose` and has seen every place.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

/// A text that must not be seen in logs, errors or debug output. Cheap to clone; wiped with its last clone.
#[derive(Clone)]
pub struct Secret(Arc<Zeroizing<String>>);

/// Bytes with a secret in them, on their way from or to a file. Wiped when dropped.
pub(crate) type SecretBytes = Zeroizing<Vec<u8>>;

/// An empty place for so many. Beyond them a copy would be left behind that nobody wipes.
pub(crate) fn secret_bytes(most: usize) -> SecretBytes {
    Zeroizing::new(Vec::with_capacity(most))
}

impl Secret {
    /// Takes ownership of the text.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(Arc::new(Zeroizing::new(text.into())))
    }

    /// The text itself. Callers hand it to a header, a driver or the user who asked for it, and to nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is no text at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether both are the same text, in a time that does not depend on where they differ.
    pub fn matches(&self, other: &str) -> bool {
        let (a, b) = (self.0.as_bytes(), other.as_bytes());
        a.len() == b.len() && a.iter().zip(b).fold(0_u8, |acc, (x, y)| acc | (x ^ y)) == 0
    }

    /// A short one-way name of the secret: tells two identities apart in cache keys without keeping the secret.
    pub fn fingerprint(&self) -> String {
        let digest = ring::digest::digest(&ring::digest::SHA256, self.0.as_bytes());
        let head = digest
            .as_ref()
            .iter()
            .take(8)
            .fold(0_u64, |head, byte| head << 8 | u64::from(*byte));
        format!("{head:016x}")
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Secret {
        Secret::new(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Secret {
        Secret::new(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn a_secret_is_not_printed_and_compares_by_text() {
        let secret = Secret::new("dapi-planted");
        assert_eq!(format!("{secret:?}"), "Secret(***)");
        assert!(
            secret.matches("dapi-planted")
                && !secret.matches("dapi-plantee")
                && !secret.matches("dapi")
        );
        assert_eq!(secret.fingerprint().len(), 16);
        assert_ne!(secret.fingerprint(), Secret::new("other").fingerprint());
    }
}
