//! Waiting for what takes longer than a request.
//!
//! An operation goes on in the service whether anybody waits or not. Giving up a wait, by dropping its future or by its
//! time limit, therefore loses nothing: the name is enough to wait again, in another process too.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use serde_json::{Map, Value};

use super::message::Outcome;
use super::polling::interval;
use super::request::read;
use super::send::RESOURCE;
use super::{Object, Postgres};
use crate::clock::Deadline;
use crate::code::Code;
use crate::error::{Error, Result};
use crate::http::{Retry, tidied, tidy};

/// As long as the official SDKs wait where they have a limit.
const DEFAULT_TIMEOUT: Duration = Duration::from_mins(20);
/// The longest that one look may take.
const LOOK: Duration = Duration::from_secs(10);
/// The last look of a wait that is about to end without a result is so long before its end.
const LAST_LOOK: Duration = Duration::from_secs(1);

/// What is told of an unfinished operation.
pub type Tell<'a> = Box<dyn FnMut(&Progress<'_>) + Send + 'a>;

/// How to wait for an operation.
pub struct WaitOptions<'a> {
    /// How long. The operation goes on afterwards.
    pub timeout: Duration,
    /// Told after each look that finds the operation unfinished.
    pub progress: Option<Tell<'a>>,
}

impl Default for WaitOptions<'_> {
    fn default() -> Self {
        WaitOptions {
            timeout: DEFAULT_TIMEOUT,
            progress: None,
        }
    }
}

impl<'a> WaitOptions<'a> {
    /// Waits no longer than this.
    pub fn timeout(timeout: Duration) -> WaitOptions<'a> {
        WaitOptions {
            timeout,
            ..WaitOptions::default()
        }
    }

    /// Tells of each look that finds the operation unfinished.
    #[must_use]
    pub fn progress(mut self, tell: impl FnMut(&Progress<'_>) + Send + 'a) -> WaitOptions<'a> {
        self.progress = Some(Box::new(tell));
        self
    }
}

impl fmt::Debug for WaitOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitOptions")
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// Where an unfinished operation is.
#[derive(Debug)]
#[non_exhaustive]
pub struct Progress<'a> {
    /// The operation's name.
    pub name: &'a str,
    /// How long it has been waited for.
    pub waited: Duration,
    /// What the service says of it.
    pub metadata: Option<&'a Object>,
}

/// An operation of the service that ends with a `T`.
pub struct Operation<T> {
    postgres: Postgres,
    record: Object,
    /// When it was first seen, in boot time.
    seen: u64,
    /// Made from a name, so that nothing is known of its age.
    resumed: bool,
    gives: PhantomData<fn() -> T>,
}

impl Postgres {
    /// An operation that was begun earlier, or elsewhere, by its name. No request is made before it is waited for.
    pub fn operation<T>(&self, name: &str) -> Operation<T> {
        let record = Map::from_iter([("name".to_owned(), name.into())]);
        Operation {
            resumed: true,
            ..Operation::of(self, Value::Object(record))
        }
    }

    /// Waits for an operation as a [`Postgres::call`] gave it, or for `{"name": ...}`; gives the JSON that it ends with.
    ///
    /// # Errors
    /// As [`Operation::wait`].
    pub async fn wait_operation(
        &self,
        operation: Object,
        options: WaitOptions<'_>,
    ) -> Result<Value> {
        let known = |name: &str| {
            operation
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        if known("name").is_empty() && known(RESOURCE).is_empty() {
            return Err(super::bad_argument("operation", "has no name")
                .with_hint("Give an operation as a method gave it, or its name"));
        }
        let resumed = !operation.contains_key("metadata") && !operation.contains_key("done");
        let mut operation: Operation<Raw> = Operation {
            resumed,
            ..Operation::of(self, Value::Object(operation))
        };
        Ok(operation.wait(options).await?.0)
    }
}

/// Whatever an operation ends with.
struct Raw(Value);

impl Outcome for Raw {
    const NOTHING: bool = false;

