//! Which authentication type is used, and why not the others.
//!
//! The order is data. A type that has all it needs and is refused gives way to the next one, with a warning, and when
//! none is left the error lists them all; trouble of the network decides nothing.

use std::fmt;
use std::sync::Arc;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};

use crate::auth::token_cache::{CachedToken, TokenCache, TokenSource};
use crate::auth::{
    Outside, TokenProvider, azure_cli, azure_client_secret, azure_devops_oidc, azure_msi, basic,
    databricks_cli, env_oidc, file_oidc, github_oidc, github_oidc_azure, google_credentials,
    google_id, host_callback, metadata_service, model_serving, oauth_m2m, pat,
};
use crate::clock::{Clock, Deadline};
use crate::code::Code;
use crate::config::{Resolved, Value};
use crate::error::{Error, Result};
use crate::http::{Retry, Wire};
use crate::secret::Secret;

const DOCS: &str =
    "https://docs.databricks.com/en/dev-tools/auth.html#databricks-client-unified-authentication";

/// What an identity is made from.
pub(crate) struct Ground<'a> {
    pub(crate) resolved: &'a Arc<Resolved>,
    pub(crate) wire: Wire,
    pub(crate) outside: &'a Outside,
}

impl Ground<'_> {
    /// The text of an attribute that is no secret.
    pub(crate) fn text(&self, attribute: &str) -> Option<&str> {
        self.resolved.get(attribute)
    }

    /// An attribute that the type cannot do without.
    pub(crate) fn need(&self, auth_type: &str, attribute: &str) -> Result<&Secret> {
        self.resolved
            .secret(attribute)
            .ok_or_else(|| missing(auth_type, &format!("no {attribute}")))
    }

    /// Where an attribute came from, for messages.
    pub(crate) fn source(&self, attribute: &str) -> String {
        self.resolved
            .value(attribute)
            .map_or_else(String::new, |value: &Value| value.source.to_string())
    }
}

/// A type lacks something: `no token`.
pub(crate) fn missing(auth_type: &str, lacks: &str) -> Error {
    Error::new(
        Code::AuthNotConfigured,
        format!("default auth: {auth_type}: {lacks}"),
    )
}

/// Makes a type's identity; called only when the attributes it needs are set. No I/O but looking at files.
type Make = fn(&Ground<'_>) -> Result<Chosen>;

struct AuthType {
    name: &'static str,
    /// Attributes that must be set, besides the host.
    needs: &'static [&'static str],
    /// Whether the workspace may be named by its Azure resource id instead of its host.
    azure: bool,
    make: Make,
}

