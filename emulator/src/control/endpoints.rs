//! Writes of endpoints.

use serde_json::json;

use super::answer::{Answer, ApiError};
use super::write::{Write, typed};
use super::{compute_rules, find, permissions};
use crate::state::kind::Kind;
use crate::state::model::{Branch, Level};
use crate::state::operation::Work;
use crate::state::seed;
use crate::state::spec::{EndpointSpec, EndpointType};

pub(super) fn create(write: &Write<'_>) -> Result<Answer, ApiError> {
    let id = write.good_id()?;
    let replace = write.flag("replace_existing")?;
    let body = write.body()?;
    if body["spec"]["endpoint_type"].is_null() {
        return Err(ApiError::missing("endpoint.spec.endpoint_type"));
    }
    let (p, b) = (write.id(0), write.id(1));
    let parent = format!("projects/{p}/branches/{b}");
    let name = format!("{parent}/endpoints/{id}");
    let salt = write.salt();
    write.begin(&name, |all, now| {
        let (project, branch) = find::branch(all, p, b)?;
        permissions::may(
            all,
            write.caller,
            write.ids,
            Kind::Endpoint,
            Level::CanManage,
        )?;
        let existing = branch.endpoints.iter().find(|endpoint| endpoint.id == id);
        let defaults = &project.spec.default_endpoint_settings;
        let mut spec = json!(EndpointSpec::of(EndpointType::ReadWrite, defaults));
        let said = body["spec"].as_object().into_iter().flatten();
        for (field, value) in said {
            if ["no_suspension", "suspend_timeout_duration"].contains(&field.as_str()) {
                spec["no_suspension"] = json!(null);
                spec["suspend_timeout_duration"] = json!(null);
            }
            spec[field] = value.clone();
        }
        let spec: EndpointSpec = typed(&spec)?;
        compute_rules::check_endpoint(&spec, "spec")?;
        if let Some(existing) = existing {
            if !replace {
                return Err(ApiError::already_exists("endpoint"));
            }
            if existing.spec.endpoint_type != spec.endpoint_type {
                return Err(ApiError::invalid(
                    "Field 'spec.endpoint_type' is immutable and cannot be replaced.",
                ));
            }
            return Ok(Work::Update(json!(spec)));
        }
        if spec.endpoint_type == EndpointType::ReadWrite && branch.primary().is_some() {
            return Err(ApiError::bad_request(format!(
                "The branch '{parent}' has a read-write endpoint already; a branch has one."
            )));
        }
        let mut endpoint = seed::endpoint(&id, &parent, spec, &salt, now);
        endpoint.ready = false;
        if let Some(branch) = all.branch_mut(p, b) {
            branch.endpoints.push(endpoint);
        }
        Ok(Work::Create)
    })
}

pub(super) fn update(write: &Write<'_>) -> Result<Answer, ApiError> {
    let (p, b, e) = (write.id(0), write.id(1), write.id(2));
    write.begin(
        &format!("projects/{p}/branches/{b}/endpoints/{e}"),
        |all, _| {
            let at = find::endpoint(all, p, b, e)?;
            permissions::may(
                all,
                write.caller,
                write.ids,
                Kind::Endpoint,
                Level::CanManage,
            )?;
            let next = write.masked(&json!({"spec": at.endpoint.spec}))?;
            let spec: EndpointSpec = typed(&next["spec"])?;
            compute_rules::check_endpoint(&spec, "spec")?;
            Ok(Work::Update(json!(spec)))
        },
    )
}

pub(super) fn delete(write: &Write<'_>) -> Result<Answer, ApiError> {
    let (p, b, e) = (write.id(0), write.id(1), write.id(2));
    let name = format!("projects/{p}/branches/{b}/endpoints/{e}");
    write.begin(&name, |all, _| {
        let at = find::endpoint(all, p, b, e)?;
        permissions::may(all, write.caller, write.ids, Kind::Endpoint, Level::CanManage)?;
        if at.endpoint.spec.endpoint_type == EndpointType::ReadWrite {
            return Err(ApiError::managed_by_parent(format!(
                "Cannot delete read-write endpoint '{name}'. Read-write endpoints cannot be deleted."
            )));
        }
        refuse_protected(at.branch)?;
        Ok(Work::Delete {
            purge: true,
            reassign_to: None,
        })
    })
}

/// The computes of a protected branch stay with it.
fn refuse_protected(branch: &Branch) -> Result<(), ApiError> {
    if branch.spec.is_protected {
        return Err(ApiError::bad_request("cannot delete protected branch"));
    }
    Ok(())
}
