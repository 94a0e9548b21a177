//! The table of error codes only grows: scripts match on its numbers and slugs. `published_codes.txt` is what has been
//! promised; a new code is appended to the table and to that file in the same change.

use std::collections::BTreeMap;

use lakekey::Code;

use super::none;

const PUBLISHED: &str = include_str!("published_codes.txt");

fn violations(published: &str, table: &BTreeMap<u16, &str>) -> Vec<String> {
    let mut promised = BTreeMap::new();
    let mut found = Vec::new();
    for line in published.lines() {
        match line
            .split_once(' ')
            .map(|(number, slug)| (number.parse::<u16>(), slug))
        {
            Some((Ok(number), slug)) => {
                promised.insert(number, slug);
            }
            _ => found.push(format!(
                "published_codes.txt: {line:?} is no number and slug"
            )),
        }
    }
    for (number, slug) in &promised {
        match table.get(number) {
            Some(now) if now == slug => {}
            Some(now) => found.push(format!("{number} was published as {slug} and is {now} now")),
            None => found.push(format!("{number} {slug} was published and is gone")),
        }
    }
    for (number, slug) in table {
        if !promised.contains_key(number) {
            found.push(format!(
                "{number} {slug} is new: add the line to tests/hygiene/published_codes.txt"
            ));
        }
    }
    found
}

#[test]
fn published_codes_keep_their_number_and_slug() {
    let table: BTreeMap<u16, &str> = Code::ALL
        .iter()
        .map(|code| (code.number(), code.slug()))
        .collect();
    assert_eq!(table.len(), Code::ALL.len(), "two codes have one number");
    none(&violations(PUBLISHED, &table));
}

#[test]
fn bad_changes_of_the_table_are_found() {
    let table = BTreeMap::from([(1001, "A"), (1003, "RENAMED"), (1004, "NEW")]);
    let found = violations("1001 A\n1002 GONE\n1003 OLD\nnonsense\n", &table).join("\n");
    for expected in [
        "1002 GONE was published and is gone",
        "1003 was published as OLD",
        "1004 NEW is new",
        "nonsense",
    ] {
        assert!(found.contains(expected), "{expected} is not in\n{found}");
    }
}
