//! Minting: one request, one answer, one [`Credential`].
//!
//! Only what this file makes is ever a Postgres password. A workspace token has another type, lives in another cache
//! and has no way in here.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::policy::{Phase, Stamps, Validity};
use super::store::SlotKey;
use crate::clock::{BoxFuture, Clock, Deadline, Moment};
use crate::code::Code;
use crate::error::{Error, Result};
use crate::http::{Api, Call, Retry};
use crate::jitter::Dice;
use crate::jwt;
use crate::secret::Secret;
use crate::shared::{Exchange, Kept};
use crate::skew::Skew;

const PATH: &str = "/api/2.0/postgres/credentials";

/// A database credential: the password of a Postgres login for as long as it is valid.
pub struct Credential {
    token: Secret,
    endpoint: String,
    subject: Option<String>,
    validity: Validity,
    taken: bool,
}

impl Credential {
    /// The token. It goes into a Postgres password and nowhere else.
    pub fn token(&self) -> &Secret {
        &self.token
    }

    /// Resource name of the endpoint that it was minted for.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The identity in the token (`sub`), if it is a readable JWT.
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// When it was asked for, in milliseconds since 1970 of this machine's clock.
    pub fn issued_at_ms(&self) -> u64 {
        self.validity.issued.wall_ms
    }

    /// When it ends, in milliseconds since 1970 of this machine's clock. Logins need it; sessions outlive it.
    pub fn expires_at_ms(&self) -> u64 {
        self.validity.end.wall_ms
    }

    /// All its times.
    pub fn validity(&self) -> &Validity {
        &self.validity
    }

    pub(crate) fn phase(&self, now: Moment) -> Phase {
        self.validity.phase(now)
    }

    /// One that another process of this user minted for the same key.
    pub(crate) fn of_neighbour(endpoint: &str, kept: Kept) -> Credential {
        let claims = jwt::claims(kept.token.expose());
        Credential {
            endpoint: endpoint.to_owned(),
            subject: subject(claims.as_ref()),
            token: kept.token,
            validity: kept.validity,
            taken: true,
        }
    }

    /// Whether another process minted it. To whoever gets it, it is as old as one from the cache.
    pub(crate) fn is_taken(&self) -> bool {
        self.taken
    }

    /// What its neighbours get of it. `refused_ms`: when the token was refused that it replaces.
    pub(crate) fn for_neighbours(&self, refused_ms: Option<u64>) -> Kept {
        Kept {
            token: self.token.clone(),
            validity: self.validity,
            refused_ms,
        }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("token", &self.token)
            .field("endpoint", &self.endpoint)
            .field("subject", &self.subject)
            .field("expires_at_ms", &self.expires_at_ms())
            .finish_non_exhaustive()
    }
}

/// Makes one attempt to mint. The rotation machine decides when, how often and for whom.
pub(crate) trait Mint: Send + Sync + 'static {
    fn mint<'a>(&'a self, key: &'a SlotKey, timeout: Duration)
    -> BoxFuture<'a, Result<Credential>>;

    /// Where other processes may have a credential already, and get this one's.
    fn exchange(&self) -> Option<&Arc<Exchange>> {
        None
    }
}

/// Mints over the API.
pub(crate) struct ApiMint {
    pub(crate) api: Arc<Api>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) dice: Arc<dyn Dice>,
    pub(crate) skew: Arc<Skew>,
    pub(crate) exchange: Option<Arc<Exchange>>,
}

impl Mint for ApiMint {
    fn exchange(&self) -> Option<&Arc<Exchange>> {
        self.exchange.as_ref()
    }

