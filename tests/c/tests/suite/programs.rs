//! The programs of `programs/`, each a list of facts about the library, built and watched in every way that C has.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::build::{Build, Ended, compile, program, run, scratch};
use crate::world::World;

const LIMIT: Duration = Duration::from_mins(2);

fn good(what: &str, ended: &Ended) {
    assert!(
        ended.code == Some(0) && ended.out.ends_with("ok\n"),
        "{what}: {:?}\n{}{}",
        ended.code,
        ended.out,
        ended.err
    );
}

/// A folder, a world with a Postgres if the program needs one, and the program.
fn ready(name: &str, build: Build) -> (TempDir, World, PathBuf) {
    let logs_in = name == "connects.c";
    let (folder, world) = (scratch(), World::start(logs_in || name == "flow.c", None));
    let packages: &[&str] = if logs_in { &["libpq"] } else { &[] };
    let compiled = compile(&program(name), build, packages, folder.path());
    (folder, world, compiled)
}

/// Builds a program and runs it in a world of its own.
fn proves(name: &str, build: Build) {
    let (_folder, world, compiled) = ready(name, build);
    let mut command = world.command(compiled);
    // A thread that still works at the end holds what it works on.
    command.env(
        "ASAN_OPTIONS",
        "detect_leaks=1:detect_stack_use_after_return=1",
    );
    command.env("LSAN_OPTIONS", "report_objects=1");
    good(&format!("{name}, {build:?}"), &run(&mut command, LIMIT));
}

/// Runs a program under valgrind; any error, and memory that nobody can reach any more, fails it.
fn watched(name: &str) {
    let (_folder, world, compiled) = ready(name, Build::Plain);
    let mut command = world.command("valgrind");
    command.args(VALGRIND).arg(compiled);
    let ended = run(&mut command, LIMIT);
    good(&format!("{name} under valgrind"), &ended);
    assert!(
        ended.err.contains("ERROR SUMMARY: 0 errors"),
        "{}",
        ended.err
    );
}

const VALGRIND: [&str; 4] = [
    "--error-exitcode=9",
    "--leak-check=full",
    "--show-leak-kinds=definite,indirect",
    "--errors-for-leak-kinds=definite,indirect",
];

#[test]
fn misuse_gets_a_code() {
    proves("misuse.c", Build::Plain);
}

#[test]
fn misuse_gets_a_code_in_cxx() {
    proves("misuse.c", Build::Cxx);
}

#[test]
fn misuse_gets_a_code_under_sanitizers() {
    proves("misuse.c", Build::Sanitized);
}

#[test]
fn misuse_gets_a_code_under_valgrind() {
    watched("misuse.c");
}

#[test]
fn a_program_gets_all_that_it_asks_for() {
    proves("flow.c", Build::Plain);
}

#[test]
fn a_cxx_program_gets_all_that_it_asks_for() {
    proves("flow.c", Build::Cxx);
}

#[test]
fn a_program_gets_all_that_it_asks_for_under_sanitizers() {
    proves("flow.c", Build::Sanitized);
}

#[test]
fn a_program_gets_all_that_it_asks_for_under_valgrind() {
    watched("flow.c");
}

#[test]
fn a_program_that_is_linked_to_the_static_library_gets_all_that_it_asks_for() {
    proves("flow.c", Build::Static);
}

#[test]
fn libpq_logs_in_by_the_plan() {
    proves("connects.c", Build::Plain);
}

#[test]
fn libpq_logs_in_by_the_plan_from_cxx() {
    proves("connects.c", Build::Cxx);
}

#[test]
fn libpq_logs_in_by_the_plan_under_sanitizers() {
    proves("connects.c", Build::Sanitized);
}

#[test]
fn libpq_logs_in_by_the_plan_under_valgrind() {
    watched("connects.c");
}

#[test]
fn threads_share_a_client() {
    proves("together.c", Build::Plain);
}

#[test]
fn threads_share_a_client_under_sanitizers() {
    proves("together.c", Build::Sanitized);
}

/// Without sanitizers: theirs is an allocator that a child of a program with threads must not use.
#[test]
fn a_child_goes_on_with_what_it_inherited() {
    proves("forked.c", Build::Plain);
}

#[test]
fn memory_stays_flat() {
    proves("endurance.c", Build::Plain);
}

#[test]
fn a_secret_is_wiped_when_it_is_freed() {
    proves("wiped.c", Build::Plain);
}

/// The watchers themselves: a program that leaks, reads freed memory or overflows is seen.
#[test]
fn a_bad_program_is_found() {
    let folder = scratch();
    let source = folder.path().join("bad.c");
    let bad = |body: &str| {
        let text = format!(
            "#include <stdlib.h>\n#include <stdio.h>\nint main(int argc, char **argv) {{ (void)argv; {body} puts(\"ok\"); return 0; }}\n"
        );
        std::fs::write(&source, text).unwrap();
    };
    let run = |program: &Path| run(&mut Command::new(program), LIMIT);
    bad("volatile char *held = malloc(10); held[0] = (char)argc; held = NULL; (void)held;");
    let ended = run(&compile(&source, Build::Sanitized, &[], folder.path()));
    assert_ne!(ended.code, Some(0), "a leak: {ended:?}");
    let leaks = compile(&source, Build::Plain, &[], folder.path());
    let mut valgrind = Command::new("valgrind");
    let ended = crate::build::run(
        valgrind
            .args(VALGRIND)
            .arg(leaks)
            .env("LD_LIBRARY_PATH", crate::build::library_path()),
        LIMIT,
    );
    assert_eq!(ended.code, Some(9), "a leak under valgrind: {ended:?}");
    bad("int most = 2147483647; most += argc; printf(\"%d\", most);");
    let ended = run(&compile(&source, Build::Sanitized, &[], folder.path()));
    assert_ne!(ended.code, Some(0), "an overflow: {ended:?}");
}
