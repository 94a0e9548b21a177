//! Copying directory trees: templates of clusters and installations of Postgres.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::account::Account;
use super::error::PostgresError;

/// Copies a tree with its permissions, sharing blocks where the file system can, and gives it to `owner`.
pub(crate) fn copy_tree(from: &Path, to: &Path, owner: &Account) -> Result<(), PostgresError> {
    fs::create_dir(to).map_err(PostgresError::file("create", to))?;
    for (source, target, kind) in entries(from, to)? {
        if kind.is_dir() {
            copy_tree(&source, &target, owner)?;
        } else {
            fs::copy(&source, &target).map_err(PostgresError::file("copy to", &target))?;
            owner.give(&target)?;
        }
    }
    let mode = fs::metadata(from)
        .map_err(PostgresError::file("read", from))?
        .permissions();
    fs::set_permissions(to, mode).map_err(PostgresError::file("protect", to))?;
    owner.give(to)
}

/// Repeats a tree for reading: hard links where possible, else copies; everybody may read it. `wanted` picks by name.
pub(crate) fn mirror_tree(
    from: &Path,
    to: &Path,
    wanted: fn(&str) -> bool,
) -> Result<(), PostgresError> {
    fs::create_dir(to).map_err(PostgresError::file("create", to))?;
    fs::set_permissions(to, fs::Permissions::from_mode(0o755))
        .map_err(PostgresError::file("protect", to))?;
    for (source, target, kind) in entries(from, to)? {
        let name = source
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if !wanted(&name) {
            continue;
        }
        if kind.is_dir() {
            mirror_tree(&source, &target, wanted)?;
        } else if kind.is_symlink() {
            let points_to = fs::read_link(&source).map_err(PostgresError::file("read", &source))?;
            symlink(points_to, &target).map_err(PostgresError::file("link", &target))?;
        } else {
            let readable =
                fs::metadata(&source).is_ok_and(|meta| meta.permissions().mode() & 0o004 != 0);
            if !readable || fs::hard_link(&source, &target).is_err() {
                fs::copy(&source, &target).map_err(PostgresError::file("copy to", &target))?;
                let mode = if name == "postgres" || name == "initdb" {
                    0o755
                } else {
                    0o644
                };
                fs::set_permissions(&target, fs::Permissions::from_mode(mode))
                    .map_err(PostgresError::file("protect", &target))?;
            }
        }
    }
    Ok(())
}

fn entries(from: &Path, to: &Path) -> Result<Vec<(PathBuf, PathBuf, fs::FileType)>, PostgresError> {
    let read = || -> io::Result<Vec<_>> {
        fs::read_dir(from)?
            .map(|entry| {
                let entry = entry?;
                Ok((entry.path(), to.join(entry.file_name()), entry.file_type()?))
            })
            .collect()
    };
    read().map_err(PostgresError::file("read", from))
}

/// Makes `target` by `make`, in such a way that others see it whole or not at all. If it exists, it stays.
pub(crate) fn make_once(
    target: &Path,
    make: impl FnOnce(&Path) -> Result<(), PostgresError>,
) -> Result<(), PostgresError> {
    if target.exists() {
        return Ok(());
    }
    let parent = target.parent().unwrap_or(Path::new("/"));
    let draft = unique(parent, ".draft")?;
    let result =
        make(&draft.join("tree")).and_then(|()| match fs::rename(draft.join("tree"), target) {
            // Somebody else was faster with the same thing.
            Err(_) if target.exists() => Ok(()),
            renamed => renamed.map_err(PostgresError::file("move to", target)),
        });
    let _ = fs::remove_dir_all(&draft);
    result
}

/// A new directory below `parent` that everybody may pass.
pub(crate) fn unique(parent: &Path, prefix: &str) -> Result<PathBuf, PostgresError> {
    use ring::rand::{SecureRandom, SystemRandom};
    fs::create_dir_all(parent).map_err(PostgresError::file("create", parent))?;
    let mut random = [0_u8; 4];
    SystemRandom::new()
        .fill(&mut random)
        .map_err(|_| PostgresError::File {
            what: "name a directory in",
            path: parent.to_owned(),
            source: io::Error::other("the system gives no random bytes"),
        })?;
    let dir = parent.join(format!("{prefix}{:08x}", u32::from_be_bytes(random)));
    fs::create_dir(&dir).map_err(PostgresError::file("create", &dir))?;
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o711))
        .map_err(PostgresError::file("protect", &dir))?;
    Ok(dir)
}
