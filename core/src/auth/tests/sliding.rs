//! A type that is refused gives way to the next one, which may be somebody else: that must be seen.

use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span;

use super::standin::{Programs, ask_within};
use crate::http::scripted::{Reply, Scripted, ok};

const LOGIN: &str = r#"case $1 in
version) echo '{"Major":0,"Minor":300,"Patch":0,"Version":"0.300.0"}';;
*) echo '{"access_token":"planted-user","token_type":"Bearer","expiry":"2999-01-01T00:00:00Z"}';;
esac"#;

/// Keeps what is said at the level of warnings.
#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<String>>);

impl Visit for Warnings {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            let mut said = self.0.lock().unwrap();
            writeln!(said, "{value:?}").unwrap();
        }
    }
}

impl tracing::Subscriber for Warnings {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() <= tracing::Level::WARN
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut self.clone());
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

#[tokio::test]
async fn a_wrong_secret_beside_a_logged_in_cli_warns_and_says_who_was_refused() {
    let warnings = Warnings::default();
    let _listening = tracing::subscriber::set_default(warnings.clone());
    let wire = Scripted::new(|request| match request.url.path() {
        "/oidc/.well-known/oauth-authorization-server" => {
            ok(r#"{"token_endpoint":"https://w/oidc/v1/token"}"#)
        }
        "/oidc/v1/token" => Reply::Answer(
            401,
            &[],
            r#"{"error":"invalid_client","error_description":"Client authentication failed"}"#
                .to_owned(),
        ),
        _ => ok("{}"),
    });
    let programs = Programs::new().with("databricks", LOGIN);
    let settings = [
        ("host", "w"),
        ("client_id", "i"),
        ("client_secret", "planted-wrong"),
    ];
    let api = programs.api(&settings, &[], &wire).unwrap();
    ask_within(&api, 5000).await.unwrap();
    assert_eq!(api.auth_type(), "databricks-cli");
    let tried = api.tried();
    let refused = tried
        .iter()
        .find(|tried| tried.auth_type == "oauth-m2m")
        .unwrap();
    assert!(
        refused.reason.contains("Client authentication failed"),
        "{refused}"
    );
    let said = warnings.0.lock().unwrap().clone();
    assert!(
        said.contains("oauth-m2m (") && said.contains("so databricks-cli is used"),
        "{said}"
    );
    assert!(!said.contains("planted"), "{said}");
}
