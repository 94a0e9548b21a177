//! What a refused login means, whether another try is worth it, and what to do about it.
//!
//! libpq tells drivers no SQLSTATE while connecting, so the text decides there; drivers that know a code are believed.
//! Adapters of every language ask here, so that a missing role is never retried for a minute in one of them and told as
//! "timeout" in another.

mod hint;
mod kind;
mod texts;

use std::borrow::Cow;
use std::error::Error as StdError;

pub use kind::{Budget, CONNECT, Kind, PROPAGATION};

use crate::code::Code;
use crate::error::Error;

/// What drivers say of a certificate that has ended or has not begun, in lower case.
const OF_DATES: &[&str] = &[
    "not yet valid",
    "not valid yet",
    "notvalidyet",
    "notyetvalid",
    "expired",
    "validity check failed",
];

/// What a driver reported, and what else is known of the login.
#[derive(Clone, Copy, Debug, Default)]
pub struct Report<'a> {
    /// The driver's code, where it knows one: an SQLSTATE, `ECONNREFUSED`, `ENDPOINT_DISABLED`.
    pub code: Option<&'a str>,
    /// The driver's text, whole.
    pub text: &'a str,
    /// The Postgres user that was asked for.
    pub user: Option<&'a str>,
    /// The identity in the token (`sub`), if known.
    pub subject: Option<&'a str>,
    /// Whether the token was minted for this very login, if known: then another one will not do.
    pub fresh: Option<bool>,
    /// The workspace's clock minus this machine's, in milliseconds, if known.
    pub skew_ms: Option<i64>,
}

/// What it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The kind of trouble.
    pub kind: Kind,
    /// Whether another try may succeed.
    pub retry: bool,
    /// For how long another try is worth it.
    pub budget: Budget,
    /// Whether the cached token has to go first.
    pub invalidate: bool,
    /// The likeliest fix.
    pub hint: Option<String>,
}

