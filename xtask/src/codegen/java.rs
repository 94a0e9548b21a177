//! Java: a class per message with its builder, an enum per enum, and all methods with a class for what each can be told
//! besides. Their reference is made without a warning, so nothing public goes without its words.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::api::{Api, Body, EMPTY, Enum, Field, GET_EXISTING, Message, Method, Parameter};
use super::kind::Kind;
use super::names::{camel, lower_camel, sentence};
use super::notes::{about, note, option_note, since};
use super::rust::MARK;

/// Where the files go: a source folder beside the one that is written by hand, for the same package.
pub(crate) const FOLDER: &str = "bindings-java/generated/io/lakekey/postgres";

/// What the class `Operation` is a handle of.
const RECORD: &str = "Operation";
/// The constant of an enum that stands for all that came later.
const NEWER: &str = "UNRECOGNIZED";
const WIDTH: usize = 120;

/// All files by name.
pub(crate) fn files(api: &Api) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    for one in api.messages() {
        files.insert(named(&one.name).to_owned(), message(api, one));
    }
    for one in api.enums() {
        files.insert(one.name.clone(), enumeration(one));
    }
    for method in api.methods().filter(|method| !may(method).is_empty()) {
        files.insert(options_class(method), options(api, method));
    }
    files.insert("Methods".to_owned(), methods(api));
    files
}

fn named(name: &str) -> &str {
    match name {
        RECORD => "OperationRecord",
        EMPTY => "Void",
        _ => name,
    }
}

fn head(imports: &BTreeSet<&str>, doc: &str) -> String {
    let mut out = format!("// {MARK}\n\npackage io.lakekey.postgres;\n\n");
    for import in imports {
        let _ = writeln!(out, "import {import};");
    }
    if !imports.is_empty() {
        out.push('\n');
    }
    out + &comment("", doc, &[])
}

/// A text as Javadoc has it: no markup but `code`.
fn javadoc(text: &str) -> String {
    let mut out = String::new();
    for (index, part) in text.split('`').enumerate() {
        if index % 2 == 1 {
            let _ = write!(out, "{{@code {part}}}");
        } else {
            out += &part
                .replace('&', "&amp;")
                .replace('<', "&lt;")
                .replace('>', "&gt;");
        }
    }
    out
}

/// A sentence as part of another.
fn clause(text: &str) -> String {
    let text = text.trim_end_matches('.');
    let mut letters = text.chars();
    let first = letters.next().unwrap_or_default();
    let rest = letters.as_str();
    let is_word = rest.starts_with(|second: char| second.is_ascii_lowercase() || second == ' ');
    if is_word {
        format!("{}{rest}", first.to_ascii_lowercase())
    } else {
        text.to_owned()
    }
}

/// A comment of one line where it fits.
fn comment(indent: &str, text: &str, tags: &[String]) -> String {
    let line = format!("{indent}/** {text} */\n");
    if tags.is_empty() && line.len() <= WIDTH {
        return line;
    }
    let mut out = format!("{indent}/**\n{}", wrapped(indent, text));
    if !tags.is_empty() {
        let _ = writeln!(out, "{indent} *");
    }
    for tag in tags {
        out += &wrapped(indent, tag);
    }
    let _ = writeln!(out, "{indent} */");
    out
}

fn wrapped(indent: &str, text: &str) -> String {
    let mut out = String::new();
    let mut line = format!("{indent} *");
    for word in text.split(' ') {
        if line.len() + 1 + word.len() > WIDTH {
            let _ = writeln!(out, "{line}");
            line = format!("{indent} *    ");
        }
        line.push(' ');
        line += word;
    }
    let _ = writeln!(out, "{line}");
    out
}

/// A list in brackets, broken into lines where it does not fit.
fn call(start: &str, parts: &[String], end: &str) -> String {
    let line = format!("{start}({}){end}", parts.join(", "));
    if line.len() <= WIDTH {
        return line;
    }
    let depth = start.len() - start.trim_start().len();
    let inner = " ".repeat(depth + 8);
    let together = format!("{inner}{}", parts.join(", "));
    if together.len() + 1 + end.len() <= WIDTH {
        return format!("{start}(\n{together}){end}");
    }
    let apart = parts.join(&format!(",\n{inner}"));
    format!("{start}(\n{inner}{apart}){end}")
}

fn enumeration(one: &Enum) -> String {
    let mut out = head(&BTreeSet::new(), &javadoc(&since(one)));
    let _ = writeln!(out, "public enum {} {{", one.name);
    for value in &one.values {
        let _ = writeln!(out, "    /** {{@code {value}}}. */\n    {value},");
    }
    out + &comment(
        "    ",
        "A value that came later: {@link Message#json} has its text.",
        &[],
    ) + &format!("    {NEWER}\n}}\n")
}

