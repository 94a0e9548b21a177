//! Which value wins, what the file says, and what people read when it says nonsense.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;

use tempfile::TempDir;

use super::{Environment, Resolved, Settings, Source, resolve};
use crate::code::Code;
use crate::error::Error;

const FILE: &str = "\
[DEFAULT]
host = https://default.cloud.databricks.com/
token = planted-default

[pat.with.dot]
host = https://dotted.cloud.databricks.com/?o=77
token = planted-dotted

[nohost]
token = planted-nohost

[both]
host = https://both
client_id = id
client_secret = planted-both
databricks_id_token_filepath = /token
debug_truncate = 1

[empty]

[broken]
host = https://broken
this line means nothing
";

/// A home directory with this configuration file.
fn home(file: &str) -> TempDir {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join(".databrickscfg"), file).unwrap();
    home
}

fn resolved(
    home: &TempDir,
    settings: &[(&str, &str)],
    env: &[(&str, &str)],
) -> Result<Resolved, Error> {
    let environment = Environment::from_pairs(env.iter().copied()).with_home(home.path());
    resolve(
        &settings.iter().copied().collect::<Settings>(),
        &Arc::new(environment),
    )
}

fn path(home: &TempDir) -> String {
    home.path().join(".databrickscfg").display().to_string()
}

#[test]
fn explicit_beats_environment_beats_file_and_each_says_where_it_came_from() {
    let home = home(FILE);
    let settings = [("host", "explicit"), ("profile", "both")];
    let env = [
        ("DATABRICKS_HOST", "variable"),
        ("DATABRICKS_CLIENT_ID", "from-env"),
    ];
    let resolved = resolved(&home, &settings, &env).unwrap();
    let source = |name: &str| resolved.value(name).unwrap().source.clone();
    assert_eq!(resolved.host(), Some("https://explicit"));
    assert_eq!(source("host"), Source::Explicit);
    assert_eq!(resolved.get("client_id"), Some("from-env"));
    assert_eq!(
        source("client_id"),
        Source::Environment("DATABRICKS_CLIENT_ID")
    );
    assert!(
        resolved
            .secret("client_secret")
            .unwrap()
            .matches("planted-both")
    );
    assert_eq!(
        source("client_secret").to_string(),
        format!("profile both of {}", path(&home))
    );
    assert_eq!(
        resolved.get("oidc_token_filepath"),
        Some("/token"),
        "by its other name"
    );
    assert_eq!(
        resolved.get("client_secret"),
        None,
        "a secret is not given out as text"
    );
}

#[test]
fn which_profile() {
    let home = home(FILE);
    let host = |env: &[(&str, &str)]| resolved(&home, &[], env).unwrap().host().map(str::to_owned);
    assert_eq!(
        host(&[]).as_deref(),
        Some("https://default.cloud.databricks.com")
    );
    assert_eq!(
        host(&[("DATABRICKS_CONFIG_PROFILE", "pat.with.dot")]).as_deref(),
        Some("https://dotted.cloud.databricks.com")
    );
    let fallback = resolved(&home, &[], &[]).unwrap();
    assert_eq!(fallback.get("profile"), Some("DEFAULT"));
    assert!(
        !fallback.summary().contains("profile"),
        "nobody asked for it"
    );
    let dotted = resolved(&home, &[("profile", "pat.with.dot")], &[]).unwrap();
    assert_eq!(
        dotted.get("workspace_id"),
        Some("77"),
        "from the pasted address"
    );
}

#[test]
fn the_file_is_left_alone_when_a_host_or_any_credential_is_given() {
    let home = home(FILE);
    let token = |settings: &[(&str, &str)], env: &[(&str, &str)]| {
        resolved(&home, settings, env)
            .unwrap()
            .secret("token")
            .is_some()
    };
    assert!(!token(&[("host", "x")], &[]));
    assert!(!token(&[], &[("ARM_TENANT_ID", "t")]));
    assert!(token(&[], &[("DATABRICKS_ACCOUNT_ID", "a")]));
    assert!(
        token(&[], &[("DATABRICKS_TOKEN", "")]),
        "an empty variable is an unset one"
    );
    assert!(
        token(&[("host", "x"), ("profile", "nohost")], &[]),
        "unless a profile is named"
    );
}

