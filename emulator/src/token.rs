//! Tokens that this Lakebase signs: database credentials and workspace access tokens.
//!
//! Both are real JWTs (ES256) under one key, told apart by their audience alone, as it is in the cloud. If they were
//! opaque strings, a client that logs in with a workspace token would pass here and fail there.
//!
//! Signed with ring by hand: the JWT crates bring an RSA with an open advisory, or a C library, for these few lines.

use std::collections::BTreeSet;
use std::sync::{PoisonError, RwLock};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair,
    UnparsedPublicKey,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::Error;

/// Real database credentials are longer than 1 KB; buffers of 512 or 1024 bytes must show here.
const DEFAULT_SIZE: usize = 1280;
/// Longer than any header or password buffer needs to be to be tested.
const LARGEST_SIZE: usize = 64 * 1024;

/// What a token says of itself.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub(crate) struct Claims {
    /// A user's e-mail address or a service principal's application id.
    pub(crate) sub: String,
    pub(crate) iss: String,
    pub(crate) aud: String,
    pub(crate) iat: i64,
    pub(crate) nbf: i64,
    pub(crate) exp: i64,
    pub(crate) jti: String,
    /// The rest, in the order of writing.
    #[serde(flatten)]
    pub(crate) rest: Map<String, Value>,
}

/// Why a text is not a good token of the kind that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenRefusal {
    NotAJwt,
    Untrusted,
    Expired,
}

/// The knobs of the admin API on tokens.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenSettings {
    /// Lifetime of database credentials that do not ask for one; also lifts the limits of 300 s and 3600 s on those
    /// that do. Zero or less: credentials that are expired when they are minted.
    pub ttl_s: Option<i64>,
    /// Lifetime of workspace access tokens.
    pub workspace_ttl_s: Option<i64>,
    /// Credentials become good only after so many seconds.
    pub not_before_s: Option<i64>,
    /// Length that credentials are filled up to, in bytes.
    pub size_bytes: Option<usize>,
    /// Credentials are signed for another audience, and so are refused at login.
    pub wrong_audience: Option<bool>,
    /// `true`: a new signing key; every token minted before is refused from now on.
    #[serde(default)]
    pub rotate_key: bool,
    /// The `jti` of a token that is refused from now on.
    pub revoke: Option<String>,
}

/// The knobs as they stand.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Knobs {
    pub(crate) ttl_s: Option<i64>,
    pub(crate) workspace_ttl_s: i64,
    pub(crate) not_before_s: i64,
    pub(crate) size_bytes: usize,
    pub(crate) wrong_audience: bool,
    pub(crate) revoked: BTreeSet<String>,
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            ttl_s: None,
            workspace_ttl_s: 3600,
            not_before_s: 0,
            size_bytes: DEFAULT_SIZE,
            wrong_audience: false,
            revoked: BTreeSet::new(),
        }
    }
}

struct SigningKey {
    pair: EcdsaKeyPair,
    kid: String,
}

/// The signing key and the knobs.
pub(crate) struct Tokens {
    key: RwLock<SigningKey>,
    knobs: RwLock<Knobs>,
    random: SystemRandom,
}

impl SigningKey {
    fn read(pkcs8: &[u8], random: &SystemRandom) -> Result<Self, Error> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8, random)
            .map_err(|_| Error::SigningKey("read"))?;
        let kid = hex(digest(&SHA256, pair.public_key().as_ref()).as_ref());
        Ok(Self { pair, kid })
    }
}

impl Tokens {
    /// Reads a key that [`Tokens::new_key`] made.
    pub(crate) fn with_key(pkcs8: &[u8]) -> Result<Self, Error> {
        let random = SystemRandom::new();
        let key = SigningKey::read(pkcs8, &random)?;
        Ok(Self {
            key: RwLock::new(key),
            knobs: RwLock::new(Knobs::default()),
            random,
        })
    }

    /// A new key, as PKCS#8.
    pub(crate) fn new_key() -> Result<Vec<u8>, Error> {
        EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
            .map(|document| document.as_ref().to_vec())
            .map_err(|_| Error::SigningKey("made"))
    }

    /// From now on signs with this key and trusts no other.
    pub(crate) fn use_key(&self, pkcs8: &[u8]) -> Result<(), Error> {
        let key = SigningKey::read(pkcs8, &self.random)?;
        *self.key.write().unwrap_or_else(PoisonError::into_inner) = key;
        Ok(())
    }

