//! What calls give: a credential, or everything for one login.

use jni::Env;
use jni::objects::{JObject, JValue};
use jni::{jni_sig, jni_str};
use lakekey_ffi::Lease;
use lakekey_ffi::plain::ConnectParams;

use crate::answer::Given;
use crate::entry::Result;
use crate::text;

impl Given for Lease {
    fn give(self, env: &mut Env<'_>, answer: &JObject<'_>) -> Result<()> {
        let token = text::java(env, Some(self.token()))?;
        let endpoint = text::java(env, Some(self.endpoint()))?;
        let subject = text::java(env, self.subject())?;
        env.call_method(
            answer,
            jni_str!("credential"),
            jni_sig!("(Ljava/lang/String;JJLjava/lang/String;Ljava/lang/String;)V"),
            &[
                JValue::Object(&token),
                JValue::Long(text::java_millis(Some(self.issued_at_ms()))),
                JValue::Long(text::java_millis(Some(self.expires_at_ms()))),
                JValue::Object(&endpoint),
                JValue::Object(&subject),
            ],
        )?;
        Ok(())
    }
}

impl Given for ConnectParams {
    fn give(self, env: &mut Env<'_>, answer: &JObject<'_>) -> Result<()> {
        let pairs = text::pairs(env, &self.pairs)?;
        let password = text::java(env, Some(&self.password))?;
        let user = text::java(env, Some(&self.user))?;
        let subject = text::java(env, self.subject.as_deref())?;
        let conninfo = text::java(env, Some(&self.conninfo))?;
        env.call_method(
            answer,
            jni_str!("connect"),
            jni_sig!("([Ljava/lang/String;Ljava/lang/String;ZLjava/lang/String;Ljava/lang/String;Ljava/lang/String;)V"),
            &[
                JValue::Object(&pairs),
                JValue::Object(&password),
                JValue::Bool(self.cached),
                JValue::Object(&user),
                JValue::Object(&subject),
                JValue::Object(&conninfo),
            ],
        )?;
        Ok(())
    }
}