#[test]
fn default_profile_of_the_cli() {
    let with_default = |name: &str| {
        home(&format!(
            "{FILE}\n[__settings__]\ndefault_profile = {name}\n"
        ))
    };
    let chosen = with_default("pat.with.dot");
    assert_eq!(
        resolved(&chosen, &[], &[]).unwrap().host(),
        Some("https://dotted.cloud.databricks.com")
    );
    let named = resolved(&chosen, &[("profile", "both")], &[]).unwrap();
    assert_eq!(named.host(), Some("https://both"), "a named one beats it");

    let gone = with_default("gone");
    let error = resolved(&gone, &[], &[]).unwrap_err();
    assert_eq!(
        error.message(),
        format!("resolve: {} has no gone profile configured", path(&gone))
    );

    let reserved = with_default("__settings__");
    let error = resolved(&reserved, &[], &[]).unwrap_err();
    assert_eq!(
        error.message(),
        format!(
            "resolve: {}: __settings__ is a reserved section name and cannot be used as a profile",
            path(&reserved)
        )
    );
}

#[test]
fn profiles_that_cannot_be_used() {
    let home = home(FILE);
    for (name, words) in [
        (
            "gone",
            format!(
                "{} has no gone profile configured. Config: profile=gone. Env: DATABRICKS_CONFIG_PROFILE",
                path(&home)
            ),
        ),
        ("empty", "has no empty profile configured".to_owned()),
        ("__settings__", "reserved section name".to_owned()),
        ("broken", "line 23 of profile broken".to_owned()),
    ] {
        let error = resolved(&home, &[], &[("DATABRICKS_CONFIG_PROFILE", name)]).unwrap_err();
        assert_eq!(error.code(), Code::ConfigProfile, "{name}");
        assert!(error.message().contains(&words), "{name}: {error}");
        assert!(!format!("{error} {error:?}").contains("planted"));
    }
}

#[test]
fn a_missing_file_is_no_error_but_not_forgotten() {
    let home = tempfile::tempdir().unwrap();
    let resolved = resolved(&home, &[("profile", "p")], &[]).unwrap();
    assert_eq!(resolved.host(), None);
    assert!(
        resolved.notes()[0].contains("profile p is asked for"),
        "{:?}",
        resolved.notes()
    );
}

#[test]
fn another_file_can_be_named_also_by_a_tilde() {
    let home = home("");
    std::fs::write(home.path().join("other"), FILE).unwrap();
    let resolved = resolved(&home, &[], &[("DATABRICKS_CONFIG_FILE", "~/other")]).unwrap();
    assert_eq!(
        resolved.host(),
        Some("https://default.cloud.databricks.com")
    );
}

#[test]
fn files_that_are_no_configuration_are_refused_without_showing_them() {
    let home = home("");
    let binary = home.path().join("binary");
    std::fs::write(&binary, b"token = planted\xff\xfe").unwrap();
    let huge = home.path().join("huge");
    std::fs::write(&huge, vec![b'#'; 1024 * 1024 + 1]).unwrap();
    for (file, words) in [
        (binary, "is not UTF-8"),
        (huge, "larger than 1 MiB"),
        (home.path().to_owned(), "cannot be read"),
    ] {
        let file = file.display().to_string();
        let error = resolved(&home, &[("config_file", file.as_str())], &[]).unwrap_err();
        assert_eq!(error.code(), Code::ConfigProfile);
        assert!(
            error.message().contains(words) && error.message().contains(&file),
            "{error}"
        );
        assert!(!format!("{error:?}").contains("planted"));
    }
    let none = resolved(&home, &[("config_file", "/dev/null")], &[]).unwrap();
    assert_eq!(none.host(), None, "how people switch the file off");
}

