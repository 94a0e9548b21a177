//! What resources look like on a terminal. Programs get the API's JSON instead, and the colour of nothing.

use serde_json::Value;

use super::name::short;
use super::{Column, Resource};
use crate::output::visible;

/// A table with a heading. The first column is a name that every command takes.
pub(super) fn list(resource: &Resource, items: &[Value]) -> String {
    let mut rows: Vec<Vec<String>> = vec![
        resource
            .columns
            .iter()
            .map(|Column(heading, _)| (*heading).to_owned())
            .collect(),
    ];
    rows.extend(items.iter().map(|item| {
        resource
            .columns
            .iter()
            .map(|Column(_, path)| cell(item, path))
            .collect()
    }));
    aligned(&rows)
}

fn cell(item: &Value, path: &str) -> String {
    let value = at(item, path).or_else(|| {
        // Reads give `status` where writes have `spec`.
        at(item, &path.replacen("status.", "spec.", 1))
    });
    let text = value.map(scalar).unwrap_or_default();
    if text.is_empty() {
        return "-".to_owned();
    }
    visible(&short(&text))
}

fn at<'a>(item: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(item, |item, name| item.get(name))
}

fn scalar(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(all) => all.iter().map(scalar).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

/// One resource, a line for each of its values.
pub(super) fn one(item: &Value) -> String {
    let mut rows = Vec::new();
    flatten("", item, &mut rows);
    // Its name comes first.
    rows.sort_by_key(|row| row[0] != "name:");
    aligned(&rows)
}

fn flatten(place: &str, value: &Value, rows: &mut Vec<Vec<String>>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let below = if place.is_empty() {
                    name.clone()
                } else {
                    format!("{place}.{name}")
                };
                flatten(&below, value, rows);
            }
        }
        Value::Array(all) if all.iter().any(Value::is_object) => {
            for (index, value) in all.iter().enumerate() {
                flatten(&format!("{place}[{index}]"), value, rows);
            }
        }
        value => rows.push(vec![
            format!("{}:", visible(place)),
            visible(&scalar(value)),
        ]),
    }
}

/// Rows with their columns below each other, without blanks at the ends.
fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            let lengths = rows.iter().map(|row| row[column].chars().count());
            lengths.max().unwrap_or_default()
        })
        .collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(cell);
            let blanks = width.saturating_sub(cell.chars().count()) + 2;
            line.extend(std::iter::repeat_n(' ', blanks));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{aligned, one};

    #[test]
    fn columns_stand_below_each_other() {
        let rows = [["NAME", "X"], ["é", "long"], ["longer", ""]]
            .map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(aligned(&rows), "NAME    X\né       long\nlonger\n");
    }

    #[test]
    fn one_resource_is_flat_and_steers_no_terminal() {
        let item = json!({"a": {"b": [1, 2], "c": [{"d": "\u{1b}[2J"}]}, "name": "projects/shop"});
        assert_eq!(
            one(&item),
            "name:      projects/shop\na.b:       1,2\na.c[0].d:  \\u{1b}[2J\n"
        );
    }
}
