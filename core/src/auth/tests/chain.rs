//! Which identity, and what people read when there is none. The texts without hint are those that four SDKs share.

use std::sync::Arc;

use super::{NOW, api};
use crate::auth::{ProvidedToken, TokenProvider};
use crate::clock::{BoxFuture, ManualClock};
use crate::code::Code;
use crate::error::{Error, Result};
use crate::http::Api;
use crate::http::scripted::Scripted;

const GOLDEN: &str = "default auth: cannot configure default credentials, please check https://docs.databricks.com/en/dev-tools/auth.html#databricks-client-unified-authentication to configure credentials for your preferred authentication method";

/// Choosing needs no request, and this transport proves it.
fn chosen(settings: &[(&str, &str)], env: &[(&str, &str)]) -> Result<Api> {
    let nobody = Scripted::new(|request| panic!("{request:?}"));
    api(settings, env, &nobody, &ManualClock::at(NOW), None)
}

#[test]
fn permutations_that_work() {
    for (settings, env, auth, host) in [
        (
            &[][..],
            &[("DATABRICKS_HOST", "x"), ("DATABRICKS_TOKEN", "x")][..],
            "pat",
            "https://x",
        ),
        (
            &[("host", "https://x")],
            &[("DATABRICKS_TOKEN", "x")],
            "pat",
            "https://x",
        ),
        (
            &[
                ("host", "https://adb-xxx.y.azuredatabricks.net/"),
                ("token", "y"),
            ],
            &[],
            "pat",
            "https://adb-xxx.y.azuredatabricks.net",
        ),
        (
            &[("host", "x")],
            &[
                ("DATABRICKS_CLIENT_ID", "i"),
                ("DATABRICKS_CLIENT_SECRET", "s"),
            ],
            "oauth-m2m",
            "https://x",
        ),
        (
            &[("host", "x"), ("auth_type", "pat"), ("token", "obo")],
            &[
                ("DATABRICKS_CLIENT_ID", "i"),
                ("DATABRICKS_CLIENT_SECRET", "s"),
            ],
            "pat",
            "https://x",
        ),
        (
            &[("host", "x"), ("auth_type", "oauth-m2m"), ("token", "t")],
            &[
                ("DATABRICKS_CLIENT_ID", "i"),
                ("DATABRICKS_CLIENT_SECRET", "s"),
            ],
            "oauth-m2m",
            "https://x",
        ),
        (
            &[("host", "x"), ("token", "t")],
            &[("DATABRICKS_CLIENT_ID", "")],
            "pat",
            "https://x",
        ),
    ] {
        let api = chosen(settings, env).unwrap();
        assert_eq!(
            (api.auth_type(), api.host()),
            (auth, host),
            "{settings:?} {env:?}"
        );
    }
}

#[test]
fn permutations_that_do_not() {
    let golden = |suffix: &str| format!("{GOLDEN}{suffix}");
    for (settings, env, code, text) in [
        (&[][..], &[][..], Code::AuthNotConfigured, golden("")),
        (&[], &[("DATABRICKS_HOST", "x")], Code::AuthNotConfigured, golden(". Config: host=https://x. Env: DATABRICKS_HOST")),
        (&[], &[("DATABRICKS_TOKEN", "x")], Code::ConfigMissingHost, golden(". Config: token=***. Env: DATABRICKS_TOKEN")),
        (&[], &[("DATABRICKS_USERNAME", "x"), ("DATABRICKS_PASSWORD", "x")], Code::ConfigMissingHost, golden(". Config: username=x, password=***. Env: DATABRICKS_USERNAME, DATABRICKS_PASSWORD")),
        (&[], &[("DATABRICKS_CONFIG_FILE", "x")], Code::AuthNotConfigured, golden(". Config: config_file=x. Env: DATABRICKS_CONFIG_FILE")),
        (&[("host", "x")], &[("DATABRICKS_CLIENT_ID", "i")], Code::AuthNotConfigured, golden(". Config: host=https://x, client_id=i. Env: DATABRICKS_CLIENT_ID")),
        (
            &[],
            &[("DATABRICKS_HOST", "x"), ("DATABRICKS_TOKEN", "x"), ("DATABRICKS_USERNAME", "x"), ("DATABRICKS_PASSWORD", "x")],
            Code::ConfigConflict,
            "validate: more than one authorization method configured: basic and pat. Config: host=x, token=***, username=x, password=***. Env: DATABRICKS_HOST, DATABRICKS_TOKEN, DATABRICKS_USERNAME, DATABRICKS_PASSWORD".to_owned(),
        ),
    ] {
        let error = chosen(settings, env).unwrap_err();
        assert_eq!(error.message(), text, "{settings:?} {env:?}");
        assert_eq!(error.code(), code, "{error}");
    }
}

