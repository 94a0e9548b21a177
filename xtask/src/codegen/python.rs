//! Python: a module per resource with its messages, and all methods twice, blocking and for asyncio.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::api::{Api, Body, EMPTY, Message, Method, Parameter, Resource};
use super::kind::Kind;
use super::names::sentence;
use super::notes::{about, note, option_note, since};
use super::rust::MARK;

/// Where the files go.
pub(crate) const FOLDER: &str = "bindings-python/python/lakekey/postgres/_generated";

/// The record of an operation is what a handle of it holds.
const RECORD: &str = "Operation";
const WIDTH: usize = 120;

/// One resource's messages and enums.
pub(crate) fn resource(api: &Api, resource: &Resource) -> String {
    let mut out = head(&resource.doc);
    let any = uses(resource, &Kind::Any) || uses(resource, &Kind::List(Box::new(Kind::Any)));
    let times: Vec<&str> = [(Kind::Timestamp, "datetime"), (Kind::Duration, "timedelta")]
        .into_iter()
        .filter(|(kind, _)| uses(resource, kind))
        .map(|(_, name)| name)
        .collect();
    let kinded = resource
        .messages
        .iter()
        .filter(|message| message.name != RECORD)
        .any(|message| !kinds(message).is_empty());
    let typing: Vec<&str> = [
        (!times.is_empty(), "TYPE_CHECKING"),
        (any, "Any"),
        (kinded, "ClassVar"),
    ]
    .into_iter()
    .filter_map(|(used, name)| used.then_some(name))
    .collect();
    if !typing.is_empty() {
        let _ = writeln!(out, "from typing import {}\n", typing.join(", "));
    }
    let kinds: BTreeSet<&str> = resource
        .messages
        .iter()
        .filter(|message| message.name != RECORD)
        .flat_map(|message| &message.fields)
        .flat_map(|field| {
            if field.secret {
                vec!["SECRET"]
            } else {
                needs(&field.kind)
            }
        })
        .collect();
    let imports: Vec<&str> = kinds
        .into_iter()
        .chain(kinded.then_some("Kind"))
        .chain(["Message"])
        .chain((!resource.enums.is_empty()).then_some("OpenEnum"))
        .collect();
    let _ = writeln!(out, "from .._message import {}", imports.join(", "));
    for name in resource.foreign() {
        let home = api.home(name).map_or("", |home| &home.name);
        let _ = writeln!(out, "from ._{home} import {name}");
    }
    if !times.is_empty() {
        let _ = writeln!(
            out,
            "\nif TYPE_CHECKING:\n    from datetime import {}",
            times.join(", ")
        );
    }
    for one in &resource.enums {
        let _ = write!(
            out,
            "\n\nclass {}(OpenEnum):\n    \"\"\"{}\"\"\"\n\n",
            one.name,
            since(one)
        );
        for value in &one.values {
            let _ = writeln!(out, "    {value} = \"{value}\"");
        }
    }
    for one in sorted(resource) {
        message(&mut out, one);
    }
    out
}

/// Those that others are made of come first.
fn sorted(resource: &Resource) -> Vec<&Message> {
    let mut sorted: Vec<&Message> = Vec::new();
    let mut left: Vec<&Message> = resource
        .messages
        .iter()
        .filter(|message| message.name != RECORD)
        .collect();
    while !left.is_empty() {
        let waiting: BTreeSet<&str> = left.iter().map(|message| message.name.as_str()).collect();
        let (later, ready): (Vec<&Message>, Vec<&Message>) = left.iter().partition(|message| {
            message
                .fields
                .iter()
                .filter_map(|field| field.kind.named())
                .any(|name| waiting.contains(name))
        });
        assert!(
            !ready.is_empty(),
            "messages that hold each other: {waiting:?}"
        );
        sorted.extend(ready);
        left = later;
    }
    sorted
}

fn uses(resource: &Resource, kind: &Kind) -> bool {
    resource
        .messages
        .iter()
        .filter(|message| message.name != RECORD)
        .flat_map(|message| &message.fields)
        .any(|field| field.kind == *kind)
}

