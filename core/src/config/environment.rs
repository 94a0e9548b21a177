//! A snapshot of the process environment, taken once and then read by everybody.
//!
//! Host programs change their environment while other threads read it, which is undefined behaviour in C and a
//! source of riddles elsewhere. So this is the only file that asks the system, and tests give their own pairs.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// Variables and the home directory. Debug output shows their number only: values may be secrets.
#[derive(Clone, Default)]
pub struct Environment {
    variables: HashMap<String, String>,
    home: Option<PathBuf>,
}

impl Environment {
    /// What the process has now. Variables that are not Unicode are left out.
    pub fn from_process() -> Environment {
        Environment::from_pairs(std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        }))
    }

    /// Exactly these variables; the home directory is `HOME`, on Windows `USERPROFILE`.
    pub fn from_pairs<N, V>(pairs: impl IntoIterator<Item = (N, V)>) -> Environment
    where
        N: Into<String>,
        V: Into<String>,
    {
        let variables: HashMap<String, String> = pairs
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        let home = if cfg!(windows) { "USERPROFILE" } else { "HOME" };
        let home = variables
            .get(home)
            .filter(|home| !home.is_empty())
            .map(PathBuf::from);
        Environment { variables, home }
    }

    /// The same with another home directory.
    #[must_use]
    pub fn with_home(mut self, home: impl Into<PathBuf>) -> Environment {
        self.home = Some(home.into());
        self
    }

    /// The same without these variables.
    pub(crate) fn without_attributes<'n>(
        &self,
        names: impl IntoIterator<Item = &'n &'n str>,
    ) -> Environment {
        let mut out = self.clone();
        for name in names {
            out.variables.remove(*name);
        }
        out
    }

    /// A variable's value. An empty one counts as unset: that is how scripts switch a variable off.
    pub fn var(&self, name: &str) -> Option<&str> {
        self.variables
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// The first of these variables that is set, with its name.
    pub fn first<'n>(&self, names: &[&'n str]) -> Option<(&'n str, &str)> {
        names
            .iter()
            .find_map(|name| self.var(name).map(|value| (*name, value)))
    }

    /// All variables, for a child process.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The home directory.
    pub fn home(&self) -> Option<&Path> {
        self.home.as_deref()
    }

    /// The path with a leading `~` replaced by the home directory.
    pub fn expand(&self, path: &str) -> PathBuf {
        match (path.strip_prefix('~'), &self.home) {
            (Some(""), Some(home)) => home.clone(),
            (Some(rest), Some(home)) if rest.starts_with(std::path::is_separator) => {
                home.join(rest.trim_start_matches(std::path::is_separator))
            }
            _ => PathBuf::from(path),
        }
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Environment({} variables)", self.variables.len())
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::Environment;

    #[test]
    fn empty_is_unset_and_a_tilde_is_home() {
        let environment = Environment::from_pairs([("A", ""), ("B", "b")]).with_home("/h");
        assert_eq!(environment.var("A"), None);
        assert_eq!(environment.first(&["A", "B"]), Some(("B", "b")));
        assert_eq!(environment.expand("~/x"), PathBuf::from("/h/x"));
        assert_eq!(environment.expand("~x"), PathBuf::from("~x"));
        assert_eq!(format!("{environment:?}"), "Environment(2 variables)");
    }
}
