//! One Postgres installation, checked to run and prepared for the account that runs it.
//!
//! Packages bring installations that are not ready: npm drops symbolic links, root's home cannot be entered by another
//! account, and none knows the extension `databricks_auth`. So a relocatable installation is mirrored once (hard links)
//! into the cache and completed there; what a package manager installed is never changed.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tracing::{info, warn};

use super::account::Account;
use super::binaries::BinarySearch;
use super::error::PostgresError;
use super::files::{make_once, mirror_tree};

/// What users load with `CREATE EXTENSION databricks_auth`.
const EXTENSION_FILES: [(&str, &str); 2] = [
    (
        "databricks_auth.control",
        include_str!("../../data/databricks_auth/databricks_auth.control"),
    ),
    (
        "databricks_auth--1.0.sql",
        include_str!("../../data/databricks_auth/databricks_auth--1.0.sql"),
    ),
];

/// A Postgres that has been seen to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installation {
    /// The directory of `postgres` and `initdb`.
    pub bin_dir: PathBuf,
    /// Such as `17.10`.
    pub version: String,
    /// Such as 17.
    pub major: u32,
    /// Whether `CREATE EXTENSION databricks_auth` works.
    pub has_databricks_auth: bool,
}

impl Installation {
    /// Finds the best installation for a major version.
    pub(crate) async fn find(
        search: &BinarySearch,
        major: u32,
        strict: bool,
        cache: &Path,
        account: &Account,
    ) -> Result<Self, PostgresError> {
        if let Some((dir, origin)) = search.explicit() {
            let found = Self::prepare(&dir, cache, account)
                .await
                .map_err(|reason| PostgresError::Unusable {
                    dir,
                    origin: origin.to_owned(),
                    reason: reason.to_string(),
                })?;
            return found.checked(major, strict);
        }
        let mut tried = Vec::new();
        for dir in search.candidates(major) {
            match Self::prepare(&dir, cache, account).await {
                Ok(found) => return found.checked(major, strict),
                Err(error) => tried.push(format!("{}: {error}", dir.display())),
            }
        }
        Err(PostgresError::NotFound { major, tried })
    }

    fn checked(self, wanted: u32, strict: bool) -> Result<Self, PostgresError> {
        if self.major != wanted {
            if strict {
                return Err(PostgresError::WrongMajor {
                    wanted,
                    found: self.major,
                });
            }
            warn!(wanted, found = %self.version, dir = %self.bin_dir.display(), "using another major version of Postgres");
        }
        Ok(self)
    }

    async fn prepare(dir: &Path, cache: &Path, account: &Account) -> Result<Self, PostgresError> {
        let dir = fs::canonicalize(dir).map_err(PostgresError::file("find", dir))?;
        let home = dir.parent().unwrap_or(&dir).to_owned();
        let bin_dir = if extension_dir(&home).is_some() {
            let target = cache.join("installations").join(fingerprint(&dir)?);
            let job = target.clone();
            blocking(move || make_once(&job, |draft| mirror(&home, draft))).await?;
            target.join("bin")
        } else {
            dir
        };
        if let Some(dir) = account.blocked_at(&bin_dir) {
            return Err(PostgresError::NotTraversable {
                dir,
                account: account.name.clone(),
            });
        }
        let version = version(&bin_dir, account).await?;
        let major = version
            .split(['.', 'b', 'r'])
            .next()
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| PostgresError::Program {
                program: "postgres --version".into(),
                reason: format!("unknown version {version}"),
            })?;
        let has_databricks_auth = bin_dir
            .parent()
            .and_then(extension_dir)
            .is_some_and(|dir| dir.join("databricks_auth.control").is_file());
        info!(%version, dir = %bin_dir.display(), "found Postgres");
        Ok(Self {
            bin_dir,
            version,
            major,
            has_databricks_auth,
        })
    }
}

pub(crate) async fn blocking<T: Send + 'static>(
    job: impl FnOnce() -> Result<T, PostgresError> + Send + 'static,
) -> Result<T, PostgresError> {
    tokio::task::spawn_blocking(job)
        .await
        .unwrap_or_else(|error| {
            Err(PostgresError::Program {
                program: "a file operation".into(),
                reason: error.to_string(),
            })
        })
}