    pub(crate) fn knobs(&self) -> Knobs {
        self.knobs
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Applies all knobs but `rotate_key`, which needs the state directory.
    pub(crate) fn set(&self, settings: &TokenSettings) -> Result<(), Error> {
        if let Some(size) = settings.size_bytes
            && size > LARGEST_SIZE
        {
            return Err(Error::invalid(
                "size_bytes",
                size,
                format!("at most {LARGEST_SIZE}"),
            ));
        }
        for (field, value) in [
            ("ttl_s", settings.ttl_s),
            ("workspace_ttl_s", settings.workspace_ttl_s),
            ("not_before_s", settings.not_before_s),
        ] {
            // A hundred years: what any client's clock arithmetic should bear.
            if let Some(value) = value.filter(|value| value.unsigned_abs() > 3_155_760_000) {
                return Err(Error::invalid(
                    field,
                    value,
                    "between -3155760000 and 3155760000 seconds",
                ));
            }
        }
        let mut knobs = self.knobs.write().unwrap_or_else(PoisonError::into_inner);
        knobs.ttl_s = settings.ttl_s.or(knobs.ttl_s);
        knobs.workspace_ttl_s = settings.workspace_ttl_s.unwrap_or(knobs.workspace_ttl_s);
        knobs.not_before_s = settings.not_before_s.unwrap_or(knobs.not_before_s);
        knobs.size_bytes = settings.size_bytes.unwrap_or(knobs.size_bytes);
        knobs.wrong_audience = settings.wrong_audience.unwrap_or(knobs.wrong_audience);
        knobs.revoked.extend(settings.revoke.clone());
        Ok(())
    }

    pub(crate) fn reset(&self) {
        *self.knobs.write().unwrap_or_else(PoisonError::into_inner) = Knobs::default();
    }

    /// Signs `claims`, filled up to `size` bytes.
    pub(crate) fn sign(&self, mut claims: Claims, size: usize) -> Result<String, Error> {
        let key = self.key.read().unwrap_or_else(PoisonError::into_inner);
        let header = URL_SAFE_NO_PAD
            .encode(json!({"alg": "ES256", "kid": key.kid, "typ": "JWT"}).to_string());
        let unfilled = json!(claims).to_string().len();
        let fixed = header.len() + 2 + 86 + unfilled.div_ceil(3) * 4;
        if size > fixed {
            // What fills it is as random as a real token's hashes, so that nothing compresses it away.
            let mut filler = vec![0_u8; (size - fixed) * 9 / 16 + 1];
            self.fill(&mut filler)?;
            claims.rest.insert(
                "entitlements_digest".to_owned(),
                Value::String(URL_SAFE_NO_PAD.encode(filler)),
            );
        }
        let signed = format!(
            "{header}.{}",
            URL_SAFE_NO_PAD.encode(json!(claims).to_string())
        );
        let signature = key
            .pair
            .sign(&self.random, signed.as_bytes())
            .map_err(|_| Error::SigningKey("used"))?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    /// What a token says, if this Lakebase signed it and it is good at `now`.
    ///
    /// An expired token is told from a forged one only after its signature was found good.
    pub(crate) fn verify(&self, token: &str, now: Timestamp) -> Result<Claims, TokenRefusal> {
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenRefusal::NotAJwt)?;
        let (header, payload) = signed.split_once('.').ok_or(TokenRefusal::NotAJwt)?;
        let decode = |part: &str| {
            URL_SAFE_NO_PAD
                .decode(part)
                .map_err(|_| TokenRefusal::NotAJwt)
        };
        let header: Value =
            serde_json::from_slice(&decode(header)?).map_err(|_| TokenRefusal::NotAJwt)?;
        let payload: Value =
            serde_json::from_slice(&decode(payload)?).map_err(|_| TokenRefusal::NotAJwt)?;
        let signature = decode(signature)?;
        {
            let key = self.key.read().unwrap_or_else(PoisonError::into_inner);
            if header["alg"] != "ES256" || header["kid"] != key.kid.as_str() {
                return Err(TokenRefusal::Untrusted);
            }
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key.pair.public_key())
                .verify(signed.as_bytes(), &signature)
                .map_err(|_| TokenRefusal::Untrusted)?;
        }
        let claims: Claims =
            serde_json::from_value(payload).map_err(|_| TokenRefusal::Untrusted)?;
        if self.knobs().revoked.contains(&claims.jti) || now.as_second() < claims.nbf {
            return Err(TokenRefusal::Untrusted);
        }
        if now.as_second() >= claims.exp {
            return Err(TokenRefusal::Expired);
        }
        Ok(claims)
    }

