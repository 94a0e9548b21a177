//! What is said of a field, the same in every language.

use std::fmt::Write as _;

use super::api::{Body, Enum, Field, Message, Method};

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
        facts.push(format!("one of the group `{group}`"));
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

/// Since when an enum is there, and those of its values that came later.
pub(crate) fn since(one: &Enum) -> String {
    let mut text = format!("Since {} of the SDK", one.since);
    for (value, version) in &one.later {
        let _ = write!(text, "; `{value}` since {version}");
    }
    text.push('.');
    text
}

/// What a message is.
pub(crate) fn about(message: &Message) -> String {
    match &message.doc {
        Some(doc) => doc.clone(),
        None => format!("Since {} of the SDK.", message.since),
    }
}

/// What an argument of this name does that may be left out.
pub(crate) fn option_note<'a>(method: &'a Method, name: &str) -> &'a str {
    let fields = match &method.body {
        Some(Body::Fields { fields }) => fields.as_slice(),
        _ => &[],
    };
    let told = fields
        .iter()
        .chain(&method.query)
        .find(|parameter| parameter.name == name)
        .and_then(|parameter| parameter.doc.as_deref());
    told.unwrap_or_else(|| known_note(name))
}

fn known_note(name: &str) -> &'static str {
    match name {
        "replace_existing" => {
            "Changes a resource of this id that is there already, in place of failing."
        }
        "get_existing" => {
            "Gives a resource of this id that is there already as it is, in place of failing."
        }
        "purge" => "Deletes for good, with no way back.",
        "force" => "Deletes what depends on it as well.",
        "reassign_owned_to" => "Whom the role's objects belong to afterwards.",
        "show_deleted" => "Lists what was deleted and can still be restored as well.",
        "page_size" => "The most items of one page.",
        "page_token" => "The page to go on with.",
        "update_mask" => {
            "The paths to change, joined by commas; without it they follow from what is set."
        }
        "claims" => "What the credential is narrowed to.",
        "expire_time" => "When the credential ends; in place of a ttl.",
        "ttl" => "How long the credential lives; the service's default is an hour.",
        _ => {
            "The new resource's id. Without it the service makes one, and the call is never repeated."
        }
    }
}
