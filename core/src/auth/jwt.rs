//! When a token ends, if it is a JWT. Nothing is verified: the token is our own, the question is when to fetch another.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

#[derive(Deserialize)]
struct Claims {
    exp: Option<f64>,
}

/// The claim `exp` in milliseconds since 1970.
pub(crate) fn expires_at_ms(token: &str) -> Option<u64> {
    let mut parts = token.split('.');
    let (_, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
    let payload = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    let claims: Claims = serde_json::from_slice(&payload).ok()?;
    let span = std::time::Duration::try_from_secs_f64(claims.exp?).ok()?;
    Some(crate::clock::millis(span))
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
