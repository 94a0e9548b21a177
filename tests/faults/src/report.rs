//! The matrix as a table: rows by languages, with how long the app waited, and why a cell is not as promised.

use std::fmt::Write as _;

use crate::cell::Cell;
use crate::row::Row;

/// The matrix in Markdown.
pub(crate) fn markdown(
    rows: &[&Row],
    columns: &[(String, Vec<Cell>)],
    secrets: &[String],
) -> String {
    let mut text = String::from(
        "# Fault matrix\n\nSeconds that the app waited at each step; why, where it is not as promised.\n\n",
    );
    let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
    let _ = writeln!(text, "| fault | {} |", names.join(" | "));
    let _ = writeln!(text, "|---|{}", "---|".repeat(names.len()));
    let mut notes = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        let cells: Vec<String> = columns
            .iter()
            .map(|(name, cells)| match &cells[index] {
                Cell::Held(waits) => {
                    let waits: Vec<String> = waits
                        .iter()
                        .map(|wait| format!("{:.1}", wait.as_secs_f64()))
                        .collect();
                    format!("✓ {}", waits.join(", "))
                }
                Cell::Cannot(why) => {
                    notes.push(format!("{}, {name}: cannot: {why}", row.name));
                    format!("cannot ({})", notes.len())
                }
                Cell::Broken(why) => {
                    notes.push(format!("{}, {name}: **broken**: {why}", row.name));
                    format!("✗ ({})", notes.len())
                }
            })
            .collect();
        let _ = writeln!(text, "| {} | {} |", row.name, cells.join(" | "));
    }
    text.push('\n');
    for (index, note) in notes.iter().enumerate() {
        let _ = writeln!(text, "{}. {}", index + 1, note.replace('\n', " "));
    }
    let _ = writeln!(
        text,
        "\nPlanted secrets in what apps and emulators said: {}",
        if secrets.is_empty() {
            "none".to_owned()
        } else {
            secrets.join("; ")
        }
    );
    text
}
