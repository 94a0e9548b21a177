//! Reads of projects, branches, endpoints, roles and databases. Who is missing is named from the top down: first the
//! project, then the branch, then the child.

use super::answer::{Answer, ApiError};
use super::route::Target;
use super::{Call, page, render};
use crate::state::model::{Branch, Project};
use crate::state::{Lakebase, Located, View};

/// The service's limit for projects.
const LARGEST_PROJECT_PAGE: usize = 100;

pub(crate) fn read(lakebase: &Lakebase, call: &Call, target: &Target) -> Result<Answer, ApiError> {
    let view = lakebase.view();
    match target {
        Target::Projects => {
            let all = view
                .projects()
                .iter()
                .map(|project| (project.id.clone(), render::project(&view, project)));
            page::of(call, "projects", Some(LARGEST_PROJECT_PAGE), all)
        }
        Target::Project(id) => Ok(Answer::ok(&render::project(&view, project(&view, id)?))),
        Target::Branches(id) => {
            let project = project(&view, id)?;
            let all = project
                .branches
                .iter()
                .map(|branch| (branch.id.clone(), render::branch(project, branch)));
            page::of(call, "branches", None, all)
        }
        Target::Branch(ids) => {
            let (project, branch) = branch(&view, ids)?;
            Ok(Answer::ok(&render::branch(project, branch)))
        }
        Target::Endpoints(ids) => {
            let (project, branch) = branch(&view, ids)?;
            let all = branch.endpoints.iter().map(|endpoint| {
                let at = Located {
                    project,
                    branch,
                    endpoint,
                };
                (
                    endpoint.id.clone(),
                    render::endpoint(at, view.compute(&endpoint.uid), &view.host(&endpoint.uid).0),
                )
            });
            page::of(call, "endpoints", None, all)
        }
        Target::Endpoint(ids) => {
            let at = endpoint(&view, ids)?;
            Ok(Answer::ok(&render::endpoint(
                at,
                view.compute(&at.endpoint.uid),
                &view.host(&at.endpoint.uid).0,
            )))
        }
        Target::Roles(ids) => {
            let (project, branch) = branch(&view, ids)?;
            let parent = branch.name(project);
            page::of(
                call,
                "roles",
                None,
                branch
                    .roles
                    .iter()
                    .map(|role| (role.id.clone(), render::role(&parent, role))),
            )
        }
        Target::Role([p, b, id]) => {
            let (project, branch) = branch(&view, &[p.clone(), b.clone()])?;
            let role = branch.roles.iter().find(|role| role.id == *id);
            let role = role
                .ok_or_else(|| ApiError::not_found(format!("role not found; role_id:\"{id}\"")))?;
            Ok(Answer::ok(&render::role(&branch.name(project), role)))
        }
        Target::Databases(ids) => {
            let (project, branch) = branch(&view, ids)?;
            let parent = branch.name(project);
            let all = branch
                .databases
                .iter()
                .map(|database| (database.id.clone(), render::database(&parent, database)));
            page::of(call, "databases", None, all)
        }
        Target::Database([p, b, id]) => {
            let (project, branch) = branch(&view, &[p.clone(), b.clone()])?;
            let database = branch.databases.iter().find(|database| database.id == *id);
            let database = database.ok_or_else(|| ApiError::not_found("database not found"))?;
            Ok(Answer::ok(&render::database(
                &branch.name(project),
                database,
            )))
        }
        _ => Err(ApiError::not_found("resource not found")),
    }
}

/// Refuses the name of an endpoint that is not there.
pub(crate) fn endpoint_exists(lakebase: &Lakebase, ids: &[String; 3]) -> Result<(), ApiError> {
    endpoint(&lakebase.view(), ids).map(|_| ())
}

fn project<'a>(view: &'a View<'_>, id: &str) -> Result<&'a Project, ApiError> {
    let found = view.projects().iter().find(|project| project.id == id);
    found.ok_or_else(|| ApiError::not_found("project id not found"))
}

fn branch<'a>(
    view: &'a View<'_>,
    [p, b]: &[String; 2],
) -> Result<(&'a Project, &'a Branch), ApiError> {
    let project = project(view, p)?;
    let branch = project
        .branch(b)
        .ok_or_else(|| ApiError::not_found("branch id not found"))?;
    Ok((project, branch))
}

fn endpoint<'a>(view: &'a View<'_>, [p, b, e]: &[String; 3]) -> Result<Located<'a>, ApiError> {
    let (project, branch) = branch(view, &[p.clone(), b.clone()])?;
    let endpoint = branch.endpoints.iter().find(|endpoint| endpoint.id == *e);
    let endpoint = endpoint.ok_or_else(|| ApiError::not_found("endpoint not found"))?;
    Ok(Located {
        project,
        branch,
        endpoint,
    })
}
