//! What is built from this checkout and then used as a user would: the command `lakekey` and the Python wheel.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::child;
use crate::repo::Repo;
use crate::setup::python::Environment;

/// How something is built.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Profile {
    Dev,
    Release,
}

/// A `cargo` that works in the checkout.
pub(crate) fn cargo(repo: &Repo) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(repo.root());
    // Set by `cargo run` for xtask itself; a child cargo would rebuild crates whose build scripts look at them.
    for name in [
        "CARGO_MANIFEST_DIR",
        "CARGO_MANIFEST_PATH",
        "CARGO_PKG_NAME",
        "CARGO_PKG_VERSION",
    ] {
        cargo.env_remove(name);
    }
    cargo
}

/// Builds one package of the workspace and gives the folder in which cargo left it.
pub(crate) fn build(repo: &Repo, package: &str, profile: Profile) -> Result<PathBuf> {
    let mut build = cargo(repo);
    build.args(["build", "--quiet", "--package", package]);
    let folder = match profile {
        Profile::Dev => "debug",
        Profile::Release => {
            build.arg("--release");
            "release"
        }
    };
    child::loudly(&format!("building {package}"), &mut build)?;
    Ok(repo.target(folder))
}

/// Builds the shared library of a package and gives its path.
pub(crate) fn library(repo: &Repo, package: &str, profile: Profile) -> Result<PathBuf> {
    let name = library_name(package);
    let path = build(repo, package, profile)?.join(name);
    if !path.is_file() {
        bail!("the build left no {}", path.display());
    }
    Ok(path)
}

/// How cargo names the shared library of a package on this platform.
pub(crate) fn library_name(package: &str) -> String {
    use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
    format!("{DLL_PREFIX}{}{DLL_SUFFIX}", package.replace('-', "_"))
}

/// Builds the command `lakekey` and gives its path.
pub(crate) fn command(repo: &Repo, profile: Profile) -> Result<PathBuf> {
    let path = build(repo, "lakekey-cli", profile)?
        .join("lakekey")
        .with_extension(std::env::consts::EXE_EXTENSION);
    if !path.is_file() {
        bail!("the build left no {}", path.display());
    }
    Ok(path)
}

/// Builds the wheel and installs it into the environment, as a user would.
pub(crate) fn package(repo: &Repo, python: &Environment) -> Result<()> {
    let wheel = wheel(repo, python, Profile::Dev)?;
    child::quietly(
        "pip install of the wheel",
        python
            .pip_install()
            .args(["--no-index", "--force-reinstall"])
            .arg(&wheel),
    )?;
    Ok(())
}

/// Builds the wheel and gives its path.
pub(crate) fn wheel(repo: &Repo, python: &Environment, profile: Profile) -> Result<PathBuf> {
    let folder = repo.target(match profile {
        Profile::Dev => "wheels/dev",
        Profile::Release => "wheels/release",
    });
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    let mut maturin = Command::new(python.program("maturin"));
    maturin
        .current_dir(repo.root())
        .env("VIRTUAL_ENV", &python.folder)
        .args(["build", "--quiet", "--manifest-path"])
        .arg(repo.path("bindings-python/Cargo.toml"))
        // The machine's own library versions are right for the machine itself; a wheel to publish is made elsewhere.
        .args(["--compatibility", "linux", "--interpreter"])
        .arg(python.program("python"))
        .arg("--out")
        .arg(&folder);
    if profile == Profile::Release {
        maturin.arg("--release");
    }
    child::loudly("building the Python wheel", &mut maturin)?;
    only_wheel(&folder)
}

fn only_wheel(folder: &Path) -> Result<PathBuf> {
    fs::read_dir(folder)?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .with_context(|| format!("maturin left no wheel in {}", folder.display()))
}
