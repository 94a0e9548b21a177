//! `cargo xtask demo`: stock pools of psycopg, pg and `HikariCP` and a C program with libpq, each in its own process, on
//! tokens that live five seconds, against a local Lakebase with a real Postgres that is suspended in the middle. It shows
//! what lakekey is for, and fails when that is not true.

mod report;

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::{Value, json};

use crate::app::{App, Figures};
use crate::apps::{Apps, Which};
use crate::child;
use crate::emulator::Emulator;
use crate::repo::Repo;
use crate::setup::{artifacts, postgres, python};
use report::{Driver, Report};

const TOKEN_TTL: &str = "5s";
/// One driver of each language.
const SHOWN: [Which; 4] = [Which::Psycopg, Which::Pg, Which::Libpq, Which::Jdbc];
const STEP: Duration = Duration::from_millis(250);

/// How long, and how to tell.
#[derive(Args)]
pub(crate) struct Options {
    /// How long the apps run; 20 seconds see at least five rotations.
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u64).range(20..=3600))]
    seconds: u64,
    /// Print the report as JSON instead of tables.
    #[arg(long)]
    json: bool,
}

/// Runs the demo and says whether all of it came true.
pub(crate) fn run(repo: &Repo, options: &Options) -> Result<bool> {
    let say = |text: &str| {
        if !options.json {
            println!("{text}");
        }
    };
    say("setting up below target/ (the first time takes some minutes)");
    let binaries = postgres::install_major(repo, 17)?;
    let lakekey = artifacts::command(repo, artifacts::Profile::Dev)?;
    let built = Apps::set_up(repo)?;
    let folder = repo.target("demo");
    fs::create_dir_all(&folder)?;

    let bin = binaries
        .to_str()
        .context("the path of the Postgres binaries is no UTF-8")?;
    let emulator = Emulator::start(
        &lakekey,
        &["--token-ttl", TOKEN_TTL, "--pg-bin-dir", bin],
        &folder,
    )?;
    say(&format!(
        "a local Lakebase with Postgres {} is at {}, tokens live {TOKEN_TTL}",
        postgres::version(&binaries)?,
        emulator.variable("DATABRICKS_HOST")?,
    ));
    let apps = SHOWN
        .iter()
        .map(|which| App::start(which.name(), &mut built.command(*which, &emulator), None))
        .collect::<Result<_>>()?;
    let drivers = watch(apps, &emulator, options, &say)?;
    let counters = emulator.counters()?;
    let report = Report::new(
        &postgres::version(&binaries)?,
        drivers,
        &counters,
        refused(repo, &built.python, &emulator)?,
    )?;
    let path = folder.join("report.json");
    fs::write(&path, serde_json::to_string_pretty(&report.json())? + "\n")?;
    if options.json {
        println!("{}", serde_json::to_string_pretty(&report.json())?);
    } else {
        println!("\n{}\nthe report is in {}", report.text(), path.display());
    }
    let broken = report.broken();
    for rule in &broken {
        eprintln!("not true: {rule}");
    }
    Ok(broken.is_empty())
}

/// Watches the apps for their time, with a suspension in the middle.
fn watch(
    mut apps: Vec<App>,
    emulator: &Emulator,
    options: &Options,
    say: &dyn Fn(&str),
) -> Result<Vec<Driver>> {
    let begun = Instant::now();
    let mut total = Duration::from_secs(options.seconds);
    let mut told = 0;
    let mut suspended = false;
    while begun.elapsed() < total {
        thread::sleep(STEP);
        for app in &mut apps {
            complain(app);
            app.check()?;
        }
        let second = begun.elapsed().as_secs();
        if second > told {
            told = second;
            let compute = emulator.compute()?;
            for app in &apps {
                say(&line(second, app.name(), app.figures(), &compute));
            }
        }
        if !suspended && begun.elapsed() >= total / 2 {
            suspended = true;
            let quiet = Instant::now();
            suspend(&mut apps, emulator, say)?;
            // A quiet app needs no token and rotates none: that time does not count.
            total += quiet.elapsed();
        }
    }
    apps.iter_mut()
        .map(|app| {
            // It waits for one more rotation, so that its tokens and the mints can be compared.
            app.tell("pause")?;
            let last = app.finish()?;
            complain(app);
            let name = last["driver"].as_str().unwrap_or(app.name());
            Ok(Driver {
                name: name.to_owned(),
                figures: app.figures(),
            })
        })
        .collect()
}

fn complain(app: &mut App) {
    for failure in app.failures() {
        eprintln!("the {} app failed: {}", app.name(), failure.text);
    }
}

/// Lets the apps go quiet, as apps at night, suspends the database, and lets their next query wake it.
fn suspend(apps: &mut [App], emulator: &Emulator, say: &dyn Fn(&str)) -> Result<()> {
    say("      the apps go quiet and their connections idle away");
    for app in apps.iter_mut() {
        app.tell("pause")?;
    }
    let deadline = Instant::now() + Duration::from_secs(30);
    wait(
        deadline,
        "a pool keeps connections though nobody uses it",
        || {
            for app in apps.iter_mut() {
                app.check()?;
            }
            Ok(apps.iter().all(App::quiet))
        },
    )?;
    let endpoint = format!(
        "/_emulator/endpoints/{}",
        emulator.variable("LAKEBASE_ENDPOINT")?
    );
    emulator.post(&endpoint, &json!({"action": "suspend"}))?;
    wait(deadline, "the endpoint was not suspended", || {
        Ok(emulator.compute()? == "suspended")
    })?;
    say("      the database is suspended; the next query wakes it");
    for app in apps.iter_mut() {
        app.tell("resume")?;
    }
    Ok(())
}

fn wait(deadline: Instant, trouble: &str, mut done: impl FnMut() -> Result<bool>) -> Result<()> {
    while !done()? {
        if Instant::now() > deadline {
            bail!("{trouble}");
        }
        thread::sleep(STEP);
    }
    Ok(())
}

/// What the logins got that must be refused. libpq keeps the SQLSTATE of a refused login to itself, so the emulator is
/// asked which one it sent.
fn refused(repo: &Repo, environment: &python::Environment, emulator: &Emulator) -> Result<Value> {
    let journal = |since: &Value| emulator.get(&format!("/_emulator/requests?since={since}"));
    let before = journal(&json!(0))?["last"].take();
    let said = child::quietly(
        "the refused logins",
        emulator.lend(environment.python().arg(repo.path("xtask/demo/refused.py"))),
    )?;
    let mut refused: Value =
        serde_json::from_str(&said).with_context(|| format!("refused.py said {said:?}"))?;
    let seen = journal(&before)?;
    let sent = seen["entries"].as_array().into_iter().flatten();
    let sent = sent.filter_map(|entry| entry["sqlstate"].as_str());
    for (name, sqlstate) in report::REFUSED.iter().zip(sent) {
        refused[*name]["sqlstate"] = json!(sqlstate);
    }
    Ok(refused)
}

fn line(second: u64, name: &str, figures: Figures, compute: &str) -> String {
    format!(
        "{second:>3} s  {name:<7}  logins {:>4}  queries {:>6}  tokens seen {:>2}  failed logins {}  failed queries {}  database {compute}",
        figures.logins,
        figures.queries,
        figures.tokens,
        figures.failed_logins,
        figures.failed_queries,
    )
}