const fn row(name: &'static str, needs: &'static [&'static str], make: Make) -> AuthType {
    AuthType {
        name,
        needs,
        azure: false,
        make,
    }
}

const fn azure(name: &'static str, needs: &'static [&'static str], make: Make) -> AuthType {
    AuthType {
        azure: true,
        ..row(name, needs, make)
    }
}

const ACTIONS: &[&str] = &[
    "actions_id_token_request_url",
    "actions_id_token_request_token",
];

/// The order of Go's SDK, which is the CLI's; types of one language only stand at the end.
static CHAIN: &[AuthType] = &[
    row("pat", &["token"], pat::make),
    row("basic", &["username", "password"], basic::make),
    row(
        "oauth-m2m",
        &["client_id", "client_secret"],
        oauth_m2m::make,
    ),
    row(databricks_cli::NAME, &[], databricks_cli::make),
    row(
        "metadata-service",
        &["metadata_service_url"],
        metadata_service::make,
    ),
    row("github-oidc", ACTIONS, github_oidc::make),
    row("azure-devops-oidc", &[], azure_devops_oidc::make),
    row("env-oidc", &[], env_oidc::make),
    row("file-oidc", &["oidc_token_filepath"], file_oidc::make),
    azure(
        "github-oidc-azure",
        &[
            "azure_client_id",
            "actions_id_token_request_url",
            "actions_id_token_request_token",
        ],
        github_oidc_azure::make,
    ),
    azure("azure-msi", &["azure_use_msi"], azure_msi::make),
    azure(
        "azure-client-secret",
        &["azure_client_id", "azure_client_secret"],
        azure_client_secret::make,
    ),
    azure("azure-cli", &[], azure_cli::make),
    row(
        "google-credentials",
        &["google_credentials"],
        google_credentials::make,
    ),
    row("google-id", &["google_service_account"], google_id::make),
    row("model-serving", &[], model_serving::make),
];

/// The chain in the order in which it is tried here. A client id without a secret means a service principal whose token
/// comes from a federation, so the login of whoever sits at this machine is tried after those.
fn chain(resolved: &Resolved) -> Vec<&'static AuthType> {
    let mut rows: Vec<&AuthType> = CHAIN.iter().collect();
    let at = |rows: &[&AuthType], name: &str| rows.iter().position(|row| row.name == name);
    if resolved.get("client_id").is_some()
        && let Some(cli) = at(&rows, databricks_cli::NAME)
    {
        let cli = rows.remove(cli);
        let after = at(&rows, "file-oidc").map_or(rows.len(), |index| index + 1);
        rows.insert(after, cli);
    }
    rows
}

/// An identity, ready to be used.
#[derive(Debug)]
pub(crate) struct Chosen {
    pub(crate) auth_type: &'static str,
    pub(crate) principal: String,
    pub(crate) login_name: Option<String>,
    pub(crate) tokens: Tokens,
    /// How it talks: its user agent names the type.
    pub(crate) wire: Wire,
}

/// Where its tokens come from.
#[derive(Debug)]
pub(crate) enum Tokens {
    /// One that never changes.
    Fixed(Authorization),
    /// Ones that are fetched and end.
    Renewed(TokenCache),
}

impl Tokens {
    pub(crate) fn renewed(source: impl TokenSource, ground: &Ground<'_>) -> Tokens {
        let clock = Arc::clone(&ground.wire.clock);
        Tokens::Renewed(TokenCache::new(Box::new(source), clock))
    }
}

/// What a call is authorized with.
#[derive(Clone, Debug)]
pub(crate) enum Authorization {
    /// What was configured.
    Fixed { scheme: &'static str, token: Secret },
    /// A token that was fetched.
    Fetched(Arc<CachedToken>),
}

impl Authorization {
    pub(crate) fn token(&self) -> &Secret {
        match self {
            Authorization::Fixed { token, .. } => token,
            Authorization::Fetched(cached) => cached.token(),
        }
    }

    /// Puts it on a request.
    pub(crate) fn apply(&self, headers: &mut HeaderMap) -> Result<()> {
        let scheme = match self {
            Authorization::Fixed { scheme, .. } => scheme,
            Authorization::Fetched(cached) => {
                headers.extend(cached.headers().clone());
                cached.scheme()
            }
        };
        headers.insert(
            AUTHORIZATION,
            sensitive(&format!("{scheme} {}", self.token().expose()))?,
        );
        Ok(())
    }
}

/// A header that no debug output shows.
pub(crate) fn sensitive(text: &str) -> Result<HeaderValue> {
    let mut header = HeaderValue::from_str(text).map_err(|_| {
        Error::new(
            Code::AuthFailed,
            "the token holds characters that no token has",
        )
    })?;
    header.set_sensitive(true);
    Ok(header)
}

impl Chosen {
    pub(crate) async fn authorization(
        &self,
        deadline: Deadline,
        retry: Retry,
        clock: &dyn Clock,
    ) -> Result<Authorization> {
        match &self.tokens {
            Tokens::Fixed(authorization) => Ok(authorization.clone()),
            Tokens::Renewed(cache) => cache
                .get(deadline, retry, clock)
                .await
                .map(Authorization::Fetched),
        }
    }

    /// The workspace refused this token. Whether there can be another.
    pub(crate) fn drop_token(&self, refused: &Authorization) -> bool {
        match (&self.tokens, refused) {
            (Tokens::Renewed(cache), Authorization::Fetched(token)) => {
                cache.invalidate(token);
                true
            }
            _ => false,
        }
    }

    pub(crate) fn inherit(&self, parent: &Chosen) {
        if let (Tokens::Renewed(own), Tokens::Renewed(parents)) = (&self.tokens, &parent.tokens) {
            own.inherit(parents);
        }
    }

    /// The workspace's host, where only the cloud knows it.
    pub(crate) async fn host(&self, deadline: Deadline, retry: Retry) -> Result<String> {
        match &self.tokens {
            Tokens::Fixed(_) => Err(Error::new(
                Code::ConfigMissingHost,
                "no workspace host is configured",
            )),
            Tokens::Renewed(cache) => cache.host(deadline, retry).await,
        }
    }
}

/// A type that was tried, and why it is not in use.
#[derive(Clone, Debug)]
pub struct Tried {
    /// The type's name.
    pub auth_type: &'static str,
    /// What it lacked or answered.
    pub reason: String,
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.auth_type, self.reason)
    }
}

