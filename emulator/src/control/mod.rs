//! The HTTP control plane: what Databricks serves at the workspace's host, as far as this version serves it.

mod answer;
mod branches;
mod caller;
mod cloud;
mod compute_rules;
mod credentials;
mod data;
mod databases;
mod endpoints;
mod find;
mod finish;
mod google;
mod look;
mod mask;
mod oidc;
mod page;
mod permissions;
mod projects;
mod read;
mod render;
mod roles;
mod route;
mod schema;
mod scim;
pub(crate) mod serve;
mod snapshots;
mod strike;
mod tables;
mod timers;
mod work;
pub(crate) mod worker;
mod write;

use std::sync::{Arc, Weak};

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use percent_encoding::percent_decode_str;

use crate::behind::Behind;
use crate::state::Lakebase;
use crate::state::identity::Principal;
use crate::state::kind::Kind;
use crate::state::operation::Trouble;
use answer::{Answer, ApiError};
use route::{SERVED, Target, Verb};
use write::Write;

const BAD_REQUEST: StatusCode = StatusCode::BAD_REQUEST;
const NOT_FOUND: StatusCode = StatusCode::NOT_FOUND;
const CONFLICT: StatusCode = StatusCode::CONFLICT;
const INTERNAL: StatusCode = StatusCode::INTERNAL_SERVER_ERROR;

/// What requests are answered from.
pub(crate) struct Plane {
    pub(crate) lakebase: Arc<Lakebase>,
    /// Weak, so that a call in flight does not keep Postgres up when the emulator ends.
    pub(crate) behind: Option<Weak<Behind>>,
}

impl Plane {
    fn behind(&self) -> Option<Arc<Behind>> {
        self.behind.as_ref().and_then(Weak::upgrade)
    }
}

/// A request with its body.
pub(crate) struct Call {
    pub(crate) target: Target,
    pub(crate) query: Option<String>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// What a fault rule does to the operation that this begins.
    pub(crate) trouble: Option<Trouble>,
}

impl Call {
    /// The first value of a query parameter.
    pub(crate) fn query(&self, name: &str) -> Option<String> {
        self.query
            .as_deref()?
            .split('&')
            .map(form_pair)
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
    }
}

/// `key=value` of a query or a form, decoded.
fn form_pair(pair: &str) -> (String, String) {
    let decoded = |text: &str| {
        percent_decode_str(&text.replace('+', " "))
            .decode_utf8_lossy()
            .into_owned()
    };
    let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
    (decoded(key), decoded(value))
}

/// Carries a request out.
pub(crate) async fn carry_out(
    plane: &Plane,
    base_url: &str,
    call: &Call,
    request_id: &str,
) -> Answer {
    let done = match &call.target {
        Target::Resource(verb, kind, ids) => resource(plane, call, *verb, *kind, ids).await,
        _ => dispatch(&plane.lakebase, base_url, call),
    };
    done.unwrap_or_else(|refusal| refusal.answer(request_id))
}

async fn resource(
    plane: &Plane,
    call: &Call,
    verb: Verb,
    kind: Kind,
    ids: &[String],
) -> Result<Answer, ApiError> {
    let lakebase = &*plane.lakebase;
    let caller = caller::of(lakebase, &call.headers, true)?;
    if let Some(behind) = plane.behind() {
        look::before(lakebase, &behind, verb, kind, ids).await?;
    }
    let write = Write {
        lakebase,
        caller,
        call,
        kind,
        ids,
    };
    match verb {
        Verb::Get => read::get(lakebase, caller, kind, ids),
        Verb::List => read::list(lakebase, caller, call, kind, ids),
        Verb::RevealPassword => roles::reveal_password(&write),
        _ => written(&write, verb),
    }
}

