//! Field masks: which part of a resource an update replaces.
//!
//! The rules are those that callers of the service have met: a oneof is masked by the name of its group, a masked
//! field must be in the body, an unknown path is told before a missing one, and `spec` alone patches leniently.

use serde_json::{Map, Value};

use super::answer::ApiError;
use super::schema::{Field, Holds, is_output_only, join, writable};
use crate::state::kind::Kind;

/// One masked place: the steps to it, and the members of its group when it is a oneof.
struct Place {
    path: String,
    steps: Vec<&'static str>,
    /// The fields there: one, or all members of a oneof.
    fields: Vec<Field>,
    /// Whether what the body leaves out stays as it is.
    lenient: bool,
}

/// `current` with what `mask` names taken from `body`; both hold only what callers write.
pub(super) fn apply(
    kind: Kind,
    mask: &str,
    current: &Value,
    body: &Value,
) -> Result<Value, ApiError> {
    let places = places(kind, mask)?;
    let mut next = current.clone();
    for place in &places {
        lay(place, &mut next, body)?;
    }
    Ok(next)
}

fn places(kind: Kind, mask: &str) -> Result<Vec<Place>, ApiError> {
    let mut places = Vec::new();
    for path in mask.split(',').map(str::trim) {
        if path == "*" {
            leaves(writable(kind), "", &mut Vec::new(), &mut places);
            continue;
        }
        if is_output_only(kind, path) {
            return Err(ApiError::invalid(format!(
                "Field '{path}' is output only and cannot be in update_mask"
            )));
        }
        let place = find(writable(kind), path);
        let unknown = || ApiError::invalid(format!("Unknown field path in update_mask: '{path}'"));
        let place = place.ok_or_else(unknown)?;
        if place.fields.iter().all(|field| field.immutable) {
            return Err(ApiError::invalid(format!(
                "Field '{path}' is immutable and cannot be in update_mask"
            )));
        }
        places.push(place);
    }
    Ok(places)
}

fn find(mut fields: &'static [Field], path: &str) -> Option<Place> {
    let mut steps = Vec::new();
    let mut segments = path.split('.').peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        let members: Vec<Field> = fields
            .iter()
            .filter(|field| field.group == Some(segment))
            .copied()
            .collect();
        if last && !members.is_empty() {
            return Some(Place {
                path: path.to_owned(),
                steps,
                fields: members,
                lenient: false,
            });
        }
        let field = fields
            .iter()
            .find(|field| field.name == segment && field.group.is_none())?;
        if last {
            return field.maskable.then(|| Place {
                path: path.to_owned(),
                steps,
                fields: vec![*field],
                lenient: path == "spec" || path.starts_with("initial_"),
            });
        }
        let Holds::Message(inner) = field.holds else {
            return None;
        };
        steps.push(field.name);
        fields = inner;
    }
    None
}

/// Every place that `*` demands.
fn leaves(
    fields: &'static [Field],
    path: &str,
    steps: &mut Vec<&'static str>,
    places: &mut Vec<Place>,
) {
    let mut groups = Vec::new();
    for field in fields.iter().filter(|field| !field.immutable) {
        if field.name.starts_with("initial_") {
            continue;
        }
        match (field.group, field.holds) {
            (Some(group), _) if !groups.contains(&group) => {
                groups.push(group);
                let members = fields.iter().filter(|other| other.group == Some(group));
                places.push(Place {
                    path: join(path, group),
                    steps: steps.clone(),
                    fields: members.copied().collect(),
                    lenient: false,
                });
            }
            (Some(_), _) => {}
            (None, Holds::Message(inner)) => {
                steps.push(field.name);
                leaves(inner, &join(path, field.name), steps, places);
                steps.pop();
            }
            (None, _) => places.push(Place {
                path: join(path, field.name),
                steps: steps.clone(),
                fields: vec![*field],
                lenient: false,
            }),
        }
    }
}

fn lay(place: &Place, next: &mut Value, body: &Value) -> Result<(), ApiError> {
    let given = place
        .steps
        .iter()
        .try_fold(body, |value, step| value.get(step));
    let given = given.and_then(Value::as_object);
    let mut here = next;
    for step in &place.steps {
        here = entry(here, step);
    }
    let found = place
        .fields
        .iter()
        .find_map(|field| Some((field, given?.get(field.name)?)));
    let Some((field, value)) = found else {
        if place.lenient {
            return Ok(());
        }
        return Err(not_provided(&place.path));
    };
    if let Holds::Message(inner) = field.holds {
        if !place.lenient {
            demand_groups(inner, value, &place.path)?;
        }
        merge(inner, entry(here, field.name), value);
    } else if let Some(here) = here.as_object_mut() {
        for member in &place.fields {
            here.remove(member.name);
        }
        here.insert(field.name.to_owned(), value.clone());
    }
    Ok(())
}

