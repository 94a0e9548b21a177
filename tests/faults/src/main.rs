//! The fault matrix: every fault of `rows.json` times every language, each with an emulator and an app of its own, the
//! languages side by side. Run by `cargo xtask test faults`, which knows how to build and start the apps.

mod app;
mod cell;
mod report;
mod row;
mod stage;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result};

use app::Recipe;
use cell::{Cell, Column};
use row::{Hosts, Row};

/// What must not be found in any log: the token of the workspace, and the beginning of every database token.
const SECRETS: &[&str] = &["dapi-emulator", "eyJ"];

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// `lakekey-faults FOLDER [PART OF A ROW'S NAME [COLUMN]]`, with the recipes in `FOLDER/apps.json`.
fn run() -> Result<bool> {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().context("which folder?")?);
    let (part, column) = (arguments.next().unwrap_or_default(), arguments.next());
    let lakekey = PathBuf::from(std::env::var_os("LAKEKEY_BIN").context("LAKEKEY_BIN is not set")?);
    let rows = row::rows()?;
    let rows: Vec<&Row> = rows.iter().filter(|row| row.name.contains(&part)).collect();
    let recipes: Vec<Recipe> = app::recipes(&folder.join("apps.json"))?
        .into_iter()
        .filter(|recipe| column.as_ref().is_none_or(|column| *column == recipe.name))
        .collect();
    let began = Instant::now();
    let played: Vec<(Vec<Cell>, Vec<String>)> = thread::scope(|scope| {
        let threads: Vec<_> = recipes
            .iter()
            .map(|recipe| scope.spawn(|| play(recipe, &rows, &lakekey, &folder)))
            .collect();
        threads
            .into_iter()
            .map(|thread| {
                thread.join().unwrap_or_else(|_| {
                    (
                        vec![Cell::Broken("the test itself panicked".into()); rows.len()],
                        Vec::new(),
                    )
                })
            })
            .collect()
    });
    let mut found = Vec::new();
    let mut columns = Vec::new();
    for (recipe, (cells, secrets)) in recipes.iter().zip(played) {
        found.extend(secrets);
        columns.push((recipe.name.clone(), cells));
    }
    let text = report::markdown(&rows, &columns, &found);
    println!("{text}");
    let file = folder.join("report.md");
    std::fs::write(&file, text).with_context(|| format!("{}", file.display()))?;
    println!(
        "written to {} after {:.0} s",
        file.display(),
        began.elapsed().as_secs_f64()
    );
    let count = |is: fn(&Cell) -> bool| {
        columns
            .iter()
            .flat_map(|(_, cells)| cells)
            .filter(|cell| is(cell))
            .count()
    };
    let passed = count(|cell| matches!(cell, Cell::Held(_)));
    // The search for secrets is a test of its own.
    let failed = count(|cell| matches!(cell, Cell::Broken(_))) + usize::from(!found.is_empty());
    println!(
        "test result: {}. {} passed; {failed} failed; {} ignored",
        if failed == 0 { "ok" } else { "FAILED" },
        passed + usize::from(found.is_empty()),
        count(|cell| matches!(cell, Cell::Cannot(_))),
    );
    Ok(failed == 0 && passed > 0)
}

/// All rows in one language, and the secrets that were found.
fn play(recipe: &Recipe, rows: &[&Row], lakekey: &Path, folder: &Path) -> (Vec<Cell>, Vec<String>) {
    let mut cells = vec![Cell::Broken("not played".into()); rows.len()];
    let mut found = Vec::new();
    for hosts in Hosts::ALL {
        let mine = || {
            rows.iter()
                .enumerate()
                .filter(|(_, row)| row.hosts == hosts)
        };
        if mine().next().is_none() {
            continue;
        }
        match Column::start(recipe, lakekey, hosts, folder) {
            Ok(mut column) => {
                for (index, row) in mine() {
                    cells[index] = column.play(row);
                    if let Cell::Broken(why) = &cells[index] {
                        eprintln!("{}, {}: {why}", recipe.name, row.name);
                    }
                }
                found.extend(
                    column
                        .end(SECRETS)
                        .unwrap_or_else(|error| vec![format!("{error:#}")]),
                );
            }
            Err(error) => {
                for (index, _) in mine() {
                    cells[index] = Cell::Broken(format!("{error:#}"));
                }
            }
        }
    }
    (cells, found)
}
