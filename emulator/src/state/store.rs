//! The state directory: one JSON file of resources, a log of what changed since it was written, and one signing key.
//!
//! A change is a line of the log, written before its request is answered; so a kill at any moment loses nothing that
//! was answered, and a project with ten thousand branches does not write all of them for each new one. The next start
//! folds the log into the file. Files are replaced whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::model::{Branch, Catalog, Kept, LAYOUT, Project, SyncedTable};
use super::operation::Operation;
use super::source::Source;
use crate::Error;

const STATE: &str = "state.json";
const LOG: &str = "state.log";
const KEY: &str = "signing-key.p8";

/// A directory that this emulator keeps its state in.
#[derive(Debug)]
pub(crate) struct Store {
    root: PathBuf,
    log: Mutex<Option<Log>>,
}

/// The open log, and how long it is.
#[derive(Debug)]
struct Log {
    file: File,
    bytes: u64,
}

/// A longer log is folded into the file before the next start does it.
const LONG_LOG: u64 = 64 * 1024 * 1024;

/// One line of the log: something as it is now, or `None` when it is gone.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Entry {
    /// Without its branches.
    Project(String, Option<Box<Project>>),
    /// After the project's id.
    Branch(String, String, Option<Box<Branch>>),
    Catalog(String, Option<Catalog>),
    SyncedTable(String, Option<Box<SyncedTable>>),
    Source(String, Option<Source>),
    Operation(String, Option<Box<Operation>>),
    Network(Option<[u8; 2]>),
}

impl Store {
    /// Makes the directory when it is missing.
    pub(crate) fn open(root: &Path) -> Result<Self, Error> {
        fs::create_dir_all(root).map_err(failed("create", root))?;
        Ok(Self {
            root: root.to_owned(),
            log: Mutex::new(None),
        })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// What an earlier run kept.
    pub(crate) fn load(&self) -> Result<Option<Kept>, Error> {
        let path = self.root.join(STATE);
        let Some(text) = read(&path)? else {
            return Ok(None);
        };
        let unreadable = |reason: String| Error::StateFormat {
            path: path.clone(),
            reason,
        };
        let layout: Layout =
            serde_json::from_slice(&text).map_err(|error| unreadable(error.to_string()))?;
        if layout.layout != LAYOUT {
            let (its, ours) = (layout.layout, LAYOUT);
            return Err(unreadable(format!(
                "its layout is {its}, and this version reads {ours}"
            )));
        }
        let mut kept: Kept =
            serde_json::from_slice(&text).map_err(|error| unreadable(error.to_string()))?;
        self.replay(&mut kept)?;
        Ok(Some(kept))
    }

    fn replay(&self, kept: &mut Kept) -> Result<(), Error> {
        let path = self.root.join(LOG);
        let Some(log) = read(&path)? else {
            return Ok(());
        };
        // What follows the last line end was being written when the emulator was killed, and was never answered.
        let whole = log.iter().rposition(|byte| *byte == b'\n').unwrap_or(0);
        for line in log[..whole].split(|byte| *byte == b'\n') {
            if line.is_empty() {
                continue;
            }
            let entry: Entry =
                serde_json::from_slice(line).map_err(|error| Error::StateFormat {
                    path: path.clone(),
                    reason: error.to_string(),
                })?;
            kept.apply(entry);
        }
        Ok(())
    }

    /// Writes everything anew and empties the log.
    pub(crate) fn checkpoint(&self, kept: &Kept) -> Result<(), Error> {
        let path = self.root.join(STATE);
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let text = serde_json::to_vec(kept).map_err(|error| Error::StateFormat {
            path: path.clone(),
            reason: error.to_string(),
        })?;
        replace(&path, &text).map_err(failed("write", &path))?;
        let path = self.root.join(LOG);
        // Lines that a kill leaves here now repeat what the file already holds.
        replace(&path, b"").map_err(failed("write", &path))?;
        let file = fs::OpenOptions::new().append(true).open(&path);
        *log = Some(Log {
            file: file.map_err(failed("open", &path))?,
            bytes: 0,
        });
        Ok(())
    }

    /// Adds lines to the log. They are the system's when this returns, so that no kill of this process loses them.
    /// `true`: it has become long, and it is time for a checkpoint.
    pub(crate) fn append(&self, entries: &[Entry]) -> Result<bool, Error> {
        let path = self.root.join(LOG);
        let mut lines = Vec::new();
        for entry in entries {
            serde_json::to_writer(&mut lines, entry).map_err(|error| Error::StateFormat {
                path: path.clone(),
                reason: error.to_string(),
            })?;
            lines.push(b'\n');
        }
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(log) = log.as_mut() else {
            return Ok(false);
        };
        log.file.write_all(&lines).map_err(failed("write", &path))?;
        log.bytes += lines.len() as u64;
        Ok(log.bytes > LONG_LOG)
    }

    /// The signing key of an earlier run.
    pub(crate) fn key(&self) -> Result<Option<Vec<u8>>, Error> {
        read(&self.root.join(KEY))
    }

    pub(crate) fn save_key(&self, pkcs8: &[u8]) -> Result<(), Error> {
        let path = self.root.join(KEY);
        replace(&path, pkcs8).map_err(failed("write", &path))
    }
}

#[derive(Deserialize)]
struct Layout {
    layout: u32,
}

impl Kept {
    fn apply(&mut self, entry: Entry) {
        match entry {
            Entry::Project(id, project) => {
                let place = self.projects.iter().position(|known| known.id == id);
                match (place, project) {
                    (Some(place), Some(mut project)) => {
                        project.branches = std::mem::take(&mut self.projects[place].branches);
                        self.projects[place] = *project;
                    }
                    (place, project) => put(&mut self.projects, place, project.map(|it| *it)),
                }
            }
            Entry::Branch(project, id, branch) => {
                let found = self.projects.iter_mut().find(|known| known.id == project);
                if let Some(project) = found {
                    let place = project.branches.iter().position(|known| known.id == id);
                    put(&mut project.branches, place, branch.map(|it| *it));
                }
            }
            Entry::Catalog(id, catalog) => {
                let place = self.catalogs.iter().position(|known| known.id == id);
                put(&mut self.catalogs, place, catalog);
            }
            Entry::SyncedTable(id, table) => {
                let place = self.synced_tables.iter().position(|known| known.id == id);
                put(&mut self.synced_tables, place, table.map(|it| *it));
            }
            Entry::Source(name, source) => {
                let place = self.sources.iter().position(|known| known.name == name);
                put(&mut self.sources, place, source);
            }
            Entry::Operation(name, operation) => {
                let place = self.operations.iter().rposition(|known| known.name == name);
                put(&mut self.operations, place, operation.map(|it| *it));
            }
            Entry::Network(network) => self.network = network,
        }
    }
}

fn put<T>(list: &mut Vec<T>, place: Option<usize>, value: Option<T>) {
    match (place, value) {
        (Some(place), Some(value)) => list[place] = value,
        (Some(place), None) => drop(list.remove(place)),
        (None, Some(value)) => list.push(value),
        (None, None) => {}
    }
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(failed("read", path)(source)),
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