impl Report<'_> {
    /// What the report means.
    pub fn explain(&self) -> Explanation {
        self.explain_as(self.kind())
    }

    /// The same when the kind is known better than from the text, such as from the workspace.
    pub fn explain_as(&self, kind: Kind) -> Explanation {
        // A token that was minted for this login cannot be stale.
        let spent = kind == Kind::StaleToken && self.fresh == Some(true);
        Explanation {
            kind,
            retry: kind.is_retryable() && !spent,
            budget: if spent { Budget::Never } else { kind.budget() },
            invalidate: kind.invalidates() && !spent,
            hint: hint::of(kind, self),
        }
    }

    /// The kind of trouble.
    pub fn kind(&self) -> Kind {
        let kind = self.said();
        let skewed = self
            .skew_ms
            .is_some_and(|skew| skew.unsigned_abs() >= hint::NOTABLE_SKEW_MS);
        match kind {
            // The dates of a certificate are compared with this machine's clock.
            Kind::Tls if skewed && self.is_about_dates() => Kind::ClockSkew,
            Kind::StaleToken => match (self.user, self.subject) {
                (Some(user), Some(subject)) if user != subject && self.fresh != Some(false) => {
                    Kind::WrongUser
                }
                _ => kind,
            },
            _ => kind,
        }
    }

    /// Whether the server refused the password: a token from the cache may have been revoked or may have ended by the
    /// server's clock, so one fresh token is worth one more try.
    pub fn is_of_token(&self) -> bool {
        self.said() == Kind::StaleToken
    }

    /// What the text and the code say, and nothing else.
    fn said(&self) -> Kind {
        let code = self.code.unwrap_or_default();
        if let Some(kind) = Code::ALL
            .iter()
            .find(|known| known.slug() == code)
            .and_then(|known| Kind::of_code(*known))
        {
            return kind;
        }
        let text = without_names(self.text).to_ascii_lowercase();
        let fits = |row: &&texts::Row| {
            (code.is_empty() || row.codes.is_empty() || row.codes.contains(&code))
                && text.contains(row.text)
        };
        if let Some(row) = texts::TEXTS.iter().find(fits) {
            return row.kind;
        }
        let known = texts::CODES
            .iter()
            .find(|(known, _)| match known.strip_suffix('*') {
                Some(begin) => code.starts_with(begin),
                None => *known == code,
            });
        known.map_or(Kind::Unknown, |(_, kind)| *kind)
    }

    fn is_about_dates(&self) -> bool {
        let text = self.text.to_ascii_lowercase();
        OF_DATES.iter().any(|part| text.contains(part))
    }

    /// What the server or the driver said, on one line: the server's own words where there are any.
    pub fn gist(&self) -> String {
        let text = self.text;
        let at = ["FATAL:", "ERROR:"]
            .iter()
            .filter_map(|mark| text.find(mark).map(|at| at + mark.len()))
            .min()
            .unwrap_or(0);
        let mut line = text[at..]
            .lines()
            .map(str::trim)
            .find(|line| !line.is_empty())
            .unwrap_or_default()
            .to_owned();
        if line.chars().count() > 300 {
            line = line.chars().take(300).collect();
        }
        // The sentence that quotes it ends it.
        line.truncate(line.trim_end_matches('.').len());
        // A mangled connection string puts a token into a driver's own message.
        while let Some(at) = line.find("eyJ") {
            let end = line[at..].find(|c: char| !(c.is_ascii_alphanumeric() || "-_.=".contains(c)));
            line.replace_range(at..end.map_or(line.len(), |end| at + end), "***");
        }
        line
    }

    /// The error to show: what the server said, and the likeliest fix.
    pub fn error(&self, kind: Kind) -> Error {
        let explanation = self.explain_as(kind);
        let (said, slug) = (self.gist(), kind.slug());
        let (code, message) = match kind {
            Kind::Tls | Kind::ClockSkew => (
                Code::LoginTls,
                format!("TLS with the database failed [{slug}]: {said}"),
            ),
            Kind::Dns
            | Kind::Tcp
            | Kind::ServerGone
            | Kind::EndpointWaking
            | Kind::NotPropagated
            | Kind::TooManyConnections => (
                Code::LoginUnavailable,
                format!("the database cannot be logged in to [{slug}]: {said}"),
            ),
            _ => match self.user {
                Some(user) => (
                    Code::LoginRefused,
                    format!("Postgres refused the login of {user} [{slug}]: {said}"),
                ),
                None => (
                    Code::LoginRefused,
                    format!("Postgres refused the login [{slug}]: {said}"),
                ),
            },
        };
        let error = Error::new(code, message).with_login(kind);
        match explanation.hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }
}

/// What any error means for a login: one of lakekey's, of tokio-postgres, of the system. Its sources are looked through as
/// well, from the outermost to the innermost; the first that says anything counts.
pub fn explain(error: &(dyn StdError + 'static)) -> Explanation {
    let mut next = Some(error);
    while let Some(one) = next {
        if let Some(own) = one.downcast_ref::<Error>()
            && let Some(kind) = own.login()
        {
            return Explanation {
                kind,
                retry: own.is_retryable(),
                budget: kind.budget(),
                invalidate: kind.invalidates(),
                hint: own.hint().map(str::to_owned),
            };
        }
        let text = one.to_string();
        let report = Report {
            text: &text,
            ..Report::default()
        };
        let explanation = report.explain();
        if explanation.kind != Kind::Unknown {
            return explanation;
        }
        next = one.source();
    }
    Report::default().explain()
}

/// The text with what stands in double quotes left out: a role may be called whatever it likes.
fn without_names(text: &str) -> Cow<'_, str> {
    if !text.contains('"') {
        return Cow::Borrowed(text);
    }
    let mut bare = String::with_capacity(text.len());
    for (index, part) in text.split('"').enumerate() {
        if index > 0 {
            bare.push('"');
        }
        if index % 2 == 0 {
            bare.push_str(part);
        }
    }
    Cow::Owned(bare)
}

#[cfg(test)]
mod tests;
