//! Workspace tokens from the host program.
//!
//! A notebook's own token source, an SDK client or a user's forwarded token arrive as a callback in the host's
//! language. It may hang, throw, panic or return nonsense, and it may call lakekey again. So it runs on a thread of its
//! own with no lock held, has a time limit, and its answer is looked at before it is used.

use std::any::Any;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lakekey::auth::{ProvidedToken, TokenProvider};
use lakekey::clock::BoxFuture;
use lakekey::{Code, Secret};

use crate::error::FfiError;
use crate::guard::guard;

/// A workspace token is far shorter; a longer text is something else.
const LONGEST_TOKEN: usize = 64 * 1024;
/// Longer than anybody waits for a callback that answers later; then lakekey's own thread is let go.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// What the callback returned.
#[derive(Clone)]
pub struct HostToken {
    /// The token.
    pub token: String,
    /// Its end in milliseconds since 1970, if known.
    pub expires_at_ms: Option<u64>,
}

impl fmt::Debug for HostToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostToken")
            .field("token", &"***")
            .field("expires_at_ms", &self.expires_at_ms)
            .finish()
    }
}

/// Why the callback gave no token.
#[derive(Clone)]
pub struct HostFailure {
    /// What happened, without the thrown thing's own text, which may quote a secret: `raised ValueError`.
    pub what: String,
    /// The thrown thing itself, for the binding that made it.
    pub thrown: Option<Arc<dyn Any + Send + Sync>>,
}

impl fmt::Display for HostFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl fmt::Debug for HostFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HostFailure").field(&self.what).finish()
    }
}

impl StdError for HostFailure {}

/// The host's callback.
pub trait HostTokenProvider: Send + Sync + 'static {
    /// Gives a token that is valid now. Called on a thread that may block, with no lock held.
    fn token(&self) -> Result<HostToken, HostFailure>;
}

/// Where a callback that answers later, from a thread of the host's, puts its answer.
#[derive(Debug)]
pub struct Reply(Sender<Result<HostToken, HostFailure>>);

impl Reply {
    /// Answers. Nobody may be waiting any more.
    pub fn give(self, answer: Result<HostToken, HostFailure>) {
        let _ = self.0.send(answer);
    }
}

/// Starts a callback that answers later and waits for it. A reply that is dropped ends the wait.
pub fn answered(
    start: impl FnOnce(Reply) -> Result<(), HostFailure>,
) -> Result<HostToken, HostFailure> {
    let (reply, answer) = channel();
    start(Reply(reply))?;
    answer.recv_timeout(LONGEST_WAIT).unwrap_or_else(|why| {
        let what = match why {
            RecvTimeoutError::Timeout => "gave no answer in time",
            RecvTimeoutError::Disconnected => "ended without an answer",
        };
        Err(HostFailure {
            what: what.to_owned(),
            thrown: None,
        })
    })
}

/// The callback as the core sees it: limited in time, guarded, its answer validated.
pub(crate) struct Guarded {
    provider: Arc<dyn HostTokenProvider>,
    limit: Duration,
    name: String,
}

impl Guarded {
    pub(crate) fn new(provider: Arc<dyn HostTokenProvider>, limit: Duration) -> Guarded {
        // Whose tokens they are cannot be known before one came, so each callback counts as an identity of its own.
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let name = format!("callback-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        Guarded {
            provider,
            limit,
            name,
        }
    }

    async fn ask(&self) -> lakekey::Result<ProvidedToken> {
        let provider = Arc::clone(&self.provider);
        let asked = tokio::task::spawn_blocking(move || {
            let mut answer = None;
            let panicked = guard(|| {
                answer = Some(provider.token());
                Ok(())
            });
            answer.ok_or_else(|| panicked.err())
        });
        match tokio::time::timeout(self.limit, asked).await {
            Err(_) => Err(failed(format!(
                "the token_provider gave no answer within {} ms",
                self.limit.as_millis()
            ))),
            Ok(Err(_gone)) => Err(failed("the token_provider's thread ended early".to_owned())),
            Ok(Ok(Err(panic))) => Err(failed(format!(
                "the token_provider panicked: {}",
                panic.map_or_else(String::new, |error: FfiError| error.into_facts().message)
            ))),
            Ok(Ok(Ok(Err(failure)))) => {
                Err(failed(format!("the token_provider {failure}")).with_source(failure))
            }
            Ok(Ok(Ok(Ok(given)))) => {
                let validated = validate(&given);
                // Taken over, to be wiped.
                drop(Secret::new(given.token));
                validated
            }
        }
    }
}

