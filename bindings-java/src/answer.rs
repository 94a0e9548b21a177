//! Calls that may take time: begun at once, answered once.
//!
//! The answer is a Java object with a method for each outcome. It is called on the caller's own thread where all facts are
//! at hand, else from one of lakekey's threads, which is attached to the JVM for that moment and no longer: an attached
//! thread would keep a program from ending and a class loader from being unloaded.

use std::ops::ControlFlow;

use jni::objects::{JObject, JValue};
use jni::refs::Global;
use jni::sys::jlong;
use jni::{Env, JavaVM, jni_mangle, jni_sig, jni_str};
use jni::{EnvUnowned, objects::JClass};
use lakekey_ffi::slab::Slab;
use lakekey_ffi::{Call, CancelHandle};

use crate::entry::{Result, enter, guarded};
use crate::failure::Failure;
use crate::number::{find, keep, remove};
use crate::text;

/// The calls under way.
static CALLS: Slab<CancelHandle> = Slab::new();

/// What a call gives, as a method of the answer.
pub(crate) trait Given: Send + 'static {
    fn give(self, env: &mut Env<'_>, answer: &JObject<'_>) -> Result<()>;
}

/// Answers at once, or begins and answers later; then the result is the number to cancel it by, else 0.
pub(crate) fn start<T: Given>(
    env: &mut Env<'_>,
    call: lakekey_ffi::Result<Call<T>>,
    answer: &JObject<'_>,
) -> Result<jlong> {
    let call = match call?.here()? {
        ControlFlow::Break(value) => {
            value.give(env, answer)?;
            return Ok(0);
        }
        ControlFlow::Continue(call) => call,
    };
    let patience = call.patience();
    let vm = env.get_java_vm()?;
    let answer = env.new_global_ref(answer)?;
    env.call_method(
        &answer,
        jni_str!("patience"),
        jni_sig!("(J)V"),
        &[JValue::Long(text::java_millis(
            u64::try_from(patience.as_millis()).ok(),
        ))],
    )?;
    let cancel = CancelHandle::new();
    let number = keep(&CALLS, cancel.clone())?;
    let begun = call.start(&cancel, move |outcome| {
        remove(&CALLS, number);
        later(&vm, answer, outcome);
    });
    if let Err(error) = begun {
        remove(&CALLS, number);
        return Err(error.into());
    }
    Ok(number)
}

fn later<T: Given>(vm: &JavaVM, answer: Global<JObject<'static>>, outcome: lakekey_ffi::Result<T>) {
    let told: Result<()> = vm.attach_current_thread_for_scope(|env| {
        // Let go of while the thread is attached.
        let answer = answer;
        guarded(|| match outcome {
            Ok(value) => value.give(env, &answer),
            Err(error) => {
                let failure = Failure::new(env, error)?;
                env.call_method(
                    &answer,
                    jni_str!("failed"),
                    jni_sig!("(ILjava/lang/String;Ljava/lang/String;Ljava/lang/String;ILjava/lang/String;Z[Ljava/lang/String;J[Ljava/lang/String;[Ljava/lang/String;Ljava/lang/String;Ljava/lang/String;)V"),
                    &failure.arguments(),
                )?;
                Ok(())
            }
        })
    });
    // A JVM that is ending takes nobody in any more; whoever waited there ends with it.
    drop(told);
}

/// Ends one wait; what others wait for goes on. Harmless after the end.
#[jni_mangle("io.lakekey.Native")]
pub extern "system" fn cancel<'local>(
    env: EnvUnowned<'local>,
    native: JClass<'local>,
    call: jlong,
) {
    enter(env, &native, |_| {
        if let Some(cancel) = find(&CALLS, call) {
            cancel.cancel();
        }
        Ok(())
    });
}
