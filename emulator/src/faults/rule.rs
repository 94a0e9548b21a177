//! A fault rule as it is written: what it applies to, what goes wrong, how often and until when.
//!
//! A rule that could never strike, or not as its writer thinks, is refused when it is set: a test whose fault is
//! ignored would pass and prove nothing.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Error;

/// A rule.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What it applies to; empty: every request.
    #[serde(default, rename = "match")]
    pub on: Match,
    /// What goes wrong.
    pub action: Action,
    /// Applied at most so often.
    pub times: Option<u64>,
    /// Lets so many matches pass first.
    #[serde(default)]
    pub after: u64,
    /// Applied to this share of the matches, from 0 to 1; the same matches at each run.
    pub probability: Option<f64>,
    /// Ends so many seconds of the virtual clock after it was set.
    pub until_s: Option<f64>,
    /// Whether the request is carried out first and only its answer goes wrong.
    #[serde(default)]
    pub phase: Phase,
}

/// What a rule applies to: all that is given must hold.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Match {
    /// HTTP method.
    pub method: Option<String>,
    /// Path, where `*` stands for any text.
    pub path: Option<String>,
    /// Part of `User-Agent`.
    pub user_agent: Option<String>,
    /// Value of the header `X-Lakekey-Test`.
    pub test: Option<String>,
    /// Uid or name of an endpoint, for `external_authorization`.
    pub endpoint: Option<String>,
}

/// When a fault strikes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Instead of carrying the request out.
    #[default]
    Before,
    /// After it was carried out: the answer is lost.
    After,
}

/// What goes wrong.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Action {
    /// This status, with a Databricks error body unless `body` is given.
    Status {
        /// 200 to 599.
        status: u16,
        /// `Retry-After`.
        retry_after: Option<RetryAfter>,
        /// Instead of the status's usual code.
        error_code: Option<String>,
        /// Instead of the usual text.
        message: Option<String>,
        /// The whole body.
        body: Option<Value>,
    },
    /// The answer comes later, in real time.
    Latency {
        /// At least so much later.
        ms: u64,
        /// And up to so much more.
        #[serde(default)]
        jitter_ms: u64,
    },
    /// No answer comes, and the connection stays open.
    Hang {},
    /// The connection is reset (RST).
    Reset {},
    /// The connection is closed (FIN) without an answer.
    Close {},
    /// 200 with an HTML page instead of JSON, or with `text`.
    Garbage {
        /// The body.
        text: Option<String>,
    },
    /// The answer's head and half of its body, then the end of the connection.
    Truncate {},
    /// The request is carried out, and the long-running operation that it begins fails: what it was to make is gone
    /// again, what it was to change is as before.
    FailOperation {
        /// The error's code; `INTERNAL_ERROR` when absent.
        error_code: Option<String>,
        /// The error's text.
        message: Option<String>,
    },
    /// The operation that the request begins succeeds, and says so without a `response`.
    EmptyOperation {},
    /// The operation that the request begins never ends; its project takes no other write while the emulator runs.
    StickOperation {},
    /// Nobody listens: every connection to the control plane is refused, and those that exist are closed.
    Refuse {},
    /// The body comes in pieces over this time.
    Slow {
        /// In milliseconds.
        ms: u64,
    },
    /// A login goes wrong on its way, for whoever logs in.
    Login {
        /// How far it has come.
        at: LoginStep,
        /// What goes wrong there.
        how: LoginTrouble,
    },
    /// Logins are refused before authentication, as by an IP access list.
    ExternalAuthorization {
        /// Added to the text.
        reason: Option<String>,
    },
}

/// How far a login has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoginStep {
    /// The connection is there, and nothing was read.
    Connected,
    /// The client asked for TLS and has no answer yet.
    TlsAsked,
    /// The client was told to begin with TLS.
    Tls,
    /// The start-up packet came.
    Startup,
    /// The password came, and was not looked at.
    Password,
    /// The client was told that it is in, and nothing else.
    Authenticated,
    /// The client was told everything but that the session is ready.
    Ready,
}

/// What goes wrong with a login.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum LoginTrouble {
    /// The connection is reset (RST).
    Reset,
    /// The connection is closed without a word.
    Close,
    /// Nothing comes any more, and the connection stays open until the rule is gone.
    Hang,
    /// It goes on later, in real time.
    Delay {
        /// In milliseconds.
        ms: u64,
    },
    /// It ends with this error, of the severity `FATAL`.
    Error {
        /// The SQLSTATE, five characters.
        code: String,
        /// The text.
        message: String,
    },
}

/// The forms of `Retry-After`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RetryAfter {
    /// Seconds.
    Seconds(u64),
    /// An HTTP date so many seconds of the virtual clock ahead.
    Date {
        /// Seconds ahead; negative: in the past.
        date_s: i64,
    },
    /// Any text.
    Text(String),
}

/// What a rule is matched against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) user_agent: Option<&'a str>,
    pub(crate) test: Option<&'a str>,
}

impl Fault {
    /// `action` on every request.
    pub fn new(action: Action) -> Self {
        Self {
            on: Match::default(),
            action,
            times: None,
            after: 0,
            probability: None,
            until_s: None,
            phase: Phase::Before,
        }
    }

