//! The npm package `lakekey` as a user would install it, below `target/node`, together with what its tests need of others.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::child;
use crate::repo::Repo;
use crate::setup::artifacts::Profile;
use crate::setup::{artifacts, stamp, tools};

/// What of `bindings-node` goes into a build of the package.
const SOURCES: &[&str] = &[
    "package.json",
    "tsconfig.json",
    "native.cjs",
    "native.d.cts",
    "README.md",
    "lib",
];

/// What of a build is installed; the package's own list of files, and what npm always takes.
const INSTALLED: &[&str] = &[
    "package.json",
    "native.cjs",
    "native.d.cts",
    "README.md",
    "dist",
];

/// The folder with the tests, the packages they need, and lakekey among them.
pub(crate) fn installed(repo: &Repo) -> Result<PathBuf> {
    tools::require(&[tools::NODE, tools::NPM])?;
    let folder = repo.target("node");
    others(repo, &folder)?;
    compile(repo, &folder)?;
    native(repo, &folder)?;
    for (from, to) in [
        ("tests/node", "."),
        ("bindings-node/native-types.mjs", "native-types.mjs"),
        ("examples/node-pg", "examples/node-pg"),
        ("examples/node-orms", "examples/node-orms"),
        ("README.md", "README.md"),
    ] {
        copy(&repo.path(from), &folder.join(to))?;
    }
    Ok(folder)
}

fn others(repo: &Repo, folder: &Path) -> Result<()> {
    let source = repo.path("tests/node");
    let lock = fs::read_to_string(source.join("package-lock.json"))
        .with_context(|| format!("{} has no package-lock.json", source.display()))?;
    stamp::once(folder, &lock, || {
        eprintln!("fetching Node packages into {}", folder.display());
        for name in ["package.json", "package-lock.json"] {
            fs::copy(source.join(name), folder.join(name))?;
        }
        child::fetching("npm ci for the Node tests", || {
            let mut npm = Command::new("npm");
            npm.current_dir(folder)
                .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
            npm
        })
    })
}

/// Compiles the TypeScript sources and installs what npm would pack of them, unless that was done from the same sources.
fn compile(repo: &Repo, folder: &Path) -> Result<()> {
    let (build, package) = (folder.join("build"), folder.join("node_modules/lakekey"));
    let mut sources = String::new();
    for name in SOURCES {
        gather(&repo.path(&format!("bindings-node/{name}")), &mut sources)?;
    }
    stamp::once(&build, &sources, || {
        for name in SOURCES {
            copy(
                &repo.path(&format!("bindings-node/{name}")),
                &build.join(name),
            )?;
        }
        child::loudly(
            "compiling the npm package",
            Command::new("node")
                .current_dir(folder)
                .arg("node_modules/typescript/bin/tsc")
                .args(["--project", "build"]),
        )?;
        afresh(&package)?;
        for name in INSTALLED {
            copy(&build.join(name), &package.join(name))?;
        }
        Ok(())
    })
}

/// Adds the text of a file, or of all files below a folder, each with its path.
fn gather(path: &Path, text: &mut String) -> Result<()> {
    if path.is_dir() {
        let mut paths: Vec<PathBuf> = fs::read_dir(path)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<std::io::Result<_>>()?;
        paths.sort();
        return paths.iter().try_for_each(|path| gather(path, text));
    }
    let read =
        fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    for part in [&path.display().to_string(), "\n", &read, "\n"] {
        text.push_str(part);
    }
    Ok(())
}

/// Builds the native module and installs it as this platform's package.
fn native(repo: &Repo, folder: &Path) -> Result<()> {
    let library = artifacts::library(repo, "lakekey-node", Profile::Dev)?;
    let platform = platform()?;
    let package = folder.join(format!("node_modules/@lakekey/{platform}"));
    fs::create_dir_all(&package)?;
    fs::copy(
        repo.path(&format!("bindings-node/npm/{platform}/package.json")),
        package.join("package.json"),
    )?;
    // What the build says of the module, for the test that compares it with what is declared.
    copy(
        &repo.target("debug/native-types/lakekey-node"),
        &folder.join("native-types.jsonl"),
    )?;
    // The rename keeps a process that has the old one loaded whole.
    let (new, module) = (
        package.join("new"),
        package.join(format!("lakekey.{platform}.node")),
    );
    fs::copy(&library, &new)?;
    fs::rename(&new, &module).with_context(|| format!("{} cannot be made", module.display()))
}

/// This platform by the name that its npm package has, and its folder in the jar.
pub(crate) fn platform() -> Result<&'static str> {
    let libc = if cfg!(target_env = "musl") {
        "musl"
    } else {
        "gnu"
    };
    Ok(match (std::env::consts::OS, std::env::consts::ARCH, libc) {
        ("linux", "x86_64", "gnu") => "linux-x64-gnu",
        ("linux", "x86_64", _) => "linux-x64-musl",
        ("linux", "aarch64", "gnu") => "linux-arm64-gnu",
        ("linux", "aarch64", _) => "linux-arm64-musl",
        ("macos", "x86_64", _) => "darwin-x64",
        ("macos", "aarch64", _) => "darwin-arm64",
        ("windows", "x86_64", _) => "win32-x64-msvc",
        (os, arch, _) => bail!("there is no package for {os} on {arch}"),
    })
}

/// Packs the package and this platform's native module into `folder`, and gives both files.
pub(crate) fn pack(repo: &Repo, profile: Profile, folder: &Path) -> Result<Vec<PathBuf>> {
    tools::require(&[tools::NODE, tools::NPM])?;
    let work = repo.target("node");
    others(repo, &work)?;
    compile(repo, &work)?;
    let platform = platform()?;
    let native = repo.target("npm-pack").join(platform);
    afresh(&native)?;
    let library = artifacts::library(repo, "lakekey-node", profile)?;
    copy(&library, &native.join(format!("lakekey.{platform}.node")))?;
    copy(
        &repo.path(&format!("bindings-node/npm/{platform}/package.json")),
        &native.join("package.json"),
    )?;
    [work.join("build"), native]
        .iter()
        .map(|package| {
            let mut npm = Command::new("npm");
            npm.args(["pack", "--silent", "--ignore-scripts", "--pack-destination"])
                .args([folder, package]);
            let name = child::quietly("npm pack", &mut npm)?;
            Ok(folder.join(name.trim()))
        })
        .collect()
}

fn afresh(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)
            .with_context(|| format!("{} cannot be removed", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))
}

/// Copies a file, or a folder with all below it.
fn copy(from: &Path, to: &Path) -> Result<()> {
    if !from.is_dir() {
        fs::copy(from, to)
            .with_context(|| format!("{} cannot be copied to {}", from.display(), to.display()))?;
        return Ok(());
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        copy(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}
