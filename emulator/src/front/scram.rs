//! Checks a native password against the verifier that Postgres keeps of it.
//!
//! The gateway ends TLS and asks for the password in the clear, so it must know what Postgres knows; Postgres keeps no
//! password, only this.

use std::num::NonZeroU32;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::{digest, hmac, pbkdf2};

/// Whether `password` is the one that `verifier`, a `SCRAM-SHA-256$<iterations>:<salt>$<stored key>:<server key>` of
/// `pg_authid`, was made from. Verifiers of older methods verify nothing: Lakebase has none.
pub(crate) fn verifies(verifier: &str, password: &str) -> bool {
    parsed(verifier).is_some_and(|(iterations, salt, stored)| {
        let mut salted = [0_u8; digest::SHA256_OUTPUT_LEN];
        pbkdf2::derive(
            pbkdf2::PBKDF2_HMAC_SHA256,
            iterations,
            &salt,
            password.as_bytes(),
            &mut salted,
        );
        let key = hmac::Key::new(hmac::HMAC_SHA256, &salted);
        let client_key = hmac::sign(&key, b"Client Key");
        digest::digest(&digest::SHA256, client_key.as_ref()).as_ref() == stored
    })
}

fn parsed(verifier: &str) -> Option<(NonZeroU32, Vec<u8>, Vec<u8>)> {
    let (head, keys) = verifier.strip_prefix("SCRAM-SHA-256$")?.split_once('$')?;
    let (iterations, salt) = head.split_once(':')?;
    let (stored, _) = keys.split_once(':')?;
    Some((
        iterations.parse().ok()?,
        STANDARD.decode(salt).ok()?,
        STANDARD.decode(stored).ok()?,
    ))
}

#[cfg(test)]
mod tests {
    use super::verifies;

    /// The example of RFC 7677, as Postgres would keep it.
    const PENCIL: &str = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";

    #[test]
    fn takes_the_password_and_no_other() {
        assert!(verifies(PENCIL, "pencil"));
        assert!(!verifies(PENCIL, "Pencil"));
        for broken in [
            "",
            "md5abc",
            "SCRAM-SHA-256$0:AA==$AA==:AA==",
            "SCRAM-SHA-256$4096",
        ] {
            assert!(!verifies(broken, "pencil"), "{broken}");
        }
    }
}
