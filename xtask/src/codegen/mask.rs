//! Which mask path covers which field of a resource.
//!
//! A oneof is masked by the name of its group, and what callers cannot change is never masked: naming it is refused by the
//! service. Both follow from the messages; the paths that were probed on the service must come out of it.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};

use super::api::{Api, Field, Message, Resource};
use super::kind::Kind;

/// What a mask of one resource is computed from.
#[derive(Debug, Default)]
pub(crate) struct Mask {
    /// A path, and the fields that it covers: one, or the members of a oneof.
    pub(crate) paths: Vec<(String, Vec<String>)>,
    /// Fields that an update cannot change.
    pub(crate) fixed: Vec<String>,
}

impl Mask {
    pub(crate) fn of(api: &Api, resource: &Resource, message: &Message) -> Result<Mask> {
        let mut mask = Mask::default();
        mask.add(api, resource, "", message);
        let derived: BTreeSet<&str> = mask.paths.iter().map(|(path, _)| path.as_str()).collect();
        for path in &resource.mask {
            // A parent of known paths is a path as well; one that cannot be changed after all is none.
            let parent = derived
                .iter()
                .any(|one| one.starts_with(&format!("{path}.")));
            ensure!(
                parent || derived.contains(path.as_str()) || mask.fixed.contains(path),
                "{}: the service takes the mask path {path}, and no field gives it",
                resource.name
            );
        }
        if !resource.mask.is_empty() {
            for path in derived {
                let known = resource.mask.iter().any(|one| {
                    one == path || (one != "spec" && path.starts_with(&format!("{one}.")))
                });
                ensure!(
                    known,
                    "{}: the field {path} gives a mask path that was never probed",
                    resource.name
                );
            }
        }
        Ok(mask)
    }

    fn add(&mut self, api: &Api, resource: &Resource, prefix: &str, message: &Message) {
        for field in &message.fields {
            let path = format!("{prefix}{}", field.name);
            if field.output_only || field.immutable {
                self.fixed.push(path);
                continue;
            }
            if let Some(group) = &field.oneof {
                let group = format!("{prefix}{group}");
                match self.paths.iter_mut().find(|(one, _)| *one == group) {
                    Some((_, fields)) => fields.push(path),
                    None => self.paths.push((group, vec![path])),
                }
                continue;
            }
            match inner(api, field) {
                Some(message) if !masked_whole(resource, &path) => {
                    self.add(api, resource, &format!("{path}."), message);
                }
                _ => self.paths.push((path.clone(), vec![path])),
            }
        }
    }
}

fn inner<'a>(api: &'a Api, field: &Field) -> Option<&'a Message> {
    match &field.kind {
        Kind::Named(name) => api.message(name),
        _ => None,
    }
}

/// The service was seen to take this path, and none below it.
fn masked_whole(resource: &Resource, path: &str) -> bool {
    let below = format!("{path}.");
    resource.mask.iter().any(|one| one == path)
        && !resource.mask.iter().any(|one| one.starts_with(&below))
}
