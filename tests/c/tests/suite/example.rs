//! The example as its README says: built by pkg-config, run against a real Postgres through rotations, by root and by
//! somebody who is not.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use lakekey_c_tests::root;

use crate::build::{Build, Ended, compile, prefix, run, scratch};
use crate::world::World;

const LIMIT: Duration = Duration::from_mins(1);
/// Nobody, on every Linux.
const NOBODY: u32 = 65534;

fn built(build: Build, folder: &Path) -> PathBuf {
    let source = root().join("examples/c-libpq/notes.c");
    compile(&source, build, &["libpq"], folder)
}

fn good(ended: &Ended) -> &str {
    assert_eq!(ended.code, Some(0), "{ended:?}");
    &ended.out
}

/// The commands of the README.
fn tour(mut notes: impl FnMut(&[&str]) -> Ended) {
    let missing = notes(&["list"]);
    assert!(
        missing.code == Some(1) && missing.err.contains("run `notes migrate`"),
        "{missing:?}"
    );
    assert_eq!(
        good(&notes(&["migrate"])),
        "migration 1 done\nmigration 2 done\nmigration 3 done\n"
    );
    assert_eq!(good(&notes(&["migrate"])), "");
    assert_eq!(good(&notes(&["add", "buy milk"])), "note 1\n");
    assert!(good(&notes(&["list"])).contains("buy milk"));
    good(&notes(&["done", "1"]));
    assert_eq!(good(&notes(&["list"])), "");
    let twice = notes(&["done", "1"]);
    assert!(
        twice.code == Some(1) && twice.err.contains("no open note 1"),
        "{twice:?}"
    );
    assert!(notes(&[]).err.contains("usage:"));
}

#[test]
fn the_example_does_what_its_readme_says() {
    let (folder, world) = (scratch(), World::start(true, None));
    let program = built(Build::Plain, folder.path());
    tour(|words| run(world.command(&program).args(words), LIMIT));
}

#[test]
fn the_example_runs_as_somebody_who_is_not_root() {
    let world = World::start(true, None);
    // Somewhere that anybody may read: a checkout need not be.
    let folder = tempfile::tempdir().unwrap();
    let everybody = fs::Permissions::from_mode(0o755);
    fs::set_permissions(folder.path(), everybody).unwrap();
    let program = built(Build::Plain, folder.path());
    for variable in ["LAKEKEY_C", "LAKEKEY_LIBPQ"] {
        for entry in fs::read_dir(prefix(variable).join("lib")).unwrap() {
            let path = entry.unwrap().path();
            if path.file_name().unwrap().to_string_lossy().contains(".so.") {
                fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
            }
        }
    }
    let certificate = folder.path().join("root.pem");
    let of_emulator = world.emulator().environment().into_iter();
    let of_emulator = of_emulator
        .filter(|(name, _)| name == "PGSSLROOTCERT")
        .map(|(_, path)| path);
    fs::copy(of_emulator.collect::<Vec<_>>().remove(0), &certificate).unwrap();
    let root = fs::metadata("/proc/self").unwrap().uid() == 0;
    tour(|words| {
        let mut command = world.command(&program);
        command
            .args(words)
            .current_dir("/")
            .env("HOME", folder.path())
            .env("LD_LIBRARY_PATH", folder.path())
            .env("PGSSLROOTCERT", &certificate);
        if root {
            command.uid(NOBODY).gid(NOBODY);
        }
        run(&mut command, LIMIT)
    });
}

/// Tokens that live five seconds, and in the middle a minute that passes for the server only, so that the token in use is
/// refused.
fn survives(build: Build, wrapper: &[&str]) {
    let (folder, world) = (scratch(), World::start(true, Some(5)));
    let program = built(build, folder.path());
    good(&run(world.command(&program).arg("migrate"), LIMIT));
    let mints = || world.emulator().counters().mints;
    let before = mints();
    let refused = world.emulator().counters().logins_refused;
    let ended = std::thread::scope(|scope| {
        let followed = scope.spawn(|| {
            let mut command: Command = match wrapper {
                [] => world.command(&program),
                [first, rest @ ..] => {
                    let mut command = world.command(first);
                    command.args(rest).arg(&program);
                    command
                }
            };
            run(command.args(["follow", "12"]), LIMIT)
        });
        let end = Instant::now() + LIMIT;
        let logins = || world.emulator().counters().logins_accepted;
        while mints() < before + 2 && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(20));
        }
        // A token that is still on its way when the minute passes would be refused as well as the one before it, and a
        // login gets one fresh one only.
        let then = logins();
        while logins() < then + 3 && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(20));
        }
        world.emulator().clock().advance(Duration::from_mins(1));
        good(&run(
            world.command(&program).args(["add", "a minute later"]),
            LIMIT,
        ));
        followed.join().unwrap()
    });
    assert!(good(&ended).contains("a minute later"), "{ended:?}");
    assert_eq!(ended.err, "", "nobody saw that a token was refused");
    assert!(world.emulator().counters().logins_refused > refused);
    // One for `add`; the others are rotations.
    assert!(mints() - before >= 4, "{} mints", mints() - before);
}

#[test]
fn the_example_survives_rotations_and_a_refused_token() {
    survives(Build::Plain, &[]);
}

#[test]
fn the_example_survives_them_under_sanitizers() {
    survives(Build::Sanitized, &[]);
}
