//! A connect under way, for drivers that dial for themselves. Its public face is the class `ConnectPlan`.

use jni::objects::{JClass, JObject, JObjectArray, JString, JValue};
use jni::sys::{jint, jlong};
use jni::{Env, EnvUnowned, jni_mangle, jni_sig, jni_str};
use lakekey_ffi::plan::{Attempt, LoginFailure, Plan, PlanRequest};
use lakekey_ffi::slab::{Held, Slab};

use crate::answer::{Given, start};
use crate::client::{client, wanted};
use crate::entry::{Result, enter};
use crate::number::{held, keep, remove};
use crate::text;

/// The plans that Java has not ended.
static PLANS: Slab<Plan> = Slab::new();

fn plan(number: jlong) -> Result<Held<'static, Plan>> {
    held(&PLANS, number, "the connect was ended")
}

/// Begins a connect: its number.
#[jni_mangle("io.lakekey.Native", "plan")]
pub extern "system" fn begin<'local>(
    env: EnvUnowned<'local>,
    native: JClass<'local>,
    number: jlong,
    texts: JObjectArray<'local, JString<'local>>,
    port: jint,
    ttl: jlong,
    timeout: jlong,
    budget: jlong,
) -> jlong {
    enter(env, &native, |env| {
        let request = PlanRequest {
            connect: wanted(env, &texts, port, ttl, timeout)?,
            budget_ms: text::millis(budget),
            addresses: Vec::new(),
        };
        keep(&PLANS, client(number)?.plan(request)?)
    })
}

/// The next attempt. `failure` is the driver's whole text about the last one, null before the first; `code` its SQLSTATE.
#[jni_mangle("io.lakekey.Native")]
pub extern "system" fn next<'local>(
    env: EnvUnowned<'local>,
    native: JClass<'local>,
    number: jlong,
    code: JString<'local>,
    failure: JString<'local>,
    answer: JObject<'local>,
) -> jlong {
    enter(env, &native, |env| {
        let code = text::optional(env, &code)?;
        let failure = text::optional(env, &failure)?;
        let failure = failure.map(|text| LoginFailure { code, text });
        start(env, plan(number)?.next(failure), &answer)
    })
}

/// The last attempt succeeded.
#[jni_mangle("io.lakekey.Native")]
pub extern "system" fn connected<'local>(
    env: EnvUnowned<'local>,
    native: JClass<'local>,
    number: jlong,
) {
    enter(env, &native, |_| {
        plan(number)?.connected();
        Ok(())
    });
}

/// Forgets a connect. Harmless when repeated.
#[jni_mangle("io.lakekey.Native", "endPlan")]
pub extern "system" fn end_plan<'local>(
    env: EnvUnowned<'local>,
    native: JClass<'local>,
    number: jlong,
) {
    enter(env, &native, |_| {
        remove(&PLANS, number);
        Ok(())
    });
}

impl Given for Attempt {
    fn give(self, env: &mut Env<'_>, answer: &JObject<'_>) -> Result<()> {
        let pairs = text::pairs(env, &self.pairs)?;
        let host = text::java(env, Some(&self.host))?;
        let address = text::java(env, self.address.as_deref())?;
        let user = text::java(env, Some(&self.user))?;
        let password = text::java(env, Some(&self.password))?;
        let subject = text::java(env, self.subject.as_deref())?;
        env.call_method(
            answer,
            jni_str!("attempt"),
            jni_sig!("([Ljava/lang/String;Ljava/lang/String;Ljava/lang/String;ILjava/lang/String;Ljava/lang/String;Ljava/lang/String;ZJI)V"),
            &[
                JValue::Object(&pairs),
                JValue::Object(&host),
                JValue::Object(&address),
                JValue::Int(self.port.into()),
                JValue::Object(&user),
                JValue::Object(&password),
                JValue::Object(&subject),
                JValue::Bool(self.cached),
                JValue::Long(text::java_millis(Some(self.timeout_ms))),
                JValue::Int(jint::try_from(self.number).unwrap_or(jint::MAX)),
            ],
        )?;
        Ok(())
    }
}