/// Where a relocatable installation keeps its extensions.
fn extension_dir(home: &Path) -> Option<PathBuf> {
    ["share/postgresql/extension", "share/extension"]
        .into_iter()
        .map(|dir| home.join(dir))
        .find(|dir| dir.is_dir())
}

/// A name that changes with the installation and with what is added to it.
fn fingerprint(bin_dir: &Path) -> Result<String, PostgresError> {
    let program = bin_dir.join("postgres");
    let meta = fs::metadata(&program).map_err(PostgresError::file("read", &program))?;
    let mut hasher = DefaultHasher::new();
    (
        bin_dir,
        meta.len(),
        meta.mtime(),
        meta.ino(),
        EXTENSION_FILES,
    )
        .hash(&mut hasher);
    Ok(format!("{:016x}", hasher.finish()))
}

fn mirror(home: &Path, to: &Path) -> Result<(), PostgresError> {
    let wanted = |name: &str| {
        Path::new(name)
            .extension()
            .is_none_or(|extension| extension != "a")
            && !matches!(name, "include" | "pkgconfig" | "doc" | "man")
    };
    fs::create_dir(to).map_err(PostgresError::file("create", to))?;
    for part in ["bin", "lib", "share"] {
        mirror_tree(&home.join(part), &to.join(part), wanted)?;
    }
    restore_links(home, to)?;
    let extensions = extension_dir(to).unwrap_or_else(|| to.join("share/extension"));
    for (name, text) in EXTENSION_FILES {
        let file = extensions.join(name);
        fs::write(&file, text).map_err(PostgresError::file("write", &file))?;
    }
    Ok(())
}

/// Makes the symbolic links that npm cannot store, and that the package lists in a file instead.
fn restore_links(home: &Path, to: &Path) -> Result<(), PostgresError> {
    #[derive(serde::Deserialize)]
    struct Link {
        source: String,
        target: String,
    }
    let list = home.join("pg-symlinks.json");
    let Ok(text) = fs::read_to_string(&list) else {
        return Ok(());
    };
    let links: Vec<Link> = serde_json::from_str(&text)
        .map_err(|error| PostgresError::file("read", &list)(std::io::Error::other(error)))?;
    for link in links {
        let inside = |path: &str| {
            path.strip_prefix("native/")
                .map(Path::new)
                .map(Path::to_owned)
        };
        let (Some(source), Some(target)) = (inside(&link.source), inside(&link.target)) else {
            continue;
        };
        let stays_inside = |path: &Path| {
            path.components()
                .all(|part| matches!(part, std::path::Component::Normal(_)))
        };
        if source.parent() != target.parent() || !stays_inside(&source) || !stays_inside(&target) {
            continue;
        }
        let at = to.join(&target);
        if !at.exists() {
            symlink(source.file_name().unwrap_or_default(), &at)
                .map_err(PostgresError::file("link", &at))?;
        }
    }
    Ok(())
}

/// Runs `postgres --version`, which also shows whether all its libraries are there.
async fn version(bin_dir: &Path, account: &Account) -> Result<String, PostgresError> {
    let mut command = tokio::process::Command::new(bin_dir.join("postgres"));
    command
        .arg("--version")
        .stdin(Stdio::null())
        .env("LC_ALL", "C")
        .current_dir("/")
        .kill_on_drop(true);
    account.apply(&mut command);
    let fail = |reason: String| PostgresError::Program {
        program: "postgres --version".into(),
        reason,
    };
    let run = async {
        loop {
            match command.output().await {
                // A program that was just copied is "busy" as long as any process that was being started meanwhile
                // holds a copy of the open file.
                Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                output => return output,
            }
        }
    };
    let output = tokio::time::timeout(Duration::from_secs(20), run)
        .await
        .map_err(|_| fail("no answer within 20 s".into()))?
        .map_err(|error| fail(error.to_string()))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    said.trim()
        .strip_prefix("postgres (PostgreSQL) ")
        .and_then(|rest| rest.split_whitespace().next())
        .map(str::to_owned)
        .filter(|_| output.status.success())
        .ok_or_else(|| {
            fail(
                format!("{said}{}", String::from_utf8_lossy(&output.stderr))
                    .trim()
                    .to_owned(),
            )
        })
}