fn message(api: &Api, one: &Message) -> String {
    let name = named(&one.name);
    let mut imports = BTreeSet::from(["java.util.Map"]);
    for field in &one.fields {
        imports.insert("java.util.Optional");
        imports.extend(needs(&field.kind));
    }
    let secrets: Vec<String> = one
        .fields
        .iter()
        .filter(|field| field.secret)
        .map(|field| format!("\"{}\"", field.name))
        .collect();
    if !secrets.is_empty() {
        imports.insert("java.util.Set");
    }
    let mut out = head(&imports, &javadoc(&about(one)));
    let _ = write!(
        out,
        "public final class {name} extends Message {{\n    {name}(Map<String, Object> json) {{\n        super(json);\n    }}\n\n"
    );
    for (doc, kind, value) in [
        (
            "the message that a JSON object is",
            "Map<String, Object>",
            "Message.object(Json.copy(json))",
        ),
        (
            "the message that a JSON text is",
            "String",
            "Json.object(json)",
        ),
    ] {
        let tags = ["@param json as the API has it".to_owned()];
        out += &comment("    ", &format!("{{@return {doc}}}"), &tags);
        let _ = write!(
            out,
            "    public static {name} of({kind} json) {{\n        return new {name}({value});\n    }}\n\n"
        );
    }
    let _ = write!(
        out,
        "    /** {{@return what makes one with nothing set}} */\n    public static Builder builder() {{\n        return new Builder(Map.of());\n    }}\n\n    /** {{@return what makes another one, with everything set as here}} */\n    public Builder toBuilder() {{\n        return new Builder(json());\n    }}\n"
    );
    if !secrets.is_empty() {
        let _ = write!(
            out,
            "\n    @Override\n    Set<String> secrets() {{\n        return Set.of({});\n    }}\n",
            secrets.join(", ")
        );
    }
    for field in &one.fields {
        out.push('\n');
        out += &comment(
            "    ",
            &format!("{{@return {}}}", javadoc(&clause(&note(field)))),
            &[],
        );
        let _ = write!(
            out,
            "    public Optional<{}> {}() {{\n        return {};\n    }}\n",
            kind(&field.kind),
            accessor(&field.name),
            read(api, field)
        );
    }
    let _ = write!(
        out,
        "\n    /** Makes one. */\n    public static final class Builder extends Message.Builder<Builder> {{\n        private Builder(Map<String, Object> json) {{\n            super(json);\n        }}\n"
    );
    for field in &one.fields {
        out.push('\n');
        setter(&mut out, one, field);
    }
    let _ = write!(
        out,
        "\n        /** {{@return the message}} */\n        public {name} build() {{\n            return new {name}(built());\n        }}\n    }}\n}}\n"
    );
    out
}

fn setter(out: &mut String, message: &Message, field: &Field) {
    let parameter = accessor(&field.name);
    let tag = format!(
        "@param {parameter} {}; null to leave it out",
        javadoc(&clause(&note(field)))
    );
    *out += &comment("        ", "{@return this, with the field set}", &[tag]);
    let others: String = message
        .fields
        .iter()
        .filter(|other| other.oneof.is_some() && other.oneof == field.oneof)
        .filter(|other| other.name != field.name)
        .map(|other| format!(", \"{}\"", other.name))
        .collect();
    let how = if others.is_empty() { "set" } else { "only" };
    let _ = write!(
        out,
        "        public Builder {parameter}({} {parameter}) {{\n            return {how}(\"{}\", {parameter}{others});\n        }}\n",
        kind(&field.kind),
        field.name
    );
}

/// A field's name that Java takes as well.
fn accessor(name: &str) -> String {
    if name == "default" {
        "isDefault".to_owned()
    } else {
        lower_camel(name)
    }
}

fn needs(kind: &Kind) -> Vec<&'static str> {
    match kind {
        Kind::Timestamp => vec!["java.time.Instant"],
        Kind::Duration => vec!["java.time.Duration"],
        Kind::Any | Kind::Map => vec!["java.util.Map"],
        Kind::Mask => vec!["java.util.List"],
        Kind::List(item) => {
            let mut all = needs(item);
            all.push("java.util.List");
            all
        }
        _ => Vec::new(),
    }
}

fn kind(of: &Kind) -> String {
    match of {
        Kind::Text => "String".to_owned(),
        Kind::Bool => "Boolean".to_owned(),
        Kind::Int => "Long".to_owned(),
        Kind::Float => "Double".to_owned(),
        Kind::Timestamp => "Instant".to_owned(),
        Kind::Duration => "Duration".to_owned(),
        Kind::Any => "Map<String, Object>".to_owned(),
        Kind::Map => "Map<String, String>".to_owned(),
        Kind::Mask => "List<String>".to_owned(),
        Kind::List(item) => format!("List<{}>", kind(item)),
        Kind::Named(name) => named(name).to_owned(),
    }
}

