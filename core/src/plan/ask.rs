//! What the workspace knows of a login that was refused.
//!
//! The front door says the same of a compute that sleeps, one that is disabled and one that is new, and Postgres says
//! the same of a token that has ended and of a role that does not exist. The first of each pair is worth waiting for and the others
//! are not; one request tells them apart. A storm of refused logins asks once.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::Question;
use crate::client::{Client, Door};
use crate::clock::Deadline;
use crate::code::Code;
use crate::credential::store::Sharded;
use crate::endpoint;
use crate::error::{Error, Result};
use crate::http::Retry;
use crate::login::Kind;
use crate::once::{Age, Remembered};

/// How long an answer is waited for: without one the text has to do, and it is due within a second.
pub(super) const PATIENCE: Duration = Duration::from_millis(700);
/// How long an answer is believed.
const AGE: Age = Age::Renew(Duration::from_millis(250));
/// How long after its creation an endpoint counts as new.
const NEW_MS: u64 = 120_000;

/// How old an answer may be that was not renewed.
const BELIEVED_MS: u64 = 1_000;

/// An answer, with the boot time at which it was asked for.
type Timed<T> = (u64, T);

/// Answers, by endpoint and by branch.
#[derive(Default)]
pub(crate) struct Asked {
    endpoints: Sharded<String, Arc<Remembered<Timed<State>>>>,
    roles: Sharded<String, Arc<Remembered<Timed<BTreeSet<String>>>>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Disabled,
    NotReady,
    /// Made at this time of the workspace's clock.
    Made(u64),
}

impl Client {
    /// What kind of trouble it is; without an answer, what the text alone means.
    pub(crate) async fn ask(
        &self,
        question: Question,
        target: Option<&str>,
        ttl: Option<Duration>,
        user: Option<&str>,
        deadline: Deadline,
    ) -> Kind {
        let known = async {
            let door = self.door()?;
            let name = self.route(target, ttl, deadline).await?.endpoint.clone();
            Ok(match (question, user) {
                (Question::Role, Some(user)) => {
                    if self.roles(&door, &name, deadline).await?.1.contains(user) {
                        Kind::StaleToken
                    } else {
                        Kind::RoleMissing
                    }
                }
                (Question::Role, None) => Kind::StaleToken,
                (Question::Endpoint, _) => match self.endpoint_state(&door, &name, deadline).await?
                {
                    State::Disabled => Kind::EndpointDisabled,
                    State::NotReady => Kind::NotPropagated,
                    State::Made(at) if self.is_new(at) => Kind::NotPropagated,
                    State::Made(_) => Kind::EndpointWaking,
                },
            })
        };
        let known: Option<Result<Kind>> = deadline.limit(self.clock(), known).await;
        known.and_then(Result::ok).unwrap_or(match question {
            Question::Endpoint => Kind::EndpointWaking,
            Question::Role => Kind::StaleToken,
        })
    }

    fn is_new(&self, made_ms: u64) -> bool {
        let wall = self.clock().now().wall_ms;
        let now = wall.saturating_add_signed(self.skew_ms().unwrap_or_default());
        now.saturating_sub(made_ms) < NEW_MS
    }

    async fn endpoint_state(
        &self,
        door: &Arc<Door>,
        name: &str,
        deadline: Deadline,
    ) -> Result<State> {
        let known = self
            .asked()
            .endpoints
            .get_or_insert(&name.to_owned(), &Arc::new(Remembered::new(None)));
        let (api, name) = (Arc::clone(&door.api), name.to_owned());
        let asked = self.clock().now().boot_ms;
        let fetch = move |deadline, _| async move {
            let state = match endpoint::get(&api, &name, deadline, Retry::Once).await {
                Ok(found) => State::Made(found.made_ms.unwrap_or_default()),
                Err(error) if error.code() == Code::EndpointDisabled => State::Disabled,
                Err(error) if error.code() == Code::EndpointNotReady => State::NotReady,
                Err(error) => return Err(error),
            };
            Ok((asked, state))
        };
        let found = known.get(self.shared_clock(), AGE, deadline, fetch).await?;
        believed(asked, found.0)?;
        Ok(found.1)
    }

    /// The Postgres roles of the endpoint's branch.
    async fn roles(
        &self,
        door: &Arc<Door>,
        endpoint: &str,
        deadline: Deadline,
    ) -> Result<Arc<Timed<BTreeSet<String>>>> {
        let branch = endpoint
            .split("/endpoints/")
            .next()
            .unwrap_or(endpoint)
            .to_owned();
        let known = self
            .asked()
            .roles
            .get_or_insert(&branch, &Arc::new(Remembered::new(None)));
        let api = Arc::clone(&door.api);
        let asked = self.clock().now().boot_ms;
        let fetch = move |deadline, _| async move {
            let roles = endpoint::list(&api, &branch, "roles", deadline).await?;
            let name = |role: &Value| {
                role.pointer("/status/postgres_role")?
                    .as_str()
                    .map(str::to_owned)
            };
            Ok((asked, roles.iter().filter_map(name).collect()))
        };
        let found = known.get(self.shared_clock(), AGE, deadline, fetch).await?;
        believed(asked, found.0)?;
        Ok(found)
    }
}

/// An answer that could not be renewed is worth nothing: what was disabled yesterday may be enabled today.
fn believed(now: u64, answered: u64) -> Result<()> {
    if now.saturating_sub(answered) > BELIEVED_MS {
        return Err(Error::new(Code::Timeout, "the workspace did not say"));
    }
    Ok(())
}
