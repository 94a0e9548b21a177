//! Which authentication type is used, and why not the others.
//!
//! The order is data. A type that this version cannot use has its row as well: it must be named when it is what the
//! configuration asks for, rather than passed over in silence. An error inside a type that is configured reaches the
//! user; it never makes the chain slide on to another identity.

use std::sync::Arc;

use http::HeaderValue;

use crate::auth::token_cache::{CachedToken, TokenCache};
use crate::auth::{TokenProvider, host_callback, oauth_m2m, pat};
use crate::clock::{Clock, Deadline};
use crate::code::Code;
use crate::config::Resolved;
use crate::error::{Error, Result};
use crate::http::{Retry, Wire};
use crate::secret::Secret;

const DOCS: &str =
    "https://docs.databricks.com/en/dev-tools/auth.html#databricks-client-unified-authentication";

/// Makes a type's identity; called only when all it needs is set.
type Make = fn(&Arc<Resolved>, Wire) -> Result<Chosen>;

struct AuthType {
    name: &'static str,
    /// Attributes that must be set, besides the host.
    needs: &'static [&'static str],
    /// `None`: not in this version.
    make: Option<Make>,
}

const fn absent(name: &'static str, needs: &'static [&'static str]) -> AuthType {
    AuthType {
        name,
        needs,
        make: None,
    }
}

/// The order of Go's SDK, which is the CLI's.
static CHAIN: &[AuthType] = &[
    AuthType {
        name: "pat",
        needs: &["token"],
        make: Some(pat::make),
    },
    absent("basic", &["username", "password"]),
    AuthType {
        name: "oauth-m2m",
        needs: &["client_id", "client_secret"],
        make: Some(oauth_m2m::make),
    },
    absent("databricks-cli", &[]),
    absent("metadata-service", &["metadata_service_url"]),
    absent(
        "github-oidc",
        &[
            "actions_id_token_request_url",
            "actions_id_token_request_token",
        ],
    ),
    absent("azure-devops-oidc", &[]),
    absent("env-oidc", &[]),
    absent("file-oidc", &["oidc_token_filepath"]),
    absent("github-oidc-azure", &["azure_client_id"]),
    absent("azure-msi", &["azure_use_msi"]),
    absent(
        "azure-client-secret",
        &["azure_client_id", "azure_client_secret"],
    ),
    absent("azure-cli", &[]),
    absent("google-credentials", &["google_credentials"]),
    absent("google-id", &["google_service_account"]),
    absent("model-serving", &[]),
];

/// An identity, ready to be used.
#[derive(Debug)]
pub(crate) struct Chosen {
    pub(crate) auth_type: &'static str,
    pub(crate) principal: String,
    pub(crate) login_name: Option<String>,
    pub(crate) tokens: Tokens,
}

/// Where its tokens come from.
#[derive(Debug)]
pub(crate) enum Tokens {
    /// One that never changes.
    Fixed(Authorization),
    /// Ones that are fetched and end.
    Renewed(TokenCache),
}

/// What goes into the `Authorization` header.
#[derive(Clone, Debug)]
pub(crate) enum Authorization {
    /// A token that was configured.
    Fixed(Secret),
    /// A token that was fetched.
    Fetched(Arc<CachedToken>),
}

impl Authorization {
    pub(crate) fn token(&self) -> &Secret {
        match self {
            Authorization::Fixed(token) => token,
            Authorization::Fetched(cached) => cached.token(),
        }
    }

    pub(crate) fn header(&self) -> Result<HeaderValue> {
        let scheme = match self {
            Authorization::Fixed(_) => "Bearer",
            Authorization::Fetched(cached) => cached.scheme(),
        };
        let mut header = HeaderValue::from_str(&format!("{scheme} {}", self.token().expose()))
            .map_err(|_| {
                Error::new(
                    Code::AuthFailed,
                    "the token holds characters that no token has",
                )
            })?;
        header.set_sensitive(true);
        Ok(header)
    }
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
}

/// Picks the identity: the host program's own tokens, else the pinned type, else the first that has all it needs.
pub(crate) fn choose(
    resolved: &Arc<Resolved>,
    provider: Option<Arc<dyn TokenProvider>>,
    mut wire: impl FnMut(&'static str) -> Result<Wire>,
) -> Result<Chosen> {
    if let Some(provider) = provider {
        require_host(
            resolved,
            "default auth: host-callback: no workspace host is configured",
        )?;
        return host_callback::make(provider, wire(host_callback::NAME)?);
    }
    if let Some(conflict) = resolved.conflict() {
        return Err(conflict.clone());
    }
    if let Some(pinned) = resolved.get("auth_type") {
        let (row, make) = pinned_type(resolved, pinned)?;
        return make(resolved, wire(row.name)?);
    }
    let mut configured = CHAIN.iter().filter(|row| lacks(row, resolved).is_empty());
    let usable = configured.find_map(|row| row.make.map(|make| (row, make)));
    match usable {
        Some((row, make)) if resolved.host().is_some() => make(resolved, wire(row.name)?),
        Some(_) => {
            let golden = not_configured(resolved);
            require_host(resolved, golden.message())?;
            Err(golden)
        }
        None => Err(not_configured(resolved)),
    }
}

fn pinned_type(resolved: &Resolved, pinned: &str) -> Result<(&'static AuthType, Make)> {
    let from = resolved
        .value("auth_type")
        .map_or_else(String::new, |value| format!(" (from {})", value.source));
    let Some(row) = CHAIN.iter().find(|row| row.name == pinned) else {
        return Err(Error::new(
            Code::ConfigInvalid,
            format!(
                "default auth: auth type \"{pinned}\" not found{from}, please check {DOCS} for a list of supported auth types{}",
                resolved.summary()
            ),
        )
        .with_hint(supported()));
    };
    let Some(make) = row.make else {
        return Err(Error::new(
            Code::AuthNotConfigured,
            format!(
                "default auth: {pinned}: this auth type{from} is not supported by this version"
            ),
        )
        .with_hint(supported()));
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
    require_host(
        resolved,
        &format!(
            "default auth: {pinned}: no workspace host is configured{}",
            resolved.summary()
        ),
    )?;
    Ok((row, make))
}

fn lacks(row: &AuthType, resolved: &Resolved) -> Vec<&'static str> {
    row.needs
        .iter()
        .copied()
        .filter(|name| resolved.secret(name).is_none())
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
fn not_configured(resolved: &Resolved) -> Error {
    let mut tried = Vec::new();
    let mut absent = Vec::new();
    for row in CHAIN {
        let lacks = lacks(row, resolved);
        if row.make.is_some() {
            tried.push(format!("{} (no {})", row.name, lacks.join(", ")));
        } else if !row.needs.is_empty() && lacks.is_empty() {
            tried.push(format!(
                "{} (configured, but not supported by this version)",
                row.name
            ));
        } else {
            absent.push(row.name);
        }
    }
    Error::new(
        Code::AuthNotConfigured,
        format!(
            "default auth: cannot configure default credentials, please check {DOCS} to configure credentials for \
             your preferred authentication method{}",
            resolved.summary()
        ),
    )
    .with_hint(format!(
        "Tried {}. Not supported by this version: {}{}",
        tried.join(", "),
        absent.join(", "),
        notes(resolved)
    ))
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
    let names: Vec<&str> = CHAIN
        .iter()
        .filter(|row| row.make.is_some())
        .map(|row| row.name)
        .collect();
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