/// How a field is read from the JSON.
fn read(api: &Api, field: &Field) -> String {
    let name = &field.name;
    match &field.kind {
        Kind::Text | Kind::Mask => format!("text(\"{name}\")"),
        Kind::Bool => format!("flag(\"{name}\")"),
        Kind::Int => format!("integer(\"{name}\")"),
        Kind::Float => format!("number(\"{name}\")"),
        Kind::Timestamp => format!("timestamp(\"{name}\")"),
        Kind::Duration => format!("duration(\"{name}\")"),
        Kind::Any => format!("any(\"{name}\")"),
        Kind::Map => format!("texts(\"{name}\")"),
        Kind::Named(of) if api.message(of).is_some() => {
            format!("message(\"{name}\", {}::new)", named(of))
        }
        Kind::Named(of) => format!("named(\"{name}\", {of}.class)"),
        Kind::List(item) => {
            let item = match &**item {
                Kind::Named(of) if api.message(of).is_some() => {
                    format!("item -> new {}(object(item))", named(of))
                }
                Kind::Named(of) => format!("item -> constant(string(item), {of}.class)"),
                Kind::Any => "Message::object".to_owned(),
                _ => "Message::string".to_owned(),
            };
            format!("list(\"{name}\", {item})")
        }
    }
}

/// What must be told: the path's parameter, the body and the query's, as the official SDK for Python has them.
fn must(method: &Method) -> Vec<(&str, Kind, String)> {
    let mut all = Vec::new();
    if let Some(name) = method.parameter() {
        let form = method.form.as_deref().unwrap_or_default();
        all.push((name, Kind::Text, format!("{{@code {form}}}")));
    }
    match &method.body {
        Some(Body::Resource { resource, message }) => {
            let doc = "what it is to be".to_owned();
            all.push((resource.as_str(), Kind::Named(message.clone()), doc));
        }
        Some(Body::Fields { fields }) => all.extend(required(fields)),
        _ => {}
    }
    all.extend(required(&method.query));
    all
}

fn required(parameters: &[Parameter]) -> impl Iterator<Item = (&str, Kind, String)> {
    parameters.iter().filter(|one| one.required).map(|one| {
        let doc = if one.name.ends_with("_id") {
            "its id".to_owned()
        } else {
            format!("the {}", one.name.replace('_', " "))
        };
        (one.name.as_str(), one.kind.clone(), doc)
    })
}

/// What may be told.
fn may(method: &Method) -> Vec<&Parameter> {
    let fields = match &method.body {
        Some(Body::Fields { fields }) => fields.as_slice(),
        _ => &[],
    };
    fields
        .iter()
        .chain(&method.query)
        .filter(|one| !one.required)
        .collect()
}

fn options_class(method: &Method) -> String {
    if may(method).is_empty() {
        "CallOptions".to_owned()
    } else {
        format!("{}Options", camel(&method.name))
    }
}

fn options(api: &Api, method: &Method) -> String {
    let class = options_class(method);
    let all = may(method);
    let imports = all
        .iter()
        .flat_map(|one| needs(&one.kind))
        .collect::<BTreeSet<_>>();
    let types: Vec<String> = must(method)
        .iter()
        .map(|(_, one, _)| kind(one).split('<').next().unwrap_or_default().to_owned())
        .chain([class.clone()])
        .collect();
    let doc = format!(
        "What {{@link Postgres#{}({})}} can be told besides.",
        lower_camel(&method.name),
        types.join(", ")
    );
    let mut out = head(&imports, &doc);
    let _ = write!(
        out,
        "public final class {class} extends Options<{class}> {{\n    /** The usual. */\n    public {class}() {{}}\n"
    );
    for one in all {
        let parameter = accessor(&one.name);
        let tag = format!("@param {parameter} {}", value_note(api, one));
        let text = javadoc(option_note(method, &one.name));
        out.push('\n');
        out += &comment("    ", &text, &[tag, "@return this".to_owned()]);
        let _ = write!(
            out,
            "    public {class} {parameter}({} {parameter}) {{\n        return set(\"{}\", {parameter});\n    }}\n",
            kind(&one.kind),
            one.name
        );
    }
    out.push_str("}\n");
    out
}

