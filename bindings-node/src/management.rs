//! The management API: names and JSON. `lib/management` makes types of it.

use lakekey_ffi::management::Tell;
use napi::bindgen_prelude::{Either3, FnArgs, Function, Null};
use napi::threadsafe_function::ThreadsafeFunctionCallMode;
use napi_derive::napi;

use crate::client::{Client, millis};
use crate::failure::Failure;
use crate::pending::{Deliver, Pending, start};

/// Calls a method with the JSON of its arguments; gives the JSON of its answer.
#[napi(
    catch_unwind,
    ts_args_type = "client: Client, method: string, json: string, timeoutMillis: number | null, deliver: (failure: Failure | null, value: string | null) => void"
)]
pub fn start_call(
    client: &Client,
    method: String,
    json: String,
    timeout_millis: Option<f64>,
    deliver: Deliver<'_, String>,
) -> napi::Result<Either3<Pending, Failure, Null>> {
    let call = client.handle.call(&method, &json, millis(timeout_millis));
    start(call, false, &deliver)
}

/// Waits for an operation; gives the JSON that it ends with. `tell` is called with JSON while it goes on.
#[napi(
    catch_unwind,
    ts_args_type = "client: Client, operation: string, timeoutMillis: number | null, tell: ((json: string) => void) | null, deliver: (failure: Failure | null, value: string | null) => void"
)]
pub fn start_wait(
    client: &Client,
    operation: String,
    timeout_millis: Option<f64>,
    tell: Option<Function<'_, FnArgs<(String,)>, ()>>,
    deliver: Deliver<'_, String>,
) -> napi::Result<Either3<Pending, Failure, Null>> {
    let tell = match tell {
        None => None,
        Some(tell) => {
            let tell = tell
                .build_threadsafe_function::<FnArgs<(String,)>>()
                .callee_handled::<false>()
                .build()?;
            let tell: Tell = Box::new(move |text| {
                let told = (text.to_owned(),).into();
                tell.call(told, ThreadsafeFunctionCallMode::NonBlocking) == napi::Status::Ok
            });
            Some(tell)
        }
    };
    let call = client
        .handle
        .wait_operation(&operation, millis(timeout_millis), tell);
    start(call, false, &deliver)
}
