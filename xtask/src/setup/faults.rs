//! The apps of the fault matrix, built, and how to start each: what `tests/faults` plays its rows with.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::child;
use crate::repo::Repo;
use crate::setup::artifacts::Profile;
use crate::setup::{artifacts, c, java, npm};

/// The matrix itself, ready to run.
pub(crate) fn matrix(repo: &Repo) -> Result<Command> {
    let ready = super::everything(repo)?;
    let folder = repo.target("faults");
    fs::create_dir_all(&folder)?;
    let mut build = artifacts::cargo(repo);
    build.args(["build", "--quiet", "--package", "lakekey-faults"]);
    child::loudly("building the fault matrix", &mut build)?;
    let node = npm::installed(repo)?;
    fs::copy(
        repo.path("tests/faults/apps/node_app.mjs"),
        node.join("faults_app.mjs"),
    )?;
    let classes = java::app(
        repo,
        "tests/faults/apps/java/pom.xml",
        &repo.target("java/faults"),
    )?;
    let [library, libpq] = c::both(repo, Profile::Dev)?;
    let c_app = c::program(repo, &["tests/faults/apps/c_app.c"], &[&library, &libpq])?;

    let python = |mode: &[&str]| {
        let mut command = ready.python.python();
        command
            .arg(repo.path("tests/faults/apps/python_app.py"))
            .args(mode);
        command
    };
    let javascript = |driver: &str| {
        let mut command = Command::new("node");
        command.current_dir(&node).args(["faults_app.mjs", driver]);
        command
    };
    let mut libpq_app = Command::new(c_app);
    c::lend(&mut libpq_app, &[&library, &libpq]);
    let mut jdbc = Command::new("java");
    // Two threads of its own compiler beside six other languages would take both cores from them.
    jdbc.args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp"])
        .arg(classes)
        .arg("JavaApp");
    let apps = [
        (
            "rust",
            Command::new(repo.target("debug/lakekey-faults-rust")),
        ),
        ("psycopg", python(&[])),
        ("psycopg-async", python(&["async"])),
        ("pg", javascript("pg")),
        ("postgres.js", javascript("postgres")),
        ("libpq", libpq_app),
        ("hikari", jdbc),
    ];
    let recipes = apps
        .iter()
        .map(|(name, command)| recipe(repo, name, command))
        .collect::<Result<Vec<Value>>>()?;
    fs::write(
        folder.join("apps.json"),
        serde_json::to_string_pretty(&recipes)?,
    )?;
    let mut command = Command::new(repo.target("debug/lakekey-faults"));
    command.arg(folder).env("LAKEKEY_BIN", &ready.lakekey);
    Ok(command)
}

/// A command as data: the matrix starts it again whenever a row has left it in a state that nobody knows.
fn recipe(repo: &Repo, name: &str, command: &Command) -> Result<Value> {
    let text = |text: &std::ffi::OsStr| {
        text.to_str()
            .map(str::to_owned)
            .with_context(|| format!("{} is no UTF-8", Path::new(text).display()))
    };
    let mut env = BTreeMap::new();
    for (variable, value) in command.get_envs() {
        if let Some(value) = value {
            env.insert(text(variable)?, text(value)?);
        }
    }
    let args = command.get_args().map(text).collect::<Result<Vec<_>>>()?;
    Ok(json!({
        "name": name,
        "program": text(command.get_program())?,
        "args": args,
        "folder": command.get_current_dir().unwrap_or(repo.root()),
        "env": env,
    }))
}
