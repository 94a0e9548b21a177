//! What is said of a field, the same in every language.

use super::api::Field;

/// One line: what it is, and who sets it.
pub(crate) fn note(field: &Field) -> String {
    let mut facts = Vec::new();
    if field.required {
        facts.push("required".to_owned());
    }
    if field.immutable {
        facts.push("cannot be changed later".to_owned());
    }
    if let Some(group) = &field.oneof {
        facts.push(format!("one of the group {group}"));
    }
    if let Some(since) = &field.since {
        facts.push(format!("since {since}"));
    }
    if facts.is_empty() {
        format!("{}.", field.doc)
    } else {
        format!("{} ({}).", field.doc, facts.join(", "))
    }
}