fn message(out: &mut String, one: &Message) {
    let _ = write!(
        out,
        "\n\nclass {}(Message):\n    \"\"\"{}\"\"\"\n",
        one.name,
        about(one)
    );
    let kinds = kinds(one);
    if !kinds.is_empty() {
        let _ = writeln!(out, "\n    _kinds: ClassVar[dict[str, Kind]] = {{");
        for (name, kind) in kinds {
            let _ = writeln!(out, "        \"{name}\": {kind},");
        }
        let _ = writeln!(out, "    }}");
    }
    if !one.fields.is_empty() {
        out.push('\n');
    }
    for field in &one.fields {
        let _ = writeln!(
            out,
            "    {}: {} | None = None\n    \"\"\"{}\"\"\"",
            field.name,
            hint(&field.kind),
            note(field)
        );
    }
}

/// The fields that are not the JSON itself, and what they are.
fn kinds(message: &Message) -> Vec<(&str, String)> {
    message
        .fields
        .iter()
        .filter_map(|field| {
            let kind = if field.secret {
                Some("SECRET".to_owned())
            } else {
                kind_of(&field.kind)
            };
            Some((field.name.as_str(), kind?))
        })
        .collect()
}

fn needs(kind: &Kind) -> Vec<&'static str> {
    match kind {
        Kind::Int => vec!["INT"],
        Kind::Timestamp => vec!["TIMESTAMP"],
        Kind::Duration => vec!["DURATION"],
        Kind::Named(_) => vec!["Named"],
        Kind::List(item) if kind_of(item).is_some() => {
            let mut all = needs(item);
            all.push("Many");
            all
        }
        _ => Vec::new(),
    }
}

fn kind_of(kind: &Kind) -> Option<String> {
    match kind {
        Kind::Int => Some("INT".to_owned()),
        Kind::Timestamp => Some("TIMESTAMP".to_owned()),
        Kind::Duration => Some("DURATION".to_owned()),
        Kind::Named(name) => Some(format!("Named({name})")),
        Kind::List(item) => kind_of(item).map(|item| format!("Many({item})")),
        _ => None,
    }
}

fn hint(kind: &Kind) -> String {
    match kind {
        Kind::Text => "str".to_owned(),
        Kind::Bool => "bool".to_owned(),
        Kind::Int => "int".to_owned(),
        Kind::Float => "float".to_owned(),
        Kind::Timestamp => "datetime".to_owned(),
        Kind::Duration => "timedelta".to_owned(),
        Kind::Any => "dict[str, Any]".to_owned(),
        Kind::Mask => "Mask".to_owned(),
        Kind::Map => "dict[str, str]".to_owned(),
        Kind::List(item) => format!("list[{}]", hint(item)),
        Kind::Named(name) => name.clone(),
    }
}

/// The names of all messages and enums.
pub(crate) fn module(api: &Api) -> String {
    let mut out = head("What the description of the API says, as Python.");
    let mut all: Vec<String> = Vec::new();
    for (_, resource) in api.resources() {
        let mut names: Vec<&str> = resource
            .messages
            .iter()
            .map(|message| message.name.as_str())
            .chain(resource.enums.iter().map(|one| one.name.as_str()))
            .filter(|name| *name != RECORD)
            .collect();
        names.sort_unstable();
        let _ = writeln!(out, "from ._{} import (", resource.name);
        for name in &names {
            let _ = writeln!(out, "    {name},");
        }
        let _ = writeln!(out, ")");
        all.extend(names.into_iter().map(str::to_owned));
    }
    all.sort_unstable();
    let _ = writeln!(out, "\n__all__ = [");
    for name in all {
        let _ = writeln!(out, "    \"{name}\",");
    }
    let _ = writeln!(out, "]");
    out
}

