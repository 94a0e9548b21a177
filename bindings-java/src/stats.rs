//! What was counted in this process. Its public face is the class `Stats`.

use jni::objects::{JClass, JLongArray, JObject, JValue};
use jni::sys::jlong;
use jni::{Env, EnvUnowned, jni_mangle, jni_sig, jni_str};
use lakekey_ffi::stats::Histogram;

use crate::client::client;
use crate::entry::{Result, enter};
use crate::text;

/// Room for what one call to the object needs. The frame of the native method itself holds fewer references than there are
/// counts.
const REFERENCES: usize = 8;

/// Tells the object of each count, histogram and the skew of the clock by a method of its own.
#[jni_mangle("io.lakekey.Native")]
pub extern "system" fn stats<'local>(
    env: EnvUnowned<'local>,
    native: JClass<'local>,
    number: jlong,
    taker: JObject<'local>,
) {
    enter(env, &native, |env| {
        let stats = client(number)?.stats()?;
        for (name, value) in stats.counters {
            count(env, &taker, name, None, value)?;
        }
        for (name, by_label) in stats.labelled {
            // Also one in which nothing was counted.
            count(env, &taker, name, Some(""), 0)?;
            for (label, value) in by_label {
                count(env, &taker, name, Some(label), value)?;
            }
        }
        for one in &stats.histograms {
            histogram(env, &taker, one)?;
        }
        if let Some(skew) = stats.clock_skew_ms {
            env.call_method(
                &taker,
                jni_str!("skew"),
                jni_sig!("(J)V"),
                &[JValue::Long(skew)],
            )?;
        }
        Ok(())
    });
}

fn count(
    env: &mut Env<'_>,
    taker: &JObject<'_>,
    name: &str,
    label: Option<&str>,
    value: u64,
) -> Result<()> {
    env.with_local_frame(REFERENCES, |env| {
        let name = text::java(env, Some(name))?;
        let label = text::java(env, label)?;
        env.call_method(
            taker,
            jni_str!("count"),
            jni_sig!("(Ljava/lang/String;Ljava/lang/String;J)V"),
            &[
                JValue::Object(&name),
                JValue::Object(&label),
                JValue::Long(value.cast_signed()),
            ],
        )?;
        Ok(())
    })
}

fn histogram(env: &mut Env<'_>, taker: &JObject<'_>, one: &Histogram) -> Result<()> {
    env.with_local_frame(REFERENCES, |env| {
        let name = text::java(env, Some(one.name))?;
        let bounds = longs(env, one.bounds)?;
        let counts = longs(env, &one.counts)?;
        env.call_method(
            taker,
            jni_str!("histogram"),
            jni_sig!("(Ljava/lang/String;[J[JJJ)V"),
            &[
                JValue::Object(&name),
                JValue::Object(&bounds),
                JValue::Object(&counts),
                JValue::Long(one.count.cast_signed()),
                JValue::Long(one.sum.cast_signed()),
            ],
        )?;
        Ok(())
    })
}

fn longs<'local>(env: &mut Env<'local>, values: &[u64]) -> Result<JLongArray<'local>> {
    let values: Vec<jlong> = values.iter().map(|value| value.cast_signed()).collect();
    let array = JLongArray::new(env, values.len())?;
    array.set_region(env, 0, &values)?;
    Ok(array)
}
