//! What people write to say which database they mean, and what it is by its shape.
//!
//! A target comes as a resource path, a dotted name, a bare id or a host name, from arguments and from a dozen
//! environment variables. It is recognised here and nowhere else; what it leaves open is asked of the API, never guessed.

use std::fmt;

use crate::code::Code;
use crate::error::{Error, Result};

/// A target by its shape.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// `projects/{project}`, or a bare id.
    Project(String),
    /// `projects/{project}/branches/{branch}`, or `project.branch`.
    Branch(String, String),
    /// `projects/{project}/branches/{branch}/endpoints/{endpoint}`, or `project.branch.endpoint`.
    Endpoint(EndpointName),
    /// A database host, or the unique id of an endpoint, which is the host's first label.
    Host(String),
}

/// The resource name of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EndpointName {
    project: String,
    branch: String,
    endpoint: String,
}

impl EndpointName {
    /// The resource name of its branch.
    pub fn branch(&self) -> String {
        format!("projects/{}/branches/{}", self.project, self.branch)
    }
}

impl fmt::Display for EndpointName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "projects/{}/branches/{}/endpoints/{}",
            self.project, self.branch, self.endpoint
        )
    }
}

const SHAPES: &str = "Write projects/PROJECT/branches/BRANCH, projects/PROJECT/branches/BRANCH/endpoints/ENDPOINT, PROJECT.BRANCH, or the endpoint's host name";

impl Target {
    /// Recognises `text`, which came from `source`.
    ///
    /// # Errors
    /// [`Code::TargetInvalid`] naming the text, its source and the shapes that are understood; [`Code::TargetMissing`]
    /// for an empty text.
    pub fn parse(text: &str, source: &str) -> Result<Target> {
        let invalid = |what: &str| {
            Error::new(
                Code::TargetInvalid,
                format!(
                    "{source}: '{}' is no Lakebase target: {what}",
                    shorten(text)
                ),
            )
            .with_hint(SHAPES)
        };
        let name = text.trim();
        if name.is_empty() {
            return Err(Error::new(
                Code::TargetMissing,
                format!("{source}: the target is empty"),
            )
            .with_hint(SHAPES));
        }
        if name.contains("://") || name.contains('=') || name.contains('@') {
            return Err(invalid("it looks like a URL or a connection string"));
        }
        if name.contains('/') {
            return Target::path(name)
                .ok_or_else(|| invalid("it is not a resource name"))?
                .map_err(|what| invalid(&what));
        }
        if let Some(host) = as_host(name) {
            return match bad_host(&host) {
                Some(what) => Err(invalid(what)),
                None => Ok(Target::Host(host)),
            };
        }
        let labels: Vec<&str> = name.split('.').collect();
        if let Some(what) = labels.iter().find_map(|label| bad_id(label)) {
            return Err(invalid(&what));
        }
        if labels.len() > 1
            && let Some(what) = uid_among(&labels)
        {
            return Err(invalid(&what));
        }
        match labels[..] {
            [uid] if uid.starts_with("br-") && is_uid(uid) => Err(invalid(
                "this is a branch's unique id (uid), and the API takes ids",
            )),
            [project] => Ok(Target::Project(project.to_owned())),
            [project, branch] => Ok(Target::Branch(project.to_owned(), branch.to_owned())),
            [project, branch, endpoint] => Ok(Target::endpoint(project, branch, endpoint)),
            _ => Err(invalid("it has too many dots")),
        }
    }

    fn path(name: &str) -> Option<Result<Target, String>> {
        let segments: Vec<&str> = name.split('/').collect();
        let ids = match segments[..] {
            ["projects", project] => vec![project],
            ["projects", project, "branches", branch] => vec![project, branch],
            [
                "projects",
                project,
                "branches",
                branch,
                "endpoints",
                endpoint,
            ] => vec![project, branch, endpoint],
            _ => return None,
        };
        if let Some(what) = ids.iter().find_map(|id| bad_id(id)) {
            return Some(Err(what));
        }
        if let Some(what) = uid_among(&ids) {
            return Some(Err(what));
        }
        Some(Ok(match ids[..] {
            [project] => Target::Project(project.to_owned()),
            [project, branch] => Target::Branch(project.to_owned(), branch.to_owned()),
            [project, branch, endpoint] => Target::endpoint(project, branch, endpoint),
            _ => return None,
        }))
    }

