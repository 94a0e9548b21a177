//! `azure-cli`: the login of whoever sits at this machine, kept by the Azure CLI.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::auth::azure::{Azure, AzureTokens, Management, identity};
use crate::auth::chain::{Chosen, Ground, missing};
use crate::auth::process::{Ended, on_path};
use crate::auth::token_cache::Fetched;
use crate::auth::tool::{Tool, field, instant, late, printed};
use crate::clock::{BoxFuture, Deadline};
use crate::code::Code;
use crate::error::{Error, Result};
use crate::http::Retry;
use crate::jwt;
use crate::secret::Secret;

const NAME: &str = "azure-cli";
const LIMIT: Duration = Duration::from_secs(30);
const LOG_IN: &str = "Run `az login`";

pub(crate) fn make(ground: &Ground<'_>) -> Result<Chosen> {
    let azure = Azure::of(ground, NAME)?;
    let found = on_path(ground.resolved.environment(), "az")
        .into_iter()
        .next();
    let file = found.ok_or_else(|| {
        missing(NAME, "Azure CLI not found").with_hint("Install the Azure CLI and run `az login`")
    })?;
    let source = Cli {
        tool: Tool {
            file,
            environment: ground.resolved.shared_environment(),
            process: ground.outside.process.clone(),
            wire: ground.wire.clone(),
        },
        is_machine: OnceCell::new(),
    };
    let who = format!(
        "{}\n{}",
        azure.known_tenant().unwrap_or_default(),
        azure.resource_id.as_deref().unwrap_or_default()
    );
    Ok(identity(ground, NAME, &who, None, azure, source))
}

#[derive(Debug)]
struct Cli {
    tool: Tool,
    /// Whether the CLI is logged in as a managed identity, for which a tenant must not be named.
    is_machine: OnceCell<bool>,
}

impl Cli {
    async fn is_machine(&self, deadline: Deadline) -> Result<bool> {
        let found = self.is_machine.get_or_try_init(|| async {
            let asked = ["account", "show", "--output", "json"];
            let ended = self.tool.run(&asked, LIMIT, deadline).await?;
            let body = printed(&ended).unwrap_or_default();
            let user = body.get("user").cloned().unwrap_or_default();
            let name = field(&user, "name").unwrap_or_default();
            Ok::<bool, Error>(
                field(&user, "type") == Some("servicePrincipal")
                    && ["systemAssignedIdentity", "userAssignedIdentity"].contains(&name),
            )
        });
        found.await.copied()
    }

    /// The arguments to try, one after the other.
    async fn attempts(
        &self,
        azure: &Azure,
        resource: &str,
        deadline: Deadline,
    ) -> Result<Vec<Vec<String>>> {
        let tenant = match azure.known_tenant() {
            Some(tenant) if !self.is_machine(deadline).await? => Some(tenant),
            _ => None,
        };
        let subscription = azure
            .resource_id
            .as_deref()
            .and_then(|id| id.split('/').nth(2))
            .filter(|id| !id.is_empty());
        let with = |options: &[(&str, Option<&str>)]| {
            let mut arguments = [
                "account",
                "get-access-token",
                "--resource",
                resource,
                "--output",
                "json",
            ]
            .map(str::to_owned)
            .to_vec();
            for (option, value) in options {
                if let Some(value) = value {
                    arguments.extend([(*option).to_owned(), (*value).to_owned()]);
                }
            }
            arguments
        };
        let mut all = vec![
            with(&[("--tenant", tenant), ("--subscription", subscription)]),
            with(&[("--tenant", tenant)]),
            with(&[]),
        ];
        all.dedup();
        Ok(all)
    }

    fn read(&self, ended: &Ended) -> Result<Fetched> {
        let unreadable = |why: &str| {
            Error::new(
                Code::AuthFailed,
                format!("cannot parse the answer of `az account get-access-token`: {why}"),
            )
            .with_hint("Run `az account get-access-token` and see whether it prints JSON")
        };
        let body = printed(ended).ok_or_else(|| unreadable("it is no JSON object"))?;
        let token =
            field(&body, "accessToken").ok_or_else(|| unreadable("it holds no accessToken"))?;
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(unreadable("the token holds characters that no token has"));
        }
        let epoch = body
            .get("expires_on")
            .and_then(Value::as_i64)
            .or_else(|| field(&body, "expires_on").and_then(|text| text.parse().ok()));
        let end = match (epoch, field(&body, "expiresOn")) {
            (Some(epoch), _) => Some(
                Timestamp::from_second(epoch).map_err(|_| unreadable("expires_on is no time"))?,
            ),
            (None, Some(text)) => Some(
                instant(text, &TimeZone::system())
                    .ok_or_else(|| unreadable("expiresOn is no time"))?,
            ),
            (None, None) => jwt::expires_at_ms(token)
                .and_then(|ms| Timestamp::from_millisecond(i64::try_from(ms).ok()?).ok()),
        };
        let lifetime = end.map(|end| self.tool.until(end));
        if lifetime.is_some_and(|life| life.is_zero()) {
            return Err(
                Error::new(Code::AuthDenied, "the Azure CLI gave an expired token")
                    .with_hint(LOG_IN),
            );
        }
        Ok(Fetched::bearer(Secret::new(token), lifetime))
    }
}

impl AzureTokens for Cli {
    fn token<'a>(
        &'a self,
        azure: &'a Azure,
        resource: &'a str,
        deadline: Deadline,
        _retry: Retry,
    ) -> BoxFuture<'a, Result<Fetched>> {
        Box::pin(async move {
            let mut first = None;
            for arguments in self.attempts(azure, resource, deadline).await? {
                let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
                let ended = self.tool.run(&arguments, LIMIT, deadline).await?;
                if ended.success {
                    return self.read(&ended);
                }
                let said = self.tool.complaint(&ended);
                let code = if said.contains("No subscription found") {
                    Code::AuthNotConfigured
                } else if said.contains("az login") || said.contains("AADSTS") {
                    Code::AuthDenied
                } else {
                    Code::AuthFailed
                };
                let text = format!("cannot get access token: {said}");
                first.get_or_insert(Error::new(code, text).with_hint(LOG_IN));
            }
            Err(first.unwrap_or_else(|| Error::new(Code::Internal, "az was not asked")))
        })
    }

    fn management(&self) -> Management {
        Management::IfPossible
    }

    fn late(&self, allowed: Duration) -> Option<Error> {
        Some(late("az account get-access-token", allowed))
    }
}
