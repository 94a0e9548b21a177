//! Names and sentences, as the languages write them.

use super::api::{Method, Stage, Verb};

/// `create_branch` -> `CreateBranch`.
pub(crate) fn camel(name: &str) -> String {
    name.split('_').map(capital).collect()
}

/// `create_branch` -> `createBranch`.
pub(crate) fn lower_camel(name: &str) -> String {
    let camel = camel(name);
    let mut letters = camel.chars();
    letters.next().map_or_else(String::new, |first| {
        format!("{}{}", first.to_ascii_lowercase(), letters.as_str())
    })
}

/// `create_branch` -> `CREATE_BRANCH`.
pub(crate) fn constant(name: &str) -> String {
    name.to_ascii_uppercase()
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| {
        format!("{}{}", first.to_ascii_uppercase(), letters.as_str())
    })
}

/// Values of an enum with their names: without the words that all of them begin with and that the enum's name says.
pub(crate) fn variants<'a>(name: &str, values: &'a [String]) -> Vec<(String, &'a str)> {
    let common = common_words(name, values);
    values
        .iter()
        .map(|value| {
            let own: String = value
                .split('_')
                .skip(common)
                .map(|word| capital(&word.to_ascii_lowercase()))
                .collect();
            (own, value.as_str())
        })
        .collect()
}

fn common_words(name: &str, values: &[String]) -> usize {
    let Some((first, others)) = values.split_first() else {
        return 0;
    };
    if others.is_empty() {
        return 0;
    }
    let words: Vec<&str> = first.split('_').collect();
    let name = name.to_ascii_uppercase();
    let shared = |count: usize| {
        name.contains(&words[..count].concat())
            && others.iter().all(|other| {
                let other: Vec<&str> = other.split('_').collect();
                other.len() > count && other[..count] == words[..count]
            })
    };
    (0..words.len())
        .rev()
        .find(|count| shared(*count))
        .unwrap_or(0)
}

/// What a method is for, and how settled it is.
pub(crate) fn sentence(method: &Method) -> String {
    if method.verb == Verb::Own {
        return format!("{}.", method.doc);
    }
    let stage = match method.stage {
        Stage::Ga => "",
        Stage::PublicBeta => "; in public beta",
        Stage::PrivatePreview => "; in private preview",
        Stage::Unlisted => "; of no published stage",
    };
    format!("{}. Since {} of the SDK{stage}.", method.doc, method.since)
}
