//! Images: copies of a cluster that nothing changes any more.
//!
//! A branch starts from one, a snapshot is one, and the past of a branch is rebuilt from one and the WAL after it. They
//! are made beside their place and moved there whole, so a killed emulator leaves no half of one.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::account::Account;
use super::control_file::ControlFile;
use super::error::PostgresError;
use super::point::{BranchPoint, Lsn, Segment};

const ABOUT: &str = "about.json";
const TREE: &str = "tree";

/// What Postgres makes anew at each start, or must not find in a copy.
const EMPTIED: [&str; 8] = [
    "pg_wal",
    "pg_replslot",
    "pg_dynshmem",
    "pg_notify",
    "pg_serial",
    "pg_snapshots",
    "pg_stat_tmp",
    "pg_subtrans",
];
const LEFT_OUT: [&str; 6] = [
    "postmaster.pid",
    "postmaster.opts",
    "backup_label",
    "tablespace_map",
    "standby.signal",
    "recovery.signal",
];

/// What is known of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct About {
    /// When it was made, by the machine's clock; `None`: before everything.
    pub(crate) taken: Option<Timestamp>,
    /// It holds all WAL before this position, and needs what it does not hold from there on.
    pub(crate) end: Lsn,
    /// The first WAL segment that a start from it reads.
    pub(crate) first_segment: String,
    /// The moment that clients know it by.
    pub(crate) point_lsn: Lsn,
    /// The same by the emulator's clock.
    pub(crate) point_time: Timestamp,
    /// Roles and databases that were made in it by order of the control plane.
    pub(crate) provisioned: BTreeSet<String>,
    /// An empty cluster has no tree of its own, but that of this template in the cache.
    pub(crate) template: Option<String>,
}

impl About {
    pub(crate) fn point(&self) -> BranchPoint {
        BranchPoint {
            lsn: self.point_lsn,
            time: self.point_time,
        }
    }
}

/// One image.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    dir: PathBuf,
    pub(crate) about: About,
}

impl Image {
    /// Reads what `dir` holds; `None`: there is no image.
    pub(crate) fn load(dir: &Path) -> Result<Option<Self>, PostgresError> {
        let path = dir.join(ABOUT);
        let text = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            text => text.map_err(PostgresError::file("read", &path))?,
        };
        let about = serde_json::from_slice(&text)
            .map_err(|error| PostgresError::file("read", &path)(io::Error::other(error)))?;
        Ok(Some(Self {
            dir: dir.to_owned(),
            about,
        }))
    }

    /// Completes an image whose tree stands in `dir`.
    pub(crate) fn seal(dir: &Path, about: &About) -> Result<(), PostgresError> {
        let (path, draft) = (dir.join(ABOUT), dir.join(".about.new"));
        let text = serde_json::to_vec(about).unwrap_or_default();
        fs::write(&draft, text)
            .and_then(|()| fs::rename(&draft, &path))
            .map_err(PostgresError::file("write", &path))
    }

    /// Where the tree of an image in `dir` stands.
    pub(crate) fn tree_in(dir: &Path) -> PathBuf {
        dir.join(TREE)
    }

    /// Its files.
    pub(crate) fn tree(&self, cache: &Path) -> PathBuf {
        match &self.about.template {
            Some(name) => cache.join("templates").join(name),
            None => Self::tree_in(&self.dir),
        }
    }

    /// The same image in the empty directory `to`. The two share their files, which nothing changes.
    pub(crate) fn repeat(&self, to: &Path, owner: &Account) -> Result<(), PostgresError> {
        if self.about.template.is_none() {
            link_tree(&Self::tree_in(&self.dir), &Self::tree_in(to), owner)?;
        }
        Self::seal(to, &self.about)
    }
}

/// Copies a cluster that was stopped in order; `tree` must not exist.
pub(crate) fn copy_stopped(
    data: &Path,
    tree: &Path,
    owner: &Account,
) -> Result<ControlFile, PostgresError> {
    let control = ControlFile::read(data)?;
    copy_files(data, tree, owner)?;
    copy_wal(data, tree, owner, |segment| {
        segment.number >= control.redo.number
    })?;
    Ok(control)
}

/// Copies the files of a cluster that may be running, without its WAL.
pub(crate) fn copy_files(data: &Path, tree: &Path, owner: &Account) -> Result<(), PostgresError> {
    copy_dir(data, tree, owner, 0)?;
    let wal = tree.join("pg_wal");
    for part in ["archive_status", "summaries"] {
        let dir = wal.join(part);
        owner.make_private_dir(&dir)?;
    }
    // Read while it was being written it would be of no use, so the same must be seen twice.
    let (from, to) = (
        data.join("global/pg_control"),
        tree.join("global/pg_control"),
    );
    let read = || fs::read(&from).map_err(PostgresError::file("read", &from));
    let mut seen = read()?;
    loop {
        let again = read()?;
        if again == seen {
            break;
        }
        seen = again;
    }
    fs::write(&to, seen).map_err(PostgresError::file("write", &to))?;
    owner.make_private_file(&to)
}

