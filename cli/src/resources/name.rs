//! From what people write to the full name of a resource.
//!
//! `projects/shop/branches/ci-42`, `shop.ci-42` and, where the environment names the project, `ci-42` mean the same branch
//! here as they do for every other command. What is left open is asked of the workspace and never guessed.

use lakekey::name::Target;
use lakekey::{Client, Code, Error};
use serde_json::{Map, Value};

use super::Place;
use crate::output::{Stop, visible};

/// The ids of a full name, in order.
type Ids = Vec<String>;

/// What the help says of a name.
pub(super) fn help(place: &Place, new: bool) -> String {
    let whose = if new { "The new name" } else { "The name" };
    match place {
        Place::Below(words) => format!(
            "{whose}: {}, {}{}",
            full(words),
            dotted(words),
            if words.len() > 1 {
                ", or the last id where the environment names the rest"
            } else {
                ""
            }
        ),
        Place::Root(_) => format!("{whose}: CATALOG.SCHEMA.TABLE"),
        Place::Operation => "The operation's name, as a command or a method gave it".to_owned(),
    }
}

pub(super) fn parent_help(place: &Place) -> String {
    let Place::Below([words @ .., _]) = place else {
        return String::new();
    };
    format!(
        "Where: {}, {}; default: what the environment names",
        full(words),
        dotted(words)
    )
}

/// `projects/PROJECT/branches/BRANCH`
fn full(words: &[&str]) -> String {
    let parts: Vec<String> = words
        .iter()
        .map(|word| format!("{word}/{}", id_of(word)))
        .collect();
    parts.join("/")
}

/// `PROJECT.BRANCH`
fn dotted(words: &[&str]) -> String {
    let parts: Vec<String> = words.iter().map(|word| id_of(word)).collect();
    parts.join(".")
}

/// `branches` -> `BRANCH`
fn id_of(word: &str) -> String {
    let one = word.strip_suffix("es").filter(|_| word == "branches");
    one.or_else(|| word.strip_suffix('s'))
        .unwrap_or(word)
        .to_ascii_uppercase()
}

/// Reads names, with what the client and its environment know.
pub(super) struct Names<'a> {
    pub(super) client: &'a Client,
}

impl Names<'_> {
    /// The full name of one resource.
    pub(super) async fn one(&self, place: &Place, text: &str, new: bool) -> Result<String, Stop> {
        match place {
            Place::Operation => operation(text),
            Place::Root(collection) => Ok(rooted(collection, text)?),
            Place::Below(words) => {
                let ids = self.ids(words, text, new).await?;
                Ok(join(words, &ids))
            }
        }
    }

    /// The full name of what a list is of: the argument's, else the environment's.
    pub(super) async fn parent(&self, place: &Place, text: Option<&str>) -> Result<String, Stop> {
        let Place::Below([words @ .., _]) = place else {
            return Ok(String::new());
        };
        let target = self.client.target(text)?;
        Ok(join(words, &self.of_target(words.len(), &target).await?))
    }

    async fn ids(&self, words: &[&str], text: &str, new: bool) -> Result<Ids, Stop> {
        let text = text.trim();
        if text.contains('/') {
            return Ok(path(words, text)?);
        }
        // What is a host is no dotted name.
        if let Ok(target @ Target::Host(_)) = Target::parse(text, "the argument NAME") {
            if new {
                return Err(unfit(words, text, "it is a host, and a name is made of ids").into());
            }
            return self.of_target(words.len(), &target).await;
        }
        let mut ids: Ids = text.split('.').map(str::to_owned).collect();
        if ids.len() > words.len() || ids.iter().any(String::is_empty) {
            return Err(unfit(words, text, "it has too many parts, or an empty one").into());
        }
        // The branch of an endpoint stands for its read-write one, as everywhere.
        if words.len() == 3 && words[2] == "endpoints" && ids.len() == 2 && !new {
            let target = Target::parse(text, "the argument NAME")?;
            return self.of_target(3, &target).await;
        }
        if ids.len() < words.len() {
            let missing = words.len() - ids.len();
            let around = self.client.target(None).map_err(|cause| {
                unfit(
                    words,
                    text,
                    "it is not the whole name, and the environment does not name the rest",
                )
                .with_source(cause)
            })?;
            let mut before = self.of_target(missing, &around).await?;
            before.append(&mut ids);
            ids = before;
        }
        Ok(ids)
    }

    /// The first `depth` ids of a target. What it does not say is looked up where there is one answer only.
    async fn of_target(&self, depth: usize, target: &Target) -> Result<Ids, Stop> {
        let name = target.to_string();
        let known = ids_of_path(&name);
        if known.len() >= depth && !matches!(target, Target::Host(_)) {
            return Ok(known.into_iter().take(depth).collect());
        }
        let arguments = Map::from_iter([("target".to_owned(), Value::from(name))]);
        let found = self
            .client
            .postgres()
            .call("find_endpoint", arguments, None)
            .await?;
        let found = found
            .get("name")
            .and_then(Value::as_str)
            .unwrap_or_default();
        Ok(ids_of_path(found).into_iter().take(depth).collect())
    }
}

