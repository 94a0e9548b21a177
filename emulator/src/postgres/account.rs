//! Which account runs Postgres: this one, or another when this one is root.
//!
//! Postgres refuses to run as root, and containers love to be root; without this file the emulator would be useless in
//! most CI jobs.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use super::error::PostgresError;

/// The account that Postgres runs as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    /// User and group id to change to; `None`: this process is an ordinary user and stays what it is.
    pub(crate) other: Option<(u32, u32)>,
    pub(crate) name: String,
}

impl Account {
    pub(crate) fn choose() -> Result<Self, PostgresError> {
        let uid = rustix::process::geteuid();
        if !uid.is_root() {
            return Ok(Self {
                other: None,
                name: format!("uid {}", uid.as_raw()),
            });
        }
        let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
        // initdb looks the account up by its id, so it must have a line there.
        ["postgres", "nobody"]
            .into_iter()
            .find_map(|name| {
                Some(Self {
                    other: Some(ids(&passwd, name)?),
                    name: name.to_owned(),
                })
            })
            .ok_or(PostgresError::NoAccount)
    }

    /// The user id that owns what Postgres writes.
    pub(crate) fn uid(&self) -> u32 {
        self.other
            .map_or_else(|| rustix::process::geteuid().as_raw(), |(uid, _)| uid)
    }

    /// Makes a directory that only this account (and root) may enter.
    pub(crate) fn make_private_dir(&self, dir: &Path) -> Result<(), PostgresError> {
        fs::create_dir_all(dir).map_err(PostgresError::file("create", dir))?;
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700))
            .map_err(PostgresError::file("protect", dir))?;
        self.give(dir)
    }

    /// Makes a file readable and writable for this account (and root) alone.
    pub(crate) fn make_private_file(&self, file: &Path) -> Result<(), PostgresError> {
        fs::set_permissions(file, fs::Permissions::from_mode(0o600))
            .map_err(PostgresError::file("protect", file))?;
        self.give(file)
    }

    /// Makes a directory (if it is not there) that this account may pass, without being able to list what is in it.
    pub(crate) fn make_passable_dir(&self, dir: &Path) -> Result<(), PostgresError> {
        fs::create_dir_all(dir).map_err(PostgresError::file("create", dir))?;
        let mode = fs::metadata(dir)
            .map_err(PostgresError::file("read", dir))?
            .permissions()
            .mode();
        if self.other.is_none() || mode & 0o001 != 0 {
            return Ok(());
        }
        fs::set_permissions(dir, fs::Permissions::from_mode(mode | 0o001))
            .map_err(PostgresError::file("open", dir))
    }

    /// Gives one file or directory to this account.
    pub(crate) fn give(&self, path: &Path) -> Result<(), PostgresError> {
        match self.other {
            Some((uid, gid)) => {
                chown(path, Some(uid), Some(gid)).map_err(PostgresError::file("give away", path))
            }
            None => Ok(()),
        }
    }

    /// The first directory on the way to `path` that this account may not pass, if it is not this process's own.
    pub(crate) fn blocked_at(&self, path: &Path) -> Option<PathBuf> {
        let (uid, gid) = self.other?;
        let mut ancestors: Vec<_> = path.ancestors().collect();
        ancestors.reverse();
        ancestors.into_iter().find_map(|dir| {
            let meta = fs::metadata(dir).ok()?;
            let bit = if meta.uid() == uid {
                0o100
            } else if meta.gid() == gid {
                0o010
            } else {
                0o001
            };
            (meta.is_dir() && meta.mode() & bit == 0).then(|| dir.to_owned())
        })
    }

    /// Prepares a command so that it runs as this account, in a group of its own: a Ctrl-C in the terminal goes to
    /// the emulator, which then stops Postgres in order.
    pub(crate) fn apply(&self, command: &mut tokio::process::Command) {
        if let Some((uid, gid)) = self.other {
            command.uid(uid).gid(gid);
        }
        command.process_group(0);
    }
}

fn ids(passwd: &str, name: &str) -> Option<(u32, u32)> {
    let line = passwd
        .lines()
        .find(|line| line.split(':').next() == Some(name))?;
    let mut fields = line.split(':').skip(2);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_ids_of_exactly_the_named_account() {
        let passwd =
            "postgresql:x:1:2::/:/bin/sh\npostgres:x:101:104:,,,:/var/lib:/bin/bash\nodd\n";
        assert_eq!(ids(passwd, "postgres"), Some((101, 104)));
        assert_eq!(ids(passwd, "nobody"), None);
        assert_eq!(ids(passwd, "odd"), None);
    }
}
