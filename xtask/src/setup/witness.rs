//! The official Go and Java SDKs as witnesses of unified authentication and as clients of the management API: small
//! programs of `tests/auth`, built below `target/`. Those of Python and JavaScript need no build.

use std::env;
use std::ffi::OsString;
use std::fs;

use anyhow::{Context, Result};

use crate::child;
use crate::repo::Repo;
use crate::setup::{go, maven, stamp, tools};

/// The variables by which the tests find the programs.
pub(crate) fn variables(repo: &Repo) -> Result<[(&'static str, OsString); 3]> {
    let [witness, management] = of_go(repo)?;
    Ok([
        ("LAKEKEY_GO_WITNESS", witness),
        ("LAKEKEY_GO_MANAGEMENT", management),
        ("LAKEKEY_JAVA_WITNESS", of_java(repo)?),
    ])
}

/// The witness, and the client.
fn of_go(repo: &Repo) -> Result<[OsString; 2]> {
    tools::require(&[tools::GO])?;
    let source = repo.path("tests/auth/go");
    child::fetching("fetching the official Go SDK", || {
        let mut fetch = go::command(repo);
        fetch.current_dir(&source).args(["mod", "download"]);
        fetch
    })?;
    let build = |name: &str, package: &str| -> Result<OsString> {
        let program = repo
            .target(&format!("auth-witness/{name}"))
            .with_extension(env::consts::EXE_EXTENSION);
        let mut build = go::command(repo);
        build
            .current_dir(&source)
            .args(["build", "-o"])
            .arg(&program)
            .arg(package);
        child::loudly("building a program with the Go SDK", &mut build)?;
        Ok(program.into())
    };
    Ok([build("go", ".")?, build("go-management", "./management")?])
}

/// A class path.
fn of_java(repo: &Repo) -> Result<OsString> {
    tools::require(&[tools::JAVAC, tools::MAVEN])?;
    let folder = repo.target("auth-witness/java");
    let pom = repo.path("tests/auth/java/pom.xml");
    let sources = repo.path("tests/auth/java/src/main/java");
    let witness = sources.join("com/databricks/sdk/core/Witness.java");
    let management = sources.join("Management.java");
    let mut made_from = String::new();
    for file in [&pom, &witness, &management] {
        made_from += &fs::read_to_string(file)
            .with_context(|| format!("{} cannot be read", file.display()))?;
    }
    stamp::once(&folder, &made_from, || {
        child::fetching("building programs with the Java SDK", || {
            let mut out = OsString::from("-Dout=");
            out.push(&folder);
            let mut build = maven::command(repo);
            build.arg(out).arg("--file").arg(&pom).arg("compile");
            build
        })
    })?;
    Ok(env::join_paths([
        folder.join("classes"),
        folder.join("lib").join("*"),
    ])?)
}