#[test]
fn what_each_type_lacked_is_listed() {
    let error = chosen(&[("host", "x"), ("client_id", "i")], &[]).unwrap_err();
    let hint = error.hint().unwrap();
    for (place, reason) in [
        (
            0,
            "Tried pat (no token), basic (no username, password), oauth-m2m (no client_secret), metadata-service (no metadata_service_url), ",
        ),
        (
            1,
            "file-oidc (no oidc_token_filepath), databricks-cli (databricks CLI not found), github-oidc-azure",
        ),
        (
            1,
            "azure-cli (the host is no workspace on Azure), google-credentials (no google_credentials)",
        ),
        (1, "model-serving (not inside model serving)"),
    ] {
        let at = hint.find(reason);
        assert!(
            at.is_some_and(|at| place > 0 || at == 0),
            "{reason} in {hint}"
        );
    }

    let env = [("GOOGLE_CREDENTIALS", "planted")];
    let error = chosen(&[("host", "x")], &env).unwrap_err();
    assert!(
        error
            .hint()
            .unwrap()
            .contains("google-credentials (the host is no workspace on Google Cloud)"),
        "{error}"
    );
    assert!(!format!("{error} {error:?}").contains("planted"));
}

#[test]
fn a_pinned_type_is_the_only_one_tried() {
    for (settings, code, words) in [
        (
            &[("host", "x"), ("auth_type", "nonsense"), ("token", "t")][..],
            Code::ConfigInvalid,
            "auth type \"nonsense\" not found",
        ),
        (
            &[("host", "x"), ("auth_type", "azure-cli"), ("token", "t")],
            Code::AuthNotConfigured,
            "azure-cli: the host is no workspace on Azure. Config: host=https://x, token=***",
        ),
        (
            &[("host", "x"), ("auth_type", "google-id"), ("token", "t")],
            Code::AuthNotConfigured,
            "google-id: this auth type (from explicit setting) needs google_service_account",
        ),
        (
            &[("host", "x"), ("auth_type", "oauth-m2m"), ("token", "t")],
            Code::AuthNotConfigured,
            "needs client_id and client_secret",
        ),
        (
            &[("auth_type", "pat"), ("token", "t")],
            Code::ConfigMissingHost,
            "no workspace host",
        ),
    ] {
        let error = chosen(settings, &[]).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(error.message().contains(words), "{error}");
        assert!(error.hint().is_some(), "{error}");
    }
}

#[test]
fn a_token_with_a_line_break_is_refused_by_its_source() {
    let error = chosen(&[("host", "x")], &[("DATABRICKS_TOKEN", "planted\n")]).unwrap_err();
    assert_eq!(error.code(), Code::ConfigInvalid);
    assert!(
        error
            .message()
            .contains("DATABRICKS_TOKEN environment variable"),
        "{error}"
    );
    assert!(!format!("{error} {error:?}").contains("planted"));
}

#[test]
fn the_principal_tells_identities_apart_and_no_secrets() {
    let m2m = |id: &str, secret: &str, host: &str| {
        chosen(
            &[("host", host), ("client_id", id), ("client_secret", secret)],
            &[],
        )
        .unwrap()
    };
    let one = m2m("sp", "planted-1", "a");
    assert_eq!(one.login_name(), Some("sp"));
    assert_eq!(one.principal(), m2m("sp", "planted-1", "a").principal());
    assert_ne!(one.principal(), m2m("other", "planted-1", "a").principal());
    assert_ne!(
        one.principal(),
        m2m("sp", "planted-2", "a").principal(),
        "a wrong secret shares nothing"
    );
    let pat = chosen(&[("host", "a"), ("token", "planted-3")], &[]).unwrap();
    assert_eq!(pat.login_name(), None);
    let shown = format!("{one:?} {pat:?} {} {}", one.principal(), pat.principal());
    assert!(!shown.contains("planted"), "{shown}");
}

struct Fixed(&'static str);

impl TokenProvider for Fixed {
    fn token(&self) -> BoxFuture<'_, Result<ProvidedToken>> {
        Box::pin(async { Err(Error::new(Code::Internal, "unused")) })
    }

    fn fingerprint(&self) -> String {
        self.0.to_owned()
    }
}

#[test]
fn the_host_programs_own_tokens_beat_everything_that_is_configured() {
    let nobody = Scripted::new(|request| panic!("{request:?}"));
    let clock = ManualClock::at(NOW);
    let conflicting = [
        ("host", "x"),
        ("token", "t"),
        ("client_id", "i"),
        ("client_secret", "s"),
    ];
    let with = |settings: &[(&str, &str)], name| {
        api(settings, &[], &nobody, &clock, Some(Arc::new(Fixed(name))))
    };
    let api = with(&conflicting, "user@x").unwrap();
    assert_eq!(api.auth_type(), "host-callback");
    assert!(!api.principal().contains("user@x"));
    assert_eq!(with(&[], "u").unwrap_err().code(), Code::ConfigMissingHost);
    assert_eq!(
        with(&conflicting, "").unwrap_err().code(),
        Code::ConfigInvalid
    );
}
