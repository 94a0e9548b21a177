//! The checks with a bounded number of inputs, in every run of the tests: the seeds, random bytes, damaged seeds.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(target);
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(files.len() >= 5, "{} holds few seeds", folder.display());
    files
        .iter()
        .map(|file| std::fs::read(file).unwrap())
        .collect()
}

/// What happens to a seed: a piece of it is replaced.
fn damage() -> impl Strategy<Value = (Index, u8, Vec<u8>)> {
    let bytes = prop::collection::vec(any::<u8>(), 0..8);
    (any::<Index>(), 0..8_u8, bytes)
}

fn run(target: &str, cases: u32, check: fn(&[u8])) {
    let seeds = seeds(target);
    for seed in &seeds {
        check(seed);
    }
    let mut runner = TestRunner::new(Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    });
    runner
        .run(&prop::collection::vec(any::<u8>(), 0..64), |data| {
            check(&data);
            Ok(())
        })
        .unwrap();
    let damaged = prop::collection::vec(damage(), 1..4);
    runner
        .run(&(any::<Index>(), damaged), |(which, damages)| {
            let mut data = which.get(&seeds).clone();
            for (at, length, bytes) in damages {
                let start = at.index(data.len() + 1);
                let end = (start + usize::from(length)).min(data.len());
                data.splice(start..end, bytes);
            }
            check(&data);
            Ok(())
        })
        .unwrap();
}

#[test]
fn connection_strings() {
    run("conninfo", 20_000, lakekey_fuzz::conninfo::check);
}

#[cfg(unix)]
#[test]
fn files_of_shared_credentials() {
    run("shared", 1000, lakekey_fuzz::shared::check);
}

#[test]
fn targets() {
    run("target", 20_000, lakekey_fuzz::target::check);
}

#[test]
fn configuration_files() {
    run("profile", 2000, lakekey_fuzz::profile::check);
}

#[test]
fn answers_of_a_server() {
    run("answer", 4000, lakekey_fuzz::answer::check);
}

#[test]
fn the_front_door() {
    run("door", 2000, lakekey_fuzz::door::check);
}

#[test]
fn the_control_plane() {
    run("control", 2000, lakekey_fuzz::control::check);
}