    fn of(body: Value) -> Result<Raw, serde_json::Error> {
        Ok(Raw(body))
    }
}

impl<T> Operation<T> {
    pub(super) fn of(postgres: &Postgres, body: Value) -> Operation<T> {
        let record = match body {
            Value::Object(record) => record,
            _ => Object::new(),
        };
        Operation {
            seen: postgres.client().clock().now().boot_ms,
            postgres: postgres.clone(),
            record,
            resumed: false,
            gives: PhantomData,
        }
    }

    /// Its name, by which it can be waited for later. Empty if the answer to the request that began it was lost.
    pub fn name(&self) -> &str {
        self.text("name")
    }

    /// The name of the resource that it is about, if that is known.
    pub fn resource(&self) -> Option<&str> {
        let known = Some(self.text(RESOURCE)).filter(|name| !name.is_empty());
        known.or_else(|| {
            let (resource, _) = self.name().split_once("/operations/")?;
            Some(resource)
        })
    }

    /// Whether it has ended, as far as it was looked at.
    pub fn is_done(&self) -> bool {
        self.record.get("done") == Some(&Value::Bool(true)) || self.error().is_some()
    }

    /// What the service says of it.
    pub fn metadata(&self) -> Option<&Object> {
        self.record.get("metadata").and_then(Value::as_object)
    }

    fn error(&self) -> Option<&Object> {
        self.record.get("error").and_then(Value::as_object)
    }

    fn text(&self, name: &str) -> &str {
        self.record
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    fn age(&self) -> Duration {
        let now = self.postgres.client().clock().now().boot_ms;
        Duration::from_millis(now.saturating_sub(self.seen))
    }

    /// Looks once; whether it has ended.
    ///
    /// # Errors
    /// What the service answered. How the operation ended is told by [`Operation::wait`].
    pub async fn refresh(&mut self) -> Result<bool> {
        let deadline = self.postgres.client().deadline(None);
        self.look(deadline, Retry::WithinDeadline).await
    }

    async fn look(&mut self, deadline: Deadline, retry: Retry) -> Result<bool> {
        if self.is_done() {
            return Ok(true);
        }
        if self.name().is_empty() {
            return self.look_at_resource(deadline, retry).await;
        }
        let answer = self.postgres.read(self.name(), deadline, retry).await?;
        if let Value::Object(mut record) = answer.body {
            for kept in ["name", RESOURCE] {
                if let Some(value) = self.record.remove(kept) {
                    record.insert(kept.to_owned(), value);
                }
            }
            self.record = record;
        }
        Ok(self.is_done())
    }

    /// Without an operation's name the resource itself has to say whether it is ready.
    async fn look_at_resource(&mut self, deadline: Deadline, retry: Retry) -> Result<bool> {
        let name = self.text(RESOURCE).to_owned();
        let found = self.postgres.read(&name, deadline, retry).await?.body;
        let status = |field: &str| {
            let state = found.get("status")?.get(field)?;
            state.as_str()
        };
        let settled = status("pending_state").is_none()
            && !matches!(status("current_state"), Some("INIT" | "IMPORTING"));
        if settled {
            self.record.insert("done".to_owned(), true.into());
            self.record.insert("response".to_owned(), found);
        }
        Ok(settled)
    }
}

impl<T: Outcome> Operation<T> {
    /// Waits for its end and gives what it ended with. Dropping the future gives up the wait and not the operation.
    ///
    /// # Errors
    /// [`Code::OperationFailed`] with the service's own code and details; [`Code::Timeout`] naming the operation, which
    /// goes on; and what the service answers for good when it is asked. Failures that pass are waited out.
    pub async fn wait(&mut self, mut options: WaitOptions<'_>) -> Result<T> {
        let client = self.postgres.client().clone();
        let deadline = Deadline::after(client.clock(), options.timeout);
        let mut trouble = None;
        // Nobody has looked for a while, or nothing is known of its age.
        let mut at_once = self.resumed || self.age() > interval(Duration::ZERO);
        let mut last = false;
        let mut next = client.clock().now().boot_ms;
        while !self.is_done() {
            if !at_once {
                let age = Duration::from_millis(next.saturating_sub(self.seen));
                next = next.saturating_add(crate::clock::millis(interval(age)));
                let until_next = next.saturating_sub(client.clock().now().boot_ms);
                let mut pause = asked_wait(trouble.as_ref()).max(Duration::from_millis(until_next));
                let left = deadline.left(client.clock());
                if pause >= left {
                    if last || left <= LAST_LOOK {
                        client.clock().sleep(left).await;
                        return Err(self.late(options.timeout, trouble));
                    }
                    last = true;
                    pause = left.saturating_sub(LAST_LOOK);
                }
                client.clock().sleep(pause).await;
            }
            at_once = false;
            next = client.clock().now().boot_ms;
            let limit = deadline.within(client.clock(), LOOK);
            match self.look(limit, Retry::Once).await {
                Ok(true) => break,
                Ok(false) => {
                    trouble = None;
                    if let Some(tell) = &mut options.progress {
                        tell(&Progress {
                            name: self.name(),
                            waited: self.age(),
                            metadata: self.metadata(),
                        });
                    }
                }
                Err(error)
                    if error.is_retryable()
                        && (error.code() != Code::Timeout
                            || !deadline.left(client.clock()).is_zero()) =>
                {
                    tracing::debug!(operation = %self.name(), %error, "asking after an operation failed");
                    trouble = Some(error);
                }
                Err(error) => {
                    return Err(error.context(format_args!("asking after {}", self.shown())));
                }
            }
        }
        self.end(deadline).await
    }

