//! Putting the sources together.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::code::Code;
use crate::config::attribute::{ATTRIBUTES, Attribute, Kind, find, parse_bool};
use crate::config::host::{account_host, is_account, normalise};
use crate::config::profile::{Found, load};
use crate::config::{Environment, Settings};
use crate::error::{Error, Result};
use crate::secret::Secret;

/// Set to `true` inside model serving.
pub(crate) const SERVING: &[&str] = &[
    "IS_IN_DB_MODEL_SERVING_ENV",
    "IS_IN_DATABRICKS_MODEL_SERVING_ENV",
];
const SERVING_HOSTS: &[&str] = &[
    "DATABRICKS_MODEL_SERVING_HOST_URL",
    "DB_MODEL_SERVING_HOST_URL",
];

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The program set it.
    Explicit,
    /// This variable.
    Environment(&'static str),
    /// A section of the configuration file.
    Profile {
        /// The file.
        path: PathBuf,
        /// The section.
        section: String,
    },
    /// Nobody set it.
    Default,
    /// The workspace said so.
    Metadata,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Explicit => f.write_str("explicit setting"),
            Source::Environment(name) => write!(f, "{name} environment variable"),
            Source::Profile { path, section } => {
                write!(f, "profile {section} of {}", path.display())
            }
            Source::Default => f.write_str("default"),
            Source::Metadata => f.write_str("host metadata"),
        }
    }
}

/// One value and its source. Debug output masks secrets.
#[derive(Clone)]
pub struct Value {
    /// Which attribute.
    pub attribute: &'static Attribute,
    /// Where it came from.
    pub source: Source,
    text: Secret,
    shown: String,
}

impl Value {
    fn new(attribute: &'static Attribute, source: Source, text: Secret) -> Value {
        let shown = if attribute.secret {
            "***".to_owned()
        } else {
            without_login(text.expose())
        };
        Value {
            attribute,
            source,
            text,
            shown,
        }
    }

    /// The text to show: `***` for a secret, and in the place of a login in an address.
    pub fn masked(&self) -> &str {
        &self.shown
    }

    /// The way to authenticate that it configures; a switch that is off configures nothing.
    fn group(&self) -> Option<&'static str> {
        let off =
            self.attribute.kind == Kind::Bool && parse_bool(self.text.expose()) == Some(false);
        self.attribute.group.filter(|_| !off)
    }

    /// The value itself.
    pub fn secret(&self) -> &Secret {
        &self.text
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}={} ({})",
            self.attribute.name,
            self.masked(),
            self.source
        )
    }
}

/// An address without the user name and password that it may hold; any other text as it is.
fn without_login(text: &str) -> String {
    let start = text.find("://").map_or(0, |at| at + 3);
    let end = text[start..]
        .find(['/', '?', '#'])
        .map_or(text.len(), |at| start + at);
    match text[start..end].rfind('@') {
        Some(at) if start > 0 || text[..at].contains(':') => {
            format!("{}***{}", &text[..start], &text[start + at..])
        }
        _ => text.to_owned(),
    }
}

/// What was resolved. Debug output masks secrets.
#[derive(Clone)]
pub struct Resolved {
    values: Vec<Value>,
    environment: Arc<Environment>,
    conflict: Option<Error>,
    notes: Vec<String>,
}

/// Resolves settings, environment and profile. Reads the configuration file; no network.
///
/// Fails with `CONFIG_INVALID`, `CONFIG_PROFILE`, `CONFIG_MISSING_HOST` (a host value without a host) or
/// `AUTH_ACCOUNT_HOST`. No host at all is found out by whoever needs one.
pub fn resolve(settings: &Settings, environment: &Arc<Environment>) -> Result<Resolved> {
    settings.check()?;
    let mut resolved = Resolved {
        values: Vec::new(),
        environment: Arc::clone(environment),
        conflict: None,
        notes: Vec::new(),
    };
    for row in ATTRIBUTES {
        let explicit = settings
            .get(row)
            .map(|text| (text.clone(), Source::Explicit));
        let variable = || {
            let (name, text) = environment.first(row.env)?;
            Some((Secret::new(text), Source::Environment(name)))
        };
        if let Some((text, source)) = explicit.or_else(variable) {
            resolved.set(row, text, source);
        }
    }
    resolved.add_profile()?;
    resolved.add_serving_host();
    let said = |resolved: &Resolved, error| resolved.with_summary(&error);
    resolved
        .check_kinds()
        .map_err(|error| said(&resolved, error))?;
    resolved.conflict = resolved.find_conflict();
    resolved
        .fix_host()
        .map_err(|error| said(&resolved, error))?;
    resolved.note_mixed_sources();
    Ok(resolved)
}

