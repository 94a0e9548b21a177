//! The form of the cases, and what a result is compared with.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What is wrong with a case, or with what it proves.
pub(crate) type Wrong = String;
pub(crate) type Fields = BTreeMap<String, Value>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    #[serde(rename = "about")]
    _about: String,
    #[serde(default)]
    pub(crate) env: Env,
    pub(crate) cases: Vec<Case>,
}

pub(crate) type Env = BTreeMap<String, Option<String>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    pub(crate) id: String,
    pub(crate) why: String,
    #[serde(default)]
    pub(crate) env: Env,
    #[serde(default)]
    pub(crate) files: BTreeMap<String, String>,
    pub(crate) steps: Vec<Step>,
    pub(crate) requests: Option<BTreeMap<String, Value>>,
}

#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    pub(crate) op: String,
    #[serde(default)]
    pub(crate) args: Args,
    pub(crate) until_s: Option<f64>,
    #[serde(default)]
    pub(crate) expect: BTreeMap<String, Value>,
    pub(crate) error: Option<Failure>,
    #[serde(default)]
    pub(crate) save: BTreeMap<String, String>,
}

#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Args {
    pub(crate) call: String,
    pub(crate) body: Map<String, Value>,
    pub(crate) settings: BTreeMap<String, String>,
    pub(crate) product: Option<String>,
    pub(crate) target: Option<String>,
    pub(crate) database: Option<String>,
    pub(crate) user: Option<String>,
    pub(crate) port: Option<u16>,
    pub(crate) sslmode: Option<String>,
    pub(crate) sslrootcert: Option<String>,
    pub(crate) ttl_s: Option<f64>,
    pub(crate) timeout_s: Option<f64>,
    pub(crate) token: String,
    pub(crate) count: usize,
    pub(crate) password: Option<String>,
    pub(crate) sqlstate: Option<String>,
    pub(crate) text: String,
    pub(crate) method: String,
    pub(crate) arguments: Map<String, Value>,
    pub(crate) wait: bool,
}

#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Failure {
    slug: String,
    code: u16,
    retryable: Option<bool>,
    http_status: Option<u16>,
    api_code: Option<String>,
    #[serde(default)]
    message: Vec<String>,
    #[serde(default)]
    hint: Vec<String>,
    #[serde(default)]
    hidden: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Conditions {
    not: Option<String>,
    contains: Option<String>,
    min: Option<f64>,
    max: Option<f64>,
}

impl Step {
    pub(crate) fn filled(&self, names: &BTreeMap<String, String>) -> Result<Step, Wrong> {
        let mut step = serde_json::to_value(self).map_err(|error| error.to_string())?;
        fill(&mut step, names)?;
        serde_json::from_value(step).map_err(|error| error.to_string())
    }
}

/// Puts in what `${NAME}` stands for, in every text of a value.
pub(crate) fn fill(value: &mut Value, names: &BTreeMap<String, String>) -> Result<(), Wrong> {
    match value {
        Value::String(text) => {
            let mut parts = text.split("${");
            let mut full = parts.next().unwrap_or_default().to_owned();
            for part in parts {
                let (name, rest) = part.split_once('}').ok_or("a ${ without its }")?;
                let known = names.get(name).ok_or(format!("nothing is called {name}"))?;
                full.push_str(known);
                full.push_str(rest);
            }
            *text = full;
            Ok(())
        }
        Value::Array(items) => items.iter_mut().try_for_each(|item| fill(item, names)),
        Value::Object(items) => items.values_mut().try_for_each(|item| fill(item, names)),
        _ => Ok(()),
    }
}

/// The fields of a JSON object.
pub(crate) fn fields(object: Value) -> Fields {
    match object {
        Value::Object(fields) => fields.into_iter().collect(),
        _ => Fields::new(),
    }
}

/// What stands at each path of an answer.
pub(crate) fn flat(value: Value) -> Fields {
    let below: Vec<(String, Value)> = match value {
        Value::Object(members) => members.into_iter().collect(),
        Value::Array(items) => {
            let length = ("length".to_owned(), items.len().into());
            let items = items.into_iter().enumerate();
            let items = items.map(|(index, item)| (index.to_string(), item));
            items.chain([length]).collect()
        }
        _ => return Fields::from([(String::new(), value)]),
    };
    let paths = below.into_iter().flat_map(|(name, item)| {
        flat(item).into_iter().map(move |(rest, item)| {
            let path = format!("{name}.{rest}");
            (path.trim_end_matches('.').to_owned(), item)
        })
    });
    paths.collect()
}

/// Compares the fields of a result; others may be there.
pub(crate) fn matches(found: &Fields, expected: &BTreeMap<String, Value>) -> Result<(), Wrong> {
    for (name, want) in expected {
        let have = found.get(name).unwrap_or(&Value::Null);
        let good = if want.is_object() {
            let want: Conditions =
                serde_json::from_value(want.clone()).map_err(|error| error.to_string())?;
            let number = have.as_f64();
            want.not.is_none_or(|text| *have != Value::String(text))
                && want.contains.is_none_or(|part| {
                    have.as_str()
                        .is_some_and(|text| text.contains(part.as_str()))
                })
                && want.min.is_none_or(|min| number >= Some(min))
                && want
                    .max
                    .is_none_or(|max| number.is_some_and(|number| number <= max))
        } else {
            have == want
        };
        if !good {
            return Err(format!("{name} is {have}, expected {want}"));
        }
    }
    Ok(())
}

impl Failure {
    pub(crate) fn matches(&self, error: &lakekey::Error) -> Result<(), Wrong> {
        let code = error.code();
        let hint = error.hint().unwrap_or_default();
        let shown = format!("{} {error}", code.slug());
        let lacks = |text: &str, parts: &[String]| {
            parts
                .iter()
                .find(|part| !text.contains(part.as_str()))
                .cloned()
        };
        if code.slug() != self.slug || code.number() != self.code {
            return Err(format!("expected {} {}: {shown}", self.slug, self.code));
        }
        if self
            .retryable
            .is_some_and(|retryable| retryable != error.is_retryable())
        {
            return Err(format!("retryable is {}: {shown}", error.is_retryable()));
        }
        if self.http_status.is_some() && self.http_status != error.http_status() {
            return Err(format!(
                "the HTTP status is {:?}: {shown}",
                error.http_status()
            ));
        }
        if self.api_code.is_some() && self.api_code.as_deref() != error.api_code() {
            return Err(format!(
                "the service's code is {:?}: {shown}",
                error.api_code()
            ));
        }
        if let Some(part) =
            lacks(error.message(), &self.message).or_else(|| lacks(hint, &self.hint))
        {
            return Err(format!("message or hint lack {part:?}: {shown}"));
        }
        match self
            .hidden
            .iter()
            .find(|part| format!("{shown} {error:?}").contains(part.as_str()))
        {
            Some(part) => Err(format!("the error shows {part:?}: {shown}")),
            None => Ok(()),
        }
    }
}
