//! Where `unsafe` may stand and that each place says why it is sound. An unexplained one cannot be reviewed later.

use super::none;
use super::sources::{self, Source};

/// The boundary to other languages and its tests.
const ALLOWED: &[&str] = &["bindings-"];

fn violations(source: &Source) -> Vec<String> {
    let originals: Vec<&str> = source.text.lines().collect();
    let mut found = Vec::new();
    for (number, line) in source.rust() {
        if !is_unsafe(&line) {
            continue;
        }
        if !ALLOWED.iter().any(|prefix| source.path.starts_with(prefix)) {
            found.push(format!(
                "{}:{number}: unsafe stands only in {}",
                source.path,
                ALLOWED.join(", ")
            ));
        } else if !explained(&originals[..number]) {
            found.push(format!(
                "{}:{number}: unsafe without a `// SAFETY:` line right before it",
                source.path
            ));
        }
    }
    found
}

fn is_unsafe(line: &str) -> bool {
    let words = line.split(|c: char| !(c.is_alphanumeric() || c == '_'));
    words.into_iter().any(|word| word == "unsafe")
}

/// Looks at the statement's own lines and the comment above it.
fn explained(lines: &[&str]) -> bool {
    lines
        .iter()
        .rev()
        .take(12)
        .take_while(|line| !line.trim().is_empty())
        .any(|line| line.contains("SAFETY:") || line.contains("# Safety"))
}

#[test]
fn every_unsafe_says_why_it_is_sound() {
    let sources = sources::rust();
    let found: Vec<String> = sources.iter().flat_map(violations).collect();
    none(&found);
}

#[test]
fn bad_unsafe_is_found() {
    let plain = "fn f() {\n    let a = unsafe { g() };\n}\n";
    assert_eq!(violations(&Source::new("core/src/a.rs", plain)).len(), 1);
    assert_eq!(
        violations(&Source::new("bindings-common/src/a.rs", plain)).len(),
        1
    );
    let explained =
        "fn f() {\n    // SAFETY: g has no precondition.\n    let a = unsafe { g() };\n}\n";
    assert!(violations(&Source::new("bindings-common/src/a.rs", explained)).is_empty());
    assert_eq!(
        violations(&Source::new("core/src/a.rs", explained)).len(),
        1
    );
    assert!(
        violations(&Source::new(
            "core/src/a.rs",
            "#![forbid(unsafe_code)] // unsafe\n"
        ))
        .is_empty()
    );
}
