#![allow(clippy::unwrap_used)]

use super::texts::{CODES, TEXTS};
use super::*;

fn report(text: &str) -> Report<'_> {
    Report {
        text,
        ..Report::default()
    }
}

#[test]
fn every_row_decides_what_it_says() {
    for row in TEXTS {
        let code = row.codes.first().copied();
        let found = Report {
            code,
            ..report(row.text)
        }
        .said();
        assert_eq!(found, row.kind, "{:?} is taken by a row above it", row.text);
        assert_eq!(
            row.text,
            row.text.to_ascii_lowercase(),
            "{:?} never fits",
            row.text
        );
        assert!(!row.source.is_empty());
    }
    for (code, kind) in CODES {
        let code = code.replace('*', "ANYTHING");
        assert_eq!(
            Report {
                code: Some(&code),
                ..report("völlig anders")
            }
            .said(),
            *kind,
            "{code}"
        );
    }
}

#[test]
fn a_row_with_codes_is_not_for_other_codes() {
    let text = "role \"ann\" does not exist";
    assert_eq!(report(text).kind(), Kind::RoleMissing);
    assert_eq!(
        Report {
            code: Some("28000"),
            ..report(text)
        }
        .kind(),
        Kind::RoleMissing
    );
    assert_eq!(
        Report {
            code: Some("42704"),
            ..report(text)
        }
        .kind(),
        Kind::Unknown,
        "a GRANT, and no login"
    );
}

#[test]
fn a_name_may_hold_any_words() {
    let text =
        "FATAL:  password authentication failed for user \"role is blocked by Databricks IP ACL\"";
    assert_eq!(report(text).kind(), Kind::StaleToken);
}

#[test]
fn a_token_that_was_minted_for_this_login_is_not_worth_another() {
    let text = "FATAL:  password authentication failed for user \"ann\"";
    let known = |fresh| {
        Report {
            fresh,
            user: Some("ann"),
            subject: Some("ann"),
            ..report(text)
        }
        .explain()
    };
    let old = known(Some(false));
    assert!(old.retry && old.invalidate && old.budget == Budget::Once);
    let fresh = known(Some(true));
    assert!(!fresh.retry && !fresh.invalidate && fresh.budget == Budget::Never);
    assert!(
        fresh
            .hint
            .unwrap()
            .contains("databricks_create_role('ann', 'USER')")
    );
}

#[test]
fn another_user_than_the_tokens_is_named_first_as_a_group_role() {
    let text = "FATAL:  password authentication failed for user \"data engineers\"\n";
    let of = |subject| Report {
        user: Some("data engineers"),
        subject: Some(subject),
        ..report(text)
    };
    let hint = of("ann@example.com").explain().hint.unwrap();
    assert!(
        hint.contains("group role") && hint.contains("ann@example.com"),
        "{hint}"
    );
    let hint = of("data engineers").explain().hint.unwrap();
    assert!(
        hint.contains("databricks_create_role('data engineers'"),
        "{hint}"
    );
}

#[test]
fn the_sql_that_makes_a_role_is_quoted() {
    let text = "role \"o'neil\" does not exist";
    let hint = Report {
        user: Some("o'neil"),
        ..report(text)
    }
    .explain()
    .hint
    .unwrap();
    assert!(
        hint.contains("databricks_create_role('o''neil', 'USER')"),
        "{hint}"
    );
}

#[test]
fn the_address_and_the_workspace_of_an_access_list_are_named() {
    let text = "FATAL:  External authorization failed.\nDETAIL:  This could be due to paused instances, disabling readable secondaries, IP ACLs or private link configuration. Source IP address: 192.0.2.7 is blocked by Databricks IP ACL for workspace: 42";
    let explained = report(text).explain();
    assert_eq!((explained.kind, explained.retry), (Kind::IpBlocked, false));
    let hint = explained.hint.unwrap();
    assert!(
        hint.contains("192.0.2.7") && hint.contains("workspace 42"),
        "{hint}"
    );
}

#[test]
fn a_wrong_clock_is_named_where_it_is_the_reason_and_nowhere_else() {
    let dates = "SSL error: certificate verify failed: certificate is not yet valid";
    let late = Report {
        skew_ms: Some(3_600_000),
        ..report(dates)
    };
    assert_eq!(late.kind(), Kind::ClockSkew);
    assert!(
        late.explain()
            .hint
            .unwrap()
            .contains("60 min behind the workspace's")
    );
    assert!(!late.explain().retry);
    assert_eq!(
        Report {
            skew_ms: Some(900),
            ..late
        }
        .kind(),
        Kind::Tls
    );
    let name = "server certificate for \"a\" does not match host name \"b\"";
    assert_eq!(
        Report {
            skew_ms: Some(3_600_000),
            ..report(name)
        }
        .kind(),
        Kind::Tls
    );
    let ahead = Report {
        skew_ms: Some(-10_000_000),
        ..report("certificate has expired")
    };
    assert!(
        ahead
            .explain()
            .hint
            .unwrap()
            .contains("2 h ahead of the workspace's")
    );
}

#[test]
fn the_servers_own_words_are_told_and_no_token() {
    let text = "connection to server at \"h\" (10.0.0.1), port 5432 failed: FATAL:  role \"x\" does not exist\nsecond";
    assert_eq!(report(text).gist(), "role \"x\" does not exist");
    let leaked = "invalid integer value \"eyJhbGciOi.planted-secret.sig@host:5432\" for connection option \"port\"";
    let error = report(leaked).error(Kind::Unknown);
    assert!(
        !format!("{error} {error:?}").contains("planted-secret"),
        "{error}"
    );
    assert!(error.message().contains("@host:5432"));
}

#[test]
fn every_kind_but_unknown_has_a_fix_and_a_name_of_its_own() {
    let mut names: Vec<&str> = Kind::ALL.iter().map(|kind| kind.slug()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Kind::ALL.len());
    for kind in Kind::ALL {
        let explained = report("").explain_as(*kind);
        assert_eq!(explained.hint.is_some(), *kind != Kind::Unknown, "{kind:?}");
        assert_eq!(explained.retry, explained.budget != Budget::Never);
    }
}

#[test]
fn any_error_is_explained_by_itself_or_by_its_sources() {
    let inner = std::io::Error::new(
        std::io::ErrorKind::ConnectionRefused,
        "Connection refused (os error 111)",
    );
    let outer = Error::new(Code::Internal, "while opening the shop").with_source(inner);
    assert_eq!(explain(&outer).kind, Kind::Tcp);
    let own = Error::new(Code::EndpointDisabled, "off").with_hint("enable it");
    let explained = explain(&own);
    assert_eq!(
        (explained.kind, explained.retry),
        (Kind::EndpointDisabled, false)
    );
    assert_eq!(explained.hint.as_deref(), Some("enable it"));
    assert_eq!(
        explain(&Error::new(Code::AuthDenied, "no")).kind,
        Kind::Unknown
    );
}
