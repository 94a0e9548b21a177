//! docs/promises.md says what lakekey survives. A promise whose test is gone, or a table that is not the one that is
//! played, would be believed for years; so each reference is followed and the table is compared with `tests/faults/rows.json`.

use std::fs;

use serde_json::Value;

use super::none;
use super::sources::root;

/// What must come of one step, in the words of the page.
fn outcome(expect: &Value) -> Option<String> {
    let serves = &expect["serves"]["within_s"];
    if !serves.is_null() {
        return Some(format!("served within {serves} s"));
    }
    let fails = &expect["fails"];
    let kind = fails["of"][0].as_str()?;
    let hint = fails["hint"]
        .as_str()
        .map_or_else(String::new, |hint| format!(", says \"{hint}\""));
    Some(format!("`{kind}` within {} s{hint}", fails["within_s"]))
}

/// The matrix as the page shows it.
fn table(rows: &[Value]) -> String {
    let mut text = String::from("| fault | each connect and query | elsewhere |\n|---|---|---|\n");
    for row in rows {
        let steps = row["steps"].as_array().into_iter().flatten();
        let outcomes: Vec<String> = steps
            .filter_map(|step| step.as_object()?.values().next())
            .filter_map(|step| outcome(&step["expect"]))
            .collect();
        let elsewhere: Vec<String> = row["platforms"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, why)| format!("{name}: {}", why.as_str().unwrap_or_default()))
            .collect();
        let name = row["name"].as_str().unwrap_or_default();
        let line = [name, &outcomes.join("; "), &elsewhere.join("; ")].join(" | ");
        text.extend(["| ", &line, " |\n"]);
    }
    text
}

/// The references, a link to a file and names in it between backticks, whose file or name is not there.
fn dead_references(text: &str, read: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let mut dead = Vec::new();
    for part in text.split("](../").skip(1) {
        let Some((path, rest)) = part.split_once(')') else {
            continue;
        };
        let Some(file) = read(path) else {
            dead.push(format!("docs/promises.md: there is no {path}"));
            continue;
        };
        let mut rest = rest;
        while let Some((name, after)) = rest
            .trim_start_matches([',', ' '])
            .strip_prefix('`')
            .and_then(|rest| rest.split_once('`'))
        {
            if !file.contains(name) {
                dead.push(format!("docs/promises.md: {path} has no {name}"));
            }
            rest = after;
        }
    }
    dead
}

fn page() -> String {
    fs::read_to_string(root().join("docs/promises.md")).unwrap()
}

#[test]
fn every_test_that_the_promises_name_exists() {
    let dead = dead_references(&page(), |path| fs::read_to_string(root().join(path)).ok());
    none(&dead);
}

#[test]
fn the_matrix_of_the_promises_is_the_one_that_is_played() {
    let rows = fs::read_to_string(root().join("tests/faults/rows.json")).unwrap();
    let rows: Vec<Value> = serde_json::from_str(&rows).unwrap();
    let wanted = table(&rows);
    assert!(rows.len() > 50 && wanted.matches("within").count() >= rows.len());
    assert!(
        page().ends_with(&wanted),
        "docs/promises.md must end with this table:\n\n{wanted}"
    );
}

#[test]
fn a_reference_to_nothing_is_found() {
    let text = "[a](../x.rs) `one`, `two`, [b](../y.rs) `one`";
    let read = |path: &str| (path == "x.rs").then(|| "fn one()".to_owned());
    assert_eq!(
        dead_references(text, read),
        [
            "docs/promises.md: x.rs has no two",
            "docs/promises.md: there is no y.rs"
        ]
    );
}