    fn endpoint(project: &str, branch: &str, endpoint: &str) -> Target {
        Target::Endpoint(EndpointName {
            project: project.to_owned(),
            branch: branch.to_owned(),
            endpoint: endpoint.to_owned(),
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Project(project) => write!(f, "projects/{project}"),
            Target::Branch(project, branch) => write!(f, "projects/{project}/branches/{branch}"),
            Target::Endpoint(name) => name.fmt(f),
            Target::Host(host) => f.write_str(host),
        }
    }
}

/// What is wrong with ids of which one is none.
fn uid_among(ids: &[&str]) -> Option<String> {
    let uid = ids.iter().find(|id| is_uid(id))?;
    Some(format!(
        "'{uid}' is a unique id (uid), and names are made of ids"
    ))
}

/// Whether a database host is the pooled one, which takes native passwords only. Hosts are never made or taken apart
/// further: their shape differs between clouds and ages.
pub fn is_pooled_host(host: &str) -> bool {
    host.split('.')
        .next()
        .is_some_and(|label| label.ends_with("-pooler"))
}

fn as_host(name: &str) -> Option<String> {
    let host = name.strip_suffix(":5432").unwrap_or(name);
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let known = [
        ".databricks.com",
        ".azuredatabricks.net",
        ".databricks.us",
        ".databricks.azure.us",
        ".databricks.azure.cn",
        ".localhost",
    ];
    let first = host.split('.').next().unwrap_or_default();
    let endpoint = first
        .strip_suffix("-pooler")
        .or_else(|| first.strip_suffix("-ro"))
        .unwrap_or(first);
    let by_suffix = known.iter().any(|suffix| host.ends_with(suffix));
    let by_label = endpoint.starts_with("ep-") && is_uid(endpoint)
        || endpoint.starts_with("instance-") && host.contains('.');
    (by_suffix || by_label).then_some(host)
}

/// What no host name looks like.
fn bad_host(host: &str) -> Option<&'static str> {
    if host.len() > 253 || host.split('.').any(|label| label.len() > 63) {
        return Some("it is too long for a host name");
    }
    if host.split('.').any(str::is_empty) {
        return Some("a part of the host name is empty");
    }
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (!host.bytes().all(fits)).then_some("host names hold letters, digits, '-' and '.' only")
}

/// Unique ids are `ep-` or `br-`, two words and eight or more letters and digits, such as `ep-calm-river-d1a2b3c4`.
fn is_uid(id: &str) -> bool {
    let parts: Vec<&str> = id.split('-').collect();
    matches!(parts[..], ["ep" | "br", first, second, tail]
        if !first.is_empty() && !second.is_empty() && tail.len() >= 8 && tail.bytes().any(|byte| byte.is_ascii_digit()))
}

fn bad_id(id: &str) -> Option<String> {
    if id.is_empty() {
        return Some("a part of the name is empty".to_owned());
    }
    if id.len() > 63 {
        return Some("a part of the name is longer than 63 characters".to_owned());
    }
    let odd = id
        .chars()
        .find(|c| !(c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_')))?;
    Some(format!(
        "ids hold lower-case letters, digits and '-', not '{odd}'"
    ))
}

/// Keeps a pasted token or password out of the error.
pub(crate) fn shorten(text: &str) -> String {
    let secret = ["dapi", "eyJ", "dose", "dkea"]
        .iter()
        .any(|start| text.starts_with(start))
        || text.contains('@')
        || text.contains("password");
    match text.char_indices().nth(80) {
        _ if secret => "***".to_owned(),
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn parse(text: &str) -> Result<Target> {
        Target::parse(text, "LAKEBASE_ENDPOINT")
    }

    #[test]
    fn targets_are_recognised_by_shape() {
        for (text, shown) in [
            ("projects/shop", "projects/shop"),
            (
                "projects/shop/branches/production",
                "projects/shop/branches/production",
            ),
            (
                " projects/shop/branches/b/endpoints/primary\n",
                "projects/shop/branches/b/endpoints/primary",
            ),
            ("shop.production", "projects/shop/branches/production"),
            (
                "shop.production.primary",
                "projects/shop/branches/production/endpoints/primary",
            ),
            ("shop", "projects/shop"),
            ("ep-calm-river-d1a2b3c4", "ep-calm-river-d1a2b3c4"),
            (
                "EP-calm-river-d1a2b3c4.database.us-east-1.cloud.databricks.com",
                "ep-calm-river-d1a2b3c4.database.us-east-1.cloud.databricks.com",
            ),
            (
                "ep-calm-river-d1a2b3c4-pooler.database.eastus.azuredatabricks.net:5432",
                "ep-calm-river-d1a2b3c4-pooler.database.eastus.azuredatabricks.net",
            ),
            (
                "ep-calm-river-d1a2b3c4.azuredatabricks.net.:5432",
                "ep-calm-river-d1a2b3c4.azuredatabricks.net",
            ),
            (
                "ep-calm-river-d1a2b3c4.database.localhost",
                "ep-calm-river-d1a2b3c4.database.localhost",
            ),
        ] {
            assert_eq!(parse(text).unwrap().to_string(), shown, "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused_with_their_source_and_without_secrets() {
        for text in [
            "",
            "  ",
            "projects/",
            "projects//branches/b",
            "projects/shop/branches",
            "shop/production",
            "/projects/shop",
            "projects/Shop",
            "a.b.c.d",
            "br-still-moon-e5f6a7b8",
            "projects/p/branches/br-still-moon-e5f6a7b8",
            "postgresql://u:planted@h/d",
            "host=h password=planted",
            "ann:planted@h",
            "instance-\0a..",
            "ep-calm-river-d1a2b3c4.data base.cloud.databricks.com",
            "ep-calm-river-d1a2b3c4..cloud.databricks.com",
            "ep-calm-river-d1a2b3c4.cloud.databricks.com:5433",
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.message().contains("LAKEBASE_ENDPOINT"), "{error}");
            assert!(!error.to_string().contains("planted"), "{error}");
        }
    }

    #[test]
    fn pooled_hosts_are_known_by_their_first_label() {
        assert!(is_pooled_host("ep-a-b-c1234567-pooler.database.x"));
        assert!(!is_pooled_host("ep-a-b-c1234567.database-pooler.x"));
    }
}