#[test]
fn a_conflict_names_the_groups_the_values_and_the_variables() {
    let home = home(FILE);
    for (settings, env, text) in [
        (
            &[][..],
            &[
                ("DATABRICKS_HOST", "x"),
                ("DATABRICKS_TOKEN", "x"),
                ("DATABRICKS_USERNAME", "x"),
                ("DATABRICKS_PASSWORD", "x"),
            ][..],
            "validate: more than one authorization method configured: basic and pat. Config: host=x, token=***, username=x, password=***. Env: DATABRICKS_HOST, DATABRICKS_TOKEN, DATABRICKS_USERNAME, DATABRICKS_PASSWORD",
        ),
        (
            &[],
            &[
                ("DATABRICKS_USERNAME", "x"),
                ("DATABRICKS_CONFIG_PROFILE", "nohost"),
            ],
            "validate: more than one authorization method configured: basic and pat. Config: token=***, username=x, profile=nohost. Env: DATABRICKS_USERNAME, DATABRICKS_CONFIG_PROFILE",
        ),
        (
            &[
                ("azure_workspace_resource_id", "/sub/rg/ws"),
                ("token", "x"),
            ],
            &[],
            "validate: more than one authorization method configured: azure and pat. Config: token=***, azure_workspace_resource_id=/sub/rg/ws",
        ),
        (
            &[
                ("host", "https://adb-123.4.azuredatabricks.net"),
                ("azure_workspace_resource_id", "/sub/rg/ws"),
            ],
            &[("DATABRICKS_USERNAME", "x")],
            "validate: more than one authorization method configured: azure and basic. Config: host=https://adb-123.4.azuredatabricks.net, username=x, azure_workspace_resource_id=/sub/rg/ws. Env: DATABRICKS_USERNAME",
        ),
        (
            &[("host", "x"), ("token", "t")],
            &[
                ("DATABRICKS_CLIENT_ID", "c"),
                ("DATABRICKS_CLIENT_SECRET", "s"),
            ],
            "validate: more than one authorization method configured: oauth and pat. Config: host=x, token=***, client_id=c, client_secret=***. Env: DATABRICKS_CLIENT_ID, DATABRICKS_CLIENT_SECRET",
        ),
    ] {
        let resolved = resolved(&home, settings, env).unwrap();
        let conflict = resolved.conflict().expect(text);
        assert_eq!(conflict.message(), text);
        assert_eq!(conflict.code(), Code::ConfigConflict);
        assert!(conflict.hint().unwrap().contains("DATABRICKS_AUTH_TYPE"));
    }
    let pinned = [
        ("DATABRICKS_TOKEN", "t"),
        ("DATABRICKS_USERNAME", "u"),
        ("DATABRICKS_AUTH_TYPE", "pat"),
    ];
    assert!(
        resolved(&home, &[("host", "x")], &pinned)
            .unwrap()
            .conflict()
            .is_none()
    );
    let off = [("DATABRICKS_TOKEN", "t"), ("ARM_USE_MSI", "false")];
    assert!(
        resolved(&home, &[("host", "x")], &off)
            .unwrap()
            .conflict()
            .is_none()
    );
}

#[test]
fn bad_values_are_refused_with_their_source() {
    let home = home("");
    for (settings, env, code, words) in [
        (&[("hots", "x")][..], &[][..], Code::ConfigInvalid, "`hots`"),
        (
            &[],
            &[("ARM_USE_MSI", "perhaps")],
            Code::ConfigInvalid,
            "azure_use_msi from ARM_USE_MSI environment variable is `perhaps`",
        ),
        (
            &[("http_timeout_seconds", "-1")],
            &[],
            Code::ConfigInvalid,
            "a whole number",
        ),
        (
            &[("skip_verify", "true")],
            &[],
            Code::ConfigInvalid,
            "certificates are always verified",
        ),
        (
            &[],
            &[("DATABRICKS_HOST", "http://w.example.com")],
            Code::ConfigInvalid,
            "DATABRICKS_HOST environment variable would send credentials unencrypted",
        ),
        (
            &[("host", "https://accounts.cloud.databricks.com")],
            &[],
            Code::AuthAccountHost,
            "account console",
        ),
        (
            &[("host", "https://:443")],
            &[],
            Code::ConfigMissingHost,
            "no host configured",
        ),
    ] {
        let error = resolved(&home, settings, env).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(error.message().contains(words), "{error}");
    }
}

