//! The user's own source of workspace tokens: a JavaScript function.
//!
//! It is asked from a thread of lakekey and answers from JavaScript's, when its promise settles. The function does not
//! keep the process alive: a refresh that nobody waits for must not hold up the end of a program.

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};

use lakekey_ffi::provider::{HostFailure, HostToken, HostTokenProvider};
use napi::Status;
use napi::bindgen_prelude::Function;
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi_derive::napi;

use crate::client::millis;

/// The number that JavaScript gave to what its provider threw.
pub(crate) struct Thrown(pub(crate) u32);

/// One request for a token. The first answer counts.
#[napi]
pub struct Question {
    answer: SyncSender<Result<HostToken, HostFailure>>,
}

#[napi]
impl Question {
    /// The provider's token, and its end in milliseconds since 1970 if that is known.
    #[napi(catch_unwind)]
    pub fn give(&self, token: String, expires_at: Option<f64>) {
        let given = HostToken {
            token,
            expires_at_ms: millis(expires_at),
        };
        // A full or closed channel means that it was answered, or given up, before.
        drop(self.answer.try_send(Ok(given)));
    }

    /// What the provider did instead, without the text of what it threw, which may quote a secret.
    #[napi(catch_unwind)]
    pub fn fail(&self, what: String, thrown: Option<u32>) {
        let failure = HostFailure {
            what,
            thrown: thrown.map(|number| Arc::new(Thrown(number)) as _),
        };
        drop(self.answer.try_send(Err(failure)));
    }
}

type Ask = ThreadsafeFunction<Question, (), Question, Status, false, true>;

/// Asks a JavaScript function.
pub(crate) struct Callback(Ask);

impl Callback {
    pub(crate) fn new(ask: &Function<'_, Question, ()>) -> napi::Result<Callback> {
        let ask = ask
            .build_threadsafe_function::<Question>()
            .callee_handled::<false>()
            .weak::<true>()
            .build()?;
        Ok(Callback(ask))
    }
}

impl HostTokenProvider for Callback {
    fn token(&self) -> Result<HostToken, HostFailure> {
        let (answer, answered) = sync_channel(1);
        self.0
            .call(Question { answer }, ThreadsafeFunctionCallMode::NonBlocking);
        // Without an answer the question was thrown away: by the end of its worker, or by the garbage collector because
        // the provider's promise can never settle.
        answered.recv().unwrap_or_else(|_| {
            Err(HostFailure {
                what: "can give no answer any more: its promise or its worker is gone".to_owned(),
                thrown: None,
            })
        })
    }
}
