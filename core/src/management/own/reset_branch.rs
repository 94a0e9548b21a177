//! `reset_branch`: the API has no reset, so a branch is deleted and made again.
//!
//! What was there is lost, so the caller says the branch's name twice. What can be known of it before is kept: its source, its
//! end, its computes.

use serde_json::{Value, json};

use super::{Own, at, text};
use crate::code::Code;
use crate::error::{Error, Result};
use crate::management::{Object, bad_argument};
use crate::name::Target;

const READ_WRITE: &str = "ENDPOINT_TYPE_READ_WRITE";

impl Own<'_> {
    pub(super) async fn reset_branch(&self, given: &Object) -> Result<Value> {
        let name = text(given, "name")?.unwrap_or_default();
        let target = Target::parse(&name, "the argument name")?;
        let Target::Branch(project, id) = &target else {
            return Err(bad_argument("name", "is no branch")
                .with_hint("Write projects/PROJECT/branches/BRANCH"));
        };
        let name = target.to_string();
        let confirmed = text(given, "confirm")?.unwrap_or_default();
        if Target::parse(&confirmed, "the argument confirm")
            .ok()
            .as_ref()
            != Some(&target)
        {
            return Err(
                bad_argument("confirm", "is not the branch's name once more").with_hint(format!(
                    "Everything in the branch is lost: give {name} as confirm if that is meant"
                )),
            );
        }
        let branch = self.ask("get_branch", json!({"name": name})).await?;
        let source = at(&branch, "/status/source_branch").to_owned();
        if source.is_empty() {
            return Err(
                bad_argument("name", format_args!("{name} has no source to be made from"))
                    .with_hint(
                        "A root branch cannot be reset; make a branch of it, and reset that",
                    ),
            );
        }
        let endpoints = self.endpoints_of(&name).await?;
        let mut spec = json!({"source_branch": source});
        match at(&branch, "/status/expire_time") {
            "" => spec["no_expiry"] = true.into(),
            time => spec["expire_time"] = time.into(),
        }
        self.done("delete_branch", json!({"name": name, "purge": true}))
            .await?;
        let again = json!({
            "parent": format!("projects/{project}"),
            "branch_id": id,
            "branch": {"spec": spec},
        });
        let lost = |error: Error| {
            error
                .context(format_args!(
                    "{name} was deleted, and could not be made again from {source}"
                ))
                .with_hint("Nothing is left of it: make it again with create_branch, and its endpoints with create_endpoint")
        };
        self.done("create_branch", again).await.map_err(lost)?;
        for endpoint in &endpoints {
            self.again(&name, endpoint).await.map_err(lost)?;
        }
        self.ask("get_branch", json!({"name": name})).await
    }

    async fn endpoints_of(&self, branch: &str) -> Result<Vec<Value>> {
        let client = self.postgres.client();
        let api = &client.door()?.api;
        crate::endpoint::list(api, branch, "endpoints", self.deadline).await
    }

    /// Makes an endpoint again, or what the service has made of itself the same.
    async fn again(&self, branch: &str, endpoint: &Value) -> Result<()> {
        let id = at(endpoint, "/name").rsplit('/').next().unwrap_or_default();
        let kind = at(endpoint, "/status/endpoint_type");
        let mut spec = json!({"endpoint_type": kind});
        for field in [
            "autoscaling_limit_min_cu",
            "autoscaling_limit_max_cu",
            "suspend_timeout_duration",
            "settings",
        ] {
            if let Some(value) = endpoint.pointer(&format!("/status/{field}")) {
                spec[field] = value.clone();
            }
        }
        let asked = json!({"endpoint": {"spec": spec}});
        let made = if kind == READ_WRITE {
            let writer = json!({"target": branch});
            let found = self.find_endpoint(&super::as_object(writer)).await?;
            let mut asked = asked;
            asked["name"] = at(&found, "/name").into();
            self.done("update_endpoint", asked).await
        } else {
            let mut asked = asked;
            asked["parent"] = branch.into();
            asked["endpoint_id"] = id.into();
            self.done("create_endpoint", asked).await
        };
        match made {
            Ok(_) => Ok(()),
            Err(error) if error.code() == Code::ApiArgument => Ok(()),
            Err(error) => Err(error),
        }
    }
}
