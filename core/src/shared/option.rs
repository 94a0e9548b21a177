//! Whether credentials are shared, and where.

use std::path::{Path, PathBuf};

use crate::code::Code;
use crate::config::Environment;
use crate::error::{Error, Result};

/// The variable that says it where the program does not.
const VARIABLE: &str = "LAKEKEY_SHARED_CREDENTIALS";
const RUNTIME: &str = "XDG_RUNTIME_DIR";
const REQUIRED: &str = "required:";

/// Whether the processes of one user on this host share database credentials, and in which directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SharedCredentials {
    /// Each process mints its own.
    #[default]
    Off,
    /// They share, through files with mode 0600.
    On {
        /// A directory of mode 0700 that belongs to this user, made if it is missing; `None` for
        /// `$XDG_RUNTIME_DIR/lakekey`.
        directory: Option<PathBuf>,
        /// Whether a directory that cannot be used is an error. Otherwise it is a warning, and this process mints its own.
        required: bool,
    },
}

impl SharedCredentials {
    /// Reads `off`, `on` or an absolute path, the latter two also after `required:`. `source` names where the text came
    /// from.
    ///
    /// # Errors
    /// [`Code::ConfigInvalid`] for anything else.
    pub fn parse(text: &str, source: &str) -> Result<SharedCredentials> {
        let text = text.trim();
        let (rest, required) = match text.strip_prefix(REQUIRED) {
            Some(rest) => (rest.trim(), true),
            None => (text, false),
        };
        let directory = match rest {
            "off" | "0" | "false" if !required => return Ok(SharedCredentials::Off),
            "on" | "1" | "true" => None,
            path if Path::new(path).is_absolute() => Some(PathBuf::from(path)),
            _ => {
                return Err(Error::new(
                    Code::ConfigInvalid,
                    format!("{source} is '{text}', which says neither whether nor where credentials are shared"),
                )
                .with_hint(
                    "Write off, on, or the absolute path of a directory of your own; required:on or required:/PATH makes \
                     a directory that cannot be used an error",
                ));
            }
        };
        Ok(SharedCredentials::On {
            directory,
            required,
        })
    }

    /// What the environment says.
    pub(super) fn of(environment: &Environment) -> Result<SharedCredentials> {
        environment
            .var(VARIABLE)
            .map_or(Ok(SharedCredentials::Off), |text| {
                SharedCredentials::parse(text, VARIABLE)
            })
    }
}

/// The directory that is meant, and the one above it which must be private as well, if any.
pub(super) fn place(named: Option<PathBuf>, environment: &Environment) -> Result<(PathBuf, bool)> {
    if let Some(named) = named {
        return Ok((named, false));
    }
    match environment.var(RUNTIME) {
        Some(runtime) if Path::new(runtime).is_absolute() => {
            Ok((Path::new(runtime).join("lakekey"), true))
        }
        _ => Err(Error::new(
            Code::SharedDirectory,
            format!("credentials cannot be shared: {RUNTIME} names no directory"),
        )
        .with_hint(format!(
            "Set {VARIABLE} to the absolute path of a directory with mode 0700 that belongs to this user"
        ))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn off_on_and_a_path_are_understood_and_nothing_else() {
        let on = |directory: Option<&str>, required| SharedCredentials::On {
            directory: directory.map(PathBuf::from),
            required,
        };
        for (text, meant) in [
            ("off", SharedCredentials::Off),
            ("on", on(None, false)),
            (" required:on ", on(None, true)),
            ("/run/shop/keys", on(Some("/run/shop/keys"), false)),
            ("required:/run/shop", on(Some("/run/shop"), true)),
        ] {
            assert_eq!(SharedCredentials::parse(text, VARIABLE).unwrap(), meant);
        }
        for text in [
            "",
            "yes",
            "keys",
            "./keys",
            "required:",
            "required:off",
            "~/k",
        ] {
            let error = SharedCredentials::parse(text, VARIABLE).unwrap_err();
            assert_eq!(error.code(), Code::ConfigInvalid, "{text}");
            assert!(error.message().contains(VARIABLE) && error.hint().is_some());
        }
    }

    #[test]
    fn without_a_runtime_directory_a_path_is_asked_for() {
        for pairs in [vec![], vec![(RUNTIME, "run")]] {
            let error = place(None, &Environment::from_pairs(pairs)).unwrap_err();
            assert_eq!(error.code(), Code::SharedDirectory);
            assert!(error.hint().unwrap().contains(VARIABLE));
        }
        let environment = Environment::from_pairs([(RUNTIME, "/run/user/7")]);
        let (path, private) = place(None, &environment).unwrap();
        assert!(path == Path::new("/run/user/7/lakekey") && private);
    }
}
