//! Writes of branches.

use jiff::Timestamp;
use serde_json::json;

use super::answer::{Answer, ApiError};
use super::write::{Write, typed};
use super::{find, permissions};
use crate::postgres::Lsn;
use crate::state::kind::Kind;
use crate::state::model::{Branch, Database, Level, Project, Role};
use crate::state::operation::Work;
use crate::state::seed;
use crate::state::spec::{BranchSpec, EndpointSpec, EndpointType, Seconds};

/// The longest that a branch may live which is to expire at all.
const LONGEST_LIFE: Seconds = Seconds(30 * 86_400);

pub(super) fn create(write: &Write<'_>) -> Result<Answer, ApiError> {
    let id = write.good_id()?;
    let replace = write.flag("replace_existing")?;
    let body = write.body()?;
    let asked: BranchSpec = typed(body.get("spec").unwrap_or(&json!({})))?;
    let project = write.id(0);
    let name = format!("projects/{project}/branches/{id}");
    let salt = write.salt();
    write.begin(&name, |all, now| {
        let owner = find::project(all, project)?;
        permissions::may(all, write.caller, write.ids, Kind::Branch, Level::CanManage)?;
        if let Some(existing) = owner.branch(&id) {
            if !replace || existing.deleted.is_some() {
                return Err(ApiError::already_exists("branch"));
            }
            let mut spec = existing.spec.clone();
            spec.is_protected = asked.is_protected;
            if has_expiration(&asked) {
                (spec.ttl, spec.expire_time, spec.no_expiry) =
                    (asked.ttl, asked.expire_time, asked.no_expiry);
            }
            let spec = checked(owner, &id, spec, now)?;
            return Ok(Work::Update(json!(spec)));
        }
        if !has_expiration(&asked) {
            return Err(ApiError::invalid(
                "Field 'branch.spec.expiration' is required: give one of ttl, expire_time and no_expiry.",
            ));
        }
        let mut spec = checked(owner, &id, asked, now)?;
        let (roles, databases) = inherited(owner, &mut spec, now)?;
        let endpoint = EndpointSpec::of(
            EndpointType::ReadWrite,
            &owner.spec.default_endpoint_settings,
        );
        let mut branch = seed::empty_branch(&id, &name, spec, &salt, now);
        let mut primary = seed::endpoint("primary", &name, endpoint, &salt, now);
        (branch.ready, primary.ready) = (false, false);
        branch.endpoints.push(primary);
        (branch.roles, branch.databases) = moved(&name, roles, databases, now);
        all.add_branch(project, branch);
        Ok(Work::Create)
    })
}

fn has_expiration(spec: &BranchSpec) -> bool {
    spec.ttl.is_some() || spec.expire_time.is_some() || spec.no_expiry.is_some()
}

/// The specification with its lifetime turned into an end, if it is one that may be.
fn checked(
    project: &Project,
    id: &str,
    mut spec: BranchSpec,
    now: Timestamp,
) -> Result<BranchSpec, ApiError> {
    if let Some(ttl) = spec.ttl.take() {
        spec.expire_time = Some(ttl.after(now));
    }
    // An end that stands already may have passed, as that of a protected branch does.
    let kept = project
        .branch(id)
        .and_then(|branch| branch.spec.expire_time);
    if spec.expire_time != kept || spec.no_expiry == Some(false) {
        check_expiration(spec.expire_time, spec.no_expiry, now)?;
    }
    let mut others = project.branches.iter();
    if spec.is_protected
        && others.any(|other| other.spec.is_protected && other.id != id && other.deleted.is_none())
    {
        return Err(ApiError::bad_request(
            "Another branch of the project is protected already; only one can be.",
        ));
    }
    Ok(spec)
}

pub(super) fn check_expiration(
    end: Option<Timestamp>,
    never: Option<bool>,
    now: Timestamp,
) -> Result<(), ApiError> {
    if never == Some(false) {
        return Err(ApiError::invalid(
            "Field 'spec.no_expiry' can only be true; give ttl or expire_time instead.",
        ));
    }
    let Some(end) = end else {
        return Ok(());
    };
    if end <= now {
        return Err(ApiError::invalid(format!(
            "Field 'spec.expire_time' must be in the future, got {end}."
        )));
    }
    if end > LONGEST_LIFE.after(now) {
        return Err(ApiError {
            traced: true,
            ..ApiError::invalid("expiration time exceeds the maximum expiration time")
        });
    }
    Ok(())
}

/// What the new branch takes over, with its source filled in.
fn inherited(
    project: &Project,
    spec: &mut BranchSpec,
    now: Timestamp,
) -> Result<(Vec<Role>, Vec<Database>), ApiError> {
    if let Some(name) = &spec.source_snapshot {
        let others = spec.source_branch.is_some()
            || spec.source_branch_lsn.is_some()
            || spec.source_branch_time.is_some();
        if others {
            return Err(ApiError::invalid(
                "Field 'spec.source_snapshot' excludes source_branch, source_branch_lsn and source_branch_time.",
            ));
        }
        let prefix = format!("{}/snapshots/", project.name());
        let id = name.strip_prefix(&prefix).ok_or_else(|| {
            ApiError::invalid("Field 'spec.source_snapshot' must be a snapshot of this project.")
        })?;
        let snapshot = find::snapshot(project, id)?;
        if !snapshot.ready {
            return Err(ApiError::bad_request(format!(
                "The snapshot '{name}' is not available yet."
            )));
        }
        return Ok((snapshot.roles.clone(), snapshot.databases.clone()));
    }
    let name = spec
        .source_branch
        .clone()
        .unwrap_or_else(|| project.spec.default_branch.clone());
    let source = source(project, &name)?;
    check_point(
        spec.source_branch_lsn.as_deref(),
        spec.source_branch_time,
        source,
        now,
    )?;
    let (roles, databases) = (source.roles.clone(), source.databases.clone());
    spec.source_branch = Some(name);
    Ok((roles, databases))
}