fn value_note(api: &Api, one: &Parameter) -> &'static str {
    match &one.kind {
        Kind::Bool if one.name == GET_EXISTING => "whether to",
        Kind::Bool => "whether to; null for the service's usual",
        Kind::Int => "how many; null for the service's usual",
        Kind::Mask => "such as {@code spec.ttl}",
        Kind::Duration => "to the nanosecond",
        Kind::Timestamp => "a moment",
        Kind::List(item) if item.named().is_some_and(|name| api.message(name).is_some()) => "each",
        _ => "a text",
    }
}

/// All methods.
fn methods(api: &Api) -> String {
    let mut all: Vec<&Method> = api.methods().collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    let mut imports = BTreeSet::from([
        "java.util.LinkedHashMap",
        "java.util.Map",
        "java.util.function.Function",
    ]);
    for one in &all {
        imports.extend(must(one).iter().flat_map(|(_, kind, _)| needs(kind)));
    }
    let mut out = head(&imports, "All methods, over what sends them.");
    out.push_str(METHODS);
    for one in all {
        method(&mut out, api, one);
    }
    out.push_str("}\n");
    out
}

const METHODS: &str = "abstract class Methods {
    Methods() {}

    abstract <T> T one(
            String method, Map<String, Object> arguments, Options<?> options, Function<Map<String, Object>, T> kind);

    abstract <T> Operation<T> begun(
            String method, Map<String, Object> arguments, Options<?> options, Function<Map<String, Object>, T> kind);

    abstract <T> Pages<T> pages(
            String method,
            String items,
            Map<String, Object> arguments,
            Options<?> options,
            Function<Map<String, Object>, T> kind);

    /** Names and values by turns. */
    private static Map<String, Object> given(Object... pairs) {
        Map<String, Object> arguments = new LinkedHashMap<>();
        for (int i = 0; i < pairs.length; i += 2) {
            arguments.put((String) pairs[i], Message.wire(pairs[i + 1]));
        }
        return arguments;
    }
";

fn method(out: &mut String, api: &Api, method: &Method) {
    let must = must(method);
    let class = options_class(method);
    let name = lower_camel(&method.name);
    let (gives, doc, how, items, made) = result(api, method);
    let tags: Vec<String> = must
        .iter()
        .map(|(name, _, doc)| format!("@param {} {doc}", accessor(name)))
        .collect();
    let returns = format!("@return {doc}");
    let typed: Vec<String> = must
        .iter()
        .map(|(name, of, _)| format!("{} {}", kind(of), accessor(name)))
        .collect();
    let text = javadoc(&sentence(method));

    out.push('\n');
    *out += &comment(
        "    ",
        &text,
        &[tags.clone(), vec![returns.clone()]].concat(),
    );
    let mut passed: Vec<String> = must.iter().map(|(name, ..)| accessor(name)).collect();
    passed.push("null".to_owned());
    *out += &call(&format!("    public {gives} {name}"), &typed, " {\n");
    *out += &call(&format!("        return {name}"), &passed, ";\n    }\n");

    out.push('\n');
    let options = "@param options what else; null for nothing".to_owned();
    *out += &comment("    ", &text, &[tags, vec![options, returns]].concat());
    let typed = [typed, vec![format!("{class} options")]].concat();
    *out += &call(&format!("    public {gives} {name}"), &typed, " {\n");
    let pairs: Vec<String> = must
        .iter()
        .map(|(name, ..)| format!("\"{name}\", {}", accessor(name)))
        .collect();
    let mut parts = vec![format!("\"{}\"", method.name)];
    parts.extend(items.map(|items| format!("\"{items}\"")));
    parts.extend([
        format!("given({})", pairs.join(", ")),
        "options".to_owned(),
        made,
    ]);
    *out += &call(&format!("        return {how}"), &parts, ";\n    }\n");
}

/// What a method gives, what is said of it, what sends it, the page's field, and what makes it of JSON.
fn result<'a>(
    api: &Api,
    method: &'a Method,
) -> (String, &'static str, &'static str, Option<&'a str>, String) {
    if let (Some(item), Some(items)) = (api.item(method), &method.items) {
        let item = named(item);
        return (
            format!("Pages<{item}>"),
            "them, page by page as they are read",
            "pages",
            Some(items),
            format!("{item}::new"),
        );
    }
    match (&method.operation, &method.returns) {
        (Some(one), _) if one.result == EMPTY => (
            "Operation<Void>".to_owned(),
            "the operation",
            "begun",
            None,
            "nothing -> null".to_owned(),
        ),
        (Some(one), _) => (
            format!("Operation<{}>", named(&one.result)),
            "the operation, which ends with it",
            "begun",
            None,
            format!("{}::new", named(&one.result)),
        ),
        (None, returns) => {
            let one = named(returns.as_deref().unwrap_or(EMPTY)).to_owned();
            let made = format!("{one}::new");
            (one, "what the service says", "one", None, made)
        }
    }
}
