//! The management API as Java calls it: JSON in, JSON out.

use jni::objects::{JClass, JObject, JString, JValue};
use jni::refs::Global;
use jni::sys::{jboolean, jlong};
use jni::{Env, EnvUnowned, JavaVM, jni_mangle, jni_sig, jni_str};
use lakekey_ffi::management::Tell;

use crate::answer::{Given, start};
use crate::client::client;
use crate::entry::{Result, enter, guarded};
use crate::text;

/// Calls a method by its name, with its arguments as a JSON object.
#[jni_mangle("io.lakekey.Native")]
pub extern "system" fn call<'local>(
    env: EnvUnowned<'local>,
    native: JClass<'local>,
    number: jlong,
    method: JString<'local>,
    arguments: JString<'local>,
    timeout: jlong,
    answer: JObject<'local>,
) -> jlong {
    enter(env, &native, |env| {
        let method = text::required(env, "method", &method)?;
        let arguments = text::required(env, "arguments", &arguments)?;
        let call = client(number)?.call(&method, &arguments, text::millis(timeout));
        start(env, call, &answer)
    })
}

/// Waits for an operation, as a method gave it.
#[jni_mangle("io.lakekey.Native", "waitOperation")]
pub extern "system" fn wait_operation<'local>(
    env: EnvUnowned<'local>,
    native: JClass<'local>,
    number: jlong,
    operation: JString<'local>,
    timeout: jlong,
    told: jboolean,
    answer: JObject<'local>,
) -> jlong {
    enter(env, &native, |env| {
        let operation = text::required(env, "operation", &operation)?;
        let tell = if told {
            Some(Told::new(env, &answer)?.tell())
        } else {
            None
        };
        let call = client(number)?.wait_operation(&operation, text::millis(timeout), tell);
        start(env, call, &answer)
    })
}

/// The answer that is told how the operation goes.
struct Told {
    vm: JavaVM,
    answer: Global<JObject<'static>>,
}

impl Told {
    fn new(env: &Env<'_>, answer: &JObject<'_>) -> Result<Told> {
        Ok(Told {
            vm: env.get_java_vm()?,
            answer: env.new_global_ref(answer)?,
        })
    }

    /// Java only takes the text down; what its user does with it happens on a thread of theirs.
    fn tell(self) -> Tell {
        Box::new(move |text| {
            let told: Result<()> = self.vm.attach_current_thread_for_scope(|env| {
                guarded(|| {
                    let text = text::java(env, Some(text))?;
                    env.call_method(
                        &self.answer,
                        jni_str!("progress"),
                        jni_sig!("(Ljava/lang/String;)V"),
                        &[JValue::Object(&text)],
                    )?;
                    Ok(())
                })
            });
            told.is_ok()
        })
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        let answer = std::mem::replace(&mut self.answer, Global::null());
        // Let go of while the thread is attached; where the JVM takes nobody in any more, it has ended.
        let _: Result<()> = self.vm.attach_current_thread_for_scope(|_| {
            drop(answer);
            Ok(())
        });
    }
}

impl Given for String {
    fn give(self, env: &mut Env<'_>, answer: &JObject<'_>) -> Result<()> {
        let text = text::java(env, Some(&self))?;
        env.call_method(
            answer,
            jni_str!("text"),
            jni_sig!("(Ljava/lang/String;)V"),
            &[JValue::Object(&text)],
        )?;
        Ok(())
    }
}
