//! What is known of a method: enough to turn named arguments into one HTTP request. The generated tables are made of it.

use std::time::Duration;

use super::generated::METHODS;
use super::mask::Mask;
use crate::code::Code;
use crate::error::{Error, Result};

/// A method of the API.
#[derive(Debug)]
pub(crate) struct Method {
    pub(super) name: &'static str,
    pub(super) verb: Verb,
    pub(super) base: &'static str,
    /// Below the base; a parameter stands in braces.
    pub(super) path: &'static str,
    /// What the path's parameter looks like; empty without one.
    pub(super) form: &'static str,
    pub(super) query: &'static [Parameter],
    pub(super) body: Body,
    pub(super) answer: Answer,
    pub(super) creates: Option<Creates>,
    pub(super) mask: Option<&'static Mask>,
    /// How long it may take where the caller does not say; none for the client's own limit.
    pub(super) patience: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Get,
    Post,
    Put,
    Patch,
    Delete,
    /// No request: done by calls of other methods.
    Own,
}

/// A named argument.
#[derive(Debug)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) required: bool,
}

impl Parameter {
    pub(super) const fn required(name: &'static str, kind: Kind) -> Parameter {
        Parameter {
            name,
            kind,
            required: true,
        }
    }

    pub(super) const fn optional(name: &'static str, kind: Kind) -> Parameter {
        Parameter {
            name,
            kind,
            required: false,
        }
    }
}

/// What an argument is on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Bool,
    Int,
    Mask,
    /// Part of the body, as it is.
    Json,
}

#[derive(Debug)]
pub(super) enum Body {
    None,
    /// `{}`
    Empty,
    /// The argument of this name, bare.
    Resource(&'static str),
    /// An object of these arguments.
    Fields(&'static [Parameter]),
}

#[derive(Debug)]
pub(super) enum Answer {
    Message,
    /// A page, with its items in this field.
    Page(&'static str),
    Operation,
}

/// Where the name of what is created comes from.
#[derive(Debug)]
pub(super) struct Creates {
    pub(super) collection: &'static str,
    /// The argument with the new id. Without one it is the only thing of its kind below its parent.
    pub(super) id: Option<&'static str>,
}

impl Method {
    /// The method of this name.
    pub(super) fn named(name: &str) -> Result<&'static Method> {
        if let Ok(at) = METHODS.binary_search_by(|method| method.name.cmp(name)) {
            return Ok(METHODS[at]);
        }
        let near: Vec<&str> = METHODS
            .iter()
            .map(|method| method.name)
            .filter(|known| {
                let words = |text: &str| text.rsplit('_').next().unwrap_or_default().to_owned();
                !name.is_empty() && (words(known) == words(name) || known.contains(name))
            })
            .collect();
        let error = Error::new(
            Code::ApiArgument,
            format!("the management API has no method {name:?}"),
        );
        Err(if near.is_empty() {
            error.with_hint("Methods have the names of the API, such as create_branch")
        } else {
            error.with_hint(format!("There are {}", near.join(", ")))
        })
    }

    pub(super) fn is_list(&self) -> bool {
        matches!(self.answer, Answer::Page(_))
    }

    /// The name of the path's parameter.
    pub(super) fn parameter(&self) -> Option<&'static str> {
        let (_, rest) = self.path.split_once('{')?;
        rest.split_once('}').map(|(name, _)| name)
    }

    /// Every argument that it takes.
    pub(super) fn arguments(&self) -> Vec<&'static str> {
        let body: &[Parameter] = match &self.body {
            Body::Fields(fields) => fields,
            _ => &[],
        };
        let resource = match &self.body {
            Body::Resource(name) => Some(*name),
            _ => None,
        };
        self.parameter()
            .into_iter()
            .chain(resource)
            .chain(
                body.iter()
                    .chain(self.query)
                    .map(|parameter| parameter.name),
            )
            .collect()
    }
}
