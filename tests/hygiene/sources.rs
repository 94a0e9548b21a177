//! The files of the checkout and their text without comments. A rule that read comments would forbid to talk about it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// One text file of the checkout.
pub(crate) struct Source {
    /// From the top of the checkout, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Source {
        Source {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    pub(crate) fn has_extension(&self, extensions: &[&str]) -> bool {
        self.path
            .rsplit_once('.')
            .is_some_and(|(_, extension)| extensions.contains(&extension))
    }

    /// Numbered lines of Rust code that is shipped: without comments and without the test module at a file's end.
    pub(crate) fn shipped_rust(&self) -> Vec<(usize, String)> {
        let tests_begin = self
            .text
            .lines()
            .position(|line| {
                line.trim_start().starts_with("#[cfg(test)]") && !line.starts_with(' ')
            })
            .unwrap_or(usize::MAX);
        self.rust()
            .into_iter()
            .filter(|(number, _)| *number <= tests_begin)
            .collect()
    }

    /// Numbered lines of Rust code without comments and string literals, from 1.
    pub(crate) fn rust(&self) -> Vec<(usize, String)> {
        let mut depth = 0_usize;
        self.text
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, strip(line, &mut depth)))
            .collect()
    }
}

/// A line without comments and with empty string literals. `depth` counts open block comments over lines.
fn strip(line: &str, depth: &mut usize) -> String {
    let mut kept = String::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        if *depth > 0 {
            if let Some(after) = rest.strip_prefix("*/") {
                *depth -= 1;
                rest = after;
            } else {
                rest = &rest[first.len_utf8()..];
            }
        } else if rest.starts_with("//") {
            break;
        } else if let Some(after) = rest.strip_prefix("/*") {
            *depth += 1;
            rest = after;
        } else if let Some(after) = rest.strip_prefix("'\"'") {
            kept.push_str("' '");
            rest = after;
        } else if let Some(after) = rest.strip_prefix('"') {
            kept.push_str("\"\"");
            rest = past_literal(after);
        } else {
            kept.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    kept
}

/// What follows the literal's closing quote; nothing when it goes on in the next line.
fn past_literal(text: &str) -> &str {
    let mut escaped = false;
    for (at, character) in text.char_indices() {
        match character {
            '"' if !escaped => return &text[at + 1..],
            '\\' if !escaped => escaped = true,
            _ => escaped = false,
        }
    }
    ""
}

/// The top of the checkout.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests/ stands in the checkout")
        .to_owned()
}

/// Every text file that is in git or would be added to it.
pub(crate) fn all() -> Vec<Source> {
    let listed = Command::new("git")
        .current_dir(root())
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .output()
        .expect("git is needed to list the files of the checkout and is not on PATH");
    assert!(
        listed.status.success(),
        "{}",
        String::from_utf8_lossy(&listed.stderr)
    );
    let sources: Vec<Source> = String::from_utf8(listed.stdout)
        .expect("file names are UTF-8")
        .split('\0')
        .filter(|path| !path.is_empty())
        // What is no text has no lines to look at, and what was deleted has no text.
        .filter_map(|path| {
            Some(Source {
                path: path.to_owned(),
                text: fs::read_to_string(root().join(path)).ok()?,
            })
        })
        .collect();
    assert!(
        sources.len() > 50,
        "only {} files were found: the rules would look at nothing",
        sources.len()
    );
    sources
}

/// Every Rust file.
pub(crate) fn rust() -> Vec<Source> {
    all()
        .into_iter()
        .filter(|source| source.has_extension(&["rs"]))
        .collect()
}

#[test]
fn comments_and_literals_are_no_code() {
    let source = Source::new(
        "a.rs",
        "let a = \"reqwest // \\\" x\"; // reqwest\n/* unsafe\nunsafe */ let b = '\"'; c\n#[cfg(test)]\nmod tests {}",
    );
    let lines: Vec<String> = source.rust().into_iter().map(|(_, line)| line).collect();
    assert_eq!(lines[..3], ["let a = \"\"; ", "", " let b = ' '; c"]);
    assert_eq!(source.shipped_rust().len(), 3);
}