    /// A Databricks error answer with this status.
    pub fn status(status: u16) -> Self {
        Self::new(Action::Status {
            status,
            retry_after: None,
            error_code: None,
            message: None,
            body: None,
        })
    }

    /// Only for this method and path (`*` stands for any text).
    #[must_use]
    pub fn on(mut self, method: &str, path: &str) -> Self {
        self.on.method = Some(method.to_owned());
        self.on.path = Some(path.to_owned());
        self
    }

    /// With this `Retry-After`, if it is a status.
    #[must_use]
    pub fn retry_after(mut self, value: RetryAfter) -> Self {
        if let Action::Status { retry_after, .. } = &mut self.action {
            *retry_after = Some(value);
        }
        self
    }

    /// At most so often.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    /// Only after so many matches.
    #[must_use]
    pub fn after(mut self, matches: u64) -> Self {
        self.after = matches;
        self
    }

    /// For so many seconds of the virtual clock.
    #[must_use]
    pub fn for_s(mut self, seconds: f64) -> Self {
        self.until_s = Some(seconds);
        self
    }

    /// The request is carried out, and only its answer goes wrong.
    #[must_use]
    pub fn after_carrying_out(mut self) -> Self {
        self.phase = Phase::After;
        self
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        if let Some(share) = self.probability
            && !(0.0..=1.0).contains(&share)
        {
            return Err(Error::invalid("probability", share, "a number from 0 to 1"));
        }
        if let Some(until_s) = self.until_s
            && !(until_s.is_finite() && (0.0..=3_155_760_000.0).contains(&until_s))
        {
            return Err(Error::invalid(
                "until_s",
                until_s,
                "a number of seconds from 0 to 3155760000",
            ));
        }
        if let Action::Status { status, .. } = &self.action
            && !(200..600).contains(status)
        {
            return Err(Error::invalid(
                "action.status",
                status,
                "an HTTP status from 200 to 599",
            ));
        }
        if let Action::Status {
            retry_after: Some(RetryAfter::Text(text)),
            ..
        } = &self.action
            && axum::http::HeaderValue::from_str(text).is_err()
        {
            return Err(Error::invalid(
                "action.retry_after",
                format!("{text:?}"),
                "text that fits into a header",
            ));
        }
        let http = self.on.method.is_some()
            || self.on.path.is_some()
            || self.on.user_agent.is_some()
            || self.on.test.is_some();
        match &self.action {
            Action::ExternalAuthorization { .. } if http => Err(Error::invalid(
                "match",
                "that of a request",
                "an endpoint, or empty, for external_authorization",
            )),
            Action::Login { .. }
                if http || self.on.endpoint.is_some() || self.phase == Phase::After =>
            {
                Err(Error::invalid(
                    "match or phase",
                    "given",
                    "absent for login, which may strike before the client has said anything",
                ))
            }
            Action::Login {
                how: LoginTrouble::Error { code, .. },
                ..
            } if code.len() != 5 || !code.chars().all(|one| one.is_ascii_alphanumeric()) => {
                Err(Error::invalid(
                    "action.how.error.code",
                    format!("{code:?}"),
                    "an SQLSTATE, such as 57P03",
                ))
            }
            Action::Refuse {} if http || self.on.endpoint.is_some() => Err(Error::invalid(
                "match",
                "given",
                "empty for refuse: whoever is refused has not said who he is",
            )),
            Action::Refuse {}
                if self.times.is_some() || self.after > 0 || self.probability.is_some() =>
            {
                Err(Error::invalid(
                    "times, after or probability",
                    "given",
                    "absent for refuse, which ends with until_s or when it is deleted",
                ))
            }
            Action::ExternalAuthorization { .. } | Action::Login { .. } | Action::Refuse {} => {
                Ok(())
            }
            _ if self.on.endpoint.is_some() => Err(Error::invalid(
                "match.endpoint",
                "given",
                "absent but for external_authorization; use match.path",
            )),
            _ => Ok(()),
        }
    }
}

impl Match {
    pub(super) fn fits(&self, subject: Subject<'_>) -> bool {
        self.method
            .as_deref()
            .is_none_or(|method| method.eq_ignore_ascii_case(subject.method))
            && self
                .path
                .as_deref()
                .is_none_or(|path| glob(path, subject.path))
            && self
                .user_agent
                .as_deref()
                .is_none_or(|part| subject.user_agent.is_some_and(|agent| agent.contains(part)))
            && self
                .test
                .as_deref()
                .is_none_or(|test| subject.test == Some(test))
    }
}

/// Whether `text` is `pattern`, where `*` stands for any text.
fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::glob;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, text) in [
            ("/a", "/a"),
            ("*", ""),
            ("/a/*", "/a/b/c"),
            ("*/endpoints/*", "/p/endpoints/e"),
            ("/a*b*c", "/abxbc"),
        ] {
            assert!(glob(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("/a", "/ab"),
            ("/a/*/c", "/a/b"),
            ("*x", "y"),
            ("/a*b", "/ac"),
        ] {
            assert!(!glob(pattern, text), "{pattern} {text}");
        }
    }
}
