//! `databricks-cli`: the login of whoever sits at this machine, kept by the Databricks CLI.
//!
//! The CLI keeps it in the keyring of the system and renews it; it is asked, and its files are never read. Versions
//! differ in what they can be asked, and a tool of the same name, long out of support, is told by its size.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use jiff::tz::TimeZone;

use crate::auth::chain::{Chosen, Ground, Tokens, missing};
use crate::auth::process::on_path;
use crate::auth::token_cache::{Fetched, TokenSource};
use crate::auth::token_request::seconds;
use crate::auth::tool::{Tool, field, instant, late, printed};
use crate::clock::{BoxFuture, Deadline};
use crate::code::Code;
use crate::error::{Error, Result};
use crate::http::Retry;
use crate::jwt;
use crate::secret::Secret;

pub(crate) const NAME: &str = "databricks-cli";
/// The legacy CLI is a script of a few lines.
const SMALLEST: u64 = 1024 * 1024;
const PROBE: Duration = Duration::from_secs(5);
const LOGIN: Duration = Duration::from_secs(30);

/// Major, minor and patch.
type Version = (u64, u64, u64);
const WITH_PROFILE: Version = (0, 207, 1);
const WITH_FORCE: Version = (0, 296, 0);

pub(crate) fn make(ground: &Ground<'_>) -> Result<Chosen> {
    let file = find(ground)?;
    let host = ground.resolved.host().unwrap_or_default().to_owned();
    let profile = ground.text("profile").map(str::to_owned);
    let scopes = ground.text("scopes").map(|_| {
        ground
            .resolved
            .scopes()
            .iter()
            .map(ToString::to_string)
            .collect()
    });
    let identity = format!("{host}\n{}", profile.as_deref().unwrap_or_default());
    let source = Cli {
        tool: Tool {
            file,
            environment: ground.resolved.shared_environment(),
            process: ground.outside.process.clone(),
            wire: ground.wire.clone(),
        },
        host,
        profile,
        scopes,
        version: OnceLock::new(),
    };
    Ok(Chosen {
        auth_type: NAME,
        principal: format!("{NAME}-{}", Secret::new(identity).fingerprint()),
        login_name: None,
        tokens: Tokens::renewed(source, ground),
        wire: ground.wire.clone(),
    })
}

fn find(ground: &Ground<'_>) -> Result<PathBuf> {
    let install = "Install the Databricks CLI, 0.100.0 or newer, and run `databricks auth login`";
    let environment = ground.resolved.environment();
    let named = ground.text("databricks_cli_path").unwrap_or("databricks");
    if named.contains(std::path::is_separator) {
        let file = environment.expand(named);
        if !file.is_file() {
            return Err(missing(
                NAME,
                &format!(
                    "databricks CLI not found: {} (databricks_cli_path from {}) is no file",
                    file.display(),
                    ground.source("databricks_cli_path")
                ),
            )
            .with_hint(install));
        }
        return Ok(file);
    }
    let all = on_path(environment, named);
    let large = all
        .iter()
        .find(|file| std::fs::metadata(file).is_ok_and(|metadata| metadata.len() >= SMALLEST));
    large.cloned().ok_or_else(|| {
        let why = if all.is_empty() {
            "databricks CLI not found"
        } else {
            "legacy databricks CLI detected; upgrade to >= 0.100.0"
        };
        missing(NAME, why).with_hint(install)
    })
}

#[derive(Debug)]
struct Cli {
    tool: Tool,
    host: String,
    profile: Option<String>,
    /// The scopes that were asked for; `None`: whatever the login has.
    scopes: Option<Vec<String>>,
    version: OnceLock<Version>,
}

impl Cli {
    /// The version; `None` for development builds and for CLIs that do not say.
    async fn version(&self, deadline: Deadline) -> Result<Option<Version>> {
        if let Some(known) = self.version.get() {
            return Ok(Some(*known));
        }
        for arguments in [&["version", "--output", "json"][..], &["version"]] {
            let Ok(ended) = self.tool.run(arguments, PROBE, deadline).await else {
                continue;
            };
            let text = String::from_utf8_lossy(&ended.stdout);
            let version = match printed(&ended) {
                Some(body) => (|| {
                    let part = |name: &str| body.get(name)?.as_u64();
                    Some((part("Major")?, part("Minor")?, part("Patch")?))
                })(),
                None => spoken(&text),
            };
            if let (true, Some(version)) = (ended.success, version.filter(|v| *v != (0, 0, 0))) {
                return Ok(Some(*self.version.get_or_init(|| version)));
            }
        }
        Ok(None)
    }

    fn arguments(&self, version: Option<Version>) -> Vec<&str> {
        let at_least = |least| version.is_some_and(|version| version >= least);
        let mut arguments = vec!["auth", "token"];
        match &self.profile {
            Some(profile) if at_least(WITH_PROFILE) => arguments.extend(["--profile", profile]),
            _ => arguments.extend(["--host", &self.host]),
        }
        if at_least(WITH_FORCE) {
            arguments.push("--force-refresh");
        }
        arguments
    }

