//! From a target to one endpoint and its hosts.
//!
//! Applications that take "the first" endpoint of a list write to a read replica one day. Here the read-write endpoint
//! is chosen on purpose, a choice between branches is never made for the caller, and what was chosen is said.

use std::collections::BTreeSet;

use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clock::Deadline;
use crate::code::Code;
use crate::credential::policy::parse_rfc3339_ms;
use crate::error::{Error, Result};
use crate::http::{Api, Call, Retry};
use crate::name::Target;

const ROOT: &str = "/api/2.0/postgres/";
const READ_WRITE: &str = "ENDPOINT_TYPE_READ_WRITE";

/// What connecting needs to know of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Endpoint {
    /// Resource name.
    pub(crate) name: String,
    /// Unique id, the first label of its hosts.
    pub(crate) uid: String,
    /// The direct host name.
    pub(crate) host: String,
    /// When it was made, in milliseconds since 1970 of the workspace's clock.
    pub(crate) made_ms: Option<u64>,
    /// The state it was in when asked: `ACTIVE`, `IDLE` (a connection wakes it), `INIT`, `DEGRADED` or a newer one.
    pub(crate) state: String,
}

#[derive(Deserialize)]
struct Wire {
    #[serde(default)]
    name: String,
    #[serde(default)]
    uid: String,
    #[serde(default)]
    create_time: String,
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Status {
    endpoint_type: String,
    current_state: String,
    disabled: bool,
    hosts: Hosts,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Hosts {
    host: String,
    read_only_host: String,
    read_write_pooled_host: String,
    read_only_pooled_host: String,
}

impl Hosts {
    fn has(&self, host: &str) -> bool {
        let Hosts {
            host: direct,
            read_only_host,
            read_write_pooled_host,
            read_only_pooled_host,
        } = self;
        [
            direct,
            read_only_host,
            read_write_pooled_host,
            read_only_pooled_host,
        ]
        .iter()
        .any(|own| own.eq_ignore_ascii_case(host))
    }
}

/// Reads one endpoint.
///
/// # Errors
/// [`Code::TargetNotFound`], [`Code::EndpointDisabled`], [`Code::EndpointNotReady`], or what the API answered.
pub(crate) async fn get(
    api: &Api,
    name: &str,
    deadline: Deadline,
    retry: Retry,
) -> Result<Endpoint> {
    let body = fetch(api, name, &[], deadline, retry)
        .await
        .map_err(|error| not_found(error, name))?;
    let wire = read(body, name)?;
    if wire.status.disabled {
        return Err(Error::new(
            Code::EndpointDisabled,
            format!("the endpoint {name} is disabled, and a connection does not wake it"),
        )
        .with_hint("Enable it in the workspace or through the API (spec.disabled = false)"));
    }
    if wire.status.hosts.host.is_empty() {
        return Err(Error::new(
            Code::EndpointNotReady,
            format!(
                "the endpoint {name} has no host yet (state {})",
                wire.status.current_state
            ),
        )
        .with_hint("It is still being made; try again in a few seconds"));
    }
    Ok(Endpoint {
        name: name.to_owned(),
        uid: wire.uid,
        made_ms: parse_rfc3339_ms(&wire.create_time),
        host: wire.status.hosts.host,
        state: wire.status.current_state,
    })
}

/// Finds the one endpoint that `target` means. Paths and dotted names of an endpoint need no request.
///
/// # Errors
/// [`Code::TargetAmbiguous`] naming the choices, [`Code::TargetNotFound`], or what the API answered.
pub(crate) async fn find(api: &Api, target: &Target, deadline: Deadline) -> Result<String> {
    match target {
        Target::Endpoint(name) => Ok(name.to_string()),
        Target::Branch(..) => read_write_of(api, &target.to_string(), deadline).await,
        Target::Project(id) => {
            let branch = match only_branch_of(api, &target.to_string(), deadline).await {
                Err(error) if error.code() == Code::TargetNotFound => {
                    return Err(perhaps_provisioned(api, id, error, deadline).await);
                }
                branch => branch?,
            };
            read_write_of(api, &branch, deadline).await
        }
        Target::Host(host) => by_host(api, host, deadline).await,
    }
}

/// What was not found as a project may be an instance of the older kind, which this identity can see by that name.
async fn perhaps_provisioned(api: &Api, name: &str, error: Error, deadline: Deadline) -> Error {
    let call = Call {
        method: Method::GET,
        path: &format!("/api/2.0/database/instances/{name}"),
        query: &[],
        body: None,
        deadline,
        retry: Retry::Once,
    };
    match api.call(call).await {
        Ok(answer) if answer.body.get("name").and_then(Value::as_str) == Some(name) => Error::new(
            Code::TargetInvalid,
            format!("{name} is a Provisioned instance, and lakekey connects to Lakebase Autoscaling projects"),
        )
        .with_hint("Give a project, a branch or an endpoint of Lakebase Autoscaling; an instance can be upgraded to a project")
        .with_source(error),
        _ => error,
    }
}

/// The login name of the identity, as Postgres knows it.
///
/// # Errors
/// What the API answered, or [`Code::HttpProtocol`] for an answer without `userName`.
pub(crate) async fn current_user(api: &Api, deadline: Deadline, retry: Retry) -> Result<String> {
    const PATH: &str = "/api/2.0/preview/scim/v2/Me";
    let call = Call {
        method: Method::GET,
        path: PATH,
        query: &[],
        body: None,
        deadline,
        retry,
    };
    let answer = api
        .call(call)
        .await
        .map_err(|error| error.context("asking the workspace who this identity is"))?;
    match answer.body.get("userName").and_then(Value::as_str) {
        Some(name) if !name.is_empty() => Ok(name.to_owned()),
        _ => Err(Error::new(
            Code::HttpProtocol,
            format!("{}{PATH} answered without a userName", api.host()),
        )
        .with_hint("Give the Postgres user yourself, with the option user or PGUSER")),
    }
}

async fn read_write_of(api: &Api, branch: &str, deadline: Deadline) -> Result<String> {
    let endpoints = list(api, branch, "endpoints", deadline)
        .await
        .map_err(|error| not_found(error, branch))?;
    let endpoints = endpoints
        .into_iter()
        .map(|body| read(body, branch))
        .collect::<Result<Vec<Wire>>>()?;
    let mut writers = endpoints
        .iter()
        .filter(|endpoint| endpoint.status.endpoint_type == READ_WRITE);
    match (writers.next(), writers.next()) {
        (Some(writer), None) => Ok(writer.name.clone()),
        (Some(_), Some(_)) => Err(choice(
            Code::TargetAmbiguous,
            format!("the branch {branch} has several read-write endpoints"),
            endpoints.iter().map(|endpoint| endpoint.name.as_str()),
        )),
        (None, _) => Err(choice(
            Code::TargetNotFound,
            format!("the branch {branch} has no read-write endpoint"),
            endpoints.iter().map(|endpoint| endpoint.name.as_str()),
        )),
    }
}

async fn only_branch_of(api: &Api, project: &str, deadline: Deadline) -> Result<String> {
    let branches = list(api, project, "branches", deadline)
        .await
        .map_err(|error| not_found(error, project))?;
    let names: Vec<&str> = branches
        .iter()
        .filter_map(|branch| branch.get("name").and_then(Value::as_str))
        .collect();
    match names[..] {
        [only] => Ok(only.to_owned()),
        _ => Err(choice(
            Code::TargetAmbiguous,
            format!(
                "{project} has {} branches, and none is chosen for you",
                names.len()
            ),
            names,
        )),
    }
}

/// A host does not tell its resource name, so projects and branches are searched for it.
async fn by_host(api: &Api, host: &str, deadline: Deadline) -> Result<String> {
    let uid = host.split('.').next().unwrap_or(host);
    let uid = uid
        .strip_suffix("-pooler")
        .or_else(|| uid.strip_suffix("-ro"))
        .unwrap_or(uid);
    for project in names_of(&list(api, "", "projects", deadline).await?) {
        for branch in names_of(&list(api, &project, "branches", deadline).await?) {
            for body in list(api, &branch, "endpoints", deadline).await? {
                let endpoint = read(body, &branch)?;
                if endpoint.uid == uid || endpoint.status.hosts.has(host) {
                    return Ok(endpoint.name);
                }
            }
        }
    }
    let error = Error::new(
        Code::TargetNotFound,
        format!(
            "no endpoint that this identity can see on {} has the host {host}",
            api.host()
        ),
    );
    Err(if uid.starts_with("instance-") {
        error.with_hint("This is the host of a Provisioned instance; lakekey connects to Lakebase Autoscaling projects")
    } else {
        error.with_hint("Give the endpoint's resource name, or check the workspace host and the identity's permissions")
    })
}

fn names_of(list: &[Value]) -> Vec<String> {
    list.iter()
        .filter_map(|item| item.get("name").and_then(Value::as_str))
        .map(str::to_owned)
        .collect()
}

/// All pages of a collection.
pub(crate) async fn list(
    api: &Api,
    parent: &str,
    collection: &str,
    deadline: Deadline,
) -> Result<Vec<Value>> {
    let path = if parent.is_empty() {
        collection.to_owned()
    } else {
        format!("{parent}/{collection}")
    };
    let (mut items, mut token, mut seen) = (Vec::new(), String::new(), BTreeSet::new());
    loop {
        let mut body = fetch(
            api,
            &path,
            if token.is_empty() {
                &[]
            } else {
                std::slice::from_ref(&token)
            },
            deadline,
            Retry::WithinDeadline,
        )
        .await?;
        if let Some(Value::Array(page)) = body.get_mut(collection).map(Value::take) {
            items.extend(page);
        }
        match body.get("next_page_token").and_then(Value::as_str) {
            // A server that repeats a token would keep us for ever.
            Some(next) if !next.is_empty() && seen.insert(next.to_owned()) => {
                next.clone_into(&mut token);
            }
            _ => return Ok(items),
        }
    }
}

async fn fetch(
    api: &Api,
    path: &str,
    page_token: &[String],
    deadline: Deadline,
    retry: Retry,
) -> Result<Value> {
    let query: Vec<(&str, &str)> = page_token
        .iter()
        .map(|token| ("page_token", token.as_str()))
        .collect();
    let path = format!("{ROOT}{path}");
    let call = Call {
        method: Method::GET,
        path: &path,
        query: &query,
        body: None,
        deadline,
        retry,
    };
    Ok(api.call(call).await?.body)
}

fn read(body: Value, of: &str) -> Result<Wire> {
    serde_json::from_value(body).map_err(|error| {
        Error::new(
            Code::HttpProtocol,
            format!("the answer about {of} is not an endpoint: {error}"),
        )
    })
}

fn not_found(error: Error, name: &str) -> Error {
    if error.code() != Code::ApiNotFound {
        return error.context(format_args!("looking up {name}"));
    }
    let status = error.http_status().unwrap_or(404);
    let request_id = error.request_id().map(str::to_owned);
    Error::new(
        Code::TargetNotFound,
        format!("{name} was not found: {}", error.message()),
    )
    .with_http(status, request_id)
    .with_hint("Check the ids, the workspace and whether this identity may see the project")
    .with_source(error)
}

fn choice<'a>(code: Code, what: String, names: impl IntoIterator<Item = &'a str>) -> Error {
    let names: Vec<&str> = names.into_iter().take(10).collect();
    let error = Error::new(code, what);
    if names.is_empty() {
        error
    } else {
        error.with_hint(format!("Name one of them: {}", names.join(", ")))
    }
}
