//! What stands around every native method: no panic and no JNI error leaves it, all end as a `LakekeyException`.

use jni::objects::JClass;
use jni::{Env, EnvUnowned, Outcome};
use lakekey_ffi::guard::guard;
use lakekey_ffi::{Code, FfiError};

use crate::failure;

/// Why a native method fails.
pub(crate) struct Problem(pub(crate) FfiError);

impl From<FfiError> for Problem {
    fn from(error: FfiError) -> Problem {
        Problem(error)
    }
}

impl From<jni::errors::Error> for Problem {
    fn from(error: jni::errors::Error) -> Problem {
        Problem(FfiError::new(
            Code::Internal,
            format!("the JVM refused a call of lakekey: {error}"),
        ))
    }
}

/// Shorthand for what a native method does.
pub(crate) type Result<T> = std::result::Result<T, Problem>;

/// Runs the body of a native method of `native`. After a failure an exception is pending and the result is not looked at.
pub(crate) fn enter<'local, T: Default>(
    mut env: EnvUnowned<'local>,
    native: &JClass<'local>,
    body: impl FnOnce(&mut Env<'local>) -> Result<T>,
) -> T {
    let outcome = env.with_env(|env| guarded(|| body(env))).into_outcome();
    let problem = match outcome {
        Outcome::Ok(value) => return value,
        Outcome::Err(problem) => problem,
        // Not to be reached: the guard is inside.
        Outcome::Panic(_payload) => {
            Problem(FfiError::new(Code::InternalPanic, "a panic inside lakekey"))
        }
    };
    let raised = env.with_env(|env| guarded(|| failure::raise(env, native, problem.0)));
    // Where even that fails, for want of memory say, what the JVM itself has pending is all there is to tell.
    drop(raised.into_outcome());
    T::default()
}

/// As `guard`, with this crate's error.
pub(crate) fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    guard(|| work().map_err(|problem| problem.0)).map_err(Problem)
}
