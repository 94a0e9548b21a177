//! The description of the API as it is written in `core/api/*.json`, read strictly: an unknown key, a type that does not
//! exist or a mask path that leads nowhere is a mistake in the description, found before anything is generated from it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use super::kind::Kind;
use crate::repo::Repo;

/// One file: the methods below one path of the workspace.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Service {
    /// What the official SDK calls it.
    #[serde(rename = "service")]
    pub(crate) name: String,
    /// The version of the official Python SDK that the facts were last compared with.
    pub(crate) sdk: String,
    pub(crate) base: String,
    pub(crate) resources: Vec<Resource>,
}

/// What belongs to one kind of thing, and goes into one generated file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Resource {
    pub(crate) name: String,
    pub(crate) doc: String,
    /// The paths that the service takes in an update mask, as far as they were probed.
    #[serde(default)]
    pub(crate) mask: Vec<String>,
    pub(crate) methods: Vec<Method>,
    pub(crate) messages: Vec<Message>,
    #[serde(default)]
    pub(crate) enums: Vec<Enum>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Method {
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) verb: Verb,
    /// Below the base; at most one parameter in braces.
    pub(crate) path: String,
    /// What the path's parameter looks like.
    pub(crate) form: Option<String>,
    #[serde(default)]
    pub(crate) query: Vec<Parameter>,
    pub(crate) body: Option<Body>,
    pub(crate) returns: Option<String>,
    pub(crate) operation: Option<Operation>,
    /// The field of the answer that holds a page's items.
    pub(crate) items: Option<String>,
    /// None for lakekey's own.
    #[serde(default)]
    pub(crate) since: String,
    #[serde(default)]
    pub(crate) stage: Stage,
    /// How many minutes it may take where the caller does not say; none for the client's own limit.
    pub(crate) patience_min: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Verb {
    Get,
    Post,
    Put,
    Patch,
    Delete,
    /// No request: lakekey does it by calls of other methods.
    Own,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Stage {
    #[default]
    Ga,
    PublicBeta,
    PrivatePreview,
    /// In the SDK, but in no published list of stages.
    Unlisted,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) kind: Kind,
    #[serde(default)]
    pub(crate) required: bool,
    /// What it does, where its name alone does not say.
    pub(crate) doc: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Body {
    /// The bare resource.
    Resource { resource: String, message: String },
    /// An object of these.
    Fields { fields: Vec<Parameter> },
    /// `{}`
    Empty(EmptyBody),
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EmptyBody {
    Empty,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Operation {
    pub(crate) result: String,
    pub(crate) metadata: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Message {
    pub(crate) name: String,
    /// What it is, where the SDK has none of that name.
    pub(crate) doc: Option<String>,
    pub(crate) since: String,
    pub(crate) fields: Vec<Field>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are independent facts of a field"
)]
pub(crate) struct Field {
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) kind: Kind,
    pub(crate) doc: String,
    #[serde(default)]
    pub(crate) required: bool,
    #[serde(default)]
    pub(crate) output_only: bool,
    #[serde(default)]
    pub(crate) immutable: bool,
    /// Not to be shown.
    #[serde(default)]
    pub(crate) secret: bool,
    pub(crate) oneof: Option<String>,
    pub(crate) since: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Enum {
    pub(crate) name: String,
    pub(crate) since: String,
    pub(crate) values: Vec<String>,
    /// Values that came later than the enum.
    #[serde(default)]
    pub(crate) later: BTreeMap<String, String>,
}

/// All files, with what is in them by name.
pub(crate) struct Api {
    pub(crate) services: Vec<Service>,
}

impl Api {
    pub(crate) fn read(repo: &Repo) -> Result<Api> {
        let mut services = Vec::new();
        for file in [
            "core/api/postgres.json",
            "core/api/permissions.json",
            "core/api/own.json",
        ] {
            let text = fs::read_to_string(repo.path(file))
                .with_context(|| format!("cannot read {file}"))?;
            services.push(Service::parse(&text).with_context(|| file.to_owned())?);
        }
        let creates = services
            .iter_mut()
            .flat_map(|service| &mut service.resources)
            .flat_map(|resource| &mut resource.methods)
            .filter(|method| method.id().is_some());
        for method in creates {
            method.query.push(Parameter {
                name: GET_EXISTING.to_owned(),
                kind: Kind::Bool,
                required: false,
                doc: None,
            });
        }
        let api = Api { services };
        api.check()?;
        Ok(api)
    }

    pub(crate) fn resources(&self) -> impl Iterator<Item = (&Service, &Resource)> {
        self.services.iter().flat_map(|service| {
            service
                .resources
                .iter()
                .map(move |resource| (service, resource))
        })
    }

    pub(crate) fn methods(&self) -> impl Iterator<Item = &Method> {
        self.resources().flat_map(|(_, resource)| &resource.methods)
    }

    pub(crate) fn messages(&self) -> impl Iterator<Item = &Message> {
        self.resources()
            .flat_map(|(_, resource)| &resource.messages)
    }

    pub(crate) fn enums(&self) -> impl Iterator<Item = &Enum> {
        self.resources().flat_map(|(_, resource)| &resource.enums)
    }

    /// The resource that has this message or enum.
    pub(crate) fn home(&self, name: &str) -> Option<&Resource> {
        self.resources()
            .map(|(_, resource)| resource)
            .find(|resource| {
                resource.messages.iter().any(|one| one.name == name)
                    || resource.enums.iter().any(|one| one.name == name)
            })
    }

    pub(crate) fn message(&self, name: &str) -> Option<&Message> {
        self.messages().find(|message| message.name == name)
    }

    pub(super) fn check(&self) -> Result<()> {
        for service in &self.services {
            let newest = service.resources.iter().flat_map(Resource::versions).max();
            ensure!(
                newest <= Some(version(&service.sdk)),
                "{}: something is since a later version than {}, which it was compared with",
                service.name,
                service.sdk
            );
        }
        let mut names = BTreeSet::new();
        for name in self
            .messages()
            .map(|message| &message.name)
            .chain(self.enums().map(|one| &one.name))
            .chain(self.methods().map(|method| &method.name))
        {
            ensure!(names.insert(name.as_str()), "{name} is there twice");
        }
        let exists = |kind: &Kind, of: &str| match kind.named() {
            Some(name) if !names.contains(name) => bail!("{of}: there is no type {name}"),
            _ => Ok(()),
        };
        for message in self.messages() {
            for field in &message.fields {
                exists(&field.kind, &format!("{}.{}", message.name, field.name))?;
            }
        }
        for (_, resource) in self.resources() {
            for method in &resource.methods {
                method.check().with_context(|| method.name.clone())?;
                for used in method.messages() {
                    ensure!(
                        self.message(used).is_some(),
                        "{}: there is no message {used}",
                        method.name
                    );
                }
                if let Some(Body::Fields { fields }) = &method.body {
                    for field in fields {
                        exists(&field.kind, &method.name)?;
                    }
                }
                if let Some(items) = &method.items {
                    ensure!(
                        self.item(method).is_some(),
                        "{}: the answer has no list {items}",
                        method.name
                    );
                }
            }
        }
        Ok(())
    }

    /// The message that a page of this method holds.
    pub(crate) fn item(&self, method: &Method) -> Option<&str> {
        let (items, page) = (method.items.as_ref()?, method.returns.as_ref()?);
        let field = self
            .message(page)?
            .fields
            .iter()
            .find(|field| field.name == *items)?;
        match &field.kind {
            Kind::List(item) => item.named(),
            _ => None,
        }
    }
}

impl Service {
    pub(crate) fn parse(text: &str) -> Result<Service> {
        Ok(serde_json::from_str(text)?)
    }
}

/// `0.106.0` -> `[0, 106, 0]`.
fn version(text: &str) -> Vec<u32> {
    text.split('.')
        .map(|part| part.parse().unwrap_or(u32::MAX))
        .collect()
}

impl Resource {
    /// Since when what it holds is there.
    fn versions(&self) -> impl Iterator<Item = Vec<u32>> {
        let fields = self
            .messages
            .iter()
            .flat_map(|message| &message.fields)
            .filter_map(|field| field.since.as_deref());
        self.methods
            .iter()
            .filter(|method| method.verb != Verb::Own)
            .map(|method| method.since.as_str())
            .chain(self.messages.iter().map(|message| message.since.as_str()))
            .chain(self.enums.iter().map(|one| one.since.as_str()))
            .chain(fields)
            .map(version)
    }

    /// Messages and enums that its fields have, and that are another resource's.
    pub(crate) fn foreign(&self) -> BTreeSet<&str> {
        self.messages
            .iter()
            .flat_map(|message| &message.fields)
            .filter_map(|field| field.kind.named())
            .filter(|name| !self.owns(name))
            .collect()
    }

    /// The same, with those of its methods.
    pub(crate) fn all_foreign(&self) -> BTreeSet<&str> {
        let mut all = self.foreign();
        for method in &self.methods {
            all.extend(method.messages().filter(|name| !self.owns(name)));
            if let Some(Body::Fields { fields }) = &method.body {
                let named = fields.iter().filter_map(|field| field.kind.named());
                all.extend(named.filter(|name| !self.owns(name)));
            }
        }
        all
    }

    fn owns(&self, name: &str) -> bool {
        self.messages.iter().any(|one| one.name == name)
            || self.enums.iter().any(|one| one.name == name)
    }
}

impl Method {
    /// The name of the path's parameter.
    pub(crate) fn parameter(&self) -> Option<&str> {
        let (_, rest) = self.path.split_once('{')?;
        rest.split_once('}').map(|(name, _)| name)
    }

    /// The collection that a create adds to, as it stands in the names of its members: `branches`.
    pub(crate) fn collection(&self) -> Option<&str> {
        let creates = self.name.starts_with("create_");
        self.path.rsplit('/').next().filter(|_| creates)
    }

    /// The query parameter that gives a new resource its id.
    pub(crate) fn id(&self) -> Option<&str> {
        let id = format!("{}_id", self.name.strip_prefix("create_")?);
        let parameter = self.query.iter().find(|parameter| parameter.name == id)?;
        Some(&parameter.name)
    }

    fn messages(&self) -> impl Iterator<Item = &str> {
        let body = match &self.body {
            Some(Body::Resource { message, .. }) => Some(message.as_str()),
            _ => None,
        };
        let operation = self
            .operation
            .iter()
            .flat_map(|operation| [operation.result.as_str(), operation.metadata.as_str()]);
        body.into_iter()
            .chain(self.returns.as_deref())
            .chain(operation)
            .filter(|name| *name != EMPTY)
    }

    fn check(&self) -> Result<()> {
        ensure!(
            self.since.is_empty() == (self.verb == Verb::Own),
            "methods of the service say since when they are there, and no others do"
        );
        ensure!(
            self.path.starts_with('/') && self.path.matches('{').count() <= 1,
            "the path {} is not understood",
            self.path
        );
        ensure!(
            self.parameter().is_some() == self.form.is_some(),
            "a path with a parameter says the parameter's form, and no other does"
        );
        ensure!(
            self.returns.is_some() != self.operation.is_some(),
            "a method returns either a message or an operation"
        );
        let masks = self
            .query
            .iter()
            .filter(|parameter| parameter.kind == Kind::Mask)
            .count();
        ensure!(
            masks == usize::from(self.name.starts_with("update_") && self.operation.is_some()),
            "updates of resources take a mask, and nothing else does"
        );
        Ok(())
    }
}

/// What every create with an id can be told besides, and which the service does not see.
pub(crate) const GET_EXISTING: &str = "get_existing";

/// What an operation ends with that has no result.
pub(crate) const EMPTY: &str = "Empty";