/// All methods, blocking or for asyncio.
pub(crate) fn methods(api: &Api, asynchronous: bool) -> String {
    let mut out = head(if asynchronous {
        "All methods, for asyncio."
    } else {
        "All methods."
    });
    let (iterator, operation, class) = if asynchronous {
        ("AsyncIterator", "AsyncOperation", "AsyncMethods")
    } else {
        ("Iterator", "Operation", "Methods")
    };
    let all: Vec<&Method> = {
        let mut all: Vec<&Method> = api.methods().collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    };
    let _ = writeln!(
        out,
        "from typing import TYPE_CHECKING, Any\n\nfrom .._mask import paths_of\nfrom .._message import DURATION\nfrom . import ("
    );
    let mut at_run_time = BTreeSet::new();
    let mut hinted = BTreeSet::new();
    for method in &all {
        at_run_time.extend(api.item(method));
        at_run_time.extend(
            method
                .returns
                .as_deref()
                .filter(|name| *name != RECORD && method.items.is_none()),
        );
        at_run_time.extend(
            method
                .operation
                .as_ref()
                .map(|one| one.result.as_str())
                .filter(|name| *name != EMPTY),
        );
        match &method.body {
            Some(Body::Resource { message, .. }) => drop(hinted.insert(message.as_str())),
            Some(Body::Fields { fields }) => {
                hinted.extend(fields.iter().filter_map(|field| field.kind.named()));
            }
            _ => {}
        }
    }
    for name in &at_run_time {
        let _ = writeln!(out, "    {name},");
    }
    let _ = writeln!(
        out,
        ")\n\nif TYPE_CHECKING:\n    from collections.abc import {iterator}\n    from datetime import datetime, timedelta\n\n    from .._mask import Mask\n    from .._message import M\n    from .._operation import {operation}"
    );
    let only_hinted: Vec<&str> = hinted.difference(&at_run_time).copied().collect();
    if !only_hinted.is_empty() {
        let _ = writeln!(out, "    from . import {}", only_hinted.join(", "));
    }
    let _ = writeln!(out, "\n    Seconds = float | timedelta\n\n\nclass {class}:");
    let def = if asynchronous { "async def" } else { "def" };
    let _ = write!(
        out,
        "    if TYPE_CHECKING:\n\n        {def} _message(\n            self, kind: type[M], method: str, arguments: dict[str, Any], timeout: Seconds | None\n        ) -> M: ...\n        {def} _operation(\n            self, kind: type[Any] | None, method: str, arguments: dict[str, Any], timeout: Seconds | None\n        ) -> {operation}[Any]: ...\n        def _pages(\n            self, kind: type[M], method: str, items: str, arguments: dict[str, Any], timeout: Seconds | None\n        ) -> {iterator}[M]: ...\n"
    );
    for one in all {
        method(&mut out, api, one, asynchronous);
    }
    out
}

fn method(out: &mut String, api: &Api, method: &Method, asynchronous: bool) {
    let (required, optional) = parameters(method);
    let (gives, call) = call(api, method, asynchronous);
    let (def, wait) = if asynchronous && method.items.is_none() {
        ("async def", "await ")
    } else {
        ("def", "")
    };
    let parts = signature(&required, &optional);
    let one_line = format!(
        "    {def} {}({}) -> {gives}:",
        method.name,
        parts.join(", ")
    );
    let inner = format!("        {}", parts.join(", "));
    let _ = if one_line.len() <= WIDTH {
        writeln!(out, "\n{one_line}")
    } else if inner.len() <= WIDTH {
        writeln!(
            out,
            "\n    {def} {}(\n{inner}\n    ) -> {gives}:",
            method.name
        )
    } else {
        let inner = parts.join(",\n        ");
        writeln!(
            out,
            "\n    {def} {}(\n        {inner},\n    ) -> {gives}:",
            method.name
        )
    };
    let _ = write!(out, "        \"\"\"{}", sentence(method));
    if !optional.is_empty() {
        out.push('\n');
    }
    for (name, _) in &optional {
        let _ = write!(out, "\n        ``{name}``: {}", option_note(method, name));
    }
    let end = if optional.is_empty() {
        "\"\"\""
    } else {
        "\n        \"\"\""
    };
    let _ = writeln!(out, "{end}");
    let names: Vec<String> = required
        .iter()
        .chain(&optional)
        .map(|(name, kind)| match kind {
            Kind::Mask => format!("\"{name}\": paths_of({name})"),
            Kind::Duration => format!("\"{name}\": DURATION.encode({name})"),
            _ => format!("\"{name}\": {name}"),
        })
        .collect();
    let arguments = format!("{{{}}}", names.join(", "));
    let start = format!("        return {wait}self.{call}, ");
    let whole = format!("{start}{arguments}, timeout)");
    let apart = format!("        arguments = {arguments}");
    let _ = if whole.len() <= WIDTH {
        writeln!(out, "{whole}")
    } else if apart.len() <= WIDTH {
        writeln!(out, "{apart}\n{start}arguments, timeout)")
    } else {
        let names = names.join(",\n            ");
        writeln!(
            out,
            "        arguments = {{\n            {names},\n        }}\n{start}arguments, timeout)"
        )
    };
}

