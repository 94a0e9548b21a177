//! `wait_for_login`: whether a login works is seen by logging in, since every other sign of it comes too early.

use serde_json::{Value, json};

use super::{Own, text};
use crate::CredentialRequest;
use crate::conn::WithPassword;
use crate::connect::ConnectRequest;
use crate::error::Result;
use crate::management::{Object, duration_text};
use crate::plan::PlanRequest;

impl Own<'_> {
    pub(super) async fn wait_for_login(&self, given: &Object) -> Result<Value> {
        let client = self.postgres.client();
        let began = client.clock().now().boot_ms;
        let target = text(given, "target")?;
        let request = PlanRequest {
            connect: ConnectRequest {
                target: target.clone(),
                database: text(given, "database")?,
                user: text(given, "user")?,
                ..ConnectRequest::default()
            },
            budget: Some(self.left()),
            ..PlanRequest::default()
        };
        let attempt = client.log_in(request).await?;
        // The one that was sent a moment ago.
        let lease = client
            .credential(&CredentialRequest {
                target,
                timeout: Some(self.left()),
                ..CredentialRequest::default()
            })
            .await?;
        let params = &attempt.params;
        let waited = client.clock().now().boot_ms.saturating_sub(began);
        Ok(json!({
            "endpoint": lease.credential.endpoint(),
            "host": params.host(),
            "hostaddr": attempt.address.map(|address| address.to_string()),
            "port": params.port(),
            "database": params.dbname(),
            "user": params.user(),
            "uri": params.without_hostaddr().to_uri(WithPassword::No),
            "attempts": attempt.number,
            "waited": duration_text(std::time::Duration::from_millis(waited)),
        }))
    }
}
