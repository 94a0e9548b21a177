//! A call that has not been sent: awaiting it sends it.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::pin::Pin;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::message::{Message, Outcome};
use super::method::Method;
use super::operation::Operation;
use super::{Object, Postgres};
use crate::code::Code;
use crate::error::{Error, Result};

/// A call that has not been sent. Awaiting it sends it; `With` says which options it has.
#[must_use = "a request does nothing until it is awaited"]
pub struct Request<T, With = ()> {
    postgres: Postgres,
    method: &'static Method,
    arguments: Arguments,
    timeout: Option<Duration>,
    gives: PhantomData<fn() -> (T, With)>,
}

impl<T, With> Request<T, With> {
    pub(super) fn new(postgres: &Postgres, method: &'static Method) -> Request<T, With> {
        Request {
            postgres: postgres.clone(),
            method,
            arguments: Arguments::default(),
            timeout: None,
            gives: PhantomData,
        }
    }

    pub(super) fn set(mut self, name: &'static str, value: impl Serialize) -> Self {
        self.arguments.set(name, value);
        self
    }

    /// How long to wait for the answer, in place of the client's own limit.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }
}

impl<T: Given, With> IntoFuture for Request<T, With> {
    type Output = Result<T>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<T>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let Request {
            postgres,
            method,
            arguments,
            timeout,
            ..
        } = self;
        Box::pin(async move {
            let sent = postgres.send(method, arguments.whole()?, timeout).await?;
            T::given(&postgres, method, sent.body)
        })
    }
}

impl<T, With> fmt::Debug for Request<T, With> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.method.name)
    }
}

/// What awaiting a request gives.
pub(super) trait Given: Sized {
    fn given(postgres: &Postgres, method: &'static Method, body: Value) -> Result<Self>;
}

impl<T: Message> Given for T {
    fn given(_: &Postgres, method: &'static Method, body: Value) -> Result<T> {
        read(body, method.name)
    }
}

impl<T: Outcome> Given for Operation<T> {
    fn given(postgres: &Postgres, _: &'static Method, body: Value) -> Result<Operation<T>> {
        Ok(Operation::of(postgres, body))
    }
}

/// Reads what the service said into the message that it should be.
pub(super) fn read<T: Outcome>(body: Value, what: &str) -> Result<T> {
    T::of(body).map_err(|cause| {
        Error::new(
            Code::HttpProtocol,
            format!("the answer to {what} is not what the API says it is: {cause}"),
        )
    })
}

/// Named arguments, of which one may be no JSON.
#[derive(Default)]
pub(super) struct Arguments {
    given: Object,
    bad: Option<Error>,
}

impl Arguments {
    pub(super) fn set(&mut self, name: &'static str, value: impl Serialize) {
        match serde_json::to_value(value) {
            Ok(value) => drop(self.given.insert(name.to_owned(), value)),
            Err(cause) => self.bad = Some(super::bad_argument(name, cause)),
        }
    }

    pub(super) fn whole(self) -> Result<Object> {
        match self.bad {
            Some(bad) => Err(bad),
            None => Ok(self.given),
        }
    }
}
