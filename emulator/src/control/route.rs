//! Which operation a method and a path are.
//!
//! Resource names span several path segments and share prefixes, so a router of patterns cannot tell them apart; here
//! they are told apart by their number of segments and their collection words, as the service does.

use percent_encoding::percent_decode_str;

use super::cloud::is_pipeline;
use super::google;

/// Paths of the one account there is.
const ACCOUNT_DOCUMENT: &str =
    "/oidc/accounts/00000000-0000-4000-8000-0000000000ac/.well-known/oauth-authorization-server";
const ACCOUNT_TOKEN: &str = "/oidc/accounts/00000000-0000-4000-8000-0000000000ac/v1/token";

const POSTGRES: &str = "/api/2.0/postgres/";

/// An operation with the ids of its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    HostMetadata,
    OauthDocument,
    OauthToken,
    AccountDocument,
    GithubIssuer,
    PipelineIssuer,
    /// With the tenant.
    Entra(String),
    InstanceMetadata,
    AzureResource,
    Tenant,
    Google(google::Service),
    Me,
    Credentials,
    Projects,
    Project(String),
    Branches(String),
    Branch([String; 2]),
    Endpoints([String; 2]),
    Endpoint([String; 3]),
    Roles([String; 2]),
    Role([String; 3]),
    Databases([String; 2]),
    Database([String; 3]),
    /// A path of the API that is no resource name.
    Malformed,
    /// An operation that the service has and this version has not.
    NotServed,
    /// A path that has other methods: the `Allow` header.
    WrongMethod(&'static str),
    /// Nothing of Databricks.
    Unknown,
}

/// Routes that are served, as people write them: for the answer to those that are not.
pub(crate) const SERVED: [&str; 14] = [
    "GET /.well-known/databricks-config",
    "GET /oidc/.well-known/oauth-authorization-server",
    "POST /oidc/v1/token",
    "GET /api/2.0/preview/scim/v2/Me",
    "POST /api/2.0/postgres/credentials",
    "GET /api/2.0/postgres/projects",
    "GET /api/2.0/postgres/{project}",
    "GET /api/2.0/postgres/{project}/branches",
    "GET /api/2.0/postgres/{branch}",
    "GET /api/2.0/postgres/{branch}/endpoints",
    "GET /api/2.0/postgres/{endpoint}",
    "GET /api/2.0/postgres/{branch}/roles",
    "GET /api/2.0/postgres/{branch}/databases",
    "GET /api/2.0/postgres/{role|database}",
];

impl Target {
    /// Tells a request's operation.
    pub(crate) fn of(method: &str, path: &str) -> Self {
        let fixed = match path {
            "/.well-known/databricks-config" => Some(("GET", Self::HostMetadata)),
            "/oidc/.well-known/oauth-authorization-server" => Some(("GET", Self::OauthDocument)),
            "/oidc/v1/token" | ACCOUNT_TOKEN => Some(("POST", Self::OauthToken)),
            ACCOUNT_DOCUMENT => Some(("GET", Self::AccountDocument)),
            "/issuer/github" => Some(("GET", Self::GithubIssuer)),
            "/metadata/identity/oauth2/token" => Some(("GET", Self::InstanceMetadata)),
            "/aad/auth" => Some(("GET", Self::Tenant)),
            _ if path.starts_with("/issuer/") && is_pipeline(path) => {
                Some(("POST", Self::PipelineIssuer))
            }
            _ if google::Service::of(path).is_some() => {
                google::Service::of(path).map(|(method, service)| (method, Self::Google(service)))
            }
            _ if path.starts_with("/arm/subscriptions/") => Some(("GET", Self::AzureResource)),
            _ if entra_tenant(path).is_some() => {
                entra_tenant(path).map(|tenant| ("POST", Self::Entra(tenant.to_owned())))
            }
            "/api/2.0/preview/scim/v2/Me" => Some(("GET", Self::Me)),
            "/api/2.0/postgres/credentials" => Some(("POST", Self::Credentials)),
            _ => None,
        };
        if let Some((allowed, target)) = fixed {
            return if method == allowed {
                target
            } else {
                Self::WrongMethod(allowed)
            };
        }
        let Some(name) = path.strip_prefix(POSTGRES) else {
            return if path.starts_with("/api/") {
                Self::NotServed
            } else {
                Self::Unknown
            };
        };
        let mut segments = Vec::new();
        for segment in name.split('/') {
            match percent_decode_str(segment).decode_utf8() {
                Ok(segment) if !segment.is_empty() => segments.push(segment.into_owned()),
                _ => return Self::Malformed,
            }
        }
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let target = Self::of_name(&segments);
        match target {
            Some(target) if method == "GET" => target,
            Some(_) => Self::NotServed,
            None if is_elsewhere(&segments) => Self::NotServed,
            None => Self::Malformed,
        }
    }

