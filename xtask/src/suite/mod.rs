//! `cargo xtask test`: every test of every language, with one table and one line at the end. A part that ran no test
//! counts as failed, because an empty run looks exactly like a good one.

mod count;
mod parts;

use std::time::{Duration, Instant};

use clap::Args;

use crate::child;
use crate::repo::Repo;
use crate::table;
use count::Counts;
use parts::{PARTS, Part, Step};

/// No step takes this long; one that does hangs.
const STEP_LIMIT: Duration = Duration::from_mins(25);

/// Every secret that a test gives to lakekey is or begins with this; none may come out again, in a crash least of all.
const SECRET: &str = "planted";

/// What to test.
#[derive(Args)]
pub(crate) struct Options {
    /// The parts to run; all when none is named.
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(PARTS.iter().map(|part| part.name)))]
    parts: Vec<String>,
}

/// Runs the parts and says whether all of it passed.
pub(crate) fn run(repo: &Repo, options: &Options) -> bool {
    let chosen: Vec<&Part> = PARTS
        .iter()
        .filter(|part| {
            options.parts.is_empty() || options.parts.iter().any(|name| name == part.name)
        })
        .collect();
    let mut rows = Vec::new();
    let mut total = Counts::default();
    for part in chosen {
        let begun = Instant::now();
        let (counts, notes) = run_part(repo, part);
        rows.push(vec![
            part.name.to_owned(),
            counts.passed.to_string(),
            counts.failed.to_string(),
            counts.skipped.to_string(),
            format!("{:.0} s", begun.elapsed().as_secs_f64()),
            notes.join("; "),
        ]);
        total = total + counts;
    }
    println!(
        "\n{}",
        table::render(
            &["part", "passed", "failed", "skipped", "time", "trouble"],
            &rows
        )
    );
    println!("{} passed, {} failed", total.passed, total.failed);
    total.failed == 0 && total.passed > 0
}

/// Trouble before a test could run is a failure of that part and does not keep the other parts from running.
fn run_part(repo: &Repo, part: &Part) -> (Counts, Vec<String>) {
    println!("\n=== {}: {}", part.name, part.what);
    let steps = match (part.steps)(repo) {
        Ok(steps) => steps,
        Err(error) => {
            eprintln!("error: {error:#}");
            let first = format!("{error:#}")
                .lines()
                .next()
                .unwrap_or_default()
                .to_owned();
            return (Counts::failure(), vec![first]);
        }
    };
    let mut counts = Counts::default();
    let mut notes = Vec::new();
    for step in steps {
        let (more, note) = run_step(repo, part, step);
        counts = counts + more;
        notes.extend(note);
    }
    (counts, notes)
}

fn run_step(repo: &Repo, part: &Part, mut step: Step) -> (Counts, Option<String>) {
    println!("--- {}", step.label);
    let log = repo.target(&format!(
        "test-logs/{}-{}.log",
        part.name,
        step.label.replace([' ', '/'], "-")
    ));
    let told = match child::logged(&mut step.command, &log, STEP_LIMIT) {
        Ok(told) => told,
        Err(error) => {
            return (
                Counts::failure(),
                Some(format!("{}: {error:#}", step.label)),
            );
        }
    };
    let counts = step.reader.read(&told.text);
    let trouble = if !told.success {
        Some(told.ending)
    } else if counts.passed == 0 {
        Some("ran no test".to_owned())
    } else if told.text.contains(SECRET) {
        Some("a planted secret is in its output".to_owned())
    } else {
        None
    };
    match trouble {
        Some(trouble) => (
            // The program failed without a failed test: a build error, a crash, a time limit.
            if counts.failed == 0 {
                counts + Counts::failure()
            } else {
                counts
            },
            Some(format!("{}: {trouble}, see {}", step.label, log.display())),
        ),
        None => (counts, None),
    }
}
