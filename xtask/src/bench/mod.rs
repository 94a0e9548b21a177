//! `cargo xtask bench`: lakekey and its peers, measured side by side in one run on one machine. Only ratios of such a run
//! say anything; a missed target is printed and never fails the run.

mod c;
mod java;
mod node;
mod requests;
mod row;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use serde_json::json;

use crate::child;
use crate::emulator::Emulator;
use crate::repo::Repo;
use crate::setup::artifacts::{self, Profile};
use crate::setup::{postgres, python, tools};
use crate::table;
use java::Jar;
use node::Package;
use row::Row;

/// The size that a wheel may have, in megabytes.
const WHEEL: f64 = 4.5;

/// What to measure.
#[derive(Args)]
pub(crate) struct Options {
    /// Fewer rounds against a debug build of the emulator: quicker and noisier.
    #[arg(long)]
    quick: bool,
}

/// What is measured, and where.
struct Bench<'a> {
    repo: &'a Repo,
    python: python::Environment,
    emulator: Emulator,
    /// The release build of the package, in front of the debug build that the tests use.
    package: PathBuf,
    node: Package,
    jar: Jar,
    rounds: &'static str,
}

/// Measures and prints.
pub(crate) fn run(repo: &Repo, options: &Options) -> Result<bool> {
    tools::require(&[tools::CC, tools::PYTHON, tools::NODE, tools::NPM])?;
    let binaries = postgres::install_major(repo, 17)?;
    let environment = python::install(repo)?;
    println!("building the release wheel");
    let wheel = artifacts::wheel(repo, &environment, Profile::Release)?;
    let lakekey = artifacts::command(
        repo,
        if options.quick {
            Profile::Dev
        } else {
            Profile::Release
        },
    )?;
    let folder = repo.target("bench");
    let package = unpack(&environment, &wheel, &folder)?;

    let node = Package::install(repo, &folder)?;
    let library = c::Library::install(repo)?;
    let jar = Jar::build(repo, &folder)?;

    let bin = binaries
        .to_str()
        .context("the path of the Postgres binaries is no UTF-8")?;
    let mut arguments = vec!["--pg-bin-dir", bin];
    for project in ["crowd", "ours", "theirs"] {
        arguments.extend(["--project", project]);
    }
    let emulator = Emulator::start(&lakekey, &arguments, &folder)?;
    let rounds = if options.quick { "3" } else { "15" };
    let bench = Bench {
        repo,
        python: environment,
        emulator,
        package,
        node,
        jar,
        rounds,
    };
    let mut rows = vec![
        Row::size("size of the wheel", &wheel, WHEEL)?,
        bench.node.size()?,
        library.size()?,
    ];
    rows.extend(bench.script("imports.py")?);
    rows.extend(bench.script("warm_token.py")?);
    rows.extend(bench.rust()?);
    rows.extend(library.warm_token(repo, &bench.emulator, rounds)?);
    rows.extend(bench.script("logins.py")?);
    for name in ["requires.mjs", "warm_password.mjs", "logins.mjs"] {
        rows.extend(bench.node(name)?);
    }
    rows.extend(bench.jar.sizes()?);
    rows.extend(bench.java("WarmToken.java", &[])?);
    rows.extend(bench.java("Logins.java", &crate::setup::java::drivers(repo)?)?);
    println!("counting requests until the first credential");
    rows.extend(requests::rows(&bench.node, &bench.emulator, &folder)?);
    bench.emulator.post(
        "/_emulator/faults",
        &json!({"action": {"kind": "latency", "ms": 20}}),
    )?;
    rows.extend(bench.script("cold.py")?);
    bench.emulator.delete("/_emulator/faults")?;
    rows.extend(bench.script("waits.py")?);
    bench.emulator.post(
        "/_emulator/crowd",
        &json!({"project": "crowd", "branches": 10_000}),
    )?;
    rows.extend(bench.script("listing.py")?);

    let path = folder.join("report.json");
    let report: Vec<_> = rows.iter().map(Row::json).collect();
    fs::write(&path, serde_json::to_string_pretty(&report)? + "\n")?;
    let cells: Vec<Vec<String>> = rows.iter().map(Row::cells).collect();
    println!(
        "\n{}",
        table::render(&["what", "ours", "peer", "ratio", "target"], &cells)
    );
    println!(
        "medians of {rounds} rounds, side by side; the figures are in {}",
        path.display()
    );
    Ok(true)
}

impl Bench<'_> {
    fn script(&self, name: &str) -> Result<Vec<Row>> {
        println!("measuring {name}");
        let mut python = self.python.python();
        self.emulator
            .lend_admin(self.emulator.lend(&mut python))
            .env("PYTHONPATH", &self.package)
            .env_remove("PYTHONDONTWRITEBYTECODE")
            .env("PYTHONPYCACHEPREFIX", self.repo.target("bench/pycache"))
            .env("LAKEKEY_BENCH_ROUNDS", self.rounds)
            .arg(self.repo.path("tests/bench").join(name));
        Row::read(&child::quietly(name, &mut python)?)
    }

    fn node(&self, name: &str) -> Result<Vec<Row>> {
        println!("measuring {name}");
        let mut script = self.node.script(name, &self.emulator);
        script.env("LAKEKEY_BENCH_ROUNDS", self.rounds);
        Row::read(&child::quietly(name, &mut script)?)
    }

    fn java(&self, name: &str, beside: &[PathBuf]) -> Result<Vec<Row>> {
        println!("measuring {name}");
        let source = self.repo.path("tests/bench").join(name);
        let mut program = self.jar.program(&source, beside, &self.emulator)?;
        program.env("LAKEKEY_BENCH_ROUNDS", self.rounds);
        Row::read(&child::quietly(name, &mut program)?)
    }

    fn rust(&self) -> Result<Vec<Row>> {
        println!("measuring warm_token.rs (a release build)");
        let mut cargo = artifacts::cargo(self.repo);
        self.emulator.lend(&mut cargo).args([
            "bench",
            "--quiet",
            "--package",
            "lakekey-tests",
            "--bench",
            "warm_token",
        ]);
        Row::read(&child::quietly("warm_token.rs", &mut cargo)?)
    }
}

fn unpack(environment: &python::Environment, wheel: &Path, folder: &Path) -> Result<PathBuf> {
    let package = folder.join("package");
    if package.exists() {
        fs::remove_dir_all(&package)?;
    }
    fs::create_dir_all(&package)?;
    let mut pip = environment.pip_install();
    pip.args(["--no-index", "--target"])
        .arg(&package)
        .arg(wheel);
    child::quietly("pip install of the release wheel", &mut pip)?;
    Ok(package)
}