/// The branch of this project that data is to be taken from.
pub(super) fn source<'a>(project: &'a Project, name: &str) -> Result<&'a Branch, ApiError> {
    let prefix = format!("{}/branches/", project.name());
    let id = name.strip_prefix(&prefix).ok_or_else(|| {
        ApiError::invalid(format!(
            "Field 'spec.source_branch' must be a branch of this project, got '{name}'."
        ))
    })?;
    let branch = project.branch(id).filter(|branch| branch.deleted.is_none());
    let branch = branch.ok_or_else(find::missing_branch)?;
    if branch.ready {
        Ok(branch)
    } else {
        Err(ApiError::bad_request(format!(
            "The branch '{name}' is not ready yet."
        )))
    }
}

/// Whether the moment of a branch can be one.
pub(super) fn check_point(
    lsn: Option<&str>,
    time: Option<Timestamp>,
    source: &Branch,
    now: Timestamp,
) -> Result<(), ApiError> {
    if lsn.is_some() && time.is_some() {
        return Err(ApiError::invalid(
            "Field 'spec': at most one of 'source_branch_lsn' and 'source_branch_time' may be given.",
        ));
    }
    if let Some(lsn) = lsn {
        lsn.parse::<Lsn>().map_err(|error| {
            ApiError::invalid(format!("Field 'spec.source_branch_lsn': {error}."))
        })?;
    }
    if let Some(time) = time {
        if time > now {
            return Err(ApiError::invalid(format!(
                "Field 'spec.source_branch_time' must not be in the future, got {time}."
            )));
        }
        if time < source.created {
            return Err(ApiError::invalid(format!(
                "Field 'spec.source_branch_time' must not be before the source branch was created at {}, got {time}.",
                source.created
            )));
        }
    }
    Ok(())
}

/// Roles and databases as those of the branch of this name.
fn moved(
    name: &str,
    mut roles: Vec<Role>,
    databases: Vec<Database>,
    now: Timestamp,
) -> (Vec<Role>, Vec<Database>) {
    for role in &mut roles {
        (role.created, role.updated) = (now, now);
    }
    let own = |database: Database| {
        let mut spec = database.spec;
        if let Some((_, role)) = spec.role.rsplit_once("/roles/") {
            spec.role = format!("{name}/roles/{role}");
        }
        Database {
            created: now,
            updated: now,
            spec,
            data_api: None,
            cdf_configs: Vec::new(),
            ..database
        }
    };
    (roles, databases.into_iter().map(own).collect())
}

pub(super) fn update(write: &Write<'_>) -> Result<Answer, ApiError> {
    let (p, b) = (write.id(0), write.id(1));
    write.begin(&format!("projects/{p}/branches/{b}"), |all, now| {
        let (project, branch) = find::branch(all, p, b)?;
        permissions::may(all, write.caller, write.ids, Kind::Branch, Level::CanManage)?;
        let next = write.masked(&json!({"spec": branch.spec}))?;
        let spec = checked(project, b, typed(&next["spec"])?, now)?;
        Ok(Work::Update(json!(spec)))
    })
}

pub(super) fn delete(write: &Write<'_>) -> Result<Answer, ApiError> {
    let (p, b) = (write.id(0), write.id(1));
    let purge = write.flag("purge")?;
    write.begin(&format!("projects/{p}/branches/{b}"), |all, _| {
        let project = find::project(all, p)?;
        permissions::may(all, write.caller, write.ids, Kind::Branch, Level::CanManage)?;
        let branch = project.branch(b).ok_or_else(find::missing_branch)?;
        deletable(project, branch, purge)
    })
}

/// The work of deleting a branch, if it may go.
pub(super) fn deletable(project: &Project, branch: &Branch, purge: bool) -> Result<Work, ApiError> {
    if branch.deleted.is_some() && !purge {
        return Err(find::missing_branch());
    }
    let name = branch.name(project);
    if branch.spec.is_protected {
        return Err(ApiError::bad_request("cannot delete protected branch"));
    }
    if branch.is_root() {
        return Err(ApiError::managed_by_parent(format!(
            "Cannot delete root branch '{name}'. Root branches cannot be deleted independently."
        )));
    }
    if project.is_default(branch) {
        return Err(ApiError::bad_request(format!(
            "Cannot delete default branch '{name}'. Make another branch the default one first."
        )));
    }
    Ok(Work::Delete {
        purge,
        reassign_to: None,
    })
}

pub(super) fn undelete(write: &Write<'_>) -> Result<Answer, ApiError> {
    let (p, b) = (write.id(0), write.id(1));
    write.begin(&format!("projects/{p}/branches/{b}"), |all, _| {
        let project = find::project(all, p)?;
        permissions::may(all, write.caller, write.ids, Kind::Branch, Level::CanManage)?;
        let branch = project.branch(b).ok_or_else(find::missing_branch)?;
        if branch.deleted.is_none() {
            return Err(ApiError::bad_request(format!(
                "The branch '{b}' is not deleted."
            )));
        }
        Ok(Work::Undelete)
    })
}