impl TokenProvider for Guarded {
    fn token(&self) -> BoxFuture<'_, lakekey::Result<ProvidedToken>> {
        Box::pin(self.ask())
    }

    fn fingerprint(&self) -> String {
        self.name.clone()
    }
}

fn failed(message: String) -> lakekey::Error {
    lakekey::Error::new(Code::AuthCallback, message)
}

fn validate(given: &HostToken) -> lakekey::Result<ProvidedToken> {
    let text = given.token.trim();
    let problem = if text.is_empty() {
        Some("an empty token".to_owned())
    } else if text.len() > LONGEST_TOKEN {
        Some(format!("a token of {} bytes", text.len()))
    } else if text.bytes().any(|byte| !byte.is_ascii_graphic()) {
        Some("a token with blanks or control characters".to_owned())
    } else if given.expires_at_ms.is_some_and(|end| end <= wall_ms()) {
        Some("a token that has already expired".to_owned())
    } else {
        None
    };
    match problem {
        Some(problem) => Err(failed(format!("the token_provider returned {problem}"))
            .with_hint("It has to give a workspace token as text, or one together with the time at which it ends")),
        None => Ok(ProvidedToken {
            token: Secret::new(text),
            expires_at_ms: given.expires_at_ms,
        }),
    }
}

fn wall_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| {
            u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
        })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Mutex;
    use std::sync::mpsc::Receiver;

    use super::*;
    use crate::call::Call;
    use crate::cancel::CancelHandle;
    use crate::error::Result as FfiResult;
    use crate::runtime::process;

    struct Callback<F>(F);

    impl<F> HostTokenProvider for Callback<F>
    where
        F: Fn() -> Result<HostToken, HostFailure> + Send + Sync + 'static,
    {
        fn token(&self) -> Result<HostToken, HostFailure> {
            (self.0)()
        }
    }

    fn ask(
        limit: Duration,
        callback: impl Fn() -> Result<HostToken, HostFailure> + Send + Sync + 'static,
    ) -> FfiResult<String> {
        let guarded = Guarded::new(Arc::new(Callback(callback)), limit);
        Call::new(process(), Duration::from_secs(30), async move {
            Ok(guarded
                .token()
                .await
                .map(|given| given.token.expose().to_owned())?)
        })
        .wait(&CancelHandle::new(), &mut || false)
    }

    fn given(token: &str, expires_at_ms: Option<u64>) -> HostToken {
        HostToken {
            token: token.to_owned(),
            expires_at_ms,
        }
    }

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn a_token_is_taken_and_nonsense_is_named_but_not_quoted() {
        assert_eq!(ask(LONG, || Ok(given("dapi1\n", None))).unwrap(), "dapi1");
        for (token, end, said) in [
            ("", None, "an empty token"),
            ("plan ted", None, "blanks or control"),
            ("planted\0", None, "blanks or control"),
            ("planted", Some(1), "already expired"),
        ] {
            let error = ask(LONG, move || Ok(given(token, end))).unwrap_err();
            assert_eq!(error.slug, "AUTH_CALLBACK");
            assert!(error.message.contains(said), "{error:?}");
            assert!(!format!("{error:?}").contains("planted"), "{error:?}");
        }
    }

    #[test]
    fn what_the_host_threw_comes_back_to_it() {
        let error = ask(LONG, || {
            Err(HostFailure {
                what: "raised ValueError".to_owned(),
                thrown: Some(Arc::new(7_i32)),
            })
        })
        .unwrap_err();
        assert_eq!(error.message, "the token_provider raised ValueError");
        let thrown = error.into_facts().host_cause.unwrap();
        assert_eq!(thrown.downcast_ref::<i32>(), Some(&7));
    }

    #[test]
    fn a_panic_or_a_hang_is_an_error_within_the_limit() {
        let error = ask(LONG, || panic!("oh")).unwrap_err();
        assert_eq!(error.slug, "AUTH_CALLBACK");
        let (release, held): (Sender<()>, Receiver<()>) = channel();
        let held = Mutex::new(held);
        let error = ask(Duration::from_millis(20), move || {
            let _ = held.lock().map(|held| held.recv());
            Ok(given("late", None))
        })
        .unwrap_err();
        drop(release);
        assert!(error.message.contains("within 20 ms"), "{error:?}");
    }
}