fn copy_dir(from: &Path, to: &Path, owner: &Account, depth: u32) -> Result<(), PostgresError> {
    owner.make_private_dir(to)?;
    let entries = match fs::read_dir(from) {
        // A database that was dropped meanwhile: its WAL says so.
        Err(error) if depth > 0 && error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(PostgresError::file("read", from))?,
    };
    for entry in entries {
        let entry = entry.map_err(PostgresError::file("read", from))?;
        let (name, source) = (entry.file_name(), entry.path());
        let target = to.join(&name);
        let kind = entry
            .file_type()
            .map_err(PostgresError::file("read", &source))?;
        if kind.is_symlink() {
            let refused = io::Error::new(
                io::ErrorKind::Unsupported,
                "it is a tablespace outside of the cluster",
            );
            return Err(PostgresError::file("copy", &source)(refused));
        }
        if kind.is_dir() {
            if depth == 0 && EMPTIED.iter().any(|dir| name == *dir) {
                owner.make_private_dir(&target)?;
            } else if !starts_with(&name, "pgsql_tmp") {
                copy_dir(&source, &target, owner, depth + 1)?;
            }
        } else if !(depth == 0 && LEFT_OUT.iter().any(|file| name == *file)
            || name == "pg_control"
            || starts_with(&name, "pgsql_tmp")
            || starts_with(&name, "pg_internal.init"))
        {
            match fs::copy(&source, &target) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                copied => {
                    copied.map_err(PostgresError::file("copy to", &target))?;
                    owner.give(&target)?;
                }
            }
        }
    }
    Ok(())
}

fn starts_with(name: &OsStr, prefix: &str) -> bool {
    name.to_str().is_some_and(|name| name.starts_with(prefix))
}

/// The WAL files of a cluster, segments and histories of timelines, by name.
pub(crate) fn wal_files(data: &Path) -> Result<Vec<(String, Option<Segment>)>, PostgresError> {
    let dir = data.join("pg_wal");
    let entries = fs::read_dir(&dir).map_err(PostgresError::file("read", &dir))?;
    let mut files: Vec<_> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .map(|name| (Segment::of_file(&name), name))
        .filter(|(segment, name)| segment.is_some() || is_history(name))
        .map(|(segment, name)| (name, segment))
        .collect();
    files.sort();
    Ok(files)
}

fn is_history(name: &str) -> bool {
    Path::new(name)
        .extension()
        .is_some_and(|extension| extension == "history")
}

/// Copies WAL segments that `wanted` takes, and the histories of timelines, over those that `to` has.
pub(crate) fn copy_wal(
    from: &Path,
    to: &Path,
    owner: &Account,
    wanted: impl Fn(Segment) -> bool,
) -> Result<(), PostgresError> {
    for (name, segment) in wal_files(from)? {
        if segment.is_none_or(&wanted) {
            copy_over(&in_wal(from, &name), &in_wal(to, &name), owner)?;
        }
    }
    Ok(())
}

/// Copies one WAL segment, which must be there.
pub(crate) fn copy_segment(
    from: &Path,
    to: &Path,
    owner: &Account,
    segment: Segment,
) -> Result<(), PostgresError> {
    let name = segment.file();
    copy_over(&in_wal(from, &name), &in_wal(to, &name), owner)
}

/// Lends WAL segments that `wanted` takes, and the histories of timelines, to a cluster that only reads them.
pub(crate) fn lend_wal(
    from: &Path,
    to: &Path,
    owner: &Account,
    wanted: impl Fn(Segment) -> bool,
) -> Result<(), PostgresError> {
    for (name, segment) in wal_files(from)? {
        if segment.is_none_or(&wanted) {
            let target = in_wal(to, &name);
            remove_file(&target)?;
            share(&in_wal(from, &name), &target, owner)?;
        }
    }
    Ok(())
}

fn in_wal(data: &Path, name: &str) -> PathBuf {
    data.join("pg_wal").join(name)
}

fn copy_over(source: &Path, target: &Path, owner: &Account) -> Result<(), PostgresError> {
    remove_file(target)?;
    fs::copy(source, target).map_err(PostgresError::file("copy", source))?;
    owner.give(target)
}

/// The same file under another name; a copy where the file system knows no hard links, or no more of them.
fn share(source: &Path, target: &Path, owner: &Account) -> Result<(), PostgresError> {
    if fs::hard_link(source, target).is_ok() {
        return Ok(());
    }
    copy_over(source, target, owner)
}

/// Removes the WAL that a start of the cluster does not read.
pub(crate) fn remove_wal_before(tree: &Path, first: Segment) -> Result<(), PostgresError> {
    if !tree.exists() {
        return Ok(());
    }
    for (name, segment) in wal_files(tree)? {
        if segment.is_some_and(|segment| segment.number < first.number) {
            remove_file(&in_wal(tree, &name))?;
        }
    }
    Ok(())
}

fn remove_file(path: &Path) -> Result<(), PostgresError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(PostgresError::file("replace", path)(error))
        }
        _ => Ok(()),
    }
}

fn link_tree(from: &Path, to: &Path, owner: &Account) -> Result<(), PostgresError> {
    owner.make_private_dir(to)?;
    let entries = fs::read_dir(from).map_err(PostgresError::file("read", from))?;
    for entry in entries {
        let entry = entry.map_err(PostgresError::file("read", from))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry
            .file_type()
            .map_err(PostgresError::file("read", &source))?;
        if kind.is_dir() {
            link_tree(&source, &target, owner)?;
        } else {
            share(&source, &target, owner)?;
        }
    }
    Ok(())
}