fn signature(required: &Named<'_>, optional: &Named<'_>) -> Vec<String> {
    let mut parts = vec!["self".to_owned()];
    let hinted = |(name, kind): &(&str, Kind)| format!("{name}: {}", argument(kind));
    parts.extend(required.iter().map(hinted));
    // Where the SDK has it, and not by name alone.
    let (masks, others): (Named<'_>, Named<'_>) = optional
        .iter()
        .cloned()
        .partition(|(_, kind)| *kind == Kind::Mask);
    parts.extend(
        masks
            .iter()
            .map(|one| format!("{} | None = None", hinted(one))),
    );
    parts.push("*".to_owned());
    parts.extend(
        others
            .iter()
            .map(|one| format!("{} | None = None", hinted(one))),
    );
    parts.push("timeout: Seconds | None = None".to_owned());
    parts
}

/// What it gives, and the beginning of the call that gives it.
fn call(api: &Api, method: &Method, asynchronous: bool) -> (String, String) {
    let (iterator, operation) = if asynchronous {
        ("AsyncIterator", "AsyncOperation")
    } else {
        ("Iterator", "Operation")
    };
    let name = &method.name;
    if let (Some(item), Some(items)) = (api.item(method), &method.items) {
        return (
            format!("{iterator}[{item}]"),
            format!("_pages({item}, \"{name}\", \"{items}\""),
        );
    }
    let (gives, how, kind) = match (&method.operation, &method.returns) {
        (Some(one), _) if one.result == EMPTY => {
            (format!("{operation}[None]"), "_operation", "None")
        }
        (Some(one), _) => (
            format!("{operation}[{}]", one.result),
            "_operation",
            one.result.as_str(),
        ),
        (None, Some(name)) if name == RECORD => (format!("{operation}[Any]"), "_operation", "dict"),
        (None, name) => {
            let name = name.as_deref().unwrap_or_default();
            (name.to_owned(), "_message", name)
        }
    };
    (gives, format!("{how}({kind}, \"{name}\""))
}

type Named<'a> = Vec<(&'a str, Kind)>;

/// Required arguments in the SDK's order, and optional ones.
fn parameters(method: &Method) -> (Named<'_>, Named<'_>) {
    let mut required: Named<'_> = method
        .parameter()
        .map(|name| (name, Kind::Text))
        .into_iter()
        .collect();
    let mut all: Vec<&Parameter> = Vec::new();
    match &method.body {
        Some(Body::Resource { resource, message }) => {
            required.push((resource, Kind::Named(message.clone())));
        }
        Some(Body::Fields { fields }) => all.extend(fields),
        _ => {}
    }
    all.extend(&method.query);
    let (must, may): (Vec<&Parameter>, Vec<&Parameter>) =
        all.into_iter().partition(|one| one.required);
    let named = |one: &'_ Parameter| one.kind.clone();
    required.extend(must.into_iter().map(|one| (one.name.as_str(), named(one))));
    (
        required,
        may.into_iter()
            .map(|one| (one.name.as_str(), named(one)))
            .collect(),
    )
}

fn argument(kind: &Kind) -> String {
    match kind {
        Kind::Duration => "Seconds".to_owned(),
        other => hint(other),
    }
}

fn head(doc: &str) -> String {
    format!("\"\"\"{doc}\n\n{MARK}\n\"\"\"\n\nfrom __future__ import annotations\n\n")
}