    fn of_name(segments: &[&str]) -> Option<Self> {
        let two = |p: &str, b: &str| [p.to_owned(), b.to_owned()];
        let three = |p: &str, b: &str, x: &str| [p.to_owned(), b.to_owned(), x.to_owned()];
        Some(match *segments {
            ["projects"] => Self::Projects,
            ["projects", p] => Self::Project(p.to_owned()),
            ["projects", p, "branches"] => Self::Branches(p.to_owned()),
            ["projects", p, "branches", b] => Self::Branch(two(p, b)),
            ["projects", p, "branches", b, "endpoints"] => Self::Endpoints(two(p, b)),
            ["projects", p, "branches", b, "endpoints", e] => Self::Endpoint(three(p, b, e)),
            ["projects", p, "branches", b, "roles"] => Self::Roles(two(p, b)),
            ["projects", p, "branches", b, "roles", r] => Self::Role(three(p, b, r)),
            ["projects", p, "branches", b, "databases"] => Self::Databases(two(p, b)),
            ["projects", p, "branches", b, "databases", d] => Self::Database(three(p, b, d)),
            _ => return None,
        })
    }

    /// The key of the counters: never holds an id.
    pub(crate) fn label(&self, method: &str) -> String {
        let path = match self {
            Self::HostMetadata => "/.well-known/databricks-config",
            Self::OauthDocument => "/oidc/.well-known/oauth-authorization-server",
            Self::OauthToken => "/oidc/v1/token",
            Self::AccountDocument => {
                "/oidc/accounts/{account}/.well-known/oauth-authorization-server"
            }
            Self::GithubIssuer => "/issuer/github",
            Self::PipelineIssuer => "/issuer/{project}/oidctoken",
            Self::Entra(_) => "/entra/{tenant}/oauth2/token",
            Self::InstanceMetadata => "/metadata/identity/oauth2/token",
            Self::AzureResource => "/arm/{resource}",
            Self::Tenant => "/aad/auth",
            Self::Google(service) => service.label(),
            Self::Me => "/api/2.0/preview/scim/v2/Me",
            Self::Credentials => "/api/2.0/postgres/credentials",
            Self::Projects => "/api/2.0/postgres/projects",
            Self::Project(_) => "/api/2.0/postgres/{project}",
            Self::Branches(_) => "/api/2.0/postgres/{project}/branches",
            Self::Branch(_) => "/api/2.0/postgres/{branch}",
            Self::Endpoints(_) => "/api/2.0/postgres/{branch}/endpoints",
            Self::Endpoint(_) => "/api/2.0/postgres/{endpoint}",
            Self::Roles(_) => "/api/2.0/postgres/{branch}/roles",
            Self::Role(_) => "/api/2.0/postgres/{role}",
            Self::Databases(_) => "/api/2.0/postgres/{branch}/databases",
            Self::Database(_) => "/api/2.0/postgres/{database}",
            Self::Malformed => "/api/2.0/postgres/(malformed)",
            Self::NotServed => "/api/(not served)",
            Self::WrongMethod(_) => "(wrong method)",
            Self::Unknown => "(unknown)",
        };
        format!("{method} {path}")
    }

    /// Whether the body may be kept in the journal: everywhere but where it holds a client's secret.
    pub(crate) fn body_is_harmless(&self) -> bool {
        !matches!(
            self,
            Self::OauthToken
                | Self::Entra(_)
                | Self::Google(_)
                | Self::WrongMethod(_)
                | Self::Unknown
        )
    }
}

/// The tenant of a path of Entra's.
fn entra_tenant(path: &str) -> Option<&str> {
    path.strip_prefix("/entra/")?.strip_suffix("/oauth2/token")
}

/// Names that the service knows and this version does not.
fn is_elsewhere(segments: &[&str]) -> bool {
    match *segments {
        ["catalogs" | "synced_tables", ..]
        | [.., "undelete" | "password"]
        | ["projects", _, "snapshots", ..]
        | ["projects", _, "branches", _, "snapshot-schedule", ..] => true,
        ["projects", _, "branches", _, "databases", _, child, ..] => {
            ["data-api", "cdf-configs", "operations"].contains(&child)
        }
        // An operation's id may hold slashes, so it need not be the last segment.
        _ => segments.contains(&"operations"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_by_their_segments() {
        let endpoint = "/api/2.0/postgres/projects/p/branches/b/endpoints/e";
        assert_eq!(
            Target::of("GET", endpoint),
            Target::Endpoint(["p".into(), "b".into(), "e".into()])
        );
        assert_eq!(Target::of("DELETE", endpoint), Target::NotServed);
        assert_eq!(
            Target::of("GET", &format!("{endpoint}/operations/YWJj+/8=")),
            Target::NotServed
        );
        assert_eq!(
            Target::of("GET", "/api/2.0/postgres/projects/a%20b"),
            Target::Project("a b".into())
        );
        for malformed in [
            "",
            "foo/bar",
            "projects//branches",
            "projects/p/branches/b/tables",
            "projects/%ff",
        ] {
            assert_eq!(
                Target::of("GET", &format!("/api/2.0/postgres/{malformed}")),
                Target::Malformed,
                "{malformed}"
            );
        }
        assert_eq!(
            Target::of("GET", "/api/2.0/clusters/list"),
            Target::NotServed
        );
        assert_eq!(Target::of("GET", "/login.html"), Target::Unknown);
        assert_eq!(
            Target::of("GET", "/oidc/v1/token"),
            Target::WrongMethod("POST")
        );
    }
}