fn ids_of_path(path: &str) -> Ids {
    path.split('/')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

/// The ids of a full name that has exactly these words.
fn path(words: &[&str], text: &str) -> Result<Ids, Error> {
    let segments: Vec<&str> = text.split('/').collect();
    let fits = segments.len() == words.len() * 2
        && segments.iter().step_by(2).eq(words.iter())
        && segments.iter().all(|segment| !segment.is_empty());
    if fits {
        Ok(ids_of_path(text))
    } else {
        Err(unfit(words, text, "it is the name of something else"))
    }
}

fn join(words: &[&str], ids: &[String]) -> String {
    let parts: Vec<String> = words
        .iter()
        .zip(ids)
        .map(|(word, id)| format!("{word}/{id}"))
        .collect();
    parts.join("/")
}

fn rooted(collection: &str, text: &str) -> Result<String, Error> {
    let id = text
        .strip_prefix(collection)
        .and_then(|rest| rest.strip_prefix('/'))
        .unwrap_or(text);
    if id.split('.').count() == 3 && !id.contains('/') && !id.split('.').any(str::is_empty) {
        return Ok(format!("{collection}/{id}"));
    }
    Err(Error::new(
        Code::TargetInvalid,
        format!("'{}' is no name of a table", visible(text)),
    )
    .with_hint("Write CATALOG.SCHEMA.TABLE"))
}

fn operation(text: &str) -> Result<String, Stop> {
    if text.contains("/operations/") {
        return Ok(text.to_owned());
    }
    Err(Error::new(
        Code::TargetInvalid,
        format!("'{}' is no name of an operation", visible(text)),
    )
    .with_hint("Write it as it was given: projects/PROJECT/.../operations/ID")
    .into())
}

fn unfit(words: &[&str], text: &str, why: &str) -> Error {
    let what = words.last().copied().unwrap_or_default();
    Error::new(
        Code::TargetInvalid,
        format!(
            "'{}' names no {}: {why}",
            visible(text),
            id_of(what).to_ascii_lowercase()
        ),
    )
    .with_hint(format!("Write {} or {}", full(words), dotted(words)))
}

/// The short form of a full name, which every command takes: `shop.ci-42`.
pub(super) fn short(name: &str) -> String {
    if name.starts_with("projects/") && !name.contains("/operations/") {
        return ids_of_path(name).join(".");
    }
    name.strip_prefix("synced_tables/")
        .unwrap_or(name)
        .to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use lakekey::{Client, ClientOptions};

    use super::{Names, Place, short};
    use crate::output::Stop;

    const BRANCHES: Place = Place::Below(&["projects", "branches"]);
    const ROLES: Place = Place::Below(&["projects", "branches", "roles"]);

    async fn one(place: &Place, target: Option<&str>, text: &str) -> Result<String, Stop> {
        let client = Client::new(ClientOptions {
            target: target.map(str::to_owned),
            ..ClientOptions::default()
        })
        .unwrap();
        Names { client: &client }.one(place, text, true).await
    }

    #[tokio::test]
    async fn names_come_in_every_shape() {
        let ci = "projects/shop/branches/ci-42";
        for (target, text) in [(None, ci), (None, "shop.ci-42"), (Some("shop"), "ci-42")] {
            assert_eq!(one(&BRANCHES, target, text).await.unwrap(), ci, "{text}");
        }
        let ann = "projects/shop/branches/production/roles/ann";
        for (target, text) in [
            (None, "shop.production.ann"),
            (Some("shop.production.primary"), "ann"),
            (Some("shop"), "production.ann"),
        ] {
            assert_eq!(one(&ROLES, target, text).await.unwrap(), ann, "{text}");
        }
        assert_eq!(short(ann), "shop.production.ann");
        assert_eq!(short("synced_tables/a.b.c"), "a.b.c");
    }

    #[tokio::test]
    async fn what_is_no_name_is_said_with_the_forms() {
        for (place, text) in [
            (&BRANCHES, "projects/shop"),
            (&BRANCHES, "projects/shop/branches/b/endpoints/e"),
            (&BRANCHES, "a.b.c"),
            (&BRANCHES, "a..b"),
            (&BRANCHES, "alone"),
            (&ROLES, "ep-calm-river-d1a2b3c4"),
            (&Place::Root("synced_tables"), "a.b"),
            (&Place::Operation, "projects/shop"),
        ] {
            let Err(Stop::Failed(error)) = one(place, None, text).await else {
                panic!("{text}");
            };
            assert_eq!(
                error.code(),
                lakekey::Code::TargetInvalid,
                "{text}: {error}"
            );
            assert!(error.hint().unwrap().starts_with("Write "), "{error}");
        }
    }
}
