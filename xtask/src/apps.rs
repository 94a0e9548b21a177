//! The apps that demo and soak watch: which there are, what they need, and how each is started. Both watch the same ones, so
//! that what is shown is what is soaked.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail};

use crate::child;
use crate::emulator::Emulator;
use crate::repo::Repo;
use crate::setup::{artifacts, c, java, npm, python, tools};

/// An app, by its driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    Psycopg,
    AsyncPsycopg,
    Pg,
    PostgresJs,
    Libpq,
    Jdbc,
    Rust,
}

impl Which {
    pub(crate) const ALL: [Which; 7] = [
        Which::Psycopg,
        Which::AsyncPsycopg,
        Which::Pg,
        Which::PostgresJs,
        Which::Libpq,
        Which::Jdbc,
        Which::Rust,
    ];

    /// Its driver, in short.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Which::Psycopg => "psycopg",
            Which::AsyncPsycopg => "async psycopg",
            Which::Pg => "pg",
            Which::PostgresJs => "postgres.js",
            Which::Libpq => "libpq",
            Which::Jdbc => "jdbc",
            Which::Rust => "rust",
        }
    }
}

/// All of them, built.
pub(crate) struct Apps {
    pub(crate) python: python::Environment,
    sources: PathBuf,
    node: PathBuf,
    jdbc: OsString,
    libpq: PathBuf,
    libraries: [PathBuf; 2],
    rust: PathBuf,
}

impl Apps {
    /// Builds them, with the packages they stand for.
    pub(crate) fn set_up(repo: &Repo) -> Result<Apps> {
        tools::require(&[
            tools::CC,
            tools::PYTHON,
            tools::NODE,
            tools::NPM,
            tools::JAVAC,
            tools::MAVEN,
        ])?;
        let python = python::install(repo)?;
        artifacts::package(repo, &python)?;
        let node = npm::installed(repo)?;
        let sources = repo.path("xtask/apps");
        for name in ["telling.mjs", "pg_app.mjs", "postgres_app.mjs"] {
            fs::copy(sources.join(name), node.join(name))?;
        }
        let jdbc = java::demo(repo)?;
        let libraries = c::both(repo, artifacts::Profile::Dev)?;
        let libpq = c::program(
            repo,
            &["xtask/apps/c_app.c"],
            &libraries.each_ref().map(|path| &**path),
        )?;
        Ok(Apps {
            python,
            sources,
            node,
            jdbc,
            libpq,
            libraries,
            rust: rust(repo)?,
        })
    }

    /// The command that starts one, pointed at this emulator.
    pub(crate) fn command(&self, which: Which, emulator: &Emulator) -> Command {
        let python = |name: &str| {
            let mut python = self.python.python();
            python.arg(self.sources.join(name));
            python
        };
        let node = |name: &str| {
            let mut node = Command::new("node");
            node.arg("--max-old-space-size=64")
                .arg(self.node.join(name));
            node
        };
        let mut command = match which {
            Which::Psycopg => python("psycopg_app.py"),
            Which::AsyncPsycopg => python("async_app.py"),
            Which::Pg => node("pg_app.mjs"),
            Which::PostgresJs => node("postgres_app.mjs"),
            Which::Libpq => Command::new(&self.libpq),
            Which::Jdbc => {
                let mut java = Command::new("java");
                // A heap of one size, so that what grows is seen.
                java.args([
                    "-Xms48m",
                    "-Xmx48m",
                    "-XX:+UseSerialGC",
                    "-XX:+AlwaysPreTouch",
                ])
                .arg("-cp")
                .arg(&self.jdbc)
                .arg("JdbcApp");
                java
            }
            Which::Rust => Command::new(&self.rust),
        };
        emulator.lend(&mut command);
        if which == Which::Libpq {
            c::lend(&mut command, &self.libraries.each_ref().map(|path| &**path));
        }
        command
    }
}

fn rust(repo: &Repo) -> Result<PathBuf> {
    let mut build = artifacts::cargo(repo);
    build.args([
        "build",
        "--quiet",
        "--package",
        "lakekey-e2e",
        "--example",
        "rust_app",
    ]);
    child::loudly("building the app in Rust", &mut build)?;
    let path = repo
        .target("debug/examples/rust_app")
        .with_extension(std::env::consts::EXE_EXTENSION);
    if !path.is_file() {
        bail!("the build left no {}", path.display());
    }
    Ok(path)
}