    fn log_in(&self) -> String {
        let scopes = self
            .scopes
            .as_ref()
            .map(|scopes| format!(" --scopes {}", scopes.join(",")))
            .unwrap_or_default();
        match &self.profile {
            Some(profile) => format!("Run `databricks auth login --profile {profile}{scopes}`"),
            None => format!("Run `databricks auth login --host {}{scopes}`", self.host),
        }
    }

    async fn token(&self, deadline: Deadline) -> Result<Fetched> {
        let version = self.version(deadline).await?;
        if version.is_some_and(|version| version < (0, 100, 0)) {
            return Err(missing(
                NAME,
                "legacy databricks CLI detected; upgrade to >= 0.100.0",
            )
            .with_hint("Install the current Databricks CLI"));
        }
        let arguments = self.arguments(version);
        let ended = self
            .tool
            .run(&arguments, LOGIN, deadline)
            .await
            .map_err(|error| {
                let error = error.context(NAME);
                match error.code() {
                    Code::Timeout => error.with_hint(format!(
                        "Run `databricks {}` yourself to see what it waits for",
                        arguments.join(" ")
                    )),
                    _ => error,
                }
            })?;
        if !ended.success {
            let said = self.tool.complaint(&ended);
            let code = if said.contains("databricks OAuth is not configured for this host") {
                Code::AuthNotConfigured
            } else if said.contains("refresh token is invalid") || said.contains("auth login") {
                Code::AuthDenied
            } else {
                Code::AuthFailed
            };
            let text = format!("{NAME}: cannot get access token: {said}");
            return Err(Error::new(code, text).with_hint(self.log_in()));
        }
        let unreadable = |why: &str| {
            Error::new(
                Code::AuthFailed,
                format!("{NAME}: cannot parse CLI response: {why}"),
            )
            .with_hint(format!(
                "Run `databricks {}` and see whether it prints JSON",
                arguments.join(" ")
            ))
        };
        let body = printed(&ended).ok_or_else(|| unreadable("it is no JSON object"))?;
        let token =
            field(&body, "access_token").ok_or_else(|| unreadable("it holds no access_token"))?;
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(unreadable("the token holds characters that no token has"));
        }
        self.check_scopes(token)?;
        let lifetime = match body.get("expiry").and_then(|expiry| expiry.as_str()) {
            Some(text) => Some(
                instant(text, &TimeZone::UTC)
                    .map(|end| self.tool.until(end))
                    .ok_or_else(|| unreadable("its expiry is no time"))?,
            ),
            None => body
                .get("expires_in")
                .and_then(|value| seconds(value.to_string().trim_matches('"'))),
        };
        if lifetime.is_some_and(|life| life.is_zero()) {
            return Err(Error::new(
                Code::AuthDenied,
                format!("{NAME}: the CLI gave an expired token"),
            )
            .with_hint(self.log_in()));
        }
        Ok(Fetched::bearer(Secret::new(token), lifetime))
    }

    /// A login that was made for other scopes than the configured ones would fail later and say less.
    fn check_scopes(&self, token: &str) -> Result<()> {
        let (Some(wanted), Some(claims)) = (&self.scopes, jwt::claims(token)) else {
            return Ok(());
        };
        let has: Vec<String> = match claims.get("scope") {
            Some(serde_json::Value::String(text)) => {
                text.split_whitespace().map(str::to_owned).collect()
            }
            Some(serde_json::Value::Array(list)) => list
                .iter()
                .filter_map(|scope| scope.as_str().map(str::to_owned))
                .collect(),
            _ => return Ok(()),
        };
        let plain = |scopes: &[String]| {
            let mut scopes: Vec<String> = scopes
                .iter()
                .filter(|scope| *scope != "offline_access")
                .cloned()
                .collect();
            scopes.sort();
            scopes.dedup();
            scopes
        };
        let (wanted, has) = (plain(wanted), plain(&has));
        if wanted == has {
            return Ok(());
        }
        Err(Error::new(
            Code::AuthNotConfigured,
            format!(
                "{NAME}: the login has the scopes {}, and {} are configured",
                has.join(" "),
                wanted.join(" ")
            ),
        )
        .with_hint(self.log_in()))
    }
}

impl TokenSource for Cli {
    fn fetch(&self, deadline: Deadline, _retry: Retry) -> BoxFuture<'_, Result<Fetched>> {
        Box::pin(self.token(deadline))
    }

    fn late(&self, allowed: Duration) -> Error {
        late(
            &format!(
                "databricks {}",
                self.arguments(self.version.get().copied()).join(" ")
            ),
            allowed,
        )
    }
}

/// `Databricks CLI v0.230.0`, and what legacy ones say: `Version 0.18.0`.
fn spoken(text: &str) -> Option<Version> {
    let text = text
        .split_whitespace()
        .map(|word| word.trim_start_matches('v'))
        .find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    let core = text.split(['-', '+']).next()?;
    let mut parts = core.split('.').map(|part| part.parse::<u64>().ok());
    Some((parts.next()??, parts.next()??, parts.next()??))
}
