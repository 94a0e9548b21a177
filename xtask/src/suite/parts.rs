//! The parts of `cargo xtask test`: which programs run, with which variables. A new language adds one entry here.

use std::env;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::count::Reader;
use crate::repo::Repo;
use crate::setup::artifacts::Profile;
use crate::setup::{self, Ready, artifacts, c, faults, java, node, npm, postgres, tools, witness};

/// One program that runs tests.
pub(super) struct Step {
    pub(super) label: String,
    pub(super) command: Command,
    pub(super) reader: Reader,
}

/// A part that can be named on the command line.
pub(super) struct Part {
    pub(super) name: &'static str,
    pub(super) what: &'static str,
    pub(super) steps: fn(&Repo) -> Result<Vec<Step>>,
}

/// In the order they run: the cheap and basic ones first.
pub(super) const PARTS: &[Part] = &[
    Part {
        name: "hygiene",
        what: "rules that every file and every crate keeps",
        steps: hygiene,
    },
    Part {
        name: "core",
        what: "the Rust core, its simulation and its loom models",
        steps: core,
    },
    Part {
        name: "emulator",
        what: "the front door and the local Lakebase, on Postgres 17 and 16",
        steps: emulator,
    },
    Part {
        name: "e2e",
        what: "the Rust client, the emulator and a real Postgres together",
        steps: end_to_end,
    },
    Part {
        name: "fuzz",
        what: "parsers, answers, the front door and the control plane on damaged input",
        steps: fuzz,
    },
    Part {
        name: "cli",
        what: "the command lakekey",
        steps: cli,
    },
    Part {
        name: "python",
        what: "the Python package with psycopg",
        steps: python_package,
    },
    Part {
        name: "conformance",
        what: "the same cases through every language",
        steps: conformance,
    },
    Part {
        name: "oracle",
        what: "our connection strings against libpq's own parser",
        steps: oracle,
    },
    Part {
        name: "official",
        what: "unmodified official clients and psql against the emulator, and four official SDKs as witnesses of who we are",
        steps: official,
    },
    Part {
        name: "node",
        what: "the npm package with pg and postgres.js, and the unmodified official client against the emulator",
        steps: node_package,
    },
    Part {
        name: "c",
        what: "the C library: its header, its names, programs in C and C++ under sanitizers and valgrind, libpq",
        steps: c_library,
    },
    Part {
        name: "java",
        what: "the jar, on the machine's Java with JNI watched and on Java 25",
        steps: java_package,
    },
    Part {
        name: "faults",
        what: "every fault in every language, from one table: tests/faults/rows.json",
        steps: fault_matrix,
    },
    Part {
        name: "soak",
        what: "every driver for half a minute under random faults and rotations",
        steps: soak,
    },
];

#[expect(
    clippy::unnecessary_wraps,
    reason = "the table holds functions of one type"
)]
fn hygiene(repo: &Repo) -> Result<Vec<Step>> {
    Ok(vec![
        cargo_test(repo, "xtask", &[]),
        cargo_test(repo, "lakekey-tests", &[]),
    ])
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "the table holds functions of one type"
)]
fn core(repo: &Repo) -> Result<Vec<Step>> {
    Ok(vec![
        cargo_test(repo, "lakekey", &[]),
        cargo_test(repo, "lakekey-loom", &[]),
        cargo_test(repo, "lakekey-ffi", &[]),
    ])
}

fn emulator(repo: &Repo) -> Result<Vec<Step>> {
    postgres::install(repo)?;
    Ok(vec![
        cargo_test(repo, "lakekey-gateway", &[]),
        cargo_test(repo, "lakekey-emulator", &[]),
    ])
}

