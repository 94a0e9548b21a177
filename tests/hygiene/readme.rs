//! The README is what a newcomer believes. Its Rust is run by the part e2e, its Python and its shell lines run in
//! `tests/python/official/test_readme.py`, its JavaScript in `tests/node/readme.test.mjs`, its Java in
//! `tests/java/io/lakekey/DocumentationTest.java`, its C in `tests/c/tests/suite/readme.rs`; here stands that no block escapes.

use std::fs;

use super::none;
use super::sources::root;

/// Languages of blocks that are run somewhere; `text` shows output.
const COVERED: &[&str] = &["c", "java", "js", "python", "rust", "sh", "text"];

fn languages(text: &str) -> Vec<&str> {
    let mut open = false;
    text.lines()
        .filter_map(|line| {
            let language = line.strip_prefix("```")?;
            open = !open;
            open.then_some(language)
        })
        .collect()
}

fn violations(text: &str) -> Vec<String> {
    languages(text)
        .into_iter()
        .filter(|language| !COVERED.contains(language))
        .map(|language| {
            format!(
                "README.md: a block in {language:?} is run by no test; covered are {}",
                COVERED.join(", ")
            )
        })
        .collect()
}

#[test]
fn every_block_of_the_readme_is_covered_by_a_test() {
    let text = fs::read_to_string(root().join("README.md")).unwrap();
    for needed in ["c", "java", "js", "python", "rust", "sh"] {
        assert!(
            languages(&text).contains(&needed),
            "the README shows no {needed}"
        );
    }
    none(&violations(&text));
}

#[test]
fn the_readme_says_first_what_it_is_and_once_whose_it_is_not() {
    let text = fs::read_to_string(root().join("README.md")).unwrap();
    let commands: Vec<usize> = ["cargo xtask demo", "cargo xtask test"]
        .iter()
        .filter_map(|command| text.find(command))
        .collect();
    assert_eq!(commands.len(), 2, "the README names both commands");
    assert!(commands[0] < 1500, "the commands stand at the top");
    assert_eq!(text.matches("not affiliated").count(), 1);
}

#[test]
fn an_uncovered_block_is_found() {
    assert_eq!(violations("```ruby\nx\n```\n```sh\ny\n```\n").len(), 1);
    assert_eq!(
        languages("```sh\nx\n```\ntext\n```python\n```\n"),
        ["sh", "python"]
    );
}
