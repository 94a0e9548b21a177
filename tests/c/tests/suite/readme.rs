//! The C blocks of the README, compiled and run as they stand there. What a newcomer copies must work.

use std::time::Duration;

use lakekey_c_tests::root;

use crate::build::{Build, compile, run, scratch};
use crate::world::World;

fn blocks(text: &str) -> Vec<&str> {
    let parts = text.split("\n```c\n").skip(1);
    parts
        .filter_map(|part| Some(part.split_once("\n```")?.0))
        .collect()
}

#[test]
fn the_readme_has_c_and_it_runs() {
    let text = std::fs::read_to_string(root().join("README.md")).unwrap();
    let blocks = blocks(&text);
    assert!(!blocks.is_empty(), "the README shows no C");
    let (folder, world) = (scratch(), World::start(true, None));
    for block in blocks {
        let source = folder.path().join("readme.c");
        std::fs::write(&source, format!("{block}\n")).unwrap();
        for build in [Build::Plain, Build::Sanitized] {
            let program = compile(&source, build, &["libpq"], folder.path());
            let ended = run(&mut world.command(program), Duration::from_mins(1));
            assert_eq!(ended.code, Some(0), "{build:?}: {ended:?}");
            assert_eq!(ended.out.trim(), "user@emulator.test");
        }
    }
}