/// A message that is masked by its own name needs a member of each oneof in it.
fn demand_groups(fields: &[Field], value: &Value, path: &str) -> Result<(), ApiError> {
    for group in fields.iter().filter_map(|field| field.group) {
        let mut members = fields.iter().filter(|field| field.group == Some(group));
        if !members.any(|member| value.get(member.name).is_some()) {
            return Err(not_provided(&join(path, group)));
        }
    }
    Ok(())
}

/// Lays what is given over what is there; what is fixed, or not given, stays.
fn merge(fields: &[Field], here: &mut Value, given: &Value) {
    for field in fields.iter().filter(|field| !field.immutable) {
        let Some(value) = given.get(field.name) else {
            continue;
        };
        if let Holds::Message(inner) = field.holds {
            merge(inner, entry(here, field.name), value);
        } else if let Some(here) = here.as_object_mut() {
            let others = fields
                .iter()
                .filter(|other| field.group.is_some() && other.group == field.group);
            for other in others {
                here.remove(other.name);
            }
            here.insert(field.name.to_owned(), value.clone());
        }
    }
}

fn entry<'a>(value: &'a mut Value, name: &str) -> &'a mut Value {
    if !value.get(name).is_some_and(Value::is_object) {
        value[name] = Value::Object(Map::new());
    }
    &mut value[name]
}

fn not_provided(path: &str) -> ApiError {
    ApiError::invalid(format!(
        "Field '{path}' is in update_mask but not provided in request"
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use serde_json::json;

    use super::*;

    fn refused(kind: Kind, mask: &str, body: &Value) -> String {
        apply(kind, mask, &json!({"spec": {}}), body)
            .unwrap_err()
            .message
    }

    #[test]
    fn a_oneof_is_masked_by_its_group() {
        let current = json!({"spec": {"no_suspension": true, "disabled": true}});
        let body = json!({"spec": {"suspend_timeout_duration": "60s"}});
        let next = apply(Kind::Endpoint, "spec.suspension", &current, &body).unwrap();
        assert_eq!(
            next,
            json!({"spec": {"suspend_timeout_duration": "60s", "disabled": true}})
        );
        assert_eq!(
            refused(Kind::Endpoint, "spec.no_suspension", &body),
            "Unknown field path in update_mask: 'spec.no_suspension'"
        );
    }

    #[test]
    fn an_unknown_path_is_told_before_a_missing_one() {
        let body = json!({"spec": {}});
        assert_eq!(
            refused(Kind::Branch, "spec.is_protected,spec.nonsense", &body),
            "Unknown field path in update_mask: 'spec.nonsense'"
        );
        assert_eq!(
            refused(Kind::Branch, "spec.is_protected", &body),
            "Field 'spec.is_protected' is in update_mask but not provided in request"
        );
    }

    #[test]
    fn spec_alone_patches_and_keeps_what_is_fixed() {
        let current = json!({"spec": {"display_name": "a", "pg_version": 17, "custom_tags": []}});
        let body = json!({"spec": {"display_name": "b", "pg_version": 16}});
        let next = apply(Kind::Project, "spec", &current, &body).unwrap();
        assert_eq!(next["spec"]["display_name"], "b");
        assert_eq!(next["spec"]["pg_version"], 17);
        assert!(refused(Kind::Project, "spec.pg_version", &body).contains("immutable"));
    }

    #[test]
    fn a_message_by_name_needs_its_oneofs_and_a_star_needs_everything() {
        let settings = json!({"spec": {"default_endpoint_settings": {
            "autoscaling_limit_min_cu": 1.0, "autoscaling_limit_max_cu": 2.0}}});
        assert_eq!(
            refused(Kind::Project, "spec.default_endpoint_settings", &settings),
            "Field 'spec.default_endpoint_settings.suspension' is in update_mask but not provided in request"
        );
        assert_eq!(
            refused(Kind::Branch, "*", &json!({"spec": {"is_protected": true}})),
            "Field 'spec.expiration' is in update_mask but not provided in request"
        );
        let whole = json!({"spec": {"is_protected": true, "no_expiry": true}});
        apply(Kind::Branch, "*", &json!({"spec": {}}), &whole).unwrap();
    }

    #[test]
    fn siblings_of_a_leaf_stay() {
        let current = json!({"spec": {"attributes": {"createdb": false, "createrole": true}}});
        let body = json!({"spec": {"attributes": {"createdb": true}}});
        let next = apply(Kind::Role, "spec.attributes.createdb", &current, &body).unwrap();
        assert_eq!(
            next["spec"]["attributes"],
            json!({"createdb": true, "createrole": true})
        );
        assert!(refused(Kind::Role, "status", &body).contains("output only"));
        assert!(refused(Kind::Endpoint, "spec.group", &body).contains("Unknown field path"));
    }
}
