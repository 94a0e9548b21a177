//! Clients of an app's users: each on the token that the platform forwarded with that user's request.
//!
//! Such a client is the user and nobody else. It has credentials of its own, knows no other identity to fall back on, and
//! ends with its token, because nobody here can renew it. Without the bound an app with many visitors would keep them
//! all for ever.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};

use crate::client::{Client, ClientOptions};
use crate::code::Code;
use crate::config::{self, Settings};
use crate::credential::Store;
use crate::credential::sync::lock;
use crate::error::{Error, Result};
use crate::http::ReqwestTransport;
use crate::http::transport::Transport;
use crate::jwt;
use crate::secret::Secret;
use crate::shared::SharedCredentials;

/// Users at once; the one who was away longest makes room for the next.
const MOST: usize = 1000;
/// What a user's client takes over from the app's: where the workspace is, and nothing of who the app is.
const SHARED: [&str; 6] = [
    "host",
    "workspace_id",
    "account_id",
    "ca_file",
    "http_timeout_seconds",
    "retry_timeout_seconds",
];

/// The users of one client.
#[derive(Default)]
pub(crate) struct Users {
    kept: Mutex<Kept>,
    /// One for all of them: a thousand would read the system's certificates a thousand times.
    transport: OnceLock<Arc<dyn Transport>>,
}

#[derive(Default)]
struct Kept {
    by_token: HashMap<String, User>,
    /// Counts the calls, which orders them.
    calls: u64,
}

struct User {
    token: Secret,
    client: Client,
    last_call: u64,
}

impl Client {
    /// A client that is the user of this token, such as the one in an app's `X-Forwarded-Access-Token` header.
    ///
    /// The same token gives the same client for as long as it is one of the 1000 used last. It ends with the token:
    /// later calls fail with [`Code::AuthDenied`].
    ///
    /// # Errors
    /// [`Code::AuthDenied`] for a token that has ended, [`Code::ConfigInvalid`] for a text that is no token, and what
    /// resolving the workspace's host may fail with.
    pub fn as_user(&self, token: &Secret) -> Result<Client> {
        let text = token.expose();
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Error::new(
                Code::ConfigInvalid,
                "as_user: the user's token is empty, or holds characters that no token has",
            )
            .with_hint(
                "Give the value of the header X-Forwarded-Access-Token, without `Bearer `",
            ));
        }
        self.check_open()?;
        let now = self.clock().now().wall_ms;
        let ends = jwt::expires_at_ms(text);
        if ends.is_some_and(|ends| ends <= now) {
            return Err(over());
        }
        let key = token.fingerprint();
        let mut kept = lock(&self.0.users.kept);
        kept.calls += 1;
        let call = kept.calls;
        if let Some(user) = kept.by_token.get_mut(&key)
            && user.token.matches(text)
        {
            user.last_call = call;
            return Ok(user.client.clone());
        }
        let client = Client::of_user(self.user_options(token)?, ends)?;
        kept.by_token
            .retain(|_, user| user.client.check_open().is_ok());
        while kept.by_token.len() >= MOST {
            let oldest = kept
                .by_token
                .iter()
                .min_by_key(|(_, user)| user.last_call)
                .map(|(key, _)| key.clone());
            match oldest {
                Some(oldest) => kept.by_token.remove(&oldest),
                None => break,
            };
        }
        kept.by_token.insert(
            key,
            User {
                token: token.clone(),
                client: client.clone(),
                last_call: call,
            },
        );
        Ok(client)
    }

    fn user_options(&self, token: &Secret) -> Result<ClientOptions> {
        let options = &self.0.options;
        let environment = Arc::new(options.environment.clone());
        let resolved = config::resolve(&options.settings, &environment)?;
        let transport = match (&options.transport, self.0.users.transport.get()) {
            (Some(transport), _) | (None, Some(transport)) => Arc::clone(transport),
            (None, None) => {
                let transport: Arc<dyn Transport> = Arc::new(ReqwestTransport::new(&resolved)?);
                Arc::clone(self.0.users.transport.get_or_init(|| transport))
            }
        };
        let mut settings = Settings::new()
            .with("auth_type", "pat")
            .with("token", token.clone());
        for name in SHARED {
            if let Some(value) = resolved.secret(name) {
                settings.set(name, value.clone());
            }
        }
        let environment = options
            .environment
            .without_attributes(config::ATTRIBUTES.iter().flat_map(|row| row.env));
        let store = &options.store;
        Ok(ClientOptions {
            settings,
            environment,
            token_provider: None,
            transport: Some(transport),
            // What is a visitor's is never written down.
            shared_credentials: Some(SharedCredentials::Off),
            // Its own, so that its credentials go when it goes.
            store: Store::new(Arc::clone(store.clock()), Arc::clone(store.dice())),
            ..options.clone()
        })
    }
}