/// The types that have all they need, in the order in which they are tried, and what the others lacked.
#[derive(Debug)]
pub(crate) struct Candidates {
    pub(crate) usable: Vec<Arc<Chosen>>,
    pub(crate) tried: Vec<Tried>,
}

/// Picks who can be tried: the host program's own tokens, else the pinned type, else all that have what they need.
pub(crate) fn choose(
    resolved: &Arc<Resolved>,
    provider: Option<Arc<dyn TokenProvider>>,
    outside: &Outside,
    mut wire: impl FnMut(&'static str) -> Result<Wire>,
) -> Result<Candidates> {
    let alone = |chosen| Candidates {
        usable: vec![Arc::new(chosen)],
        tried: Vec::new(),
    };
    if let Some(provider) = provider {
        require_host(
            resolved,
            "default auth: host-callback: no workspace host is configured",
        )?;
        return host_callback::make(provider, wire(host_callback::NAME)?).map(alone);
    }
    if let Some(conflict) = resolved.conflict() {
        return Err(conflict.clone());
    }
    let mut ground = |name| {
        Ok(Ground {
            resolved,
            wire: wire(name)?,
            outside,
        })
    };
    if let Some(pinned) = resolved.get("auth_type") {
        let (row, make) = pinned_type(resolved, pinned)?;
        return make(&ground(row.name)?).map(alone).map_err(|error| {
            let set = resolved.summary();
            let text = format!("{}{set}", error.message());
            let out = Error::new(error.code(), text);
            out.with_hint(
                error
                    .hint()
                    .unwrap_or("Set what is missing, or unpin auth_type"),
            )
        });
    }
    let mut found = Candidates {
        usable: Vec::new(),
        tried: Vec::new(),
    };
    let (mut broken, mut hostless) = (None, false);
    for row in chain(resolved) {
        let lacks = lacks(row, resolved);
        let reason = if !lacks.is_empty() {
            format!("no {}", lacks.join(", "))
        } else if !has_workspace(row, resolved) {
            hostless |= !row.needs.is_empty();
            "no host".to_owned()
        } else {
            match (row.make)(&ground(row.name)?) {
                Ok(chosen) => {
                    let certain = matches!(chosen.tokens, Tokens::Fixed(_));
                    found.usable.push(Arc::new(chosen));
                    if certain {
                        return Ok(found);
                    }
                    continue;
                }
                Err(error) => {
                    let reason = reason_of(row.name, &error);
                    if error.code() != Code::AuthNotConfigured {
                        broken = broken.or(Some(error));
                    }
                    reason
                }
            }
        };
        found.tried.push(Tried {
            auth_type: row.name,
            reason,
        });
    }
    if !found.usable.is_empty() {
        return Ok(found);
    }
    if let Some(error) = broken {
        return Err(error);
    }
    let golden = not_configured(resolved, &found.tried);
    if hostless {
        require_host(resolved, golden.message())?;
    }
    Err(golden)
}

fn has_workspace(row: &AuthType, resolved: &Resolved) -> bool {
    resolved.host().is_some()
        || (row.azure && resolved.get("azure_workspace_resource_id").is_some())
}

/// What an error says, without the name of the type, which stands beside it.
pub(crate) fn reason_of(auth_type: &str, error: &Error) -> String {
    let text = error.message();
    let text = text.strip_prefix("default auth: ").unwrap_or(text);
    let own = text
        .strip_prefix(auth_type)
        .and_then(|rest| rest.strip_prefix(": "));
    own.unwrap_or(text).to_owned()
}

/// Every type that was tried failed: the first one's error, and what the others said.
pub(crate) fn all_failed(
    resolved: &Resolved,
    failed: &[(Tried, Error)],
    lacked: &[Tried],
) -> Error {
    let Some((first, error)) = failed.first() else {
        return not_configured(resolved, lacked);
    };
    let text = format!("default auth: {}: {}", first.auth_type, first.reason);
    let mut hints: Vec<String> = error.hint().map(str::to_owned).into_iter().collect();
    let listed = |tried: Vec<String>| tried.join(", ");
    if failed.len() > 1 {
        let others = failed[1..].iter().map(|(tried, _)| tried.to_string());
        hints.push(format!("Tried after it: {}", listed(others.collect())));
    }
    if !lacked.is_empty() {
        let lacked = lacked.iter().map(ToString::to_string);
        hints.push(format!("Not configured: {}", listed(lacked.collect())));
    }
    let mut out = Error::new(error.code(), text).with_retry_after(error.retry_after());
    if let Some(status) = error.http_status() {
        out = out.with_http(status, error.request_id().map(str::to_owned));
    }
    out.with_hint(hints.join(". "))
}

fn pinned_type(resolved: &Resolved, pinned: &str) -> Result<(&'static AuthType, Make)> {
    let source = resolved.value("auth_type").map(|value| &value.source);
    let from = source.map_or_else(String::new, |source| format!(" (from {source})"));
    let Some(row) = CHAIN.iter().find(|row| row.name == pinned) else {
        return Err(Error::new(
            Code::ConfigInvalid,
            format!(
                "default auth: auth type \"{pinned}\" not found, please check {DOCS} for a list of supported auth types{}",
                resolved.summary()
            ),
        )
        .with_hint(format!("Check auth_type{from}. {}", supported())));
    };
    let lacks = lacks(row, resolved);
    if !lacks.is_empty() {
        return Err(Error::new(
            Code::AuthNotConfigured,
            format!(
                "default auth: {pinned}: this auth type{from} needs {}{}",
                lacks.join(" and "),
                resolved.summary()
            ),
        )
        .with_hint(format!(
            "Set {}",
            lacks
                .iter()
                .map(|name| how_to_set(name))
                .collect::<Vec<_>>()
                .join(" and ")
        )));
    }
    if !has_workspace(row, resolved) {
        require_host(
            resolved,
            &format!(
                "default auth: {pinned}: no workspace host is configured{}",
                resolved.summary()
            ),
        )?;
    }
    Ok((row, row.make))
}

fn lacks(row: &AuthType, resolved: &Resolved) -> Vec<&'static str> {
    row.needs
        .iter()
        .copied()
        .filter(|name| match resolved.flag(name) {
            Some(on) => !on,
            None => resolved.secret(name).is_none(),
        })
        .collect()
}

