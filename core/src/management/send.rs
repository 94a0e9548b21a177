//! Sending: what may be sent twice, and what to make of it when it was.
//!
//! A connection that breaks leaves open whether the service has done what it was asked. A request that names its result may
//! be sent again; if the service then says that the thing is there already, or gone already, an earlier attempt did it. A
//! create without an id of the caller's choice is sent once.

use std::time::Duration;

use http::Method as Http;
use serde_json::{Value, json};

use super::argument::{self, Prepared};
use super::method::{Answer as Kind, Method, Verb};
use super::own;
use super::wire::Timestamp;
use super::{Object, Postgres};
use crate::clock::Deadline;
use crate::code::Code;
use crate::error::{Error, Result};
use crate::http::{Answer, Call, Retry};

/// Between two tries of a write that another write on the same project held up.
const BUSY_WAIT: Duration = Duration::from_secs(1);
/// A server's clock tells seconds, and a resource's creation time is not taken at the same place as `Date`.
const CLOCK_SLACK_MS: u64 = 2000;
/// Where an operation's JSON says which resource it is about. The service's own operations do not.
pub(super) const RESOURCE: &str = "resource";

/// What a method gave.
pub(super) struct Sent {
    pub(super) body: Value,
}

impl Postgres {
    pub(super) async fn send(
        &self,
        method: &'static Method,
        arguments: Object,
        timeout: Option<Duration>,
    ) -> Result<Sent> {
        let prepared = argument::prepare(method, arguments)?;
        let deadline = self.client().deadline(timeout.or(method.patience));
        if method.verb == Verb::Own {
            let body = own::call(self, method, prepared.body, deadline).await?;
            return Ok(Sent { body });
        }
        let began = self.client().clock().now().boot_ms;
        let body = loop {
            match self.once(method, &prepared, deadline).await {
                Ok(answer) => break answer.body,
                Err(error) if prepared.repeatable && is_busy(&error) => {
                    let clock = self.client().clock();
                    let wait = error.retry_after().unwrap_or_default().max(BUSY_WAIT);
                    if wait >= deadline.left(clock) {
                        return Err(error);
                    }
                    clock.sleep(wait).await;
                }
                Err(error) => {
                    let Some(done) = self
                        .done_before(method, &prepared, &error, began, deadline)
                        .await
                    else {
                        return Err(error);
                    };
                    break done;
                }
            }
        };
        let body = match (&method.answer, body, prepared.resource) {
            (Kind::Operation, Value::Object(mut operation), Some(name)) => {
                operation.insert(RESOURCE.to_owned(), name.into());
                Value::Object(operation)
            }
            (_, body, _) => body,
        };
        Ok(Sent { body })
    }

    async fn once(
        &self,
        method: &Method,
        prepared: &Prepared,
        deadline: Deadline,
    ) -> Result<Answer> {
        let query: Vec<(&str, &str)> = prepared
            .query
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let call = Call {
            method: match method.verb {
                Verb::Get => Http::GET,
                Verb::Post => Http::POST,
                Verb::Put => Http::PUT,
                Verb::Patch => Http::PATCH,
                Verb::Delete => Http::DELETE,
                Verb::Own => return Err(Error::new(Code::Internal, "a method without a request")),
            },
            path: &prepared.path,
            query: &query,
            body: prepared.body.clone(),
            deadline,
            retry: if prepared.repeatable {
                Retry::WithinDeadline
            } else {
                Retry::NotTwice
            },
        };
        self.client().door()?.api.call(call).await
    }

    /// Reads a resource or an operation by its name.
    pub(super) async fn read(
        &self,
        name: &str,
        deadline: Deadline,
        retry: Retry,
    ) -> Result<Answer> {
        let call = Call {
            method: Http::GET,
            path: &argument::path_of(POSTGRES, name),
            query: &[],
            body: None,
            deadline,
            retry,
        };
        self.client().door()?.api.call(call).await
    }

    /// If an earlier attempt did what the last one was refused: the operation, found again by the resource's name.
    async fn done_before(
        &self,
        method: &Method,
        prepared: &Prepared,
        error: &Error,
        began: u64,
        deadline: Deadline,
    ) -> Option<Value> {
        let name = prepared.resource.as_deref()?;
        if prepared.get_existing && is_there_already(error) {
            return Some(json!({"name": "", "metadata": {}}));
        }
        if error.attempts() < 2 {
            return None;
        }
        if method.verb == Verb::Delete && error.code() == Code::ApiNotFound {
            return Some(json!({"name": "", "done": true, "response": {}}));
        }
        if method.creates.is_none() || !is_there_already(error) {
            return None;
        }
        let found = self
            .read(name, deadline, Retry::WithinDeadline)
            .await
            .ok()?;
        let clock = self.client().clock().now();
        let now = found.date_ms.unwrap_or(clock.wall_ms);
        let first_sent = now.saturating_sub(clock.boot_ms.saturating_sub(began));
        let created = found.body.get("create_time").and_then(Value::as_str);
        let created = Timestamp::from(created?).millis()?;
        if created.saturating_add(CLOCK_SLACK_MS) < first_sent {
            return None;
        }
        tracing::info!(%name, "an answer was lost; found what it would have told of by its name");
        Some(json!({"name": "", "metadata": {}}))
    }
}

/// The base of all names.
pub(super) const POSTGRES: &str = "/api/2.0/postgres";

/// Another write on the project is under way, which the service tells by words alone.
fn is_busy(error: &Error) -> bool {
    let text = error.message();
    error.code() == Code::ApiConflict
        && (text.contains("conflicting operations") || text.contains("reconciliation"))
}

/// Roles and databases that exist are refused with another code than everything else that exists.
pub(super) fn is_there_already(error: &Error) -> bool {
    matches!(
        error.api_code(),
        Some("ALREADY_EXISTS" | "RESOURCE_ALREADY_EXISTS")
    ) || error.message().contains("already exists")
}
