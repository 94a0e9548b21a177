//! Log records on their way to Java. Threads of lakekey never log through Java: a call that comes back takes what has come.

use jni::objects::{JClass, JObject};
use jni::sys::jint;
use jni::{EnvUnowned, jni_mangle};
use lakekey_ffi::logs::{Level, set_level};
use lakekey_ffi::runtime::process;

use crate::entry::enter;
use crate::text;

/// Collects from now on: 0 nothing, 1 errors, 2 warnings as well, 3 what happened, 4 why.
#[jni_mangle("io.lakekey.Native")]
pub extern "system" fn collect<'local>(
    env: EnvUnowned<'local>,
    native: JClass<'local>,
    level: jint,
) {
    enter(env, &native, |_| {
        set_level(match level {
            ..=0 => Level::Off,
            1 => Level::Error,
            2 => Level::Warn,
            3 => Level::Info,
            _ => Level::Debug,
        });
        Ok(())
    });
}

/// What has come: level, milliseconds since 1970, source and text of each record, oldest first, and before them how many
/// were thrown away. Null when nothing has come.
#[jni_mangle("io.lakekey.Native")]
pub extern "system" fn drain<'local>(
    env: EnvUnowned<'local>,
    native: JClass<'local>,
) -> JObject<'local> {
    enter(env, &native, |env| {
        let batch = process().ring().drain();
        if batch.records.is_empty() {
            return Ok(JObject::null());
        }
        let mut texts = vec![batch.dropped.to_string()];
        for record in batch.records {
            texts.extend([
                (record.level as u8).to_string(),
                record.at_ms.to_string(),
                record.source,
                record.text,
            ]);
        }
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        text::array(env, &texts)
    })
}
