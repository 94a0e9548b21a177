//! Sending with retries: what API calls and token requests have in common.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use http::HeaderValue;

use crate::clock::{Clock, Deadline};
use crate::code::Code;
use crate::error::{Error, Result};
use crate::http::error_body::tidy;
use crate::http::retry::{Outcome, Retry, backoff, retry_after};
use crate::http::transport::{Request, Response, Transport};
use crate::jitter::Dice;
use crate::secret::Secret;

/// No call takes longer, whatever its caller allows.
const BUDGET: Duration = Duration::from_secs(30);
const ATTEMPT: Duration = Duration::from_secs(10);
/// Below this there is no room for a second attempt, so the first one may have it all.
const SHORT: Duration = Duration::from_secs(2);
/// Less time than this is none: an attempt would only put "no answer in time" in the place of what the one before it said.
const ROOM: Duration = Duration::from_millis(100);

/// A transport with a clock, dice and a name to go by.
#[derive(Clone)]
pub(crate) struct Wire {
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) dice: Arc<dyn Dice>,
    pub(crate) user_agent: HeaderValue,
    /// What must not be shown, even when a server echoes it.
    pub(crate) secrets: Arc<[Secret]>,
    /// The longest an attempt may take, and a call.
    pub(crate) attempt: Option<Duration>,
    pub(crate) budget: Option<Duration>,
    /// The workspace's id, once its host has told it.
    pub(crate) workspace_id: Arc<OnceLock<HeaderValue>>,
    /// What the last attempt failed with, for those who could not wait for the end of all attempts.
    pub(crate) trouble: Arc<ArcSwapOption<Error>>,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire")
            .field("transport", &self.transport)
            .finish_non_exhaustive()
    }
}

impl Wire {
    /// The same, with one secret more that is not to be shown.
    pub(crate) fn hiding(&self, secret: &Secret) -> Wire {
        let secrets = self.secrets.iter().chain([secret]).cloned().collect();
        Wire {
            secrets,
            ..self.clone()
        }
    }

    /// The caller's deadline, or the end of our own budget if that is sooner.
    pub(crate) fn bounded(&self, deadline: Deadline) -> Deadline {
        deadline.within(&*self.clock, self.budget.unwrap_or(BUDGET))
    }

    /// Sends until there is an answer that is worth no other attempt, or no time is left for one.
    pub(crate) async fn exchange(
        &self,
        request: &Request,
        deadline: Deadline,
        retry: Retry,
    ) -> Result<Response> {
        self.exchange_counted(request, deadline, retry).await.0
    }

    /// The same, and how often it was sent.
    pub(crate) async fn exchange_counted(
        &self,
        request: &Request,
        deadline: Deadline,
        retry: Retry,
    ) -> (Result<Response>, u32) {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let sent = self.attempt(request, deadline, retry).await;
            self.trouble
                .store(sent.as_ref().err().cloned().map(Arc::new));
            let (outcome, asked) = match &sent {
                Ok(response) => {
                    let asked = retry_after(&response.headers, self.clock.now().wall_ms);
                    (Outcome::Status(response.status), asked)
                }
                Err(error) => (Outcome::Failed(error.code()), error.retry_after()),
            };
            if !retry.goes_on(attempt, outcome) {
                return (sent, attempt);
            }
            let wait = backoff(attempt, &*self.dice).max(asked.unwrap_or_default());
            // No use to sleep through the caller's whole deadline: the answer in hand says more than a timeout.
            if wait + ROOM >= deadline.left(&*self.clock) {
                return (sent, attempt);
            }
            // The address of a metadata service is a secret itself.
            let asked = tidy(request.url.as_str(), &self.secrets);
            tracing::debug!(%asked, attempt, ?outcome, ?wait, "trying again");
            self.clock.sleep(wait).await;
            // On a busy machine a sleep takes longer than it was asked to.
            if deadline.left(&*self.clock) < ROOM {
                return (sent, attempt);
            }
        }
    }

    async fn attempt(
        &self,
        request: &Request,
        deadline: Deadline,
        retry: Retry,
    ) -> Result<Response> {
        let left = deadline.left(&*self.clock);
        let longest = self.attempt.unwrap_or(ATTEMPT);
        // Half of what is left, so that a connection that hangs leaves time for one that does not.
        let allowed = match retry {
            Retry::Once | Retry::NotTwice => left,
            Retry::WithinDeadline => left.min(longest).min((left / 2).max(SHORT)),
        };
        if allowed.is_zero() {
            return Err(late(request, allowed));
        }
        let sending = self.transport.send(request.clone(), allowed);
        let limit = Deadline::after(&*self.clock, allowed);
        match limit.limit(&*self.clock, sending).await {
            Some(sent) => sent,
            None => Err(late(request, allowed)),
        }
    }
}

fn late(request: &Request, allowed: Duration) -> Error {
    Error::new(
        Code::HttpTimeout,
        format!(
            "{} did not answer within {} ms",
            request.url.host_str().unwrap_or_default(),
            allowed.as_millis()
        ),
    )
    .with_hint("Check the network between here and the workspace, or allow more time")
}
