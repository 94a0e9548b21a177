//! Which operation a method and a path are.
//!
//! Resource names span several path segments and share prefixes, so a router of patterns cannot tell them apart; here
//! they are told apart by their number of segments and their collection words, as the service does.

use percent_encoding::percent_decode_str;

use super::cloud::is_pipeline;
use super::google;
use crate::state::kind::Kind;

/// Paths of the one account there is.
const ACCOUNT_DOCUMENT: &str =
    "/oidc/accounts/00000000-0000-4000-8000-0000000000ac/.well-known/oauth-authorization-server";
const ACCOUNT_TOKEN: &str = "/oidc/accounts/00000000-0000-4000-8000-0000000000ac/v1/token";

const POSTGRES: &str = "/api/2.0/postgres/";
const PERMISSIONS: &str = "/api/2.0/permissions/database-projects/";
const PIPELINES: &str = "/api/2.0/pipelines/";

/// What is done with a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Create,
    Get,
    List,
    Update,
    Delete,
    Undelete,
    RevealPassword,
}

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
    /// With the ids on the way: for `Create` and `List` those of the parent, else those of the resource.
    Resource(Verb, Kind, Vec<String>),
    /// A long-running operation, by its whole name.
    Operation(String),
    /// Who may do what with the project: `GET`, `PUT` or `PATCH`.
    Permissions(&'static str, String),
    PermissionLevels(String),
    /// An update of this pipeline is started.
    PipelineUpdate(String),
    /// A path of the API that is no resource name.
    Malformed,
    /// An operation that Databricks has and this emulator has not.
    NotServed,
    /// A path that has other methods: the `Allow` header.
    WrongMethod(&'static str),
    /// Nothing of Databricks.
    Unknown,
}

/// Routes that are served, as people write them: for the answer to those that are not.
pub(crate) const SERVED: [&str; 8] = [
    "GET /.well-known/databricks-config",
    "GET /oidc/.well-known/oauth-authorization-server",
    "POST /oidc/v1/token",
    "GET /api/2.0/preview/scim/v2/Me",
    "POST /api/2.0/postgres/credentials",
    "all of /api/2.0/postgres/{projects|catalogs|synced_tables}",
    "GET, PUT, PATCH /api/2.0/permissions/database-projects/{project}",
    "POST /api/2.0/pipelines/{pipeline}/updates",
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
            _ => pipeline_update(path)
                .map(|pipeline| ("POST", Self::PipelineUpdate(pipeline.to_owned()))),
        };
        if let Some((allowed, target)) = fixed {
            return if method == allowed {
                target
            } else {
                Self::WrongMethod(allowed)
            };
        }
        if let Some(project) = path.strip_prefix(PERMISSIONS) {
            return of_permissions(method, project);
        }
        let Some(name) = path.strip_prefix(POSTGRES) else {
            return if path.starts_with("/api/") {
                Self::NotServed
            } else {
                Self::Unknown
            };
        };
        if let Some(operation) = operation(name) {
            return match method {
                "GET" => Self::Operation(operation),
                _ => Self::WrongMethod("GET"),
            };
        }
        let Some(segments) = decoded(name) else {
            return Self::Malformed;
        };
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        of_resource(method, &segments)
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
            Self::Resource(verb, kind, _) => return label(method, *verb, *kind),
            Self::Operation(_) => "/api/2.0/postgres/{operation}",
            Self::Permissions(..) => "/api/2.0/permissions/database-projects/{project}",
            Self::PermissionLevels(_) => {
                "/api/2.0/permissions/database-projects/{project}/permissionLevels"
            }
            Self::PipelineUpdate(_) => "/api/2.0/pipelines/{pipeline}/updates",
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

/// A resource name, or that of a collection.
struct Name {
    kind: Kind,
    ids: Vec<String>,
    is_collection: bool,
}

/// The segments of a path, unless one is empty or no text.
fn decoded(path: &str) -> Option<Vec<String>> {
    let decode = |segment| percent_decode_str(segment).decode_utf8().ok();
    path.split('/')
        .map(|segment| Some(decode(segment)?.into_owned()).filter(|text| !text.is_empty()))
        .collect()
}

/// The name of an operation. What stands behind `operations` is opaque: it may hold slashes, and a `+` is a `+`.
fn operation(path: &str) -> Option<String> {
    const WORD: &str = "/operations/";
    path.match_indices(WORD).find_map(|(place, _)| {
        let owner = decoded(&path[..place])?;
        let segments: Vec<&str> = owner.iter().map(String::as_str).collect();
        let is_resource = of_name(&segments).is_some_and(|name| !name.is_collection);
        let id = percent_decode_str(&path[place + WORD.len()..])
            .decode_utf8()
            .ok()?;
        (is_resource && !id.is_empty()).then(|| format!("{}{WORD}{id}", owner.join("/")))
    })
}

fn of_resource(method: &str, segments: &[&str]) -> Target {
    let (verb, name) = match segments {
        [name @ .., "undelete"] => (Some(Verb::Undelete), name),
        [name @ .., "password"] => (Some(Verb::RevealPassword), name),
        name => (None, name),
    };
    let Some(name) = of_name(name) else {
        return Target::Malformed;
    };
    let (kind, ids) = (name.kind, name.ids);
    match verb {
        Some(verb) => {
            let fits = match verb {
                Verb::Undelete => matches!(kind, Kind::Project | Kind::Branch),
                _ => kind == Kind::Role,
            };
            return match method {
                _ if !fits || name.is_collection => Target::Malformed,
                "POST" => Target::Resource(verb, kind, ids),
                _ => Target::WrongMethod("POST"),
            };
        }
        None if name.is_collection => {
            let listed = !matches!(kind, Kind::Catalog | Kind::SyncedTable);
            return match method {
                "GET" if listed => Target::Resource(Verb::List, kind, ids),
                // SDKs up to 0.81 create roles with PATCH.
                "POST" | "PATCH"
                    if kind != Kind::CdfStatus && (method == "POST" || kind == Kind::Role) =>
                {
                    Target::Resource(Verb::Create, kind, ids)
                }
                _ if !listed => Target::WrongMethod("POST"),
                _ => Target::WrongMethod("GET, POST"),
            };
        }
        None => {}
    }
    let updated = !matches!(
        kind,
        Kind::CdfConfig | Kind::CdfStatus | Kind::Snapshot | Kind::Catalog | Kind::SyncedTable
    );
    let deleted = !matches!(kind, Kind::CdfStatus | Kind::SnapshotSchedule);
    match method {
        "GET" => Target::Resource(Verb::Get, kind, ids),
        "PATCH" if updated => Target::Resource(Verb::Update, kind, ids),
        "DELETE" if deleted => Target::Resource(Verb::Delete, kind, ids),
        "POST" if kind == Kind::DataApi => Target::Resource(Verb::Create, kind, ids),
        _ => Target::WrongMethod("GET, PATCH, DELETE"),
    }
}

#[expect(
    clippy::many_single_char_names,
    reason = "each stands for the id of one step of the path, and the step names it"
)]
fn of_name(segments: &[&str]) -> Option<Name> {
    let (kind, ids): (Kind, &[&str]) = match *segments {
        ["projects"] => (Kind::Project, &[]),
        ["projects", p] => (Kind::Project, &[p]),
        ["projects", p, "snapshots"] => (Kind::Snapshot, &[p]),
        ["projects", p, "snapshots", s] => (Kind::Snapshot, &[p, s]),
        ["projects", p, "branches"] => (Kind::Branch, &[p]),
        ["projects", p, "branches", b] => (Kind::Branch, &[p, b]),
        ["projects", p, "branches", b, "snapshot-schedule"] => (Kind::SnapshotSchedule, &[p, b]),
        ["projects", p, "branches", b, "endpoints"] => (Kind::Endpoint, &[p, b]),
        ["projects", p, "branches", b, "endpoints", e] => (Kind::Endpoint, &[p, b, e]),
        ["projects", p, "branches", b, "roles"] => (Kind::Role, &[p, b]),
        ["projects", p, "branches", b, "roles", r] => (Kind::Role, &[p, b, r]),
        ["projects", p, "branches", b, "databases"] => (Kind::Database, &[p, b]),
        ["projects", p, "branches", b, "databases", d] => (Kind::Database, &[p, b, d]),
        ["projects", p, "branches", b, "databases", d, "data-api"] => (Kind::DataApi, &[p, b, d]),
        ["projects", p, "branches", b, "databases", d, "cdf-configs"] => {
            (Kind::CdfConfig, &[p, b, d])
        }
        [
            "projects",
            p,
            "branches",
            b,
            "databases",
            d,
            "cdf-configs",
            c,
        ] => (Kind::CdfConfig, &[p, b, d, c]),
        [
            "projects",
            p,
            "branches",
            b,
            "databases",
            d,
            "cdf-configs",
            c,
            "cdf-statuses",
        ] => (Kind::CdfStatus, &[p, b, d, c]),
        [
            "projects",
            p,
            "branches",
            b,
            "databases",
            d,
            "cdf-configs",
            c,
            "cdf-statuses",
            t,
        ] => (Kind::CdfStatus, &[p, b, d, c, t]),
        ["catalogs"] => (Kind::Catalog, &[]),
        ["catalogs", c] => (Kind::Catalog, &[c]),
        ["synced_tables"] => (Kind::SyncedTable, &[]),
        ["synced_tables", t] => (Kind::SyncedTable, &[t]),
        _ => return None,
    };
    let last = segments.last().copied().unwrap_or_default();
    let singleton = matches!(kind, Kind::DataApi | Kind::SnapshotSchedule);
    Some(Name {
        kind,
        ids: ids.iter().map(|id| (*id).to_owned()).collect(),
        is_collection: !singleton && last == kind.collection() && segments.len() % 2 == 1,
    })
}

