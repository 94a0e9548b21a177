//! What a refused login means.
//!
//! libpq tells drivers no SQLSTATE while connecting, so the text decides there; drivers that know the code are believed.
//! Adapters ask here whether a fresh token may help and what to tell the user, so that every language says the same.

use crate::code::Code;
use crate::error::Error;

/// Texts of a refused password or token. The first is Postgres's own, also for an expired token; the second comes from
/// Databricks' authentication extension, reported by users for a bad or expired token.
const TOKEN_REFUSED: &[&str] = &[
    "password authentication failed for user",
    "Invalid authorization for databricks identity login",
];
/// Reported for a personal access token or a native password sent for an identity role.
const NOT_A_CREDENTIAL: &str = "Provided authentication token is not a valid JWT encoding";

/// A refused login, as the driver reports it.
#[derive(Clone, Copy, Debug)]
pub struct Refusal<'a> {
    /// SQLSTATE, where the driver knows it.
    pub sqlstate: Option<&'a str>,
    /// The server's text.
    pub text: &'a str,
    /// The Postgres user that was asked for.
    pub user: &'a str,
    /// The identity in the token (`sub`), if known.
    pub subject: Option<&'a str>,
}

impl Refusal<'_> {
    /// Whether the server refused the password: a token from the cache may have been revoked or may have ended by the
    /// server's clock, so one fresh token is worth one more try.
    pub fn is_of_token(&self) -> bool {
        self.sqlstate == Some("28P01") || TOKEN_REFUSED.iter().any(|text| self.text.contains(text))
    }

    /// The error to show: what the server said, and the likeliest fix first.
    pub fn explain(&self) -> Error {
        let said = self.text.trim().lines().next().unwrap_or_default().trim();
        let error = Error::new(
            Code::LoginRefused,
            format!("Postgres refused the login of {}: {said}", self.user),
        );
        if self.text.contains(NOT_A_CREDENTIAL) {
            return error.with_hint("The password is no database credential, such as a workspace token or a native password; let lakekey give the password");
        }
        if !self.is_of_token() {
            return error;
        }
        match self.subject.filter(|subject| *subject != self.user) {
            Some(subject) => error.with_hint(format!(
                "The token is of {subject} and the user is {user}: if {user} is a group role, {subject} must be a member of that group; else log in as {subject}",
                user = self.user
            )),
            None => error.with_hint(format!(
                "The branch may have no such role: its owner runs CREATE EXTENSION IF NOT EXISTS databricks_auth; SELECT databricks_create_role('{}', 'USER'); (or 'SERVICE_PRINCIPAL', 'GROUP')",
                self.user.replace('\'', "''")
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn refusal<'a>(text: &'a str, subject: Option<&'a str>) -> Refusal<'a> {
        Refusal {
            sqlstate: None,
            text,
            user: "data engineers",
            subject,
        }
    }

    #[test]
    fn the_text_decides_where_the_driver_knows_no_code() {
        assert!(
            refusal(
                "FATAL:  password authentication failed for user \"x\"",
                None
            )
            .is_of_token()
        );
        assert!(!refusal("FATAL:  role \"x\" does not exist", None).is_of_token());
        assert!(
            Refusal {
                sqlstate: Some("28P01"),
                ..refusal("Passwort falsch", None)
            }
            .is_of_token()
        );
    }

    #[test]
    fn another_user_than_the_tokens_is_named_first_as_a_group_role() {
        let text = "FATAL:  password authentication failed for user \"data engineers\"\n";
        let hint = refusal(text, Some("ann@example.com"))
            .explain()
            .hint()
            .unwrap()
            .to_owned();
        assert!(
            hint.contains("group role") && hint.contains("ann@example.com"),
            "{hint}"
        );
        let hint = refusal(text, Some("data engineers"))
            .explain()
            .hint()
            .unwrap()
            .to_owned();
        assert!(
            hint.contains("databricks_create_role('data engineers'"),
            "{hint}"
        );
    }
}