    async fn end(&self, deadline: Deadline) -> Result<T> {
        if let Some(error) = self.error() {
            return Err(self.failed(error));
        }
        let response = match self.record.get("response") {
            Some(Value::Object(response)) => {
                let mut response = response.clone();
                // It says of an envelope what is in it, and is no part of that.
                response.remove("@type");
                Value::Object(response)
            }
            _ if T::NOTHING => Value::Null,
            // The service has left out what it made, which can still be read.
            _ => match self.resource() {
                Some(name) => {
                    self.postgres
                        .read(name, deadline, Retry::WithinDeadline)
                        .await?
                        .body
                }
                None => {
                    return Err(Error::new(
                        Code::HttpProtocol,
                        format!(
                            "{} has ended, and says neither with what nor why",
                            self.shown()
                        ),
                    ));
                }
            },
        };
        read(response, &self.shown())
    }

    fn failed(&self, error: &Object) -> Error {
        let text = |name: &str| error.get(name).and_then(Value::as_str);
        let code = text("error_code").unwrap_or("UNKNOWN");
        let said = tidy(
            text("message").unwrap_or("the service does not say why"),
            &[],
        );
        let details: Vec<Value> = match error.get("details") {
            Some(Value::Array(details)) => {
                details.iter().map(|one| tidied(one.clone(), &[])).collect()
            }
            _ => Vec::new(),
        };
        Error::new(
            Code::OperationFailed,
            format!("{} failed: {code}: {said}", self.shown()),
        )
        .with_api(Some(tidy(code, &[])), details)
    }

    fn late(&self, waited: Duration, trouble: Option<Error>) -> Error {
        let error = Error::new(
            Code::Timeout,
            format!(
                "{} has not ended within {} s",
                self.shown(),
                waited.as_secs_f64()
            ),
        )
        .with_hint("It goes on in the service: wait for it again by its name, or allow more time");
        match trouble {
            Some(trouble) => error.with_source(trouble),
            None => error,
        }
    }

    fn shown(&self) -> String {
        match (self.name(), self.resource()) {
            ("", Some(resource)) => format!("the operation on {resource}"),
            (name, _) => format!("the operation {name}"),
        }
    }
}

/// How long the last answer asked to be left alone.
fn asked_wait(trouble: Option<&Error>) -> Duration {
    trouble.and_then(Error::retry_after).unwrap_or_default()
}

impl<T> fmt::Debug for Operation<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operation")
            .field("name", &self.name())
            .field("done", &self.is_done())
            .finish_non_exhaustive()
    }
}
