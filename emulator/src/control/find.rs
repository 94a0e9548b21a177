//! Finds what a path names. Who is missing is named from the top down: first the project, then the branch, then the
//! child.

use super::answer::ApiError;
use crate::state::model::{Branch, Database, Project, Role, Snapshot};
use crate::state::{Located, Resources};

pub(super) fn missing_project() -> ApiError {
    ApiError::not_found("project id not found")
}

pub(super) fn missing_branch() -> ApiError {
    ApiError::not_found("branch id not found")
}

/// The project, deleted softly or not.
pub(super) fn any_project<'a>(all: &'a Resources, id: &str) -> Result<&'a Project, ApiError> {
    all.project(id).ok_or_else(missing_project)
}

/// The branch, deleted softly or not.
pub(super) fn any_branch<'a>(
    all: &'a Resources,
    p: &str,
    b: &str,
) -> Result<(&'a Project, &'a Branch), ApiError> {
    let project = any_project(all, p)?;
    let branch = project.branch(b).ok_or_else(missing_branch)?;
    Ok((project, branch))
}

pub(super) fn project<'a>(all: &'a Resources, id: &str) -> Result<&'a Project, ApiError> {
    let project = any_project(all, id)?;
    if project.deleted.is_some() {
        return Err(missing_project());
    }
    Ok(project)
}

pub(super) fn branch<'a>(
    all: &'a Resources,
    p: &str,
    b: &str,
) -> Result<(&'a Project, &'a Branch), ApiError> {
    let project = project(all, p)?;
    let branch = project.branch(b).ok_or_else(missing_branch)?;
    if branch.deleted.is_some() {
        return Err(missing_branch());
    }
    Ok((project, branch))
}

/// The branch that a field holds the resource name of.
pub(super) fn named_branch<'a>(
    all: &'a Resources,
    name: &str,
) -> Result<(&'a Project, &'a Branch), ApiError> {
    match *name.split('/').collect::<Vec<_>>() {
        ["projects", p, "branches", b] => branch(all, p, b),
        _ => Err(ApiError::not_found("resource not found")),
    }
}

pub(super) fn endpoint<'a>(
    all: &'a Resources,
    p: &str,
    b: &str,
    e: &str,
) -> Result<Located<'a>, ApiError> {
    let (project, branch) = branch(all, p, b)?;
    let endpoint = branch.endpoints.iter().find(|endpoint| endpoint.id == *e);
    let endpoint = endpoint.ok_or_else(|| ApiError::not_found("endpoint not found"))?;
    Ok(Located {
        project,
        branch,
        endpoint,
    })
}

pub(super) fn role<'a>(branch: &'a Branch, id: &str) -> Result<&'a Role, ApiError> {
    branch
        .role(id)
        .ok_or_else(|| ApiError::not_found(format!("role not found; role_id:\"{id}\"")))
}

/// The role of this branch that a field holds the resource name of.
pub(super) fn named_role<'a>(
    project: &Project,
    branch: &'a Branch,
    name: &str,
) -> Result<&'a Role, ApiError> {
    let id = name
        .strip_prefix(&branch.name(project))
        .and_then(|rest| rest.strip_prefix("/roles/"));
    match id {
        Some(id) => role(branch, id),
        None => Err(ApiError::not_found(format!(
            "role not found; role_id:\"{name}\""
        ))),
    }
}

pub(super) fn database<'a>(branch: &'a Branch, id: &str) -> Result<&'a Database, ApiError> {
    branch
        .database(id)
        .ok_or_else(|| ApiError::not_found("database not found"))
}

pub(super) fn snapshot<'a>(project: &'a Project, id: &str) -> Result<&'a Snapshot, ApiError> {
    let mut snapshots = project.snapshots.iter();
    snapshots
        .find(|snapshot| snapshot.id == id)
        .ok_or_else(|| ApiError::not_found("snapshot not found"))
}
