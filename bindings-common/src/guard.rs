//! Panics end here.
//!
//! A panic that leaves a foreign function aborts the host process, or reaches Python as an exception that `except
//! Exception` does not catch. Bindings run what they export inside [`guard`], and [`crate::call`] does it for all
//! that waits. It needs `panic = "unwind"`, which the workspace's profiles set.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use lakekey::Code;

use crate::error::{FfiError, Result};

/// Runs `work`; a panic becomes an error.
pub fn guard<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    // Whatever a panic may have left half done is discarded: the client that saw it is rebuilt (`client::Handle`).
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| Err(from_panic(payload)))
}

/// Runs `work` to its end; a panic becomes an error.
pub async fn guard_async<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let mut work = pin!(work);
    poll_fn(|context| {
        catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context)))
            .unwrap_or_else(|payload| Poll::Ready(Err(from_panic(payload))))
    })
    .await
}

fn from_panic(payload: Box<dyn Any + Send>) -> FfiError {
    let said = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned());
    // A payload may panic again while it is dropped, and that payload too: the last one is leaked.
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        let _leaked = Box::leak(second);
    }
    FfiError::new(
        Code::InternalPanic,
        format!("a panic inside lakekey: {said}"),
    )
    .with_hint("This is a defect of lakekey; please report it with this message")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    struct PanicsWhenDropped;

    impl Drop for PanicsWhenDropped {
        fn drop(&mut self) {
            panic!("again");
        }
    }

    #[test]
    fn a_panic_is_an_error_with_its_message() {
        let error = guard::<()>(|| panic!("number {}", 7)).unwrap_err();
        assert_eq!((error.slug, error.code), ("INTERNAL_PANIC", 1991));
        assert!(error.message.contains("number 7"), "{}", error.message);
    }

    #[test]
    fn a_payload_that_panics_when_dropped_is_an_error_too() {
        let error = guard::<()>(|| std::panic::panic_any(PanicsWhenDropped)).unwrap_err();
        assert_eq!(error.slug, "INTERNAL_PANIC");
    }

    #[test]
    fn without_a_panic_the_result_passes() {
        assert_eq!(guard(|| Ok(7)).unwrap(), 7);
        let error = FfiError::new(Code::Closed, "closed");
        assert_eq!(guard::<()>(|| Err(error)).unwrap_err().slug, "CLOSED");
    }
}