#[test]
fn what_an_address_tells_fills_only_what_is_not_set() {
    let home = home("");
    let pasted = [("host", "https://w.example.com/?o=7&a=acc")];
    let ids = |env: &[(&str, &str)]| {
        let resolved = resolved(&home, &pasted, env).unwrap();
        ["workspace_id", "account_id"].map(|name| resolved.get(name).map(str::to_owned))
    };
    assert_eq!(ids(&[]), [Some("7".to_owned()), Some("acc".to_owned())]);
    let set = [
        ("DATABRICKS_WORKSPACE_ID", "5"),
        ("DATABRICKS_ACCOUNT_ID", "own"),
    ];
    assert_eq!(ids(&set), [Some("5".to_owned()), Some("own".to_owned())]);
}

#[test]
fn a_switch_that_is_off_leaves_the_file_to_be_read() {
    let home = home(FILE);
    let off = resolved(&home, &[], &[("ARM_USE_MSI", "false")]).unwrap();
    assert!(off.secret("token").is_some());
    let on = resolved(&home, &[], &[("ARM_USE_MSI", "true")]).unwrap();
    assert!(on.secret("token").is_none());
}

#[test]
fn each_error_ends_with_what_is_set_and_without_a_login_in_an_address() {
    let home = home("");
    for (settings, env, end) in [
        (
            &[("host", "https://u:planted@w"), ("token", "planted")][..],
            &[][..],
            ". Config: host=https://***@w, token=***",
        ),
        (
            &[("host", "u:planted@w?x=1")],
            &[],
            ". Config: host=***@w?x=1",
        ),
        (
            &[("token", "planted")],
            &[("DATABRICKS_HOST", "https://:443")],
            ". Config: host=https://:443, token=***. Env: DATABRICKS_HOST",
        ),
        (
            &[],
            &[("ARM_USE_MSI", "x"), ("DATABRICKS_TOKEN", "planted")],
            ". Config: token=***, azure_use_msi=x. Env: DATABRICKS_TOKEN, ARM_USE_MSI",
        ),
        (
            &[],
            &[("DATABRICKS_HOST", "https://accounts.cloud.databricks.com")],
            ". Config: host=https://accounts.cloud.databricks.com. Env: DATABRICKS_HOST",
        ),
    ] {
        let error = resolved(&home, settings, env).unwrap_err();
        assert!(error.message().ends_with(end), "{error}");
        assert!(!format!("{error} {error:?}").contains("planted"));
    }
    let both = [
        ("host", "https://u:planted@w"),
        ("token", "t"),
        ("username", "u@x"),
    ];
    let error = resolved(&home, &both, &[]).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("planted"), "{error}");
    let plain = [("host", "w"), ("username", "u@x")];
    let summary = resolved(&home, &plain, &[]).unwrap().summary();
    assert_eq!(summary, ". Config: host=https://w, username=u@x");
}

#[test]
fn scopes_are_split_sorted_and_without_doubles() {
    let home = home("");
    for (text, scopes) in [
        ("", &["all-apis"][..]),
        ("postgres", &["postgres"]),
        (" b, a,,b  c", &["a", "b", "c"]),
    ] {
        let resolved = resolved(&home, &[("host", "x"), ("scopes", text)], &[]).unwrap();
        assert_eq!(resolved.scopes(), scopes);
    }
}

#[test]
fn a_host_and_a_secret_of_different_sources_are_noted() {
    let home = home("");
    let mixed = resolved(&home, &[("host", "x")], &[("DATABRICKS_TOKEN", "t")]).unwrap();
    assert_eq!(
        mixed.notes(),
        ["host comes from explicit setting, but token from the environment"]
    );
    let env = [("DATABRICKS_HOST", "x"), ("DATABRICKS_TOKEN", "t")];
    assert!(resolved(&home, &[], &env).unwrap().notes().is_empty());
}

#[test]
fn no_secret_is_shown() {
    let home = home(FILE);
    let settings = Settings::new()
        .with("profile", "both")
        .with("password", "planted-explicit");
    let environment = Arc::new(
        Environment::from_pairs([
            ("DATABRICKS_TOKEN", "planted-env"),
            ("GOOGLE_CREDENTIALS", "planted-google"),
        ])
        .with_home(home.path()),
    );
    let resolved = resolve(&settings, &environment).unwrap();
    let shown = format!(
        "{settings:?} {environment:?} {resolved:?} {:?} {} {:?}",
        resolved.values(),
        resolved.summary(),
        resolved.conflict()
    );
    assert!(!shown.contains("planted"), "{shown}");
    assert!(shown.contains("client_secret=***"), "{shown}");
}
