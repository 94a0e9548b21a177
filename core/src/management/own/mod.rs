//! Methods of lakekey's own: what people write by hand over the API, once for all languages.
//!
//! They are described in `core/api/own.json` beside the others, so that every language has them, typed, and `call` knows
//! them; what each does is a file here. They have no door of their own: all goes through the methods of the API.

mod branch_for_ci;
mod find_endpoint;
mod login;
mod reset_branch;
mod role;
mod synced_table;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::method::Method;
use super::{Object, Postgres, bad_argument};
use crate::clock::Deadline;
use crate::code::Code;
use crate::error::{Error, Result};

/// Does what a method of this name does. `given` are its arguments, of which names and presence were checked.
pub(super) fn call<'a>(
    postgres: &'a Postgres,
    method: &'static Method,
    given: Option<Value>,
    deadline: Deadline,
) -> Pin<Box<dyn Future<Output = Result<Value>> + Send + 'a>> {
    Box::pin(async move {
        let given = match given {
            Some(Value::Object(given)) => given,
            _ => Object::new(),
        };
        let own = Own { postgres, deadline };
        match method.name {
            "add_role" => own.add_role(&given).await,
            "branch_for_ci" => own.branch_for_ci(&given).await,
            "find_endpoint" => own.find_endpoint(&given).await,
            "reset_branch" => own.reset_branch(&given).await,
            "wait_for_login" => own.wait_for_login(&given).await,
            "wait_synced_table" => own.wait_synced_table(&given).await,
            other => Err(Error::new(
                Code::Internal,
                format!("nobody does what {other} should do"),
            )),
        }
    })
}

/// A method of lakekey's own under way.
struct Own<'a> {
    postgres: &'a Postgres,
    deadline: Deadline,
}

impl Own<'_> {
    fn left(&self) -> Duration {
        self.deadline.left(self.postgres.client().clock())
    }

    /// Calls a method of the API within the time that is left.
    async fn ask(&self, method: &str, arguments: Value) -> Result<Value> {
        self.postgres
            .call(method, as_object(arguments), Some(self.left()))
            .await
    }

    /// Calls a method that begins an operation, and waits for what it ends with.
    async fn done(&self, method: &str, arguments: Value) -> Result<Value> {
        let operation = self.ask(method, arguments).await?;
        let options = super::WaitOptions::timeout(self.left());
        self.postgres
            .wait_operation(as_object(operation), options)
            .await
    }
}

fn as_object(value: Value) -> Object {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

/// An argument of its type; none if it was left out.
fn argument<T: DeserializeOwned>(given: &Object, name: &str) -> Result<Option<T>> {
    match given.get(name) {
        None => Ok(None),
        Some(value) => serde_json::from_value(value.clone())
            .map(Some)
            .map_err(|cause| bad_argument(name, cause)),
    }
}

fn text(given: &Object, name: &str) -> Result<Option<String>> {
    argument(given, name)
}

/// A text inside of an answer; empty where there is none.
fn at<'a>(answer: &'a Value, path: &str) -> &'a str {
    answer
        .pointer(path)
        .and_then(Value::as_str)
        .unwrap_or_default()
}
