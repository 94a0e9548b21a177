//! The client as Java sees it. Its public face is the class `LakekeyClient`.

use std::sync::Arc;

use jni::objects::{JClass, JObject, JObjectArray, JString};
use jni::refs::IntoAuto;
use jni::sys::{jint, jlong};
use jni::{Env, EnvUnowned, jni_mangle};
use lakekey_ffi::guard::guard;
use lakekey_ffi::plain::{ConnectRequest, CredentialRequest, Options};
use lakekey_ffi::provider::HostTokenProvider;
use lakekey_ffi::slab::{Held, Slab};
use lakekey_ffi::{Handle, glance};

use crate::answer::start;
use crate::entry::{Result, enter};
use crate::number::{find, held, keep, remove};
use crate::provider::Callback;
use crate::text;

/// The clients that Java has not closed.
static CLIENTS: Slab<Handle> = Slab::new();

pub(crate) fn client(number: jlong) -> Result<Held<'static, Handle>> {
    held(&CLIENTS, number, "the client was closed")
}

/// Makes a client. No I/O, no thread. `settings` are names and values by turns.
#[jni_mangle("io.lakekey.Native")]
pub extern "system" fn open<'local>(
    env: EnvUnowned<'local>,
    native: JClass<'local>,
    settings: JObjectArray<'local, JString<'local>>,
    target: JString<'local>,
    timeout: jlong,
    product: JString<'local>,
    shared_credentials: JString<'local>,
    source: JObject<'local>,
) -> jlong {
    enter(env, &native, |env| {
        let settings = text::list(env, "settings", &settings)?;
        let options = Options {
            settings: settings
                .chunks_exact(2)
                .map(|pair| (pair[0].clone(), pair[1].clone()))
                .collect(),
            target: text::optional(env, &target)?,
            timeout_ms: text::millis(timeout),
            product: text::optional(env, &product)?,
            shared_credentials: text::optional(env, &shared_credentials)?,
        };
        let provider = if source.is_null() {
            None
        } else {
            let callback = Callback::new(env, &source)?;
            Some(Arc::new(callback) as Arc<dyn HostTokenProvider>)
        };
        keep(&CLIENTS, Handle::new(options, provider)?)
    })
}

/// A client that is the user of this token and nobody else.
#[jni_mangle("io.lakekey.Native", "asUser")]
pub extern "system" fn as_user<'local>(
    env: EnvUnowned<'local>,
    native: JClass<'local>,
    number: jlong,
    token: JString<'local>,
) -> jlong {
    enter(env, &native, |env| {
        let token = text::required(env, "token", &token)?;
        keep(&CLIENTS, client(number)?.as_user(token)?)
    })
}

/// A number that stays the same while what was just looked up may be used again; 0 where there is none.
#[jni_mangle("io.lakekey.Native")]
pub extern "system" fn stamp<'local>(_env: EnvUnowned<'local>, _native: JClass<'local>) -> jlong {
    // Without the JVM's own bookkeeping, which would cost more than the rest.
    let stamp = guard(|| Ok(glance::stamp())).ok().flatten();
    stamp.map_or(0, u64::cast_signed)
}

/// The token, if it is here and nothing is to be done about it.
#[jni_mangle("io.lakekey.Native")]
pub extern "system" fn peek<'local>(
    env: EnvUnowned<'local>,
    native: JClass<'local>,
    number: jlong,
    target: JString<'local>,
) -> JString<'local> {
    enter(env, &native, |env| {
        let target = text::optional(env, &target)?;
        let lease = client(number)?.peek(target.as_deref());
        text::java(env, lease.as_ref().map(lakekey_ffi::Lease::token))
    })
}

/// A credential, minted if need be.
#[jni_mangle("io.lakekey.Native")]
pub extern "system" fn credential<'local>(
    env: EnvUnowned<'local>,
    native: JClass<'local>,
    number: jlong,
    target: JString<'local>,
    ttl: jlong,
    timeout: jlong,
    answer: JObject<'local>,
) -> jlong {
    enter(env, &native, |env| {
        let request = CredentialRequest {
            target: text::optional(env, &target)?,
            ttl_ms: text::millis(ttl),
            timeout_ms: text::millis(timeout),
        };
        start(env, client(number)?.credential(request), &answer)
    })
}

/// Everything that a driver needs for one login.
#[jni_mangle("io.lakekey.Native")]
pub extern "system" fn connect<'local>(
    env: EnvUnowned<'local>,
    native: JClass<'local>,
    number: jlong,
    texts: JObjectArray<'local, JString<'local>>,
    port: jint,
    ttl: jlong,
    timeout: jlong,
    answer: JObject<'local>,
) -> jlong {
    enter(env, &native, |env| {
        let request = wanted(env, &texts, port, ttl, timeout)?;
        start(env, client(number)?.connect_params(request), &answer)
    })
}

/// Starts what a first such login needs, side by side, and returns at once.
#[jni_mangle("io.lakekey.Native")]
pub extern "system" fn prepare<'local>(
    env: EnvUnowned<'local>,
    native: JClass<'local>,
    number: jlong,
    texts: JObjectArray<'local, JString<'local>>,
    port: jint,
    ttl: jlong,
    timeout: jlong,
) {
    enter(env, &native, |env| {
        let request = wanted(env, &texts, port, ttl, timeout)?;
        Ok(client(number)?.prepare(request)?)
    });
}

/// `texts`: target, database, user, sslmode and sslrootcert, null where left out.
pub(crate) fn wanted(
    env: &mut Env<'_>,
    texts: &JObjectArray<'_, JString<'_>>,
    port: jint,
    ttl: jlong,
    timeout: jlong,
) -> Result<ConnectRequest> {
    let mut text = |index| {
        let text = texts.get_element(env, index)?;
        let text = text.auto();
        text::optional(env, &text)
    };
    Ok(ConnectRequest {
        target: text(0)?,
        database: text(1)?,
        user: text(2)?,
        sslmode: text(3)?,
        sslrootcert: text(4)?,
        port: text::port(port)?,
        ttl_ms: text::millis(ttl),
        timeout_ms: text::millis(timeout),
    })
}

/// Takes a token out of the cache because Postgres refused it; whether a fresh one is due.
#[jni_mangle("io.lakekey.Native")]
pub extern "system" fn invalidate<'local>(
    env: EnvUnowned<'local>,
    native: JClass<'local>,
    number: jlong,
    token: JString<'local>,
) -> bool {
    enter(env, &native, |env| {
        let token = text::required(env, "token", &token)?;
        Ok(client(number)?.invalidate(&token)?)
    })
}

/// The last events of this process.
#[jni_mangle("io.lakekey.Native", "recentEvents")]
pub extern "system" fn recent_events<'local>(
    env: EnvUnowned<'local>,
    native: JClass<'local>,
    number: jlong,
) -> JObject<'local> {
    enter(env, &native, |env| {
        let events = client(number)?.recent_events()?;
        let events: Vec<&str> = events.iter().map(String::as_str).collect();
        text::array(env, &events)
    })
}

/// Ends the client: later calls fail, calls under way end by themselves. Harmless when repeated.
#[jni_mangle("io.lakekey.Native")]
pub extern "system" fn close<'local>(
    env: EnvUnowned<'local>,
    native: JClass<'local>,
    number: jlong,
) {
    enter(env, &native, |_| {
        if let Some(client) = find(&CLIENTS, number) {
            remove(&CLIENTS, number);
            client.close()?;
        }
        Ok(())
    });
}
