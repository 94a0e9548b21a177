//! Where things are: the checkout and its target folder. All that xtask makes goes below the target folder.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// One checkout of this repository.
pub(crate) struct Repo {
    root: PathBuf,
    target: PathBuf,
}

impl Repo {
    /// The checkout that holds the current directory.
    pub(crate) fn find() -> Result<Repo> {
        let here = env::current_dir().context("the current directory cannot be read")?;
        let root = here
            .ancestors()
            .find(|folder| folder.join("xtask/Cargo.toml").is_file())
            .with_context(|| format!("{} is not inside a checkout of lakekey", here.display()))?
            .to_path_buf();
        let target = env::var_os("CARGO_TARGET_DIR").map_or_else(
            || root.join("target"),
            |chosen| here.join(PathBuf::from(chosen)),
        );
        Ok(Repo { root, target })
    }

    /// The top folder of the checkout.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A path inside the checkout.
    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        self.root.join(inside)
    }

    /// Waits until no other `cargo xtask` sets things up in this target folder, and keeps others out until it is dropped.
    pub(crate) fn alone(&self) -> Result<File> {
        fs::create_dir_all(&self.target)
            .with_context(|| format!("cannot create {}", self.target.display()))?;
        let path = self.target("xtask.lock");
        let lock =
            File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
        if lock.try_lock().is_err() {
            eprintln!("waiting for another cargo xtask that is setting up");
            lock.lock()
                .with_context(|| format!("cannot lock {}", path.display()))?;
        }
        Ok(lock)
    }

    /// A path below the target folder.
    pub(crate) fn target(&self, inside: &str) -> PathBuf {
        self.target.join(inside)
    }
}
