//! TypeScript: the API's JSON as interfaces, a file per resource, and all methods.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::api::{Api, Body, EMPTY, Message, Method, Parameter, Resource};
use super::kind::Kind;
use super::names::{lower_camel, sentence};
use super::notes::{about, note, option_note, since};
use super::rust::MARK;

/// Where the files go.
pub(crate) const FOLDER: &str = "bindings-node/lib/management/generated";

/// What the class `Operation` is a handle of.
const RECORD: &str = "Operation";

fn named(name: &str) -> &str {
    match name {
        RECORD => "OperationRecord",
        EMPTY => "void",
        _ => name,
    }
}

/// One resource's messages and enums.
pub(crate) fn resource(api: &Api, resource: &Resource) -> String {
    let mut out = head(&resource.doc);
    for name in resource.foreign() {
        let home = api.home(name).map_or("", |home| &home.name);
        let _ = writeln!(out, "import type {{ {name} }} from \"./{home}.js\";\n");
    }
    for one in &resource.enums {
        let _ = writeln!(
            out,
            "/** {} A newer service may have further values. */\nexport type {} =",
            since(one),
            one.name
        );
        for value in &one.values {
            let _ = writeln!(out, "  | \"{value}\"");
        }
        let _ = writeln!(out, "  | (string & {{}});\n");
    }
    let messages: Vec<String> = resource.messages.iter().map(message).collect();
    out + &messages.join("\n")
}

fn message(one: &Message) -> String {
    let mut out = format!(
        "/** {} */\nexport interface {} {{\n",
        about(one),
        named(&one.name)
    );
    for field in &one.fields {
        let _ = writeln!(
            out,
            "  /** {}{} */\n  {}?: {} | undefined;",
            note(field),
            form(&field.kind),
            field.name,
            kind(&field.kind)
        );
    }
    let _ = writeln!(
        out,
        "  /** What this version does not know. */\n  [unknown: string]: unknown;\n}}"
    );
    out
}

/// What the type does not say.
fn form(kind: &Kind) -> &'static str {
    match kind {
        Kind::Timestamp => " RFC 3339.",
        Kind::Duration => " Seconds, such as `\"600s\"`.",
        _ => "",
    }
}

fn kind(of: &Kind) -> String {
    match of {
        Kind::Text | Kind::Mask | Kind::Timestamp | Kind::Duration => "string".to_owned(),
        Kind::Bool => "boolean".to_owned(),
        Kind::Int => "number | string".to_owned(),
        Kind::Float => "number".to_owned(),
        Kind::Any => "Record<string, unknown>".to_owned(),
        Kind::Map => "Record<string, string>".to_owned(),
        Kind::List(item) => match kind(item) {
            item if item.contains(' ') && !item.starts_with("Record") => format!("({item})[]"),
            item => format!("{item}[]"),
        },
        Kind::Named(name) => named(name).to_owned(),
    }
}

/// The types of all resources.
pub(crate) fn module(api: &Api) -> String {
    let mut out = head("What the description of the API says, as types.");
    for (_, resource) in api.resources() {
        let _ = writeln!(out, "export type * from \"./{}.js\";", resource.name);
    }
    out
}

/// All methods.
pub(crate) fn methods(api: &Api) -> String {
    let mut out = head("All methods.");
    let mut used = BTreeSet::new();
    for method in api.methods() {
        used.extend(api.item(method));
        used.extend(
            method
                .returns
                .as_deref()
                .filter(|_| method.items.is_none())
                .map(named),
        );
        used.extend(
            method
                .operation
                .as_ref()
                .map(|one| one.result.as_str())
                .filter(|name| *name != EMPTY),
        );
        match &method.body {
            Some(Body::Resource { message, .. }) => drop(used.insert(message.as_str())),
            Some(Body::Fields { fields }) => {
                used.extend(fields.iter().filter_map(|field| field.kind.named()));
            }
            _ => {}
        }
    }
    let _ = writeln!(
        out,
        "import type {{ Kind }} from \"../../options.js\";\nimport type {{ CallOptions, Operation }} from \"../service.js\";\nimport type {{"
    );
    for name in used {
        let _ = writeln!(out, "  {name},");
    }
    let _ = write!(
        out,
        "}} from \"./index.js\";\n\n/** The methods, over what sends them. */\nexport abstract class Methods {{\n  protected abstract one<T>(method: string, args: object, options: CallOptions | undefined, kinds: Record<string, Kind>): Promise<T>;\n\n  protected abstract begun<T>(method: string, args: object, options: CallOptions | undefined, kinds: Record<string, Kind>): Promise<Operation<T>>;\n\n  protected abstract pages<T>(method: string, items: string, args: object, options: CallOptions | undefined, kinds: Record<string, Kind>): AsyncGenerator<T, void, undefined>;\n"
    );
    let mut all: Vec<&Method> = api.methods().collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    for one in all {
        method(&mut out, api, one);
    }
    let _ = writeln!(out, "}}");
    out
}

