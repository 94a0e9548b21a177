//! Reading the packets of a client before it is logged in: each with a limit on its length, none trusted.
//!
//! Without the limits one client could make the gateway allocate gigabytes with five bytes.

use std::fmt;
use std::io;

use ring::rand::{SecureRandom, SystemRandom};
use tokio::io::{AsyncRead, AsyncReadExt};
use zeroize::Zeroizing;

use crate::refusal::Fault;

pub(crate) const SSL_REQUEST: u32 = 80_877_103;
pub(crate) const GSS_ENC_REQUEST: u32 = 80_877_104;
pub(crate) const CANCEL_REQUEST: u32 = 80_877_102;
/// Postgres' own limit for authentication messages.
const MAX_PASSWORD: usize = 65_535;

/// Why a handshake ended.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The client went away or the connection broke: nobody is left to be told.
    Gone,
    /// The gateway turns it away.
    Fault(Fault),
}

impl From<io::Error> for Stop {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// The pair that allows somebody to cancel a query.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct BackendKey {
    /// Process id of the backend, or the first half of a random key.
    pub process_id: i32,
    /// The secret that belongs to it.
    pub secret: i32,
}

impl BackendKey {
    /// A random key, as the gateway of Lakebase gives out in place of the real one.
    pub(crate) fn random() -> io::Result<Self> {
        // libpq takes a process id of 0 for "no key".
        Ok(Self {
            process_id: random_i32()? | 1,
            secret: random_i32()?,
        })
    }

    /// The `CancelRequest` that carries this key.
    pub fn cancel_request(self) -> [u8; 16] {
        let mut packet = [0_u8; 16];
        packet[0..4].copy_from_slice(&16_u32.to_be_bytes());
        packet[4..8].copy_from_slice(&CANCEL_REQUEST.to_be_bytes());
        packet[8..12].copy_from_slice(&self.process_id.to_be_bytes());
        packet[12..16].copy_from_slice(&self.secret.to_be_bytes());
        packet
    }
}

impl fmt::Debug for BackendKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackendKey").finish_non_exhaustive()
    }
}

fn random_i32() -> io::Result<i32> {
    let mut bytes = [0_u8; 4];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| io::Error::other("the system gives no random bytes"))?;
    Ok(i32::from_be_bytes(bytes))
}

/// A password as it came over the wire. It is wiped when dropped and never printed.
pub struct Password(Zeroizing<Vec<u8>>);

impl Password {
    /// The password, if it is UTF-8.
    pub fn expose(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(redacted)")
    }
}

/// The first eight bytes of a packet that has no type byte: its length and the number after it.
pub(crate) async fn read_preamble<S: AsyncRead + Unpin>(
    stream: &mut S,
) -> Result<(u32, u32), Stop> {
    Ok((stream.read_u32().await?, stream.read_u32().await?))
}

/// Reads `count` bytes and drops them; ends when they have come.
pub(crate) async fn skip<S: AsyncRead + Unpin>(stream: &mut S, count: u64) -> Result<(), Stop> {
    let copied = tokio::io::copy(&mut stream.take(count), &mut tokio::io::sink()).await?;
    if copied < count {
        Err(Stop::Gone)
    } else {
        Ok(())
    }
}

/// The key of a `CancelRequest` whose preamble has been read.
pub(crate) async fn read_cancel_key<S: AsyncRead + Unpin>(
    stream: &mut S,
) -> Result<BackendKey, Stop> {
    Ok(BackendKey {
        process_id: stream.read_i32().await?,
        secret: stream.read_i32().await?,
    })
}

/// The answer to `AuthenticationCleartextPassword`.
pub(crate) async fn read_password<S: AsyncRead + Unpin>(stream: &mut S) -> Result<Password, Stop> {
    let tag = stream.read_u8().await?;
    if tag != b'p' {
        return Err(Fault::PasswordExpected { tag }.into());
    }
    let length = usize::try_from(stream.read_u32().await?).unwrap_or(usize::MAX);
    if !(5..=MAX_PASSWORD).contains(&length) {
        return Err(Fault::PasswordMalformed.into());
    }
    let mut bytes = Zeroizing::new(vec![0_u8; length - 4]);
    stream.read_exact(&mut bytes).await?;
    if bytes.iter().position(|byte| *byte == 0) != Some(bytes.len() - 1) {
        return Err(Fault::PasswordMalformed.into());
    }
    let end = bytes.len() - 1;
    bytes.truncate(end);
    if bytes.is_empty() {
        return Err(Fault::PasswordEmpty.into());
    }
    Ok(Password(bytes))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    async fn password(bytes: &[u8]) -> Result<Password, Stop> {
        let mut stream = bytes;
        read_password(&mut stream).await
    }

    #[tokio::test]
    async fn reads_a_password_and_never_prints_it() {
        let read = password(b"p\0\0\0\x0bsecret\0").await.unwrap();
        assert_eq!(read.expose(), Some("secret"));
        assert!(!format!("{read:?}").contains("secret"));
    }

    #[tokio::test]
    async fn refuses_what_is_no_password() {
        for (bytes, fault) in [
            (&b"Q\0\0\0\x05\0"[..], Fault::PasswordExpected { tag: b'Q' }),
            (b"p\0\0\0\x04", Fault::PasswordMalformed),
            (b"p\x7f\xff\xff\xff", Fault::PasswordMalformed),
            (b"p\0\0\0\x06ab", Fault::PasswordMalformed),
            (b"p\0\0\0\x07a\0b", Fault::PasswordMalformed),
            (b"p\0\0\0\x05\0", Fault::PasswordEmpty),
        ] {
            assert!(
                matches!(password(bytes).await, Err(Stop::Fault(f)) if f == fault),
                "{fault:?}"
            );
        }
    }

    #[test]
    fn random_keys_differ_and_are_never_zero() {
        let keys: std::collections::HashSet<_> =
            (0..64).map(|_| BackendKey::random().unwrap()).collect();
        assert_eq!(keys.len(), 64);
        assert!(keys.iter().all(|key| key.process_id != 0));
    }
}
