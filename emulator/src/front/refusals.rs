//! The words of every refused login, read from `data/login_errors.json`, where each names its source.
//!
//! Drivers and lakekey's own classifier branch on these texts; with the words spread over the code nobody could tell
//! which of them Lakebase really says.

use std::collections::HashMap;
use std::sync::LazyLock;

use lakekey_gateway::{Fault, Refusal};
use serde::Deserialize;

use super::directory::LoginRefusal;

static ROWS: LazyLock<HashMap<Id, Row>> = LazyLock::new(|| {
    // A test reads the same text, so that what is broken does not get this far.
    let table: Table =
        serde_json::from_str(include_str!("../../data/login_errors.json")).unwrap_or_default();
    table.rows.into_iter().map(|row| (row.id, row)).collect()
});

#[derive(Default, Deserialize)]
struct Table {
    rows: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    id: Id,
    sqlstate: Option<String>,
    severity: Option<String>,
    text: Option<String>,
    detail: Option<String>,
}

/// The rows of the table.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Hash)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Id {
    NotEncrypted,
    SslRequestLength,
    CancelRequestLength,
    DataBeforeTls,
    StartupLength,
    ProtocolVersion,
    NoSni,
    HandshakeTimeout,
    ExternalAuthorizationFailed,
    UpstreamState,
    InternalError,
    UpstreamUnreachable,
    StartupLayout,
    NoUser,
    LoginTimeout,
    PasswordExpected,
    PasswordMalformed,
    PasswordEmpty,
    PasswordAuthenticationFailed,
    NotAJwt,
    IdentityRefused,
    NativeLoginOff,
    TokenOnPooler,
    TooManyConnections,
}

/// Words a row; `values` fill its placeholders.
pub(crate) fn refusal(id: Id, values: &[(&str, &str)]) -> Refusal {
    let Some(row) = ROWS.get(&id) else {
        return Refusal::Silent;
    };
    let (Some(code), Some(severity), Some(text)) = (&row.sqlstate, &row.severity, &row.text) else {
        return Refusal::Silent;
    };
    let fill = |template: &String| {
        values.iter().fold(template.clone(), |text, (name, value)| {
            text.replace(&format!("{{{name}}}"), value)
        })
    };
    Refusal::Message {
        severity: severity.clone(),
        code: code.clone(),
        message: fill(text),
        detail: row.detail.as_ref().map(fill),
    }
}

/// Words a fault of the wire.
pub(crate) fn of_fault(fault: &Fault) -> Refusal {
    match fault {
        Fault::NotEncrypted { protocol } => {
            refusal(Id::NotEncrypted, &[("protocol", &protocol.to_string())])
        }
        Fault::SslRequestLength => refusal(Id::SslRequestLength, &[]),
        Fault::CancelRequestLength => refusal(Id::CancelRequestLength, &[]),
        Fault::DataBeforeTls => refusal(Id::DataBeforeTls, &[]),
        Fault::StartupLength => refusal(Id::StartupLength, &[]),
        Fault::ProtocolVersion { major, minor } => refusal(
            Id::ProtocolVersion,
            &[("major", &major.to_string()), ("minor", &minor.to_string())],
        ),
        Fault::StartupLayout => refusal(Id::StartupLayout, &[]),
        Fault::NoUser => refusal(Id::NoUser, &[]),
        Fault::HandshakeTimeout => refusal(Id::HandshakeTimeout, &[]),
        Fault::LoginTimeout => refusal(Id::LoginTimeout, &[]),
        Fault::PasswordExpected { tag } => {
            refusal(Id::PasswordExpected, &[("tag", &tag.to_string())])
        }
        Fault::PasswordMalformed => refusal(Id::PasswordMalformed, &[]),
        Fault::PasswordEmpty => refusal(Id::PasswordEmpty, &[]),
        Fault::UpstreamEnds => refusal(
            Id::InternalError,
            &[(
                "reason",
                "Postgres ends every connection during its login without a word; see its log below the state directory",
            )],
        ),
        _ => refusal(Id::UpstreamState, &[]),
    }
}

/// Words a refused password of `user`.
pub(crate) fn of_login(why: LoginRefusal, user: &str) -> Refusal {
    match why {
        LoginRefusal::Expired
        | LoginRefusal::WrongIdentity
        | LoginRefusal::RoleMissing
        | LoginRefusal::WrongPassword => {
            refusal(Id::PasswordAuthenticationFailed, &[("user", user)])
        }
        LoginRefusal::NotAJwt => refusal(Id::NotAJwt, &[]),
        LoginRefusal::WorkspaceToken | LoginRefusal::Untrusted => refusal(Id::IdentityRefused, &[]),
        LoginRefusal::NativeLoginOff => refusal(Id::NativeLoginOff, &[]),
        LoginRefusal::TokenOnPooler => refusal(Id::TokenOnPooler, &[]),
    }
}

/// "External authorization failed", with the reason that the real gateway appends to its DETAIL.
pub(crate) fn external(reason: Option<&str>) -> Refusal {
    let mut refusal = refusal(Id::ExternalAuthorizationFailed, &[]);
    if let (
        Refusal::Message {
            detail: Some(detail),
            ..
        },
        Some(reason),
    ) = (&mut refusal, reason)
    {
        detail.push(' ');
        detail.push_str(reason);
    }
    refusal
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn the_table_reads_and_every_row_names_its_source() {
        let text = include_str!("../../data/login_errors.json");
        let table: Table = serde_json::from_str(text).unwrap();
        let raw: serde_json::Value = serde_json::from_str(text).unwrap();
        assert_eq!(table.rows.len(), ROWS.len(), "an id stands twice");
        for row in raw["rows"].as_array().unwrap() {
            assert!(
                row["provenance"]["source"].as_str().unwrap().len() > 10,
                "{row}"
            );
            assert!(
                row["provenance"]["certainty"].as_str().unwrap().len() > 4,
                "{row}"
            );
            let silent = row["text"].is_null();
            assert_eq!(silent, row["sqlstate"].is_null(), "{row}");
            assert_eq!(silent, row["severity"].is_null(), "{row}");
        }
    }

    #[test]
    fn fills_placeholders() {
        let Refusal::Message { code, message, .. } =
            of_login(LoginRefusal::Expired, "ann@example.com")
        else {
            panic!("silent");
        };
        assert_eq!(
            (code.as_str(), message.as_str()),
            (
                "28P01",
                "password authentication failed for user \"ann@example.com\"",
            )
        );
    }
}
