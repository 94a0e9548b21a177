//! What a refused login means, for the JDBC classes.

use jni::objects::{JClass, JObject, JString, JValue};
use jni::{Env, EnvUnowned, jni_mangle, jni_sig, jni_str};
use lakekey_ffi::login::{Explanation, RefusedLogin};

use crate::entry::{Result, enter};
use crate::text;

fn refused(
    env: &Env<'_>,
    sqlstate: &JString<'_>,
    message: &JString<'_>,
    user: &JString<'_>,
    subject: &JString<'_>,
) -> Result<RefusedLogin> {
    Ok(RefusedLogin {
        sqlstate: text::optional(env, sqlstate)?,
        text: text::required(env, "text", message)?,
        user: text::optional(env, user)?.unwrap_or_default(),
        subject: text::optional(env, subject)?,
    })
}

/// Whether a login was refused for its token, so that a fresh one is worth one more try.
#[jni_mangle("io.lakekey.Native", "refusesToken")]
pub extern "system" fn refuses_token<'local>(
    env: EnvUnowned<'local>,
    native: JClass<'local>,
    sqlstate: JString<'local>,
    message: JString<'local>,
    user: JString<'local>,
    subject: JString<'local>,
) -> bool {
    enter(env, &native, |env| {
        Ok(refused(env, &sqlstate, &message, &user, &subject)?.is_of_token())
    })
}

/// Throws the error for a refused login, with the likeliest fix first.
#[jni_mangle("io.lakekey.Native", "explainLogin")]
pub extern "system" fn explain_login<'local>(
    env: EnvUnowned<'local>,
    native: JClass<'local>,
    sqlstate: JString<'local>,
    message: JString<'local>,
    user: JString<'local>,
    subject: JString<'local>,
) {
    enter::<()>(env, &native, |env| {
        Err(refused(env, &sqlstate, &message, &user, &subject)?
            .explain()
            .into())
    });
}

/// What an error means for a login: hands its facts to the object's method `explanation`.
#[jni_mangle("io.lakekey.Native")]
pub extern "system" fn explain<'local>(
    env: EnvUnowned<'local>,
    native: JClass<'local>,
    code: JString<'local>,
    message: JString<'local>,
    taker: JObject<'local>,
) {
    enter(env, &native, |env| {
        let code = text::optional(env, &code)?;
        let message = text::required(env, "text", &message)?;
        let explained = lakekey_ffi::login::explain(code.as_deref(), &message);
        give(env, &taker, &explained)
    });
}

fn give(env: &mut Env<'_>, taker: &JObject<'_>, explained: &Explanation) -> Result<()> {
    let kind = text::java(env, Some(explained.kind))?;
    let budget = text::java(env, Some(explained.budget))?;
    let hint = text::java(env, explained.hint.as_deref())?;
    env.call_method(
        taker,
        jni_str!("explanation"),
        jni_sig!("(Ljava/lang/String;ZLjava/lang/String;ZLjava/lang/String;)V"),
        &[
            JValue::Object(&kind),
            JValue::Bool(explained.retry),
            JValue::Object(&budget),
            JValue::Bool(explained.invalidate),
            JValue::Object(&hint),
        ],
    )?;
    Ok(())
}
