//! Writes of projects.

use serde_json::{Value, json};

use super::answer::{Answer, ApiError};
use super::write::{Write, typed};
use super::{compute_rules, find, permissions};
use crate::state::kind::Kind;
use crate::state::model::Level;
use crate::state::operation::Work;
use crate::state::seed;
use crate::state::spec::{EndpointDefaults, EndpointSpec, EndpointType, ProjectSpec, Seconds};

const RETENTION_S: std::ops::RangeInclusive<i64> = 172_800..=3_024_000;
const LONGEST_NAME: usize = 256;

pub(super) fn create(write: &Write<'_>) -> Result<Answer, ApiError> {
    let id = write.good_id()?;
    let body = write.body()?;
    let mut spec: ProjectSpec = typed(body.get("spec").unwrap_or(&json!({})))?;
    if spec.display_name.is_empty() {
        spec.display_name.clone_from(&id);
    }
    if spec.pg_version == 0 {
        spec.pg_version = write.lakebase.pg_version();
    }
    if ![16, 17].contains(&spec.pg_version) {
        return Err(ApiError::invalid(format!(
            "Field 'spec.pg_version' must be 16 or 17, got {}.",
            spec.pg_version
        )));
    }
    if !spec.default_branch.is_empty() {
        return Err(ApiError::invalid(
            "Field 'spec.default_branch' cannot be given before the project has branches.",
        ));
    }
    check(&spec)?;
    let endpoint = first_endpoint(&spec.default_endpoint_settings, &body)?;
    let protected = body["initial_branch_spec"]["is_protected"] == json!(true);
    let name = format!("projects/{id}");
    let salt = write.salt();
    write.begin(&name, |all, now| {
        if all.project(&id).is_some() {
            return Err(ApiError::already_exists("project"));
        }
        let owner = write.caller.user_name;
        let mut project = seed::project(&id, spec, endpoint, protected, owner, &salt, now);
        for branch in &mut project.branches {
            branch.ready = false;
            for endpoint in &mut branch.endpoints {
                endpoint.ready = false;
            }
        }
        all.add_project(project);
        Ok(Work::Create)
    })
}

/// The endpoint that comes with a project: by the project's defaults, and by what was said for it alone.
fn first_endpoint(defaults: &EndpointDefaults, body: &Value) -> Result<EndpointSpec, ApiError> {
    let mut spec = json!(EndpointSpec::of(EndpointType::ReadWrite, defaults));
    if let Some(said) = body["initial_endpoint_spec"].as_object() {
        if said.contains_key("no_suspension") || said.contains_key("suspend_timeout_duration") {
            spec["no_suspension"] = Value::Null;
            spec["suspend_timeout_duration"] = Value::Null;
        }
        for (field, value) in said {
            spec[field] = value.clone();
        }
    }
    let spec: EndpointSpec = typed(&spec)?;
    compute_rules::check_endpoint(&spec, "initial_endpoint_spec")?;
    Ok(spec)
}

pub(super) fn update(write: &Write<'_>) -> Result<Answer, ApiError> {
    let id = write.id(0);
    let (current, spec) = {
        let all = write.lakebase.view();
        let project = find::project(&all, id)?;
        permissions::may(
            &all,
            write.caller,
            write.ids,
            Kind::Project,
            Level::CanManage,
        )?;
        let current = json!({"spec": project.spec});
        let next = write.masked(&current)?;
        let spec: ProjectSpec = typed(&next["spec"])?;
        check(&spec)?;
        if spec.default_branch != project.spec.default_branch {
            find::named_branch(&all, &spec.default_branch)?;
            if !spec
                .default_branch
                .starts_with(&format!("projects/{id}/branches/"))
            {
                return Err(ApiError::invalid(
                    "Field 'spec.default_branch' must be a branch of this project.",
                ));
            }
        }
        (project.spec.clone(), spec)
    };
    if drops_settings(write, &current)? {
        return partial(write, &spec);
    }
    write.begin(&format!("projects/{id}"), |_, _| {
        Ok(Work::Update(json!(spec)))
    })
}

/// The service breaks in the middle when `spec` is masked as a whole and leaves out settings that are not the usual.
fn drops_settings(write: &Write<'_>, current: &ProjectSpec) -> Result<bool, ApiError> {
    let whole = write.query("update_mask").as_deref() == Some("spec");
    let usual = current.default_endpoint_settings == EndpointDefaults::default();
    let given = write.body()?["spec"]["default_endpoint_settings"].is_object();
    Ok(whole && !usual && !given)
}

/// The display name is changed, and then the service answers with an internal error.
fn partial(write: &Write<'_>, spec: &ProjectSpec) -> Result<Answer, ApiError> {
    let name = spec.display_name.clone();
    write.lakebase.change(|all| {
        if let Some(project) = all.project_mut(write.id(0)) {
            project.spec.display_name = name;
        }
        Ok::<_, ApiError>(())
    })?;
    Err(ApiError::new(
        super::INTERNAL,
        "INTERNAL_ERROR",
        "Internal error while updating default_endpoint_settings (the service leaves such an update half done: \
         mask the fields one by one, or send default_endpoint_settings too)",
    ))
}

pub(super) fn delete(write: &Write<'_>) -> Result<Answer, ApiError> {
    let id = write.id(0).to_owned();
    let purge = write.flag("purge")?;
    write.begin(&format!("projects/{id}"), |all, _| {
        let project = find::any_project(all, &id)?;
        permissions::may(
            all,
            write.caller,
            write.ids,
            Kind::Project,
            Level::CanManage,
        )?;
        if project.deleted.is_some() && !purge {
            return Err(find::missing_project());
        }
        if project
            .branches
            .iter()
            .any(|branch| branch.spec.is_protected)
        {
            return Err(ApiError::bad_request("cannot delete protected branch"));
        }
        Ok(Work::Delete {
            purge,
            reassign_to: None,
        })
    })
}

pub(super) fn undelete(write: &Write<'_>) -> Result<Answer, ApiError> {
    let id = write.id(0).to_owned();
    write.begin(&format!("projects/{id}"), |all, _| {
        let project = find::any_project(all, &id)?;
        permissions::may(
            all,
            write.caller,
            write.ids,
            Kind::Project,
            Level::CanManage,
        )?;
        if project.deleted.is_none() {
            return Err(ApiError::bad_request(format!(
                "The project '{id}' is not deleted."
            )));
        }
        Ok(Work::Undelete)
    })
}

fn check(spec: &ProjectSpec) -> Result<(), ApiError> {
    let length = spec.display_name.chars().count();
    if !(1..=LONGEST_NAME).contains(&length) {
        return Err(ApiError::invalid(format!(
            "Field 'spec.display_name' must have 1 to {LONGEST_NAME} characters, got {length}."
        )));
    }
    if let Some(Seconds(kept)) = spec.history_retention_duration
        && !RETENTION_S.contains(&kept)
    {
        return Err(ApiError::invalid(format!(
            "Field 'spec.history_retention_duration' must be between {}s and {}s, got {kept}s.",
            RETENTION_S.start(),
            RETENTION_S.end()
        )));
    }
    if spec.custom_tags.iter().any(|tag| tag.key.is_empty()) {
        return Err(ApiError::missing("spec.custom_tags.key"));
    }
    let defaults = &spec.default_endpoint_settings;
    let path = "spec.default_endpoint_settings";
    compute_rules::check_limits(
        defaults.autoscaling_limit_min_cu,
        defaults.autoscaling_limit_max_cu,
        path,
    )?;
    compute_rules::check_suspension(
        defaults.suspend_timeout_duration,
        defaults.no_suspension,
        path,
    )
}
