//! The user's own source of workspace tokens: a Java object.
//!
//! Its code runs on a thread that Java made, a daemon, so that a source that hangs keeps no program from ending. The
//! object is held weakly: Java's client holds it, and one that nobody can reach any more is asked for nothing.

use std::sync::{Arc, Mutex, PoisonError};

use jni::objects::{JClass, JObject, JString, JValue};
use jni::refs::Weak;
use jni::sys::jlong;
use jni::{Env, EnvUnowned, JavaVM, jni_mangle, jni_sig, jni_str};
use lakekey_ffi::provider::{HostFailure, HostToken, HostTokenProvider, Reply, answered};
use lakekey_ffi::slab::Slab;

use crate::entry::{Problem, Result, enter, guarded};
use crate::number::{find, keep, remove};
use crate::text;

/// The number that Java gave to what its source threw.
pub(crate) struct Thrown(pub(crate) jlong);

/// The questions that wait for an answer.
static QUESTIONS: Slab<Mutex<Option<Reply>>> = Slab::new();

/// An `io.lakekey.Source`.
pub(crate) struct Callback {
    vm: JavaVM,
    source: Weak<JObject<'static>>,
}

impl Callback {
    pub(crate) fn new(env: &mut Env<'_>, source: &JObject<'_>) -> Result<Callback> {
        Ok(Callback {
            vm: env.get_java_vm()?,
            source: env.new_weak_ref(source)?,
        })
    }

    /// Whether there is still somebody to ask.
    fn ask(&self, reply: Reply) -> Result<bool> {
        self.vm.attach_current_thread_for_scope(|env| {
            guarded(|| {
                let Some(source) = self.source.upgrade_local(env)? else {
                    return Ok(false);
                };
                let question = keep(&QUESTIONS, Mutex::new(Some(reply)))?;
                env.call_method(
                    &source,
                    jni_str!("ask"),
                    jni_sig!("(J)V"),
                    &[JValue::Long(question)],
                )
                .inspect_err(|_| remove(&QUESTIONS, question))?;
                Ok(true)
            })
        })
    }
}

impl HostTokenProvider for Callback {
    fn token(&self) -> std::result::Result<HostToken, HostFailure> {
        answered(|reply| {
            let what = match self.ask(reply) {
                Ok(true) => return Ok(()),
                Ok(false) => "can give no answer any more: its client is gone".to_owned(),
                Err(Problem(error)) => format!("could not be asked: {}", error.message),
            };
            Err(HostFailure { what, thrown: None })
        })
    }
}

impl Drop for Callback {
    fn drop(&mut self) {
        let source = std::mem::replace(&mut self.source, Weak::null());
        // Let go of while the thread is attached; where the JVM takes nobody in any more, it has ended.
        let _: Result<()> = self.vm.attach_current_thread_for_scope(|_| {
            drop(source);
            Ok(())
        });
    }
}

fn answer(question: jlong, given: std::result::Result<HostToken, HostFailure>) {
    let reply = find(&QUESTIONS, question)
        .and_then(|reply| reply.lock().unwrap_or_else(PoisonError::into_inner).take());
    remove(&QUESTIONS, question);
    if let Some(reply) = reply {
        reply.give(given);
    }
}

/// The source's token, and its end in milliseconds since 1970, or -1. The first answer to a question counts.
#[jni_mangle("io.lakekey.Native")]
pub extern "system" fn give<'local>(
    env: EnvUnowned<'local>,
    native: JClass<'local>,
    question: jlong,
    token: JString<'local>,
    expires_at: jlong,
) {
    enter(env, &native, |env| {
        let token = text::optional(env, &token)?.unwrap_or_default();
        answer(
            question,
            Ok(HostToken {
                token,
                expires_at_ms: text::millis(expires_at),
            }),
        );
        Ok(())
    });
}

/// What the source did instead, without the text of what it threw, which may quote a secret.
#[jni_mangle("io.lakekey.Native")]
pub extern "system" fn refuse<'local>(
    env: EnvUnowned<'local>,
    native: JClass<'local>,
    question: jlong,
    what: JString<'local>,
    thrown: jlong,
) {
    enter(env, &native, |env| {
        let what = text::required(env, "what", &what)?;
        let thrown = Some(Arc::new(Thrown(thrown)) as _);
        answer(question, Err(HostFailure { what, thrown }));
        Ok(())
    });
}
