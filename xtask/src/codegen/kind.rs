//! The types that a field or a parameter can have.

use serde::{Deserialize, Deserializer, de};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Bool,
    /// May arrive as a text.
    Int,
    Float,
    /// RFC 3339.
    Timestamp,
    /// Decimal seconds and an `s`.
    Duration,
    /// Any object, with its type in `@type`.
    Any,
    /// Paths, joined by commas.
    Mask,
    List(Box<Kind>),
    /// From texts to texts.
    Map,
    /// A message or an enum.
    Named(String),
}

impl Kind {
    /// The message or enum that it needs.
    pub(crate) fn named(&self) -> Option<&str> {
        match self {
            Kind::Named(name) => Some(name),
            Kind::List(item) => item.named(),
            _ => None,
        }
    }

    fn parse(text: &str) -> Option<Kind> {
        Some(match text {
            "string" => Kind::Text,
            "bool" => Kind::Bool,
            "int" => Kind::Int,
            "float" => Kind::Float,
            "timestamp" => Kind::Timestamp,
            "duration" => Kind::Duration,
            "any" => Kind::Any,
            "mask" => Kind::Mask,
            "map<string>" => Kind::Map,
            _ => {
                if let Some(item) = text.strip_prefix("list<") {
                    Kind::List(Box::new(Kind::parse(item.strip_suffix('>')?)?))
                } else if text.starts_with(|first: char| first.is_ascii_uppercase()) {
                    Kind::Named(text.to_owned())
                } else {
                    return None;
                }
            }
        })
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Kind, D::Error> {
        let text = String::deserialize(from)?;
        Kind::parse(&text).ok_or_else(|| de::Error::custom(format!("there is no type {text:?}")))
    }
}
