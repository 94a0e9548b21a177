//! Texts, and what may be left out, on their way over the boundary.

use jni::Env;
use jni::objects::{JObject, JObjectArray, JString};
use jni::refs::IntoAuto;
use jni::sys::{jint, jlong};
use lakekey_ffi::FfiError;

use crate::entry::Result;

/// A text that may be null.
pub(crate) fn optional(env: &Env<'_>, text: &JString<'_>) -> Result<Option<String>> {
    if text.is_null() {
        return Ok(None);
    }
    Ok(Some(text.try_to_string(env)?))
}

/// A text that must be there; `name` is what the user knows it by.
pub(crate) fn required(env: &Env<'_>, name: &str, text: &JString<'_>) -> Result<String> {
    optional(env, text)?.ok_or_else(|| FfiError::argument(name, "must not be null").into())
}

/// An array of texts, none of them null.
pub(crate) fn list(
    env: &mut Env<'_>,
    name: &str,
    texts: &JObjectArray<'_, JString<'_>>,
) -> Result<Vec<String>> {
    (0..texts.len(env)?)
        .map(|index| {
            let text = texts.get_element(env, index)?;
            let text = text.auto();
            required(env, name, &text)
        })
        .collect()
}

/// A Java text; null for nothing.
pub(crate) fn java<'local>(env: &mut Env<'local>, text: Option<&str>) -> Result<JString<'local>> {
    Ok(match text {
        Some(text) => JString::from_str(env, text)?,
        None => JString::null(),
    })
}

/// A Java array of texts.
pub(crate) fn array<'local>(env: &mut Env<'local>, texts: &[&str]) -> Result<JObject<'local>> {
    let array = JObjectArray::<JString<'_>>::new(env, texts.len(), JString::null())?;
    for (index, text) in texts.iter().enumerate() {
        let text = JString::from_str(env, text)?;
        let text = text.auto();
        array.set_element(env, index, &*text)?;
    }
    Ok(array.into())
}

/// Names and values by turns.
pub(crate) fn pairs<'local>(
    env: &mut Env<'local>,
    pairs: &[(String, String)],
) -> Result<JObject<'local>> {
    let texts: Vec<&str> = pairs
        .iter()
        .flat_map(|(name, value)| [name.as_str(), value.as_str()])
        .collect();
    array(env, &texts)
}

/// Milliseconds; Java says -1 where none are given.
pub(crate) fn millis(given: jlong) -> Option<u64> {
    u64::try_from(given).ok()
}

/// Milliseconds for Java; nothing is -1.
pub(crate) fn java_millis(ms: Option<u64>) -> jlong {
    ms.map_or(-1, |ms| jlong::try_from(ms).unwrap_or(jlong::MAX))
}

/// A port; Java says -1 where none is given.
pub(crate) fn port(given: jint) -> Result<Option<u16>> {
    if given == -1 {
        return Ok(None);
    }
    match u16::try_from(given) {
        Ok(port) if port > 0 => Ok(Some(port)),
        _ => Err(FfiError::argument("port", "must be a whole number from 1 to 65535").into()),
    }
}
