//! What holds for every file: a length one can read, no name of somebody's registry, no path of somebody's machine.

use super::none;
use super::sources::{self, Source};

/// A file is one idea; a longer one holds two.
const LINES: usize = 600;
const SOURCES: &[&str] = &[
    "rs", "py", "pyi", "js", "mjs", "ts", "mts", "java", "go", "c", "h", "sh", "toml", "md",
];

fn too_long(source: &Source) -> Option<String> {
    let lines = source.text.lines().count();
    (source.has_extension(SOURCES) && lines > LINES).then(|| {
        format!(
            "{}: {lines} lines; split it by idea, {LINES} are the most",
            source.path
        )
    })
}

/// Put together here so that this file does not hold them itself.
fn forbidden() -> Vec<String> {
    [
        ["artifact", "ory"],
        ["registry.npm", "js.org"],
        ["registry.yarn", "pkg.com"],
        ["index.crates", ".io"],
        ["files.pythonhosted", ".org"],
        ["pypi", ".org"],
        ["repo.maven.apache", ".org"],
        ["repo1.maven", ".org"],
        ["proxy.golang", ".org"],
        ["/work", "/main"],
        ["/work", "/shared"],
        ["../sha", "red"],
        ["/root", "/"],
        ["/home/", "runner"],
        ["/Users", "/"],
    ]
    .map(|parts| parts.concat())
    .into()
}

fn foreign_names(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    for (index, line) in source.text.lines().enumerate() {
        for word in forbidden() {
            if line.contains(&word) {
                found.push(format!(
                    "{}:{}: {word} belongs to one machine or one registry",
                    source.path,
                    index + 1
                ));
            }
        }
    }
    // With addresses in it a lock file works behind one registry only.
    if source.path.ends_with("package-lock.json") {
        if source.text.contains("\"resolved\"") {
            found.push(format!(
                "{}: holds addresses; npm's omit-lockfile-registry-resolved leaves them out",
                source.path
            ));
        }
        if !source.text.contains("\"integrity\"") {
            found.push(format!("{}: holds no checksums", source.path));
        }
    }
    found
}

#[test]
fn no_file_is_longer_than_one_idea() {
    none(
        &sources::all()
            .iter()
            .filter_map(too_long)
            .collect::<Vec<_>>(),
    );
}

#[test]
fn no_file_names_a_registry_or_a_machine() {
    none(
        &sources::all()
            .iter()
            .flat_map(foreign_names)
            .collect::<Vec<_>>(),
    );
}

#[test]
fn bad_files_are_found() {
    assert!(too_long(&Source::new("a.rs", &"x\n".repeat(LINES + 1))).is_some());
    assert!(too_long(&Source::new("a.rs", &"x\n".repeat(LINES))).is_none());
    for word in forbidden() {
        assert_eq!(
            foreign_names(&Source::new("a.toml", &format!("url = \"x{word}y\"\n"))).len(),
            1,
            "{word}"
        );
    }
    assert_eq!(
        foreign_names(&Source::new("x/package-lock.json", "{\"resolved\": \"\"}")).len(),
        2
    );
}