    fn mint<'a>(
        &'a self,
        key: &'a SlotKey,
        timeout: Duration,
    ) -> BoxFuture<'a, Result<Credential>> {
        Box::pin(async move {
            let mut body = json!({ "endpoint": key.endpoint });
            if let Some(ttl) = key.ttl {
                body["ttl"] = Value::String(format!("{}s", ttl.as_secs()));
            }
            let sent = self.clock.now();
            let answer = self
                .api
                .call(Call {
                    method: http::Method::POST,
                    path: PATH,
                    query: &[],
                    body: Some(body),
                    deadline: Deadline::after(&*self.clock, timeout),
                    retry: Retry::Once,
                })
                .await
                .map_err(|error| {
                    let who = self.api.identity();
                    let who = who.map_or_else(String::new, |who| format!(" as {who}"));
                    error.context(format_args!(
                        "minting a database credential for {}{who}",
                        key.endpoint
                    ))
                })?;
            let received = self.clock.now();
            if let Some(date_ms) = answer.date_ms {
                self.skew.learn(date_ms, sent, received);
            }
            // A proxy may have taken the stamp away; an earlier answer's still says what the time is there.
            let date_ms = answer.date_ms.or_else(|| self.skew.server_ms(received));
            read(key, &answer.body, date_ms, sent, received, self.dice.unit())
        })
    }
}

fn read(
    key: &SlotKey,
    body: &Value,
    date_ms: Option<u64>,
    sent: Moment,
    received: Moment,
    unit: f64,
) -> Result<Credential> {
    let Some(token) = body
        .get("token")
        .and_then(Value::as_str)
        .filter(|token| !token.is_empty())
    else {
        return Err(Error::new(
            Code::CredentialInvalid,
            format!("the answer to minting a database credential for {} holds no token", key.endpoint),
        )
        .with_hint("Something between this machine and the workspace may be answering in its place, such as a proxy"));
    };
    let claims = jwt::claims(token);
    let moment = |name| {
        claims
            .as_ref()
            .and_then(|claims| jwt::moment_ms(claims, name))
    };
    let stamps = Stamps {
        expire_time: body.get("expire_time").and_then(Value::as_str),
        date_ms,
        jwt_lifetime: moment("exp")
            .zip(moment("iat"))
            .and_then(|(exp, iat)| exp.checked_sub(iat))
            .map(Duration::from_millis),
        requested_ttl: key.ttl,
    };
    let validity = Validity::from_answer(stamps, sent, received, unit)?;
    tracing::debug!(
        endpoint = %key.endpoint,
        lifetime_ms = validity.lifetime_ms,
        took_ms = received.boot_ms.saturating_sub(sent.boot_ms),
        "minted a database credential"
    );
    Ok(Credential {
        token: Secret::new(token),
        endpoint: key.endpoint.clone(),
        subject: subject(claims.as_ref()),
        validity,
        taken: false,
    })
}

fn subject(claims: Option<&Map<String, Value>>) -> Option<String> {
    claims?.get("sub")?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    fn key() -> SlotKey {
        SlotKey {
            host: "https://h".into(),
            principal: "p".into(),
            endpoint: "projects/p/branches/b/endpoints/e".into(),
            claims: None,
            ttl: None,
        }
    }

    fn read_body(body: &Value) -> Result<Credential> {
        let now = Moment {
            boot_ms: 5_000,
            wall_ms: 1_800_000_000_000,
        };
        read(&key(), body, None, now, now, 0.0)
    }

    #[test]
    fn an_answer_without_a_token_is_no_credential() {
        for body in [
            json!({}),
            json!({ "token": "" }),
            json!({ "token": 7 }),
            json!(null),
            json!([]),
        ] {
            assert_eq!(
                read_body(&body).unwrap_err().code(),
                Code::CredentialInvalid,
                "{body}"
            );
        }
    }

    #[test]
    fn the_claims_of_the_token_fill_a_missing_expiry() {
        let payload = URL_SAFE_NO_PAD.encode(r#"{"sub":"ann@example.com","iat":100,"exp":700}"#);
        let credential = read_body(&json!({ "token": format!("h.{payload}.s") })).unwrap();
        assert_eq!(credential.subject(), Some("ann@example.com"));
        assert_eq!(credential.validity().lifetime_ms, 600_000);
        assert!(
            !format!("{credential:?}").contains(&payload),
            "the token is not printed"
        );
    }
}