impl Resolved {
    /// The value of an attribute that is no secret.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.value(name)
            .filter(|value| !value.attribute.secret)
            .map(|value| value.text.expose())
    }

    /// The value of any attribute, wrapped.
    pub fn secret(&self, name: &str) -> Option<&Secret> {
        self.value(name).map(|value| &value.text)
    }

    /// A value with its source.
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.values
            .iter()
            .find(|value| value.attribute.name == name)
    }

    /// Everything that is set, in the order of the attribute table.
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// A whole number; what is no number was refused when resolving.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.get(name)?.parse().ok()
    }

    /// A truth value, if it is set and is one.
    pub fn flag(&self, name: &str) -> Option<bool> {
        let value = self.value(name)?;
        (value.attribute.kind == Kind::Bool)
            .then(|| parse_bool(value.text.expose()))
            .flatten()
    }

    /// The workspace's origin, without a final slash.
    pub fn host(&self) -> Option<&str> {
        self.get("host")
    }

    /// The environment that was asked.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    pub(crate) fn shared_environment(&self) -> Arc<Environment> {
        Arc::clone(&self.environment)
    }

    /// OAuth scopes: sorted, without duplicates, `all-apis` unless set.
    pub fn scopes(&self) -> Vec<&str> {
        let mut scopes: Vec<&str> = self
            .get("scopes")
            .unwrap_or_default()
            .split([',', ' ', '\t'])
            .filter(|scope| !scope.is_empty())
            .collect();
        scopes.sort_unstable();
        scopes.dedup();
        if scopes.is_empty() {
            scopes.push("all-apis");
        }
        scopes
    }

    /// More than one way to authenticate is configured and none is pinned.
    pub fn conflict(&self) -> Option<&Error> {
        self.conflict.as_ref()
    }

    /// What is legal but looks like a mistake.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// `. Config: host=x, token=***. Env: DATABRICKS_HOST`, or nothing when nothing is set.
    pub fn summary(&self) -> String {
        let shown = || self.values.iter().filter(|value| !value.attribute.internal);
        let config: Vec<String> = shown()
            .filter(|value| value.source != Source::Default)
            .map(|value| format!("{}={}", value.attribute.name, value.masked()))
            .collect();
        let env: Vec<&str> = shown()
            .filter_map(|value| match value.source {
                Source::Environment(name) => Some(name),
                _ => None,
            })
            .collect();
        let mut out = String::new();
        if !config.is_empty() {
            out = format!(". Config: {}", config.join(", "));
        }
        if !env.is_empty() {
            out = format!("{out}. Env: {}", env.join(", "));
        }
        out
    }

    /// Every secret that is set, for taking them out of texts that others wrote.
    pub(crate) fn secrets(&self) -> Vec<Secret> {
        self.values
            .iter()
            .filter(|value| value.attribute.secret)
            .map(|value| value.text.clone())
            .collect()
    }

    fn set(&mut self, row: &'static Attribute, text: Secret, source: Source) {
        let value = Value::new(row, source, text);
        match self
            .values
            .iter_mut()
            .find(|old| old.attribute.name == row.name)
        {
            Some(old) => *old = value,
            None => self.values.push(value),
        }
        // Messages show attributes in the order of the table, wherever they came from.
        self.values.sort_by_key(|value| {
            ATTRIBUTES
                .iter()
                .position(|row| row.name == value.attribute.name)
        });
    }

    fn set_named(&mut self, name: &str, text: &str, source: Source) {
        if let Some(row) = find(name) {
            self.set(row, Secret::new(text), source);
        }
    }

    fn add_profile(&mut self) -> Result<()> {
        let named = self.get("profile").map(str::to_owned);
        let grouped = self.values.iter().any(|value| value.group().is_some());
        if named.is_none() && (grouped || self.host().is_some()) {
            return Ok(());
        }
        let path = match (self.get("config_file"), self.environment.home()) {
            (Some(path), _) => self.environment.expand(path),
            (None, Some(home)) => home.join(".databrickscfg"),
            (None, None) => {
                self.notes.push(
                    "no home directory is known, so no configuration file was read".to_owned(),
                );
                return Ok(());
            }
        };
        let found = load(&path, named.as_deref()).map_err(|error| self.with_summary(&error))?;
        let profile = match found {
            Found::Profile(profile) => profile,
            Found::Nothing { missing_file } => {
                if let (true, Some(name)) = (missing_file, named) {
                    self.notes.push(format!(
                        "profile {name} is asked for, but {} does not exist",
                        path.display()
                    ));
                }
                return Ok(());
            }
        };
        let source = Source::Profile {
            path: profile.path,
            section: profile.section.name.clone(),
        };
        for row in ATTRIBUTES {
            let set = self.value(row.name).is_some();
            let mut keys = std::iter::once(&row.name).chain(row.aliases);
            if let (false, Some(text)) = (set, keys.find_map(|key| profile.section.get(key))) {
                self.set(row, Secret::new(text), source.clone());
            }
        }
        if named.is_none() {
            self.set_named("profile", &profile.section.name, Source::Default);
        }
        Ok(())
    }

    /// Containers of model serving learn their workspace by variables of their own.
    fn add_serving_host(&mut self) {
        let environment = Arc::clone(&self.environment);
        let inside = SERVING
            .iter()
            .any(|name| environment.var(name) == Some("true"));
        if let (true, None, Some((name, host))) =
            (inside, self.host(), environment.first(SERVING_HOSTS))
        {
            self.set_named("host", host, Source::Environment(name));
        }
    }

    fn with_summary(&self, error: &Error) -> Error {
        let mut out = Error::new(
            error.code(),
            format!("{}{}", error.message(), self.summary()),
        );
        if let Some(hint) = error.hint() {
            out = out.with_hint(hint);
        }
        out
    }

    fn check_kinds(&self) -> Result<()> {
        for value in &self.values {
            let text = value.text.expose();
            let (good, wanted) = match value.attribute.kind {
                Kind::Text => (true, ""),
                Kind::Bool => (parse_bool(text).is_some(), "true or false"),
                Kind::Number => (text.parse::<u32>().is_ok(), "a whole number"),
            };
            if !good {
                return Err(Error::new(
                    Code::ConfigInvalid,
                    format!(
                        "resolve: {} from {} is `{}`, which is not {wanted}",
                        value.attribute.name,
                        value.source,
                        value.masked()
                    ),
                ));
            }
        }
        match self.value("skip_verify") {
            Some(value) if parse_bool(value.text.expose()) == Some(true) => Err(Error::new(
                Code::ConfigInvalid,
                format!(
                    "resolve: skip_verify from {} is refused: certificates are always verified",
                    value.source
                ),
            )
            .with_hint("Name the certificate authority with ca_file or SSL_CERT_FILE instead")),
            _ => Ok(()),
        }
    }

    fn find_conflict(&self) -> Option<Error> {
        if self.value("auth_type").is_some() {
            return None;
        }
        let mut groups: Vec<&str> = self.values.iter().filter_map(Value::group).collect();
        groups.sort_unstable();
        groups.dedup();
        if groups.len() < 2 {
            return None;
        }
        let error = Error::new(
            Code::ConfigConflict,
            format!(
                "validate: more than one authorization method configured: {}{}",
                groups.join(" and "),
                self.summary()
            ),
        );
        Some(error.with_hint("Keep one of them, or pin one with auth_type or DATABRICKS_AUTH_TYPE"))
    }

    fn fix_host(&mut self) -> Result<()> {
        let Some(value) = self.value("host") else {
            return Ok(());
        };
        let source = value.source.clone();
        let host = normalise(value.text.expose(), &source.to_string())?;
        if is_account(&host.origin) {
            return Err(account_host(&host.origin, &source.to_string()));
        }
        self.set_named("host", &host.origin, source.clone());
        for (name, id) in [
            ("workspace_id", host.workspace_id),
            ("account_id", host.account_id),
        ] {
            if let (Some(id), None) = (id, self.value(name)) {
                self.set_named(name, &id, source.clone());
            }
        }
        Ok(())
    }

    fn note_mixed_sources(&mut self) {
        let family = |source: &Source| match source {
            Source::Environment(_) => "the environment".to_owned(),
            other => other.to_string(),
        };
        let Some(host) = self.value("host").map(|value| family(&value.source)) else {
            return;
        };
        let note = self
            .values
            .iter()
            .find(|value| {
                value.attribute.secret
                    && value.attribute.group.is_some()
                    && family(&value.source) != host
            })
            .map(|value| {
                format!(
                    "host comes from {host}, but {} from {}",
                    value.attribute.name,
                    family(&value.source)
                )
            });
        self.notes.extend(note);
    }
}

impl fmt::Debug for Resolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.values).finish()
    }
}