fn end_to_end(repo: &Repo) -> Result<Vec<Step>> {
    postgres::install(repo)?;
    let mut readme = Command::new(artifacts::command(repo, Profile::Dev)?);
    let cargo = artifacts::cargo(repo);
    readme
        .current_dir(repo.root())
        .args(["emulate", "--"])
        .arg(cargo.get_program())
        .args([
            "test",
            "--package",
            "lakekey-e2e",
            "--doc",
            "--features",
            "readme",
        ]);
    for (name, value) in cargo.get_envs() {
        if value.is_none() {
            readme.env_remove(name);
        }
    }
    Ok(vec![
        cargo_test(repo, "lakekey-e2e", &[]),
        Step {
            label: "readme".to_owned(),
            command: readme,
            reader: Reader::Libtest,
        },
    ])
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "the table holds functions of one type"
)]
fn fuzz(repo: &Repo) -> Result<Vec<Step>> {
    Ok(vec![cargo_test(repo, "lakekey-fuzz", &[])])
}

fn cli(repo: &Repo) -> Result<Vec<Step>> {
    postgres::install(repo)?;
    Ok(vec![cargo_test(repo, "lakekey-cli", &[])])
}

fn python_package(repo: &Repo) -> Result<Vec<Step>> {
    let ready = setup::everything(repo)?;
    Ok(vec![pytest(
        repo,
        &ready,
        "python",
        &["tests/python/package"],
    )])
}

fn conformance(repo: &Repo) -> Result<Vec<Step>> {
    let ready = setup::everything(repo)?;
    let mut rust = cargo_test(repo, "lakekey-conformance", &[]);
    // All runners end with the same line, which has pytest's form.
    rust.reader = Reader::Pytest;
    let mut command = ready.python.python();
    command
        .current_dir(repo.root())
        .arg("tests/conformance/run_python.py")
        .envs(ready.variables());
    let python = Step {
        label: "conformance python".to_owned(),
        command,
        reader: Reader::Pytest,
    };
    let mut command = Command::new("node");
    command
        .current_dir(npm::installed(repo)?)
        .arg(repo.path("tests/conformance/run_node.mjs"))
        .env("LAKEKEY_BIN", &ready.lakekey);
    let node = Step {
        label: "conformance node".to_owned(),
        command,
        reader: Reader::Pytest,
    };
    let mut command = java::conformance(repo)?;
    command.env("LAKEKEY_BIN", &ready.lakekey);
    let java = Step {
        label: "conformance java".to_owned(),
        command,
        reader: Reader::Pytest,
    };
    let [library, libpq] = c::both(repo, Profile::Dev)?;
    let steps = c::program(repo, &["tests/conformance/c/steps.c"], &[&library, &libpq])?;
    let mut command = ready.python.python();
    c::lend(&mut command, &[&library, &libpq])
        .current_dir(repo.root())
        .arg("tests/conformance/run_c.py")
        .arg(steps)
        .envs(ready.variables());
    let c = Step {
        label: "conformance c".to_owned(),
        command,
        reader: Reader::Pytest,
    };
    Ok(vec![rust, python, node, java, c])
}

fn oracle(repo: &Repo) -> Result<Vec<Step>> {
    let ready = setup::everything(repo)?;
    Ok(vec![pytest(
        repo,
        &ready,
        "oracle",
        &["tests/python/oracle"],
    )])
}

fn official(repo: &Repo) -> Result<Vec<Step>> {
    let ready = setup::everything(repo)?;
    let mut step = pytest(
        repo,
        &ready,
        "official",
        &["tests/python/official", "tests/python/auth"],
    );
    step.command
        .env("LAKEKEY_NODE_OFFICIAL", node::official(repo)?)
        .envs(witness::variables(repo)?);
    Ok(vec![step])
}

fn node_package(repo: &Repo) -> Result<Vec<Step>> {
    postgres::install(repo)?;
    let lakekey = artifacts::command(repo, Profile::Dev)?;
    let (package, official) = (npm::installed(repo)?, node::official(repo)?);
    Ok(vec![
        node_test("node package", &package, &lakekey),
        node_test("node official", &official, &lakekey),
    ])
}

