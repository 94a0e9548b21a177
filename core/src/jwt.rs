//! The claims of a JWT, unverified: the tokens are our own, and their claims explain and fill gaps without deciding anything.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

/// The claims, if it is a JWT.
pub(crate) fn claims(token: &str) -> Option<Map<String, Value>> {
    let mut parts = token.split('.');
    let (_, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
    let payload = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&payload).ok()
}

/// A claim that is a moment, in milliseconds since 1970.
pub(crate) fn moment_ms(claims: &Map<String, Value>, name: &str) -> Option<u64> {
    let seconds = std::time::Duration::try_from_secs_f64(claims.get(name)?.as_f64()?).ok()?;
    Some(crate::clock::millis(seconds))
}

/// When the token ends, in milliseconds since 1970, if it is a JWT that says so.
pub(crate) fn expires_at_ms(token: &str) -> Option<u64> {
    moment_ms(&claims(token)?, "exp")
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::expires_at_ms;

    #[test]
    fn only_a_jwt_with_exp_tells() {
        let jwt = |payload: &str| format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(payload));
        assert_eq!(
            expires_at_ms(&jwt(r#"{"exp":1700000000}"#)),
            Some(1_700_000_000_000)
        );
        assert_eq!(expires_at_ms(&jwt(r#"{"exp":-5}"#)), None);
        assert_eq!(expires_at_ms(&jwt("{}")), None);
        for opaque in ["dapi0123", "a.b", "a.b.c", ""] {
            assert_eq!(expires_at_ms(opaque), None);
        }
    }
}
