//! What an update changes: the paths of an update mask, computed from what the caller has set.
//!
//! The service refuses a mask that names a field which is not in the body, the member of a oneof in place of its group, or
//! a field that cannot be changed. A mask written by hand gets one of these wrong sooner or later.

use serde_json::Value;

use super::Object;

/// What a mask of one resource is computed from.
#[derive(Debug)]
pub(super) struct Mask {
    /// A path, and the fields that it covers: one, or the members of a oneof.
    pub(super) paths: &'static [(&'static str, &'static [&'static str])],
    /// Fields that an update cannot change.
    pub(super) fixed: &'static [&'static str],
}

impl Mask {
    /// The paths that `resource` sets, in the order of the API's description; what it does not know comes last. Empty if
    /// nothing is set that can be changed.
    pub(super) fn of(&self, resource: &Object) -> Vec<String> {
        let mut set = Vec::new();
        self.collect("", resource, &mut set);
        let known = self
            .paths
            .iter()
            .filter(|(_, fields)| {
                fields
                    .iter()
                    .any(|field| set.iter().any(|one| one == field))
            })
            .map(|(path, _)| (*path).to_owned());
        let mut paths: Vec<String> = known.collect();
        let unknown = set.iter().filter(|field| {
            !self
                .paths
                .iter()
                .any(|(_, fields)| fields.contains(&field.as_str()))
        });
        paths.extend(unknown.cloned());
        paths
    }

    /// The fields that an update cannot change and `resource` sets all the same, except for what every answer holds.
    pub(super) fn fixed_in(&self, resource: &Object) -> Vec<&'static str> {
        let spec = resource.get("spec").and_then(Value::as_object);
        self.fixed
            .iter()
            .copied()
            .filter(|path| {
                path.strip_prefix("spec.")
                    .is_some_and(|field| spec.is_some_and(|spec| spec.contains_key(field)))
            })
            .collect()
    }

    fn collect(&self, prefix: &str, object: &Object, set: &mut Vec<String>) {
        for (name, value) in object {
            let path = format!("{prefix}{name}");
            if value.is_null() || self.fixed.contains(&path.as_str()) {
                continue;
            }
            let below = format!("{path}.");
            let has_known_below = || {
                let known = |field: &&str| field.starts_with(&below);
                self.fixed.iter().any(known)
                    || self
                        .paths
                        .iter()
                        .any(|(_, fields)| fields.iter().any(known))
            };
            match value {
                Value::Object(inner) if has_known_below() => self.collect(&below, inner, set),
                _ => set.push(path),
            }
        }
    }
}