    /// A random id of 32 hexadecimal digits, with the dashes of a UUID when `dashed`.
    pub(crate) fn random_id(&self, dashed: bool) -> String {
        let mut bytes = [0_u8; 16];
        // An id that repeats is a nuisance in a journal and nothing worse.
        let _ = self.fill(&mut bytes);
        let id = hex(&bytes);
        if dashed {
            format!(
                "{}-{}-{}-{}-{}",
                &id[..8],
                &id[8..12],
                &id[12..16],
                &id[16..20],
                &id[20..]
            )
        } else {
            id
        }
    }

    fn fill(&self, bytes: &mut [u8]) -> Result<(), Error> {
        self.random
            .fill(bytes)
            .map_err(|_| Error::SigningKey("used: the system gives no random bytes"))
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            // Writing to a String does not fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn tokens() -> Tokens {
        Tokens::with_key(&Tokens::new_key().unwrap()).unwrap()
    }

    fn claims(exp: i64) -> Claims {
        Claims {
            sub: "user@emulator.test".to_owned(),
            iss: "i".to_owned(),
            aud: "a".to_owned(),
            iat: 0,
            nbf: 0,
            exp,
            jti: "j1".to_owned(),
            rest: Map::new(),
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_token_is_good_until_its_last_second_and_as_long_as_asked() {
        let tokens = tokens();
        for size in [0, 1025, 1280, 5000] {
            let token = tokens.sign(claims(100), size).unwrap();
            assert!(
                token.len() >= size && token.len() < size.max(350) + 64,
                "{size}: {}",
                token.len()
            );
            assert_eq!(
                tokens.verify(&token, at(99)).unwrap().sub,
                "user@emulator.test"
            );
            assert_eq!(tokens.verify(&token, at(100)), Err(TokenRefusal::Expired));
        }
    }

    #[test]
    fn what_was_changed_or_signed_by_another_is_untrusted() {
        let (ours, theirs) = (tokens(), tokens());
        let token = ours.sign(claims(100), 0).unwrap();
        assert_eq!(theirs.verify(&token, at(1)), Err(TokenRefusal::Untrusted));
        let parts: Vec<&str> = token.split('.').collect();
        let forged = URL_SAFE_NO_PAD.encode(json!(claims(9_999_999_999)).to_string());
        assert_eq!(
            ours.verify(&format!("{}.{forged}.{}", parts[0], parts[2]), at(1)),
            Err(TokenRefusal::Untrusted)
        );
        let unsigned = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
        assert_eq!(
            ours.verify(&format!("{unsigned}.{}.", parts[1]), at(1)),
            Err(TokenRefusal::Untrusted)
        );
        for text in ["dapi-emulator", "", "a.b.c", "....", &token[..40]] {
            assert_eq!(
                ours.verify(text, at(1)),
                Err(TokenRefusal::NotAJwt),
                "{text}"
            );
        }
    }

    #[test]
    fn revoked_and_not_yet_good_tokens_and_those_of_an_old_key_are_refused() {
        let tokens = tokens();
        let token = tokens.sign(claims(100), 0).unwrap();
        let later = tokens
            .sign(
                Claims {
                    nbf: 50,
                    jti: "j2".to_owned(),
                    ..claims(100)
                },
                0,
            )
            .unwrap();
        assert_eq!(tokens.verify(&later, at(49)), Err(TokenRefusal::Untrusted));
        assert!(tokens.verify(&later, at(50)).is_ok());
        tokens
            .set(&TokenSettings {
                revoke: Some("j1".to_owned()),
                ..TokenSettings::default()
            })
            .unwrap();
        assert_eq!(tokens.verify(&token, at(1)), Err(TokenRefusal::Untrusted));
        tokens.use_key(&Tokens::new_key().unwrap()).unwrap();
        assert_eq!(tokens.verify(&later, at(51)), Err(TokenRefusal::Untrusted));
    }
}
