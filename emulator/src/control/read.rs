//! Reads: one resource, or a page of a collection.

use serde_json::{Value, json};

use super::answer::{Answer, ApiError};
use super::{Call, data, find, page, permissions, render, tables};
use crate::state::identity::Principal;
use crate::state::kind::Kind;
use crate::state::model::Level;
use crate::state::{Lakebase, Located, Resources};

/// The service's limit for projects.
const LARGEST_PROJECT_PAGE: usize = 100;

pub(super) fn get(
    lakebase: &Lakebase,
    caller: &Principal,
    kind: Kind,
    ids: &[String],
) -> Result<Answer, ApiError> {
    let all = lakebase.view();
    permissions::may(&all, caller, ids, kind, Level::CanUse)?;
    Ok(Answer::ok(&one(&all, kind, ids)?))
}

/// The resource as it is shown.
pub(super) fn one(all: &Resources, kind: Kind, ids: &[String]) -> Result<Value, ApiError> {
    let id = |place: usize| ids.get(place).map_or("", String::as_str);
    let (p, b) = (id(0), id(1));
    match kind {
        Kind::Project => Ok(render::project(all, find::any_project(all, p)?)),
        Kind::Branch => {
            let (project, branch) = find::any_branch(all, p, b)?;
            Ok(render::branch(project, branch))
        }
        Kind::Endpoint => {
            let at = find::endpoint(all, p, b, id(2))?;
            let uid = &at.endpoint.uid;
            Ok(render::endpoint(at, all.compute(uid), &all.host(uid).0))
        }
        Kind::Role => {
            let (project, branch) = find::branch(all, p, b)?;
            let role = find::role(branch, id(2))?;
            Ok(render::role(&branch.name(project), role))
        }
        Kind::Database => {
            let (project, branch) = find::branch(all, p, b)?;
            let database = find::database(branch, id(2))?;
            Ok(render::database(&branch.name(project), database))
        }
        Kind::Snapshot => {
            let project = find::project(all, p)?;
            Ok(render::snapshot(project, find::snapshot(project, b)?))
        }
        Kind::SnapshotSchedule => {
            let (project, branch) = find::branch(all, p, b)?;
            let mut shown = json!({
                "name": format!("{}/snapshot-schedule", branch.name(project)),
            });
            render::put(&mut shown, "schedule", json!(branch.schedule));
            Ok(shown)
        }
        Kind::DataApi => data::shown_api(all, ids),
        Kind::CdfConfig => data::shown_config(all, ids),
        Kind::CdfStatus => {
            data::config(all, &ids[..ids.len().min(4)])?;
            Err(ApiError::not_found("cdf status not found"))
        }
        Kind::Catalog => tables::shown_catalog(all, p),
        Kind::SyncedTable => tables::shown_table(all, p),
    }
}

#[expect(
    clippy::too_many_lines,
    reason = "one arm for each collection, and each is a few lines"
)]
pub(super) fn list(
    lakebase: &Lakebase,
    caller: &Principal,
    call: &Call,
    kind: Kind,
    ids: &[String],
) -> Result<Answer, ApiError> {
    let all = lakebase.view();
    let all: &Resources = &all;
    permissions::may(all, caller, ids, kind, Level::CanUse)?;
    let deleted = call.query("show_deleted").as_deref() == Some("true");
    let id = |place: usize| ids.get(place).map_or("", String::as_str);
    let (p, b) = (id(0), id(1));
    let field = kind.list_field();
    match kind {
        Kind::Project => {
            let shown = all.projects().iter().filter(|project| {
                (deleted || project.deleted.is_none())
                    && permissions::level(project, caller).is_some()
            });
            page::of(
                call,
                field,
                Some(LARGEST_PROJECT_PAGE),
                shown,
                |it| &it.id,
                |it| render::project(all, it),
            )
        }
        Kind::Branch => {
            let project = find::project(all, p)?;
            let branches = project.branches.iter();
            let shown = branches.filter(|branch| deleted || branch.deleted.is_none());
            page::of(
                call,
                field,
                None,
                shown,
                |it| &it.id,
                |it| render::branch(project, it),
            )
        }
        Kind::Endpoint => {
            let (project, branch) = find::branch(all, p, b)?;
            let show = |endpoint| {
                let at = Located {
                    project,
                    branch,
                    endpoint,
                };
                let uid = &at.endpoint.uid;
                render::endpoint(at, all.compute(uid), &all.host(uid).0)
            };
            page::of(
                call,
                field,
                None,
                branch.endpoints.iter(),
                |it| &it.id,
                show,
            )
        }
        Kind::Role => {
            let (project, branch) = find::branch(all, p, b)?;
            let parent = branch.name(project);
            let show = |it| render::role(&parent, it);
            page::of(call, field, None, branch.roles.iter(), |it| &it.id, show)
        }
        Kind::Database => {
            let (project, branch) = find::branch(all, p, b)?;
            let parent = branch.name(project);
            let show = |it| render::database(&parent, it);
            page::of(
                call,
                field,
                None,
                branch.databases.iter(),
                |it| &it.id,
                show,
            )
        }
        Kind::Snapshot => {
            let project = find::project(all, p)?;
            let show = |it| render::snapshot(project, it);
            page::of(
                call,
                field,
                None,
                project.snapshots.iter(),
                |it| &it.id,
                show,
            )
        }
        Kind::CdfConfig => {
            let (project, branch) = find::branch(all, p, b)?;
            let database = find::database(branch, id(2))?;
            let parent = format!("{}/databases/{}", branch.name(project), database.id);
            let show = |it| data::shown_cdf(&parent, it);
            page::of(
                call,
                field,
                None,
                database.cdf_configs.iter(),
                |it| &it.id,
                show,
            )
        }
        Kind::CdfStatus => {
            // Nothing replicates here, so no table has a status.
            data::config(all, ids)?;
            let none = std::iter::empty::<&String>();
            page::of(call, field, None, none, |it| it, |it| json!(it))
        }
        Kind::DataApi | Kind::SnapshotSchedule | Kind::Catalog | Kind::SyncedTable => {
            Err(ApiError::not_found("resource not found"))
        }
    }
}
