//! Finding and reading the profile.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use crate::code::Code;
use crate::config::dialect::{self, Section};
use crate::error::{Error, Result};

/// The CLI's own settings live in a section of this name; it is no profile.
const SETTINGS: &str = "__settings__";
const FALLBACK: &str = "DEFAULT";
/// A configuration file is a few kilobytes; anything far larger was named by mistake.
const LIMIT: u64 = 1024 * 1024;

/// A profile that was found.
#[derive(Debug)]
pub(crate) struct Profile {
    pub(crate) path: PathBuf,
    pub(crate) section: Section,
}

/// What looking for a profile gave.
#[derive(Debug)]
pub(crate) enum Found {
    /// There is one.
    Profile(Profile),
    /// There is none, and nobody asked for one; or the file is missing, which every Databricks tool tolerates.
    Nothing {
        /// The file does not exist.
        missing_file: bool,
    },
}

/// Reads the named profile, else the file's own default profile, else `DEFAULT`.
pub(crate) fn load(path: &Path, named: Option<&str>) -> Result<Found> {
    let Some(text) = read(path)? else {
        return Ok(Found::Nothing { missing_file: true });
    };
    let mut sections = dialect::parse(&text);
    let default = sections
        .iter()
        .find(|section| section.name == SETTINGS)
        .and_then(|section| section.get("default_profile"))
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty());
    let wanted = named.map(str::to_owned).or(default);
    let name = wanted.as_deref().unwrap_or(FALLBACK);
    if name == SETTINGS {
        return Err(Error::new(
            Code::ConfigProfile,
            format!(
                "resolve: {}: {SETTINGS} is a reserved section name and cannot be used as a profile",
                path.display()
            ),
        )
        .with_hint(choice(&sections)));
    }
    let choice = choice(&sections);
    let found = sections.iter().position(|section| section.name == name);
    let section = found.map(|index| sections.swap_remove(index));
    if let Some(Section {
        broken_line: Some(line),
        ..
    }) = &section
    {
        return Err(Error::new(
            Code::ConfigProfile,
            format!(
                "resolve: {} line {line} of profile {name} is neither `key = value` nor a section",
                path.display()
            ),
        ));
    }
    match section.filter(|section| !section.pairs.is_empty()) {
        Some(section) => Ok(Found::Profile(Profile {
            path: path.to_owned(),
            section,
        })),
        None if wanted.is_some() => Err(Error::new(
            Code::ConfigProfile,
            format!(
                "resolve: {} has no {name} profile configured",
                path.display()
            ),
        )
        .with_hint(choice)),
        None => Ok(Found::Nothing {
            missing_file: false,
        }),
    }
}

/// Which profiles there are.
fn choice(sections: &[Section]) -> String {
    let names: Vec<&str> = sections
        .iter()
        .filter(|section| section.name != SETTINGS && !section.pairs.is_empty())
        .map(|section| section.name.as_str())
        .collect();
    if names.is_empty() {
        return "It has no profile at all; run `databricks auth login` to create one".to_owned();
    }
    format!(
        "It has the profiles {}; name one by DATABRICKS_CONFIG_PROFILE",
        names.join(", ")
    )
}

fn read(path: &Path) -> Result<Option<String>> {
    let unreadable = |why: &str| {
        Error::new(
            Code::ConfigProfile,
            format!("resolve: {} cannot be read: {why}", path.display()),
        )
    };
    match std::fs::metadata(path) {
        // Opening a pipe would wait for somebody to write.
        Ok(metadata) if is_pipe(&metadata) => return Err(unreadable("it is a pipe or socket")),
        Ok(_) => {}
        Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(unreadable(&cause.to_string()).with_source(cause)),
    }
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LIMIT + 1).read_to_end(&mut bytes))
        .map_err(|cause| unreadable(&cause.to_string()).with_source(cause))?;
    if bytes.len() as u64 > LIMIT {
        return Err(unreadable("it is larger than 1 MiB"));
    }
    // The error of a failed conversion would carry the file, secrets and all.
    String::from_utf8(bytes)
        .map(Some)
        .map_err(|_| unreadable("it is not UTF-8 text"))
}

#[cfg(unix)]
fn is_pipe(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::FileTypeExt;
    metadata.file_type().is_fifo() || metadata.file_type().is_socket()
}

#[cfg(not(unix))]
fn is_pipe(_metadata: &std::fs::Metadata) -> bool {
    false
}