fn of_permissions(method: &str, rest: &str) -> Target {
    let (project, levels) = match rest.strip_suffix("/permissionLevels") {
        Some(project) => (project, true),
        None => (rest, false),
    };
    match method {
        _ if project.is_empty() || project.contains('/') => Target::NotServed,
        "GET" if levels => Target::PermissionLevels(project.to_owned()),
        _ if levels => Target::WrongMethod("GET"),
        "GET" => Target::Permissions("GET", project.to_owned()),
        "PUT" => Target::Permissions("PUT", project.to_owned()),
        "PATCH" => Target::Permissions("PATCH", project.to_owned()),
        _ => Target::WrongMethod("GET, PUT, PATCH"),
    }
}

fn label(method: &str, verb: Verb, kind: Kind) -> String {
    let own = kind.word().replace('_', "-");
    let parent = match kind {
        Kind::Project | Kind::Catalog | Kind::SyncedTable => "",
        Kind::Branch | Kind::Snapshot => "{project}/",
        Kind::Endpoint | Kind::Role | Kind::Database | Kind::SnapshotSchedule => "{branch}/",
        Kind::DataApi | Kind::CdfConfig => "{database}/",
        Kind::CdfStatus => "{cdf-config}/",
    };
    let path = match (verb, kind) {
        (_, Kind::DataApi | Kind::SnapshotSchedule) | (Verb::Create | Verb::List, _) => {
            format!("{parent}{}", kind.collection())
        }
        (Verb::Undelete, _) => format!("{{{own}}}/undelete"),
        (Verb::RevealPassword, _) => format!("{{{own}}}/password"),
        _ => format!("{{{own}}}"),
    };
    format!("{method} /api/2.0/postgres/{path}")
}