fn written(write: &Write<'_>, verb: Verb) -> Result<Answer, ApiError> {
    match (verb, write.kind) {
        (Verb::Create, Kind::Project) => projects::create(write),
        (Verb::Update, Kind::Project) => projects::update(write),
        (Verb::Delete, Kind::Project) => projects::delete(write),
        (Verb::Undelete, Kind::Project) => projects::undelete(write),
        (Verb::Create, Kind::Branch) => branches::create(write),
        (Verb::Update, Kind::Branch) => branches::update(write),
        (Verb::Delete, Kind::Branch) => branches::delete(write),
        (Verb::Undelete, Kind::Branch) => branches::undelete(write),
        (Verb::Create, Kind::Endpoint) => endpoints::create(write),
        (Verb::Update, Kind::Endpoint) => endpoints::update(write),
        (Verb::Delete, Kind::Endpoint) => endpoints::delete(write),
        (Verb::Create, Kind::Role) => roles::create(write),
        (Verb::Update, Kind::Role) => roles::update(write),
        (Verb::Delete, Kind::Role) => roles::delete(write),
        (Verb::Create, Kind::Database) => databases::create(write),
        (Verb::Update, Kind::Database) => databases::update(write),
        (Verb::Delete, Kind::Database) => databases::delete(write),
        (Verb::Create, Kind::DataApi) => data::create_api(write),
        (Verb::Update, Kind::DataApi) => data::update_api(write),
        (Verb::Delete, Kind::DataApi) => data::delete_api(write),
        (Verb::Create, Kind::CdfConfig) => data::create_config(write),
        (Verb::Delete, Kind::CdfConfig) => data::delete_config(write),
        (Verb::Create, Kind::Snapshot) => snapshots::create(write),
        (Verb::Delete, Kind::Snapshot) => snapshots::delete(write),
        (Verb::Update, Kind::SnapshotSchedule) => snapshots::update_schedule(write),
        (Verb::Create, Kind::Catalog) => tables::create_catalog(write),
        (Verb::Delete, Kind::Catalog) => tables::delete_catalog(write),
        (Verb::Create, Kind::SyncedTable) => tables::create_table(write),
        (Verb::Delete, Kind::SyncedTable) => tables::delete_table(write),
        _ => Err(ApiError::not_found("resource not found")),
    }
}

fn dispatch(lakebase: &Lakebase, base_url: &str, call: &Call) -> Result<Answer, ApiError> {
    let postgres_caller =
        || -> Result<&'static Principal, ApiError> { caller::of(lakebase, &call.headers, true) };
    match &call.target {
        Target::HostMetadata => Ok(oidc::host_metadata(base_url)),
        Target::OauthDocument => Ok(oidc::document(base_url)),
        Target::AccountDocument => Ok(oidc::account_document(base_url)),
        Target::OauthToken => Ok(oidc::token(lakebase, base_url, call)),
        Target::GithubIssuer => Ok(cloud::github(lakebase, base_url, call)),
        Target::PipelineIssuer => Ok(cloud::azure_devops(lakebase, call)),
        Target::Entra(tenant) => Ok(cloud::entra(lakebase, tenant, call)),
        Target::InstanceMetadata => Ok(cloud::instance_metadata(lakebase, call)),
        Target::AzureResource => Ok(cloud::resource(base_url, call)),
        Target::Tenant => Ok(cloud::tenant()),
        Target::Google(service) => Ok(google::answer(*service, lakebase, base_url, call)),
        Target::Me => Ok(scim::me(caller::of(lakebase, &call.headers, false)?)),
        Target::Credentials => credentials::mint(lakebase, postgres_caller()?, call),
        Target::Operation(name) => {
            postgres_caller()?;
            let all = lakebase.view();
            let operation = all.operation(name);
            let operation = operation.ok_or_else(|| ApiError::not_found("operation not found"))?;
            Ok(Answer::ok(&write::shown(operation)))
        }
        Target::Permissions(method, project) => {
            let caller = caller::of(lakebase, &call.headers, false)?;
            permissions::carry_out(lakebase, caller, call, method, project)
        }
        Target::PermissionLevels(_) => {
            caller::of(lakebase, &call.headers, false)?;
            Ok(permissions::levels())
        }
        Target::PipelineUpdate(pipeline) => {
            caller::of(lakebase, &call.headers, false)?;
            tables::start_update(lakebase, pipeline)
        }
        Target::NotServed => {
            caller::of(lakebase, &call.headers, false)?;
            let message = format!(
                "lakekey-emulator does not serve this. It serves: {}",
                SERVED.join("; ")
            );
            Err(ApiError::new(
                StatusCode::NOT_IMPLEMENTED,
                "NOT_IMPLEMENTED",
                message,
            ))
        }
        Target::WrongMethod(allowed) => {
            let message = format!("The method is not allowed here; use {allowed}.");
            Err(ApiError::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "BAD_REQUEST",
                message,
            ))
        }
        Target::Resource(..) | Target::Malformed => {
            postgres_caller()?;
            Err(ApiError::not_found("resource not found"))
        }
        Target::Unknown => Err(ApiError::new(
            StatusCode::NOT_FOUND,
            "ENDPOINT_NOT_FOUND",
            "No API found for this path.",
        )),
    }
}