fn require_host(resolved: &Resolved, message: &str) -> Result<()> {
    if resolved.host().is_some() {
        return Ok(());
    }
    Err(
        Error::new(Code::ConfigMissingHost, message).with_hint(format!(
            "Set {} to https://<workspace>.cloud.databricks.com{}",
            how_to_set("host"),
            notes(resolved)
        )),
    )
}

/// The text that the SDKs share, and in the hint what each type lacked.
fn not_configured(resolved: &Resolved, tried: &[Tried]) -> Error {
    let tried: Vec<String> = tried.iter().map(ToString::to_string).collect();
    Error::new(
        Code::AuthNotConfigured,
        format!(
            "default auth: cannot configure default credentials, please check {DOCS} to configure credentials for \
             your preferred authentication method{}",
            resolved.summary()
        ),
    )
    .with_hint(format!("Tried {}{}", tried.join(", "), notes(resolved)))
}

fn notes(resolved: &Resolved) -> String {
    let mut out = String::new();
    for note in resolved.notes() {
        out.push_str(". Note: ");
        out.push_str(note);
    }
    out
}

fn supported() -> String {
    let names: Vec<&str> = CHAIN.iter().map(|row| row.name).collect();
    format!(
        "This version supports {} and a token callback",
        names.join(", ")
    )
}

fn how_to_set(name: &str) -> String {
    let variable = crate::config::ATTRIBUTES
        .iter()
        .find(|row| row.name == name)
        .and_then(|row| row.env.first());
    match variable {
        Some(variable) => format!("{name} ({variable})"),
        None => name.to_owned(),
    }
}
