//! The management API as bindings call it: a method's name and JSON in, JSON out.
//!
//! The typed classes of each language are generated over [`Handle::call`], so a new method of the API is nothing that a
//! binding has to know of. An operation is waited for with [`Handle::wait_operation`], which takes it as the method gave it;
//! a list is read page by page, and with `"prefetch": true` among the arguments the next page is under way meanwhile.

use std::sync::Arc;

use lakekey::Code;
use lakekey::management::{Object, Postgres, Progress, WaitOptions};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::call::Call;
use crate::client::{Handle, positive};
use crate::error::{FfiError, Result};
use crate::guard::guard;

/// Told of an unfinished operation, as JSON: `{"name": ..., "waited_ms": ..., "metadata": ...}`. `false` ends the wait. It is
/// called on one of lakekey's threads and may block for a moment.
pub type Tell = Box<dyn FnMut(&str) -> bool + Send>;

impl Handle {
    /// Calls a method by its name in the API, such as `create_branch`, with its arguments as a JSON object: the path's
    /// parameter, those of the query, and the resource under its own name. Gives the JSON of the answer.
    pub fn call(
        &self,
        method: &str,
        arguments: &str,
        timeout_ms: Option<u64>,
    ) -> Result<Call<String>> {
        let arguments = object("arguments", arguments)?;
        let timeout = timeout_ms.map(|ms| positive("timeout", ms)).transpose()?;
        let patience = timeout.or_else(|| Postgres::patience(method));
        let (method, budget) = (method.to_owned(), patience.unwrap_or(self.timeout()));
        self.work(budget, move |client| async move {
            let answer = client.postgres().call(&method, arguments, timeout).await?;
            Ok(answer.to_string())
        })
    }

    /// Waits for an operation, as a method gave it or as `{"name": ...}`. Gives the JSON that it ends with: the resource, or
    /// `{}`. The operation goes on when the wait is given up.
    pub fn wait_operation(
        &self,
        operation: &str,
        timeout_ms: Option<u64>,
        tell: Option<Tell>,
    ) -> Result<Call<String>> {
        let operation = object("operation", operation)?;
        let timeout = match timeout_ms {
            Some(ms) => positive("timeout", ms)?,
            None => WaitOptions::default().timeout,
        };
        self.work(timeout, move |client| async move {
            let stop = Arc::new(Notify::new());
            let stopped = Arc::clone(&stop);
            let mut options = WaitOptions::timeout(timeout);
            if let Some(tell) = tell {
                options = options.progress(telling(tell, stop));
            }
            let postgres = client.postgres();
            tokio::select! {
                biased;
                () = stopped.notified() => Err(FfiError::new(Code::Cancelled, "the progress callback ended the wait")),
                ended = postgres.wait_operation(operation, options) => Ok(ended?.to_string()),
            }
        })
    }

    /// The names of all methods that [`Handle::call`] knows.
    pub fn methods() -> Vec<&'static str> {
        Postgres::methods().collect()
    }
}

fn telling(mut tell: Tell, stop: Arc<Notify>) -> impl FnMut(&Progress<'_>) + Send {
    move |progress| {
        let waited_ms = u64::try_from(progress.waited.as_millis()).unwrap_or(u64::MAX);
        let text = json!({
            "name": progress.name,
            "waited_ms": waited_ms,
            "metadata": progress.metadata,
        })
        .to_string();
        // The host's own code: it may wait for the host's lock, and what it throws must not end the task.
        let go_on = guard(|| Ok(tokio::task::block_in_place(|| tell(&text))));
        if !go_on.unwrap_or(false) {
            stop.notify_one();
        }
    }
}

fn object(name: &str, text: &str) -> Result<Object> {
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(bad(name, "must be a JSON object")),
        Err(cause) => Err(bad(name, &format!("is no JSON: {cause}"))),
    }
}

fn bad(name: &str, problem: &str) -> FfiError {
    FfiError::new(Code::ApiArgument, format!("argument `{name}` {problem}"))
}