fn method(out: &mut String, api: &Api, method: &Method) {
    let mut required: Vec<(&str, String)> = method
        .parameter()
        .map(|name| (name, "string".to_owned()))
        .into_iter()
        .collect();
    let mut all: Vec<&Parameter> = Vec::new();
    match &method.body {
        Some(Body::Resource { resource, message }) => required.push((resource, message.clone())),
        Some(Body::Fields { fields }) => all.extend(fields),
        _ => {}
    }
    all.extend(&method.query);
    let (must, may): (Vec<&Parameter>, Vec<&Parameter>) =
        all.into_iter().partition(|one| one.required);
    required.extend(must.iter().map(|one| (one.name.as_str(), kind(&one.kind))));
    let mut parameters: Vec<String> = required
        .iter()
        .map(|(name, kind)| format!("{}: {kind}", lower_camel(name)))
        .collect();
    let options: String = may
        .iter()
        .map(|one| {
            let kind = match &one.kind {
                Kind::Mask => "string | string[]".to_owned(),
                Kind::Int => "number".to_owned(),
                other => kind(other),
            };
            format!("    {}?: {kind} | undefined;\n", lower_camel(&one.name))
        })
        .collect();
    parameters.push(if options.is_empty() {
        "options?: CallOptions".to_owned()
    } else {
        format!("options?: CallOptions & {{\n{options}  }}")
    });
    let kinds: Vec<String> = may
        .iter()
        .map(|one| {
            let kind = match one.kind {
                Kind::Bool => "boolean",
                Kind::Int => "number",
                Kind::Mask | Kind::List(_) => "any",
                _ => "string",
            };
            format!("{}: \"{kind}\"", lower_camel(&one.name))
        })
        .collect();
    let args: Vec<String> = required
        .iter()
        .map(|(name, _)| pair(name, &lower_camel(name)))
        .chain(
            may.iter()
                .map(|one| pair(&one.name, &format!("options?.{}", lower_camel(&one.name)))),
        )
        .collect();
    let (gives, how) = if let (Some(item), Some(items)) = (api.item(method), &method.items) {
        (
            format!("AsyncGenerator<{item}, void, undefined>"),
            format!("this.pages(\"{}\", \"{items}\"", method.name),
        )
    } else {
        match (&method.operation, &method.returns) {
            (Some(one), _) => (
                format!("Promise<Operation<{}>>", named(&one.result)),
                format!("this.begun(\"{}\"", method.name),
            ),
            (None, name) => (
                format!("Promise<{}>", name.as_deref().map_or("void", named)),
                format!("this.one(\"{}\"", method.name),
            ),
        }
    };
    let _ = write!(out, "\n  /**\n   * {}\n", sentence(method));
    for one in &may {
        let _ = writeln!(
            out,
            "   * @param options.{} {}",
            lower_camel(&one.name),
            option_note(method, &one.name)
        );
    }
    let _ = write!(
        out,
        "   */\n  {}({}): {gives} {{\n    return {how}, {}, options, {});\n  }}\n",
        lower_camel(&method.name),
        parameters.join(", "),
        braced(&args),
        braced(&kinds),
    );
}

fn pair(name: &str, value: &str) -> String {
    if name == value {
        name.to_owned()
    } else {
        format!("{name}: {value}")
    }
}

fn braced(pairs: &[String]) -> String {
    if pairs.is_empty() {
        "{}".to_owned()
    } else {
        format!("{{ {} }}", pairs.join(", "))
    }
}

fn head(doc: &str) -> String {
    format!("// {doc}\n//\n// {MARK}\n\n")
}
