//! From named arguments to one HTTP request. Everything that can be wrong with an argument is found here, before anything is
//! sent: a name with a typing error would otherwise reach the service as a wish that it ignores.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::limits::doubts;
use super::method::{Body, Kind, Method, Parameter, Verb};
use super::{Object, bad_argument};
use crate::error::Result;
use crate::name::shorten;

/// What a path segment keeps as it is. Ids of operations hold `+` and `=`, and the official clients send them bare.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'+')
    .remove(b'=')
    .remove(b':')
    .remove(b'@')
    .remove(b',')
    .remove(b';');

/// What every create with an id can be told besides.
const GET_EXISTING: &str = "get_existing";

/// A request, ready to be sent.
#[derive(Debug)]
pub(super) struct Prepared {
    /// Absolute and encoded.
    pub(super) path: String,
    pub(super) query: Vec<(&'static str, String)>,
    pub(super) body: Option<Value>,
    /// The name of the resource that it is about, if that is known beforehand.
    pub(super) resource: Option<String>,
    /// Whether doing it twice is no worse than doing it once.
    pub(super) repeatable: bool,
    /// Whether what is there already is as good as what was to be created.
    pub(super) get_existing: bool,
}

/// Turns arguments into a request.
pub(super) fn prepare(method: &'static Method, mut arguments: Object) -> Result<Prepared> {
    arguments.retain(|_, value| !value.is_null());
    let get_existing = match method.creates.as_ref().and_then(|creates| creates.id) {
        Some(_) => match arguments.remove(GET_EXISTING) {
            Some(Value::Bool(wanted)) => wanted,
            Some(_) => return Err(bad_argument(GET_EXISTING, "must be true or false")),
            None => false,
        },
        None => false,
    };
    let known = method.arguments();
    if let Some(unknown) = arguments
        .keys()
        .find(|name| !known.contains(&name.as_str()))
    {
        return Err(
            bad_argument(unknown, format_args!("{} does not take it", method.name))
                .with_hint(format!("It takes {}", listed(&known))),
        );
    }
    for doubt in doubts(method.name, &arguments) {
        tracing::warn!(method = method.name, "the service may refuse this: {doubt}");
    }
    let parameter = match method.parameter() {
        Some(name) => Some(name_argument(method, name, arguments.remove(name))?),
        None => None,
    };
    let body = match &method.body {
        Body::None => None,
        Body::Empty => Some(Value::Object(Object::new())),
        Body::Resource(name) => Some(Value::Object(resource(method, name, &mut arguments)?)),
        Body::Fields(fields) => Some(Value::Object(object(method, fields, &mut arguments)?)),
    };
    let mut query = Vec::new();
    for parameter in method.query {
        let value = match (parameter.kind, arguments.remove(parameter.name)) {
            (Kind::Mask, value) => Some(mask(method, value, body.as_ref())?),
            (_, None) => None,
            (kind, Some(value)) => Some(text(parameter, kind, value)?),
        };
        match value {
            Some(value) if !value.is_empty() => query.push((parameter.name, value)),
            _ if parameter.required => return Err(missing(method, parameter.name)),
            _ => {}
        }
    }
    let name = parameter.as_deref().unwrap_or_default();
    let resource = created(method, name, &query).or_else(|| {
        parameter
            .clone()
            .filter(|_| method.verb != Verb::Get && method.creates.is_none())
    });
    let repeatable = match (&method.creates, &method.body) {
        (Some(_), _) => resource.is_some(),
        // A credential is nothing that one could ask for again by its id.
        (None, Body::Fields(_)) => method.verb != Verb::Post,
        _ => true,
    };
    Ok(Prepared {
        path: path(method, name),
        query,
        body,
        resource,
        repeatable,
        get_existing,
    })
}

/// The absolute, encoded path of a resource or an operation.
pub(super) fn path_of(base: &str, name: &str) -> String {
    format!("{base}/{}", encoded(name))
}

fn path(method: &Method, name: &str) -> String {
    let below = match method.path.split_once('{') {
        Some((before, rest)) => {
            let after = rest.split_once('}').map_or("", |(_, after)| after);
            format!("{before}{}{after}", encoded(name))
        }
        None => method.path.to_owned(),
    };
    format!("{}{below}", method.base)
}

fn encoded(name: &str) -> String {
    let segments: Vec<String> = name
        .split('/')
        .map(|segment| utf8_percent_encode(segment, SEGMENT).to_string())
        .collect();
    segments.join("/")
}

/// The name of what a create makes.
fn created(method: &Method, parent: &str, query: &[(&str, String)]) -> Option<String> {
    let creates = method.creates.as_ref()?;
    let place = if parent.is_empty() {
        creates.collection.to_owned()
    } else {
        format!("{parent}/{}", creates.collection)
    };
    let Some(id) = creates.id else {
        return Some(place);
    };
    let (_, id) = query.iter().find(|(name, _)| *name == id)?;
    Some(format!("{place}/{id}"))
}

fn name_argument(method: &Method, name: &str, value: Option<Value>) -> Result<String> {
    let text = match value {
        Some(Value::String(text)) => text,
        Some(_) => return Err(bad_argument(name, "must be a text")),
        None => return Err(missing(method, name)),
    };
    // A project's id, where people have its name.
    let text = if method.form == "{project_id}" {
        text.strip_prefix("projects/").unwrap_or(&text).to_owned()
    } else {
        text
    };
    if fits(&text, method.form) {
        return Ok(text);
    }
    let shown = shorten(&text);
    Err(bad_argument(
        name,
        format_args!("{shown:?} is no name that {} takes", method.name),
    )
    .with_hint(format!("Write {}", method.form)))
}

/// Whether a name has the form: the same words at the same places, and an id everywhere else. An operation's id is opaque
/// and may hold slashes.
fn fits(name: &str, form: &str) -> bool {
    let (name, form) = match (
        name.split_once("/operations/"),
        form.strip_suffix("/operations/{operation_id}"),
    ) {
        (Some((resource, id)), Some(_)) => {
            return !id.is_empty() && is_path(resource) && !has_dots(id);
        }
        (None, Some(_)) => return false,
        _ => (name, form),
    };
    let (segments, words): (Vec<&str>, Vec<&str>) =
        (name.split('/').collect(), form.split('/').collect());
    is_path(name)
        && segments.len() == words.len()
        && segments
            .iter()
            .zip(&words)
            .all(|(segment, word)| word.starts_with('{') || segment == word)
}

fn is_path(name: &str) -> bool {
    !name.is_empty() && !name.split('/').any(str::is_empty) && !has_dots(name)
}

/// `.` and `..` would lead elsewhere.
fn has_dots(name: &str) -> bool {
    name.split('/').any(|segment| matches!(segment, "." | ".."))
        || name.chars().any(char::is_control)
}

fn resource(method: &Method, name: &'static str, arguments: &mut Object) -> Result<Object> {
    match arguments.remove(name) {
        Some(Value::Object(resource)) => Ok(resource),
        Some(_) => Err(bad_argument(name, "must be an object")),
        None => Err(missing(method, name)),
    }
}

fn object(method: &Method, fields: &[Parameter], arguments: &mut Object) -> Result<Object> {
    let mut body = Object::new();
    for field in fields {
        match arguments.remove(field.name) {
            Some(value) => drop(body.insert(field.name.to_owned(), value)),
            None if field.required => return Err(missing(method, field.name)),
            None => {}
        }
    }
    Ok(body)
}

fn mask(method: &Method, given: Option<Value>, body: Option<&Value>) -> Result<String> {
    let paths: Vec<String> = match given {
        Some(Value::String(text)) => return Ok(text),
        Some(Value::Array(paths)) => paths
            .into_iter()
            .map(|path| match path {
                Value::String(path) => Ok(path),
                _ => Err(bad_argument("update_mask", "must be paths, as texts")),
            })
            .collect::<Result<_>>()?,
        Some(_) => {
            return Err(bad_argument(
                "update_mask",
                "must be a text or a list of texts",
            ));
        }
        None => match (method.mask, body) {
            (Some(mask), Some(Value::Object(resource))) => {
                let paths = mask.of(resource);
                if paths.is_empty() {
                    return Err(nothing_to_change(method, &mask.fixed_in(resource)));
                }
                paths
            }
            _ => Vec::new(),
        },
    };
    Ok(paths.join(","))
}

fn nothing_to_change(method: &Method, fixed: &[&str]) -> crate::error::Error {
    let name = match method.body {
        Body::Resource(name) => name,
        _ => method.name,
    };
    if fixed.is_empty() {
        bad_argument(name, "sets nothing that could be changed")
            .with_hint("Set fields of its spec; reads give status, which is not taken back")
    } else {
        bad_argument(
            name,
            format_args!("sets only what cannot be changed later: {}", listed(fixed)),
        )
    }
}

fn text(parameter: &Parameter, kind: Kind, value: Value) -> Result<String> {
    match (kind, value) {
        (Kind::Text, Value::String(text)) => Ok(text),
        (Kind::Bool, Value::Bool(flag)) => Ok(flag.to_string()),
        (Kind::Int, Value::Number(number)) if number.is_i64() || number.is_u64() => {
            Ok(number.to_string())
        }
        (kind, _) => Err(bad_argument(
            parameter.name,
            match kind {
                Kind::Bool => "must be true or false",
                Kind::Int => "must be a whole number",
                _ => "must be a text",
            },
        )),
    }
}

fn missing(method: &Method, name: &str) -> crate::error::Error {
    let error = bad_argument(name, format_args!("{} needs it", method.name));
    if method.parameter() == Some(name) {
        error.with_hint(format!("Write {}", method.form))
    } else {
        error
    }
}

fn listed(names: &[&str]) -> String {
    names.join(", ")
}