/// The pipeline of a path that starts one of its updates.
fn pipeline_update(path: &str) -> Option<&str> {
    let pipeline = path.strip_prefix(PIPELINES)?.strip_suffix("/updates")?;
    (!pipeline.is_empty() && !pipeline.contains('/')).then_some(pipeline)
}

/// The tenant of a path of Entra's.
fn entra_tenant(path: &str) -> Option<&str> {
    path.strip_prefix("/entra/")?.strip_suffix("/oauth2/token")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(method: &str, name: &str) -> Target {
        Target::of(method, &format!("/api/2.0/postgres/{name}"))
    }

    fn resource(verb: Verb, kind: Kind, ids: &[&str]) -> Target {
        Target::Resource(verb, kind, ids.iter().map(|id| (*id).to_owned()).collect())
    }

    #[test]
    fn names_are_told_by_their_segments() {
        let endpoint = "projects/p/branches/b/endpoints/e";
        for (method, verb) in [
            ("GET", Verb::Get),
            ("PATCH", Verb::Update),
            ("DELETE", Verb::Delete),
        ] {
            let expected = resource(verb, Kind::Endpoint, &["p", "b", "e"]);
            assert_eq!(told(method, endpoint), expected, "{method}");
        }
        assert_eq!(
            told("POST", "projects/p/branches"),
            resource(Verb::Create, Kind::Branch, &["p"])
        );
        assert_eq!(
            told("GET", "projects/a%20b"),
            resource(Verb::Get, Kind::Project, &["a b"])
        );
        // Ids may look like words of the API.
        assert_eq!(
            told("GET", "projects/branches/branches/branches"),
            resource(Verb::Get, Kind::Branch, &["branches", "branches"])
        );
        assert_eq!(
            told("PATCH", "projects/p/branches/b/roles"),
            resource(Verb::Create, Kind::Role, &["p", "b"])
        );
        for malformed in [
            "",
            "foo/bar",
            "projects//branches",
            "projects/p/branches/b/tables",
            "projects/%ff",
            "projects/p/branches/b/endpoints/e/undelete",
            "projects/p/password",
        ] {
            assert_eq!(told("POST", malformed), Target::Malformed, "{malformed}");
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

    #[test]
    fn an_operation_id_may_hold_slashes_and_plus_signs() {
        let name = "projects/p/branches/b/endpoints/e/operations/YWJj+/8=";
        for id in ["YWJj+/8=", "YWJj%2B%2F8%3D", "YWJj+/8%3D"] {
            let asked = name.replace("YWJj+/8=", id);
            assert_eq!(told("GET", &asked), Target::Operation(name.to_owned()));
        }
        let slashes = "catalogs/c/operations//a//";
        assert_eq!(told("GET", slashes), Target::Operation(slashes.to_owned()));
        assert_eq!(told("DELETE", name), Target::WrongMethod("GET"));
        assert_eq!(
            told("GET", "projects/operations"),
            resource(Verb::Get, Kind::Project, &["operations"])
        );
    }
}
