//! Calls that take time: begun at once, ended by one call back.

use std::ops::ControlFlow;

use lakekey_ffi::{Call, CancelHandle, Result};
use napi::bindgen_prelude::{Either3, FnArgs, Function, JsValuesTupleIntoVec, Null, ToNapiValue};
use napi::threadsafe_function::ThreadsafeFunctionCallMode;
use napi_derive::napi;

use crate::failure::Failure;

/// What a call ends with: a failure or a value.
pub(crate) type Outcome<T> = FnArgs<(Option<Failure>, Option<T>)>;

/// The JavaScript function that gets it.
pub(crate) type Deliver<'env, T> = Function<'env, Outcome<T>, ()>;

/// A call under way. Whoever waits for the call keeps it: when JavaScript drops it the wait ends, so that a worker that
/// is terminated leaves nothing behind.
#[napi]
pub struct Pending {
    cancel: CancelHandle,
}

#[napi]
impl Pending {
    /// Ends this wait; what others wait for goes on. Harmless after the end.
    #[napi(catch_unwind)]
    pub fn cancel(&self) {
        self.cancel.cancel();
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

/// Begins and returns at once. `deliver(failure, value)` is called once, on the thread that called this. Until then the
/// process stays alive.
///
/// With the facts `at_hand` it is tried here first, and `deliver` may be called before this returns: another thread takes
/// longer to wake up than the answer takes. The result is nothing then.
pub(crate) fn start<T, J>(
    call: Result<Call<T>>,
    at_hand: bool,
    deliver: &Deliver<'_, J>,
) -> napi::Result<Either3<Pending, Failure, Null>>
where
    T: Send + 'static,
    J: From<T> + ToNapiValue + 'static,
    Outcome<J>: JsValuesTupleIntoVec,
{
    let call = match call {
        Ok(call) if at_hand => call.here(),
        Ok(call) => Ok(ControlFlow::Continue(call)),
        Err(error) => Err(error),
    };
    let call = match call {
        Ok(ControlFlow::Continue(call)) => call,
        Ok(ControlFlow::Break(value)) => {
            deliver.call((None, Some(J::from(value))).into())?;
            return Ok(Either3::C(Null));
        }
        Err(error) => return Ok(Either3::B(error.into())),
    };
    let back = deliver
        .build_threadsafe_function::<Outcome<J>>()
        .callee_handled::<false>()
        .build()?;
    let cancel = CancelHandle::new();
    let begun = call.start(&cancel, move |outcome| {
        let outcome = match outcome {
            Ok(value) => (None, Some(J::from(value))),
            Err(error) => (Some(Failure::from(error)), None),
        };
        // Refused when the worker that asked is gone: nobody waits any more.
        back.call(outcome.into(), ThreadsafeFunctionCallMode::NonBlocking);
    });
    Ok(match begun {
        Ok(()) => Either3::A(Pending { cancel }),
        Err(error) => Either3::B(error.into()),
    })
}
