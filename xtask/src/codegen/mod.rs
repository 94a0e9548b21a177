//! `cargo xtask codegen`: the typed API of each language, made from `core/api`.
//!
//! What is generated is checked in, so that people read it and builds need no generator; a test makes it anew and compares.

#![allow(
    clippy::format_collect,
    reason = "texts are what is made here, and nobody waits for them"
)]

mod api;
mod java;
mod kind;
mod mask;
mod names;
mod notes;
mod python;
mod rust;
mod typescript;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::repo::Repo;
use api::Api;

#[derive(Args)]
pub(crate) struct Options {
    /// Writes nothing; fails if a file is not what it would be.
    #[arg(long)]
    check: bool,
}

/// Writes the files, or compares them.
pub(crate) fn run(repo: &Repo, options: &Options) -> Result<bool> {
    let mut same = true;
    for (path, text) in files(repo)? {
        let old = fs::read_to_string(repo.path(&path)).unwrap_or_default();
        if old == text {
            continue;
        }
        same = false;
        if options.check {
            eprintln!("{path} is not what core/api says");
            continue;
        }
        let target = repo.path(&path);
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder)
                .with_context(|| format!("cannot create {}", folder.display()))?;
        }
        fs::write(&target, text).with_context(|| format!("cannot write {path}"))?;
        println!("wrote {path}");
    }
    Ok(same || !options.check)
}

/// All generated files by path.
fn files(repo: &Repo) -> Result<BTreeMap<String, String>> {
    let api = Api::read(repo)?;
    let mut files = BTreeMap::new();
    for (service, resource) in api.resources() {
        let path = format!("{}/{}.rs", rust::FOLDER, resource.name);
        files.insert(path, rustfmt(&rust::resource(&api, service, resource)?)?);
    }
    files.insert(
        format!("{}/mod.rs", rust::FOLDER),
        rustfmt(&rust::module(&api))?,
    );
    for (_, resource) in api.resources() {
        let path = format!("{}/_{}.py", python::FOLDER, resource.name);
        files.insert(path, python::resource(&api, resource));
    }
    for (name, text) in [
        ("__init__", python::module(&api)),
        ("_methods", python::methods(&api, false)),
        ("_async_methods", python::methods(&api, true)),
    ] {
        files.insert(format!("{}/{name}.py", python::FOLDER), text);
    }
    for (_, resource) in api.resources() {
        let path = format!("{}/{}.ts", typescript::FOLDER, resource.name);
        files.insert(path, typescript::resource(&api, resource));
    }
    for (name, text) in [
        ("index", typescript::module(&api)),
        ("methods", typescript::methods(&api)),
    ] {
        files.insert(format!("{}/{name}.ts", typescript::FOLDER), text);
    }
    for (name, text) in java::files(&api) {
        files.insert(format!("{}/{name}.java", java::FOLDER), text);
    }
    Ok(files)
}

fn rustfmt(text: &str) -> Result<String> {
    let mut child = Command::new("rustfmt")
        .args(["--edition", "2024", "--config", "skip_children=true"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("rustfmt is needed: rustup component add rustfmt")?;
    let mut stdin = child.stdin.take().context("rustfmt takes no input")?;
    let input = text.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output()?;
    let _ = writer.join();
    ensure!(
        output.status.success(),
        "rustfmt: {}\n{text}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn what_is_checked_in_is_what_the_description_says() {
        let repo = Repo::find().unwrap();
        for (path, text) in files(&repo).unwrap() {
            let checked_in = fs::read_to_string(repo.path(&path)).unwrap_or_default();
            assert!(
                checked_in == text,
                "{path} is not what core/api says; run cargo xtask codegen"
            );
        }
    }

    #[test]
    fn a_mistake_in_the_description_is_found() {
        let text = r#"{"service":"s","sdk":"1","base":"/b","resources":[{"name":"r","doc":"d","methods":[],"messages":[
            {"name":"M","since":"1","fields":[{"name":"f","type":"TYPE","doc":"d","tpye":"x"}]}]}]}"#;
        let known = text.replace(r#","tpye":"x""#, "");
        let read = |text: &str| {
            api::Service::parse(text)
                .map(drop)
                .map_err(|error| error.to_string())
        };
        assert!(
            read(text).unwrap_err().contains("unknown field"),
            "a key with a typing error"
        );
        assert!(
            read(&known.replace("TYPE", "strnig"))
                .unwrap_err()
                .contains("no type")
        );
        assert!(read(&known.replace("TYPE", "string")).is_ok());
        let api = Api {
            services: vec![api::Service::parse(&known.replace("TYPE", "Missing")).unwrap()],
        };
        assert!(
            api.check()
                .unwrap_err()
                .to_string()
                .contains("no type Missing")
        );
    }
}
