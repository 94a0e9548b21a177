//! Explicit values: what the program itself says, which beats every other source.

use std::collections::BTreeMap;
use std::fmt;

use crate::code::Code;
use crate::config::attribute;
use crate::error::{Error, Result};
use crate::secret::Secret;

/// Explicit attributes by their Databricks names (`host`, `token`, `client_id`, ...). An empty value counts as unset.
#[derive(Clone, Default)]
pub struct Settings(BTreeMap<String, Secret>);

impl Settings {
    /// Nothing explicit.
    pub fn new() -> Settings {
        Settings::default()
    }

    /// The same with one attribute more.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Secret>) -> Settings {
        self.set(name, value);
        self
    }

    /// Sets an attribute. Names are checked by [`Settings::check`] and when the configuration is resolved.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<Secret>) {
        self.0.insert(name.into(), value.into());
    }

    /// Refuses names that no attribute has, with the nearest one that exists.
    pub fn check(&self) -> Result<()> {
        for name in self.0.keys() {
            if attribute::find(name).is_none() {
                let error = Error::new(
                    Code::ConfigInvalid,
                    format!("resolve: there is no configuration attribute `{name}`"),
                );
                return Err(match attribute::nearest(name) {
                    Some(known) => error.with_hint(format!("Did you mean `{known}`?")),
                    None => error,
                });
            }
        }
        Ok(())
    }

    pub(crate) fn get(&self, row: &attribute::Attribute) -> Option<&Secret> {
        std::iter::once(&row.name)
            .chain(row.aliases)
            .filter_map(|name| self.0.get(*name))
            .find(|value| !value.is_empty())
    }
}

impl<N: Into<String>, V: Into<Secret>> FromIterator<(N, V)> for Settings {
    fn from_iter<T: IntoIterator<Item = (N, V)>>(pairs: T) -> Settings {
        let mut settings = Settings::new();
        for (name, value) in pairs {
            settings.set(name, value);
        }
        settings
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::Settings;
    use crate::code::Code;

    #[test]
    fn an_unknown_name_is_refused_with_the_one_that_was_meant() {
        let settings = Settings::new().with("client_secert", "planted");
        let error = settings.check().unwrap_err();
        assert_eq!(error.code(), Code::ConfigInvalid);
        assert_eq!(error.hint(), Some("Did you mean `client_secret`?"));
        assert!(!format!("{settings:?} {error:?} {error}").contains("planted"));
    }
}