fn java_package(repo: &Repo) -> Result<Vec<Step>> {
    postgres::install(repo)?;
    let lakekey = artifacts::command(repo, Profile::Dev)?;
    java::installed(repo)?;
    let step = |label: &str, options: &[String]| {
        let mut command = java::tests(repo);
        command
            .args(options)
            .arg("test")
            .env("LAKEKEY_BIN", &lakekey);
        Step {
            label: label.to_owned(),
            command,
            reader: Reader::Surefire,
        }
    };
    let example = |label: &str, folder: &str, options: &[&str]| {
        let mut command = Command::new(&lakekey);
        let maven = java::example(repo, folder);
        command.args(["emulate", "--"]).arg(maven.get_program());
        command.args(maven.get_args()).args(options).arg("test");
        Step {
            label: label.to_owned(),
            command,
            reader: Reader::Surefire,
        }
    };
    Ok(vec![
        example("java hikari", "java-hikari", &[]),
        example("java hikari 6", "java-hikari", &["-Dhikari.version=6.3.3"]),
        example("java spring", "java-spring", &[]),
        step(
            "java",
            &[
                "-Dlakekey.jvm=-Xcheck:jni".to_owned(),
                // Virtual threads; the next step has them.
                "-DexcludedGroups=java-21".to_owned(),
            ],
        ),
        step(
            "java 25",
            &[
                format!("-Dlakekey.java={}", java::newest(repo)?.display()),
                // One carrier: a virtual thread that keeps it stops all others, and the tests see that.
                "-Dlakekey.jvm=-Djdk.virtualThreadScheduler.parallelism=1 \
                 -Djdk.virtualThreadScheduler.maxPoolSize=1 --enable-native-access=ALL-UNNAMED"
                    .to_owned(),
                // This Java has no compiler.
                "-DexcludedGroups=jdk,minute".to_owned(),
            ],
        ),
    ])
}

fn c_library(repo: &Repo) -> Result<Vec<Step>> {
    tools::require(&[
        tools::GCC,
        tools::GXX,
        tools::PKG_CONFIG,
        tools::READELF,
        tools::VALGRIND,
    ])?;
    postgres::install(repo)?;
    let [library, libpq] = c::both(repo, Profile::Dev)?;
    let tests = |package: &str| {
        let mut step = cargo_test(repo, package, &[]);
        step.command
            .env("LAKEKEY_C", &library)
            .env("LAKEKEY_LIBPQ", &libpq);
        step
    };
    Ok(vec![
        cargo_test(repo, "lakekey-c", &[]),
        tests("lakekey-c-tests"),
    ])
}

fn fault_matrix(repo: &Repo) -> Result<Vec<Step>> {
    Ok(vec![Step {
        label: "fault matrix".to_owned(),
        command: faults::matrix(repo)?,
        reader: Reader::Libtest,
    }])
}

/// The same trouble each time; `cargo xtask soak` has other, and for longer.
fn soak(repo: &Repo) -> Result<Vec<Step>> {
    let mut command = Command::new(env::current_exe()?);
    command
        .current_dir(repo.root())
        .args(["soak", "--minutes", "0.5", "--seed", "7"]);
    Ok(vec![Step {
        label: "soak".to_owned(),
        command,
        reader: Reader::Pytest,
    }])
}

fn node_test(label: &str, folder: &Path, lakekey: &Path) -> Step {
    let mut command = Command::new("node");
    command
        .current_dir(folder)
        // Two files at a time, also on two cores: one of them only waits for a minute.
        .args([
            "--test",
            "--test-concurrency=2",
            "--test-reporter=tap",
            "--test-timeout=120000",
        ])
        .env("LAKEKEY_BIN", lakekey);
    Step {
        label: label.to_owned(),
        command,
        reader: Reader::Node,
    }
}

fn cargo_test(repo: &Repo, package: &str, more: &[&str]) -> Step {
    let mut command = artifacts::cargo(repo);
    command
        .args(["test", "--package", package, "--no-fail-fast"])
        .args(more);
    Step {
        label: package.to_owned(),
        command,
        reader: Reader::Libtest,
    }
}

fn pytest(repo: &Repo, ready: &Ready, label: &str, paths: &[&str]) -> Step {
    let mut command = ready.python.python();
    command
        .current_dir(repo.root())
        .args([
            "-m",
            "pytest",
            "--config-file=tests/python/pytest.ini",
            "--rootdir=tests/python",
        ])
        .args(paths)
        .envs(ready.variables());
    Step {
        label: label.to_owned(),
        command,
        reader: Reader::Pytest,
    }
}
