//! What all writes have in common: the query, the body, the operation they begin and how it ends.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use ring::digest::{SHA256, digest};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::answer::{Answer, ApiError};
use super::{Call, finish, mask, schema};
use crate::state::identity::Principal;
use crate::state::kind::Kind;
use crate::state::operation::{End, Operation, Trouble, Work};
use crate::state::{Job, Lakebase, Resources, names};

/// A write and who sent it.
#[derive(Clone, Copy)]
pub(super) struct Write<'a> {
    pub(super) lakebase: &'a Lakebase,
    pub(super) caller: &'a Principal,
    pub(super) call: &'a Call,
    pub(super) kind: Kind,
    /// Those of the path.
    pub(super) ids: &'a [String],
}

impl Write<'_> {
    /// The id at this place of the path.
    pub(super) fn id(&self, place: usize) -> &str {
        self.ids.get(place).map_or("", String::as_str)
    }

    /// A query parameter, unless it is empty.
    pub(super) fn query(&self, name: &str) -> Option<String> {
        self.call.query(name).filter(|value| !value.is_empty())
    }

    pub(super) fn flag(&self, name: &str) -> Result<bool, ApiError> {
        match self.query(name).as_deref() {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => Err(ApiError::invalid(format!(
                "Field '{name}' must be true or false, got '{other}'."
            ))),
        }
    }

    /// The id that the caller chose, which the service demands.
    pub(super) fn chosen_id(&self) -> Result<String, ApiError> {
        let field = format!("{}_id", self.kind.word());
        self.query(&field).ok_or_else(|| ApiError::missing(&field))
    }

    /// The id that the caller chose, by the service's pattern.
    pub(super) fn good_id(&self) -> Result<String, ApiError> {
        let id = self.chosen_id()?;
        check_id(&format!("{}_id", self.kind.word()), &id)?;
        Ok(id)
    }

    /// The body as what callers write of this kind.
    pub(super) fn body(&self) -> Result<Value, ApiError> {
        schema::read(self.kind, &self.call.body)
    }

    /// `current` (what callers write of it) as the mask and the body make it.
    pub(super) fn masked(&self, current: &Value) -> Result<Value, ApiError> {
        let mask = self
            .query("update_mask")
            .ok_or_else(|| ApiError::missing("update_mask"))?;
        mask::apply(self.kind, &mask, current, &self.body()?)
    }

    /// Something that no two resources share, for the uids of a new one.
    pub(super) fn salt(&self) -> String {
        format!("\0{}", self.lakebase.tokens.random_id(true))
    }

    /// Begins the operation that `plan` decides on; whatever `plan` refuses, it must not have changed.
    pub(super) fn begin(
        &self,
        resource: &str,
        plan: impl FnOnce(&mut Resources, Timestamp) -> Result<Work, ApiError>,
    ) -> Result<Answer, ApiError> {
        let trouble = self.call.trouble.as_ref();
        let operation = begin(self.lakebase, self.kind, resource, trouble, plan)?;
        Ok(Answer::ok(&shown(&operation)))
    }
}

/// A typed specification out of what a body or a mask made.
pub(super) fn typed<T: DeserializeOwned>(value: &Value) -> Result<T, ApiError> {
    serde_json::from_value(value.clone())
        .map_err(|error| ApiError::invalid(format!("The request cannot be read: {error}")))
}

/// The service's rule for ids that callers choose.
pub(super) fn check_id(field: &str, id: &str) -> Result<(), ApiError> {
    names::check_id(field, id).map_err(|_| {
        ApiError::invalid(format!(
            "Field {field} must match pattern ^[a-z]([a-z0-9-]{{0,61}}[a-z0-9])?$, got '{id}'."
        ))
    })
}

/// Begins an operation, and ends it at once where there is nothing to wait for.
pub(super) fn begin(
    lakebase: &Lakebase,
    kind: Kind,
    resource: &str,
    fault: Option<&Trouble>,
    plan: impl FnOnce(&mut Resources, Timestamp) -> Result<Work, ApiError>,
) -> Result<Operation, ApiError> {
    let now = lakebase.clock.now();
    let due = lakebase.due(now);
    let opaque = opaque_id(lakebase);
    let name = format!("{resource}/operations/{opaque}");
    lakebase.change(|all| {
        refuse_conflict(all, kind, resource)?;
        let work = plan(all, now)?;
        all.add_operation(Operation {
            name: name.clone(),
            kind,
            resource: resource.to_owned(),
            work,
            started: now,
            due,
            fault: fault.cloned(),
            end: None,
        });
        Ok::<_, ApiError>(())
    })?;
    if !lakebase.has_postgres() && due <= now && fault != Some(&Trouble::Stuck) {
        finish::end(lakebase, &name, Ok(finish::Outcome::default()))?;
    } else {
        lakebase.hand_over(Job::Operation(name.clone()));
    }
    let all = lakebase.view();
    all.operation(&name)
        .cloned()
        .ok_or_else(|| ApiError::not_found("operation not found"))
}

/// Base64, as the service's own: clients have to cope with its `+`, `/` and `=`. Two slashes in a row are left out,
/// because some HTTP libraries make one of them.
fn opaque_id(lakebase: &Lakebase) -> String {
    loop {
        let random = lakebase.tokens.random_id(true);
        let id = STANDARD.encode(digest(&SHA256, random.as_bytes()));
        if !id.starts_with('/') && !id.contains("//") {
            return id;
        }
    }
}

/// One write at a time: in a project, and on whatever is outside of projects.
fn refuse_conflict(all: &Resources, kind: Kind, resource: &str) -> Result<(), ApiError> {
    let project = |name: &str| -> Option<String> {
        let rest = name.strip_prefix("projects/")?;
        Some(rest.split('/').next()?.to_owned())
    };
    let mine = project(resource);
    let conflict = all.running().find(|running| match &mine {
        Some(mine) => running.project() == Some(mine),
        None => running.resource == resource,
    });
    let Some(conflict) = conflict else {
        return Ok(());
    };
    let message = if kind == Kind::Endpoint {
        format!(
            "The endpoint cannot be changed while a reconciliation is in progress: {}. Please retry the operation later.",
            conflict.name
        )
    } else {
        format!(
            "Your project already has conflicting operations in progress: {}. Please wait until they are complete, and then retry the operation.",
            conflict.name
        )
    };
    Err(ApiError::new(super::CONFLICT, "ABORTED", message))
}

/// An operation as it is polled.
pub(super) fn shown(operation: &Operation) -> Value {
    let message = operation.kind.message();
    let mut shown = json!({
        "name": operation.name,
        "metadata": {"@type": format!("type.googleapis.com/databricks.postgres.v1.{message}OperationMetadata")},
    });
    match &operation.end {
        None => {}
        Some(end) => {
            shown["done"] = json!(true);
            match end {
                End::Response(response) => shown["response"] = response.clone(),
                End::Error(error) => shown["error"] = error.clone(),
                End::Nothing => {}
            }
        }
    }
    shown
}
