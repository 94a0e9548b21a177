//! The management API as Java calls it: JSON in, JSON out.

use jni::objects::{JClass, JObject, JString, JValue};
use jni::sys::jlong;
use jni::{Env, EnvUnowned, jni_mangle, jni_sig, jni_str};

use crate::answer::{Given, start};
use crate::client::client;
use crate::entry::{Result, enter};
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
    answer: JObject<'local>,
) -> jlong {
    enter(env, &native, |env| {
        let operation = text::required(env, "operation", &operation)?;
        let call = client(number)?.wait_operation(&operation, text::millis(timeout), None);
        start(env, call, &answer)
    })
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
