//! The official Node client and its tests, copied below `target/`: Node looks for packages beside the file that imports
//! them, and nothing may be installed into the checkout.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::child;
use crate::repo::Repo;
use crate::setup::{stamp, tools};

/// The folder with the installed packages and the current test files.
pub(crate) fn official(repo: &Repo) -> Result<PathBuf> {
    tools::require(&[tools::NODE, tools::NPM])?;
    let source = repo.path("tests/node-official");
    let folder = repo.target("node-official");
    let lock = fs::read_to_string(source.join("package-lock.json"))
        .with_context(|| format!("{} has no package-lock.json", source.display()))?;
    stamp::once(&folder, &lock, || {
        eprintln!(
            "fetching the official Node client into {}",
            folder.display()
        );
        for name in ["package.json", "package-lock.json"] {
            fs::copy(source.join(name), folder.join(name))?;
        }
        child::fetching("npm ci for the official Node client", || {
            let mut npm = Command::new("npm");
            npm.current_dir(&folder)
                .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
            npm
        })
    })?;
    for entry in fs::read_dir(&source)?.filter_map(Result::ok) {
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == "mjs") {
            fs::copy(&path, folder.join(entry.file_name()))?;
        }
    }
    Ok(folder)
}
