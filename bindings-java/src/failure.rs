//! Errors on their way to Java, where `Failure` makes exceptions of them.

use jni::objects::{JClass, JObject, JString, JValue};
use jni::sys::jint;
use jni::{Env, jni_sig, jni_str};
use lakekey_ffi::FfiError;

use crate::entry::Result;
use crate::provider::Thrown;
use crate::text;

/// Throws: `Native.raise` makes the exception, so that no class is looked up here.
pub(crate) fn raise(env: &mut Env<'_>, native: &JClass<'_>, error: FfiError) -> Result<()> {
    let failure = Failure::new(env, error)?;
    env.call_static_method(
        native,
        jni_str!("raise"),
        jni_sig!("(ILjava/lang/String;Ljava/lang/String;Ljava/lang/String;ILjava/lang/String;Z[Ljava/lang/String;J[Ljava/lang/String;[Ljava/lang/String;Ljava/lang/String;Ljava/lang/String;)V"),
        &failure.arguments(),
    )?;
    Ok(())
}

/// The facts of an error as arguments of a Java method.
pub(crate) struct Failure<'local> {
    code: jint,
    slug: JString<'local>,
    message: JString<'local>,
    hint: JString<'local>,
    http_status: jint,
    request_id: JString<'local>,
    retryable: bool,
    causes: JObject<'local>,
    thrown: i64,
    events: JObject<'local>,
    login: JObject<'local>,
    api_code: JString<'local>,
    details: JString<'local>,
}

impl<'local> Failure<'local> {
    pub(crate) fn new(env: &mut Env<'local>, error: FfiError) -> Result<Failure<'local>> {
        let error = error.into_facts();
        let causes: Vec<&str> = error.causes.iter().map(String::as_str).collect();
        let events: Vec<&str> = error.events.iter().map(String::as_str).collect();
        // Its hint is the error's own.
        let login = match &error.login {
            Some(login) => {
                let word = |yes: bool| if yes { "true" } else { "false" };
                let facts = [
                    login.kind,
                    word(login.retry),
                    login.budget,
                    word(login.invalidate),
                ];
                text::array(env, &facts)?
            }
            None => JObject::null(),
        };
        Ok(Failure {
            code: error.code.into(),
            slug: text::java(env, Some(error.slug))?,
            message: text::java(env, Some(&error.message))?,
            hint: text::java(env, error.hint.as_deref())?,
            http_status: error.http_status.map_or(-1, jint::from),
            request_id: text::java(env, error.request_id.as_deref())?,
            retryable: error.retryable,
            causes: text::array(env, &causes)?,
            thrown: error
                .host_cause
                .and_then(|cause| cause.downcast_ref::<Thrown>().map(|thrown| thrown.0))
                .unwrap_or(-1),
            events: text::array(env, &events)?,
            login,
            api_code: text::java(env, error.api_code.as_deref())?,
            details: text::java(env, error.details.as_deref())?,
        })
    }

    pub(crate) fn arguments(&self) -> [JValue<'_>; 13] {
        [
            JValue::Int(self.code),
            JValue::Object(&self.slug),
            JValue::Object(&self.message),
            JValue::Object(&self.hint),
            JValue::Int(self.http_status),
            JValue::Object(&self.request_id),
            JValue::Bool(self.retryable),
            JValue::Object(&self.causes),
            JValue::Long(self.thrown),
            JValue::Object(&self.events),
            JValue::Object(&self.login),
            JValue::Object(&self.api_code),
            JValue::Object(&self.details),
        ]
    }
}
