//! The workspace host: from what people paste to an origin.

use std::net::IpAddr;

use url::{Host, Url};

use crate::code::Code;
use crate::error::{Error, Result};

/// A host, normalised, and what its query told.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Normalised {
    /// `scheme://host[:port]`, no final slash.
    pub(crate) origin: String,
    /// From `?o=` or `?w=` of a pasted browser address.
    pub(crate) workspace_id: Option<String>,
    /// From `?a=` of a pasted browser address.
    pub(crate) account_id: Option<String>,
}

/// Normalises a host; `from` names its source in errors.
pub(crate) fn normalise(text: &str, from: &str) -> Result<Normalised> {
    let text = text.trim();
    let with_scheme = if text.contains("://") {
        text.to_owned()
    } else {
        format!("https://{text}")
    };
    let url = Url::parse(&with_scheme).map_err(|cause| match cause {
        url::ParseError::EmptyHost => no_host(from),
        cause => Error::new(
            Code::ConfigInvalid,
            format!("resolve: the host from {from} is no address: {cause}"),
        )
        .with_hint("Give it as https://<workspace>.cloud.databricks.com"),
    })?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err(Error::new(
            Code::ConfigInvalid,
            format!(
                "resolve: the host from {from} has the scheme `{}`; only https is possible",
                url.scheme()
            ),
        ));
    }
    let Some(host) = url.host_str().filter(|host| !host.is_empty()) else {
        return Err(no_host(from));
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Error::new(
            Code::ConfigInvalid,
            format!("resolve: the host from {from} contains a user name or password"),
        )
        .with_hint("Give the host alone, and credentials by their own attributes"));
    }
    if url.scheme() == "http" && !is_loopback(&url) {
        return Err(Error::new(
            Code::ConfigInvalid,
            format!(
                "resolve: the host http://{host} from {from} would send credentials unencrypted"
            ),
        )
        .with_hint(format!(
            "Write https://{host}; plain http is for loopback hosts only"
        )));
    }
    let port = url
        .port()
        .map(|port| format!(":{port}"))
        .unwrap_or_default();
    let find = |names: &[&str], numeric: bool| {
        names.iter().find_map(|name| {
            url.query_pairs()
                .find(|(key, value)| {
                    key == name
                        && !value.is_empty()
                        && (!numeric || value.bytes().all(|byte| byte.is_ascii_digit()))
                })
                .map(|(_, value)| value.into_owned())
        })
    };
    Ok(Normalised {
        origin: format!("{}://{host}{port}", url.scheme()),
        workspace_id: find(&["w"], false).or_else(|| find(&["o", "workspace_id"], true)),
        account_id: find(&["a", "account_id"], false),
    })
}

/// The origin alone; an account console is refused.
pub(crate) fn normalise_host(text: &str, from: &str) -> Result<String> {
    let host = normalise(text, from)?;
    if is_account(&host.origin) {
        return Err(account_host(&host.origin, from));
    }
    Ok(host.origin)
}

/// What is said of an account console, which has no Lakebase API.
pub(crate) fn account_host(origin: &str, from: &str) -> Error {
    Error::new(
        Code::AuthAccountHost,
        format!("resolve: {origin} from {from} is the account console, which has no Lakebase API"),
    )
    .with_hint("Give the host of the workspace that owns the Lakebase project")
}

fn no_host(from: &str) -> Error {
    Error::new(
        Code::ConfigMissingHost,
        format!("resolve: no host configured: the value from {from} has no host name"),
    )
    .with_hint("Set DATABRICKS_HOST to https://<workspace>.cloud.databricks.com")
}

/// Whether an origin is that of an account console, which has no Lakebase API.
pub(crate) fn is_account(origin: &str) -> bool {
    origin.starts_with("https://accounts.") || origin.starts_with("https://accounts-dod.")
}

/// Whether a URL stays on this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            name.eq_ignore_ascii_case("localhost")
                || name.to_ascii_lowercase().ends_with(".localhost")
        }
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::V6(ip).to_canonical().is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{Normalised, is_account, normalise};
    use crate::code::Code;

    #[test]
    fn hosts_as_people_paste_them() {
        for (pasted, origin, workspace, account) in [
            ("x", "https://x", None, None),
            (
                "https://X.Cloud.Databricks.com/",
                "https://x.cloud.databricks.com",
                None,
                None,
            ),
            ("https://x.com:443/", "https://x.com", None, None),
            (
                "https://x.com:8443/sql?o=12#frag",
                "https://x.com:8443",
                Some("12"),
                None,
            ),
            ("x.com/?o=abc&a=acc", "https://x.com", None, Some("acc")),
            ("x.com/?w=ws-1&o=7", "https://x.com", Some("ws-1"), None),
            (
                "x.com/?workspace_id=8&account_id=q",
                "https://x.com",
                Some("8"),
                Some("q"),
            ),
            (
                "http://127.0.0.1:8080/",
                "http://127.0.0.1:8080",
                None,
                None,
            ),
            ("http://localhost:1", "http://localhost:1", None, None),
            ("http://[::1]:2", "http://[::1]:2", None, None),
            ("  https://x.com  ", "https://x.com", None, None),
        ] {
            let expected = Normalised {
                origin: origin.to_owned(),
                workspace_id: workspace.map(str::to_owned),
                account_id: account.map(str::to_owned),
            };
            assert_eq!(normalise(pasted, "t").unwrap(), expected, "{pasted}");
        }
    }

    #[test]
    fn hosts_that_cannot_be_used_name_their_source_and_the_fix() {
        for (pasted, code, text) in [
            (
                "https://:443",
                Code::ConfigMissingHost,
                "no host configured",
            ),
            ("http://x.com", Code::ConfigInvalid, "unencrypted"),
            ("http://10.0.0.1", Code::ConfigInvalid, "unencrypted"),
            ("ftp://x.com", Code::ConfigInvalid, "scheme"),
            ("https://a b", Code::ConfigInvalid, "no address"),
            (
                "https://user:planted@x.com",
                Code::ConfigInvalid,
                "user name or password",
            ),
        ] {
            let error = normalise(pasted, "DATABRICKS_HOST environment variable").unwrap_err();
            assert_eq!(error.code(), code, "{pasted}: {error}");
            assert!(error.message().contains(text), "{pasted}: {error}");
            assert!(
                error.message().contains("DATABRICKS_HOST"),
                "{pasted}: {error}"
            );
            assert!(!format!("{error} {error:?}").contains("planted"));
        }
    }

    #[test]
    fn account_consoles_are_known() {
        assert!(is_account("https://accounts.cloud.databricks.com"));
        assert!(is_account("https://accounts-dod.cloud.databricks.us"));
        assert!(!is_account("https://accountsx.cloud.databricks.com"));
    }
}