/// What a client says whose token has ended.
pub(crate) fn over() -> Error {
    Error::new(Code::AuthDenied, "the user's token has ended")
        .with_hint("Call as_user with the token of the user's current request")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;
    use std::time::Duration;

    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::MOST;
    use crate::clock::{Clock, ManualClock};
    use crate::code::Code;
    use crate::config::{Environment, Settings};
    use crate::credential::Store;
    use crate::http::scripted::{Scripted, drive, ok, status};
    use crate::jitter::FixedDice;
    use crate::{Client, ClientOptions, CredentialRequest, Secret};

    const NOW: u64 = 1_700_000_000_000;
    const TARGET: &str = "projects/p/branches/b/endpoints/e";

    fn app(clock: &ManualClock, wire: &Arc<Scripted>) -> Client {
        let environment = Environment::from_pairs([
            ("DATABRICKS_HOST", "w"),
            ("DATABRICKS_CLIENT_ID", "app"),
            ("DATABRICKS_CLIENT_SECRET", "planted-app"),
            ("DATABRICKS_WORKSPACE_ID", "42"),
        ]);
        Client::new(ClientOptions {
            settings: Settings::new(),
            environment,
            target: Some(TARGET.to_owned()),
            transport: Some(Arc::clone(wire) as _),
            store: Store::new(Arc::new(clock.clone()), Arc::new(FixedDice(0.5))),
            ..ClientOptions::default()
        })
        .unwrap()
    }

    fn user(name: &str, lives_s: u64) -> Secret {
        let claims = format!(r#"{{"sub":"{name}","exp":{}}}"#, NOW / 1000 + lives_s);
        Secret::new(format!("e30.{}.planted", URL_SAFE_NO_PAD.encode(claims)))
    }

    /// Mints a credential named by whoever asked.
    fn workspace() -> Arc<Scripted> {
        Scripted::new(|request| {
            let header = request.headers.get("authorization").unwrap();
            let who = &header.to_str().unwrap()["Bearer ".len()..];
            let payload = who.split('.').nth(1).unwrap_or_default();
            let claims = URL_SAFE_NO_PAD.decode(payload).unwrap_or_default();
            let claims = String::from_utf8(claims).unwrap();
            if claims.contains("stranger") {
                return status(403);
            }
            ok(format!(
                r#"{{"token":"for-{payload}","expire_time":"2023-11-14T23:13:20Z"}}"#
            ))
        })
    }

    async fn token(client: &Client, clock: &ManualClock) -> crate::Result<String> {
        let request = CredentialRequest::default();
        let lease = drive(clock, client.credential(&request)).await?;
        Ok(lease.credential.token().expose().to_owned())
    }

    #[tokio::test]
    async fn each_user_has_credentials_of_their_own_and_the_app_is_never_asked() {
        let (clock, wire) = (ManualClock::at(NOW), workspace());
        let app = app(&clock, &wire);
        let (one, two) = (user("one", 3600), user("two", 3600));
        let first = token(&app.as_user(&one).unwrap(), &clock).await.unwrap();
        let second = token(&app.as_user(&two).unwrap(), &clock).await.unwrap();
        assert_ne!(first, second);
        let again = token(&app.as_user(&one).unwrap(), &clock).await.unwrap();
        assert_eq!(first, again);
        assert_eq!(wire.seen().len(), 2, "the same user's is kept");
        for request in wire.seen() {
            assert_eq!(
                request.headers.get("x-databricks-workspace-id").unwrap(),
                "42"
            );
        }

        let refused = app.as_user(&user("stranger", 3600)).unwrap();
        let error = token(&refused, &clock).await.unwrap_err();
        assert_eq!(error.code(), Code::ApiPermissionDenied, "{error}");
        let asked = wire.asked();
        assert!(
            asked.iter().all(|asked| !asked.contains("/oidc/")),
            "{asked:?}"
        );
        assert!(!format!("{error} {error:?} {refused:?} {app:?}").contains("planted"));
    }

    #[tokio::test]
    async fn a_users_client_ends_with_the_users_token() {
        let (clock, wire) = (ManualClock::at(NOW), workspace());
        let app = app(&clock, &wire);
        let token_of_one = user("one", 600);
        let client = app.as_user(&token_of_one).unwrap();
        token(&client, &clock).await.unwrap();
        assert!(client.peek(None).is_some());
        clock.advance(Duration::from_mins(10));
        assert!(client.peek(None).is_none());
        assert_eq!(
            token(&client, &clock).await.unwrap_err().code(),
            Code::AuthDenied
        );
        let error = app.as_user(&token_of_one).unwrap_err();
        assert_eq!(error.code(), Code::AuthDenied);
        assert!(error.hint().unwrap().contains("current request"));
        assert!(clock.now().wall_ms > NOW);
    }

    #[test]
    fn there_are_never_more_than_a_thousand_and_the_longest_away_goes_first() {
        let (clock, wire) = (ManualClock::at(NOW), workspace());
        let app = app(&clock, &wire);
        let first = app.as_user(&user("first", 3600)).unwrap();
        for index in 0..MOST + 10 {
            app.as_user(&user("first", 3600)).unwrap();
            app.as_user(&user(&index.to_string(), 3600)).unwrap();
        }
        let kept = app.0.users.kept.lock().unwrap();
        assert_eq!(kept.by_token.len(), MOST);
        drop(kept);
        let same = app.as_user(&user("first", 3600)).unwrap();
        assert!(Arc::ptr_eq(&first.0, &same.0), "who calls often stays");
    }

    #[test]
    fn a_text_that_is_no_token_is_refused() {
        let (clock, wire) = (ManualClock::at(NOW), workspace());
        let app = app(&clock, &wire);
        for text in ["", "Bearer planted", "planted\n"] {
            let error = app.as_user(&Secret::new(text)).unwrap_err();
            assert_eq!(error.code(), Code::ConfigInvalid);
            assert!(!format!("{error} {error:?}").contains("planted"));
        }
        app.close();
        assert_eq!(
            app.as_user(&user("one", 60)).unwrap_err().code(),
            Code::Closed
        );
    }
}
