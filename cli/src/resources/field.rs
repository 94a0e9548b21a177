//! One flag of a resource's commands: where its value goes in a request, and how people write it.

use clap::builder::{PossibleValuesParser, TypedValueParser, ValueParser};
use clap::{Arg, ArgAction, ArgMatches};
use serde_json::{Map, Value};

use super::Verb;
use crate::duration;

/// A flag.
#[derive(Debug)]
pub(super) struct Field {
    /// Without the dashes.
    pub(super) flag: &'static str,
    pub(super) goes: Goes,
    pub(super) kind: Kind,
    pub(super) verbs: &'static [Verb],
    pub(super) help: &'static str,
}

/// Where the value of a flag goes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Goes {
    /// Into the resource, at this path.
    Into(&'static str),
    /// Beside it, as this argument of the method.
    Beside(&'static str),
}

/// How a value is written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Text,
    /// Present or not.
    Switch,
    Bool,
    Whole,
    Number,
    /// Such as `90s` or `2h`.
    Span,
    /// RFC 3339.
    Time,
    /// One of these words, which stand for these values.
    Word(&'static [(&'static str, &'static str)]),
    /// Several of them.
    Words(&'static [(&'static str, &'static str)]),
    Texts,
    /// `KEY=VALUE`, several times: an object.
    Pairs,
    /// The same, as the API has tags: a list of objects.
    Tags,
    /// The name of a branch, in any shape.
    Branch,
    /// The name of a role, in any shape, or its id on the same branch.
    Role,
}

impl Field {
    pub(super) fn arg(&self) -> Arg {
        let arg = Arg::new(self.flag).long(self.flag).help(self.help);
        match self.kind {
            Kind::Switch => arg.action(ArgAction::SetTrue),
            Kind::Texts | Kind::Words(_) => arg
                .action(ArgAction::Append)
                .value_delimiter(',')
                .value_name(self.kind.value_name())
                .value_parser(self.kind.parser()),
            Kind::Pairs | Kind::Tags => arg
                .action(ArgAction::Append)
                .value_name("KEY=VALUE")
                .value_parser(self.kind.parser()),
            _ => arg
                .value_name(self.kind.value_name())
                .allow_hyphen_values(matches!(self.kind, Kind::Number | Kind::Whole))
                .value_parser(self.kind.parser()),
        }
    }

    /// What was given on the command line.
    pub(super) fn given(&self, matches: &ArgMatches) -> Option<Value> {
        if matches!(self.kind, Kind::Switch) {
            return matches.get_flag(self.flag).then_some(Value::Bool(true));
        }
        let all: Vec<Value> = matches.get_many::<Value>(self.flag)?.cloned().collect();
        match self.kind {
            Kind::Texts | Kind::Words(_) | Kind::Tags => Some(Value::Array(all)),
            Kind::Pairs => {
                let mut merged = Map::new();
                for one in all {
                    if let Value::Object(one) = one {
                        merged.extend(one);
                    }
                }
                Some(Value::Object(merged))
            }
            _ => all.into_iter().next_back(),
        }
    }
}

impl Kind {
    fn value_name(self) -> &'static str {
        match self {
            Kind::Whole | Kind::Number => "NUMBER",
            Kind::Bool => "true|false",
            Kind::Span => "TIME",
            Kind::Time => "RFC3339",
            Kind::Word(_) | Kind::Words(_) => "WORD",
            Kind::Branch => "BRANCH",
            Kind::Role => "ROLE",
            _ => "TEXT",
        }
    }

    fn parser(self) -> ValueParser {
        match self {
            Kind::Word(words) | Kind::Words(words) => {
                PossibleValuesParser::new(words.iter().map(|(word, _)| *word))
                    .map(move |word| {
                        let known = words.iter().find(|(known, _)| *known == word);
                        known.map_or(Value::Null, |(_, value)| (*value).into())
                    })
                    .into()
            }
            kind => ValueParser::new(move |text: &str| kind.read(text)),
        }
    }

    fn read(self, text: &str) -> Result<Value, String> {
        match self {
            Kind::Bool => match text {
                "true" => Ok(true.into()),
                "false" => Ok(false.into()),
                _ => Err("write true or false".to_owned()),
            },
            Kind::Whole => text
                .parse::<i64>()
                .map(Value::from)
                .map_err(|_| "write a whole number".to_owned()),
            Kind::Number => text
                .parse::<f64>()
                .ok()
                .and_then(serde_json::Number::from_f64)
                .map(Value::Number)
                .ok_or_else(|| "write a number, such as 0.5".to_owned()),
            Kind::Span => {
                duration::parse(text).map(|span| lakekey::management::duration_text(span).into())
            }
            Kind::Time => text
                .parse::<jiff::Timestamp>()
                .map(|_| text.into())
                .map_err(|_| "write it as 2026-01-02T03:04:05Z".to_owned()),
            Kind::Pairs | Kind::Tags => {
                let (key, value) = text
                    .split_once('=')
                    .filter(|(key, _)| !key.is_empty())
                    .ok_or_else(|| "write it as KEY=VALUE".to_owned())?;
                Ok(if matches!(self, Kind::Tags) {
                    serde_json::json!({"key": key, "value": value})
                } else {
                    Value::Object(Map::from_iter([(key.to_owned(), value.into())]))
                })
            }
            _ if text.is_empty() => Err("it is empty".to_owned()),
            _ => Ok(text.into()),
        }
    }
}

/// Puts a value at a path such as `spec.group.min`, making the objects on the way.
pub(super) fn put(into: &mut Map<String, Value>, path: &str, value: Value) {
    match path.split_once('.') {
        None => drop(into.insert(path.to_owned(), value)),
        Some((first, rest)) => {
            let inner = into
                .entry(first)
                .or_insert_with(|| Value::Object(Map::new()));
            if !inner.is_object() {
                *inner = Value::Object(Map::new());
            }
            if let Value::Object(inner) = inner {
                put(inner, rest, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::{Map, Value, json};

    use super::{Kind, put};

    #[test]
    fn values_are_what_the_api_takes() {
        assert_eq!(Kind::Span.read("90m").unwrap(), json!("5400s"));
        assert_eq!(Kind::Number.read("0.5").unwrap(), json!(0.5));
        assert_eq!(Kind::Pairs.read("a=b=c").unwrap(), json!({"a": "b=c"}));
        assert_eq!(
            Kind::Tags.read("team=shop").unwrap(),
            json!({"key": "team", "value": "shop"})
        );
        for (kind, text) in [
            (Kind::Span, "soon"),
            (Kind::Time, "yesterday"),
            (Kind::Bool, "yes"),
            (Kind::Pairs, "=b"),
            (Kind::Text, ""),
            (Kind::Number, "NaN"),
        ] {
            assert!(kind.read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_path_makes_its_objects() {
        let mut into = Map::new();
        put(&mut into, "spec.group.min", 1.into());
        put(&mut into, "spec.group.max", 2.into());
        assert_eq!(
            Value::Object(into),
            json!({"spec": {"group": {"min": 1, "max": 2}}})
        );
    }
}
