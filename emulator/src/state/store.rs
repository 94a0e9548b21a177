//! The state directory: one JSON file of resources and one signing key, each replaced whole or not at all.
//!
//! Without the rename a crash in the middle of a write would leave a state that no later start can read.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::model::{Kept, LAYOUT};
use crate::Error;

const STATE: &str = "state.json";
const KEY: &str = "signing-key.p8";

/// A directory that this emulator keeps its state in.
#[derive(Debug)]
pub(crate) struct Store {
    root: PathBuf,
}

impl Store {
    /// Makes the directory when it is missing.
    pub(crate) fn open(root: &Path) -> Result<Self, Error> {
        fs::create_dir_all(root).map_err(failed("create", root))?;
        Ok(Self {
            root: root.to_owned(),
        })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// What an earlier run kept.
    pub(crate) fn load(&self) -> Result<Option<Kept>, Error> {
        let path = self.root.join(STATE);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => {
                return Err(Error::StateFile {
                    doing: "read",
                    path,
                    source,
                });
            }
        };
        let kept: Kept = serde_json::from_slice(&text).map_err(|error| Error::StateFormat {
            path: path.clone(),
            reason: error.to_string(),
        })?;
        if kept.layout != LAYOUT {
            let reason = format!(
                "its layout is {}, and this version reads {LAYOUT}",
                kept.layout
            );
            return Err(Error::StateFormat { path, reason });
        }
        Ok(Some(kept))
    }

    pub(crate) fn save(&self, kept: &Kept) -> Result<(), Error> {
        let path = self.root.join(STATE);
        let text = serde_json::to_vec_pretty(kept).map_err(|error| Error::StateFormat {
            path: path.clone(),
            reason: error.to_string(),
        })?;
        replace(&path, &text).map_err(failed("write", &path))
    }

    /// The signing key of an earlier run.
    pub(crate) fn key(&self) -> Result<Option<Vec<u8>>, Error> {
        let path = self.root.join(KEY);
        match fs::read(&path) {
            Ok(key) => Ok(Some(key)),
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(Error::StateFile {
                doing: "read",
                path,
                source,
            }),
        }
    }

    pub(crate) fn save_key(&self, pkcs8: &[u8]) -> Result<(), Error> {
        let path = self.root.join(KEY);
        replace(&path, pkcs8).map_err(failed("write", &path))
    }
}

/// Writes `content` so that a reader sees the old file or the new one, and only its owner may read it.
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".new");
    let unfinished = PathBuf::from(unfinished);
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&unfinished)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&unfinished, path)
}

fn failed<'a>(doing: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> Error + 'a {
    move |source| Error::StateFile {
        doing,
        path: path.to_owned(),
        source,
    }
}
