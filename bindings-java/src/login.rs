//! What a refused login means, for the JDBC classes.

use jni::objects::{JClass, JString};
use jni::{Env, EnvUnowned, jni_mangle};
use lakekey_ffi::login::RefusedLogin;

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
