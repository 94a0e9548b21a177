//! `cargo xtask soak`: every driver for minutes under random faults and rotations, and at the end whether what must hold
//! held. A test looks at one trouble at a time; here they come in an order that nobody thought of.

mod gauge;
mod journal;
mod ledger;
mod report;
mod traces;
mod trouble;
mod verdict;

use std::collections::BTreeMap;
use std::fs;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::{Value, json};

use crate::app::App;
use crate::apps::{Apps, Which};
use crate::emulator::Emulator;
use crate::repo::Repo;
use crate::setup::{artifacts, postgres};
use gauge::{Gauge, Growth, Look};
use journal::Journal;
use ledger::Ledger;
use report::Report;
use trouble::{Armed, Trouble};
use verdict::{Findings, TOKEN_TTL_S};

const TICK: Duration = Duration::from_millis(100);
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The service principal that half of the apps are.
const CLIENT_ID: &str = "00000000-0000-4000-8000-000000000001";

/// How long, and which run.
#[derive(Args)]
#[command(after_help = "Examples:
  cargo xtask soak --minutes 10
  cargo xtask soak --minutes 0.5 --seed 7     the same trouble again, for half a minute
  cargo xtask soak --minutes 60 --json > soak.json

The report is in target/soak/report.md, and what each process printed in target/soak/*.log. The exit status is 1 when an
invariant did not hold, or when Ctrl-C ended the run before its time.")]
pub(crate) struct Options {
    /// How long the apps run, in minutes; 0.4 is the least in which anything happens.
    #[arg(long, value_parser = minutes)]
    minutes: f64,
    /// Which random trouble; the run says which it took.
    #[arg(long)]
    seed: Option<u64>,
    /// Print the result as JSON instead of tables; progress goes to standard error.
    #[arg(long)]
    json: bool,
}

fn minutes(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(minutes) if (0.4..=1440.0).contains(&minutes) => Ok(minutes),
        _ => Err("give a number of minutes from 0.4 to 1440".to_owned()),
    }
}

/// Runs the soak and says whether all held.
pub(crate) fn run(repo: &Repo, options: &Options) -> Result<bool> {
    let seed = match options.seed {
        Some(seed) => seed,
        None => u64::from(SystemTime::now().duration_since(UNIX_EPOCH)?.subsec_nanos()),
    };
    let length = Duration::from_secs_f64(options.minutes * 60.0);
    let interrupts = interrupts()?;
    let say = |text: &str| {
        if options.json {
            eprintln!("{text}");
        } else {
            println!("{text}");
            let _ = std::io::stdout().flush();
        }
    };
    say("setting up below target/ (the first time takes some minutes)");
    let binaries = postgres::install_major(repo, 17)?;
    let lakekey = artifacts::command(repo, artifacts::Profile::Dev)?;
    let apps = Apps::set_up(repo)?;
    let folder = repo.target("soak");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let mut soak = Soak::begin(repo, &apps, &lakekey, &binaries, folder)?;
    say(&format!(
        "seed {seed}: {} drivers for {} s with credentials of {TOKEN_TTL_S} s; Ctrl-C ends it with what is known by then",
        soak.running.len(),
        length.as_secs(),
    ));
    let planned = trouble::drawn(seed, length);
    let ran = soak.live(length, &planned, &interrupts, &say)?;
    let interrupted = interrupts.load(Ordering::Relaxed) > 0;
    let report = soak.end(&apps, seed, ran, interrupted)?;
    report.write(repo)?;
    if options.json {
        println!("{}", serde_json::to_string_pretty(&report.json())?);
    } else {
        println!("\n{}", report.text());
    }
    Ok(report.good())
}

/// Counts Ctrl-C and SIGTERM. The second one ends this process at once; its children notice that it is gone.
fn interrupts() -> Result<Arc<AtomicU32>> {
    let count = Arc::new(AtomicU32::new(0));
    let seen = Arc::clone(&count);
    ctrlc::set_handler(move || {
        if seen.fetch_add(1, Ordering::Relaxed) > 0 {
            std::process::exit(130);
        }
    })
    .context("Ctrl-C cannot be watched")?;
    Ok(count)
}

/// An app under watch.
struct Watched {
    app: App,
    which: Which,
    gauge: Gauge,
    /// Its last words, or why there are none.
    end: Option<Result<Value>>,
}

/// A soak that runs.
struct Soak<'a> {
    repo: &'a Repo,
    folder: PathBuf,
    emulator: Emulator,
    emulator_gauge: Gauge,
    running: Vec<Watched>,
    identities: BTreeMap<&'static str, String>,
    ledger: Ledger,
    journal: Journal,
    /// What is in force: since when it is, until when, and what to take away then.
    armed: Vec<(usize, Instant, Armed)>,
    /// Apps that ended when they should not have.
    deaths: Vec<String>,
}

impl<'a> Soak<'a> {
    fn begin(
        repo: &'a Repo,
        apps: &Apps,
        lakekey: &Path,
        binaries: &Path,
        folder: PathBuf,
    ) -> Result<Soak<'a>> {
        let text = |path: &Path| {
            path.to_str()
                .map(str::to_owned)
                .with_context(|| format!("{} is no UTF-8", path.display()))
        };
        let emulator = Emulator::start(
            lakekey,
            &[
                "--token-ttl",
                &format!("{TOKEN_TTL_S}s"),
                "--pg-bin-dir",
                &text(binaries)?,
                "--state-dir",
                &text(&folder.join("state"))?,
            ],
            &folder,
        )?;
        let mut soak = Soak {
            repo,
            folder,
            emulator,
            emulator_gauge: Gauge::default(),
            running: Vec::new(),
            identities: BTreeMap::new(),
            ledger: Ledger::default(),
            journal: Journal::default(),
            armed: Vec::new(),
            deaths: Vec::new(),
        };
        soak.rows(apps, "prepare", &Value::Null)?;
        let kept = json!({"keep": ["clock", "faults", "resources", "tokens"]});
        soak.emulator.post("/_emulator/reset", &kept)?;
        let user = soak.emulator.variable("PGUSER")?.to_owned();
        for (at, which) in Which::ALL.into_iter().enumerate() {
            let mut command = apps.command(which, &soak.emulator);
            let log = |kind: &str| {
                let name = which.name().replace(' ', "-");
                fs::File::create(soak.folder.join(format!("{name}.{kind}.log")))
            };
            command
                .current_dir(&soak.folder)
                .env("APP_ROWS", which.name())
                .stderr(Stdio::from(log("err")?));
            let who = if at % 2 == 0 {
                user.clone()
            } else {
                command
                    .env_remove("DATABRICKS_TOKEN")
                    .env("DATABRICKS_CLIENT_ID", CLIENT_ID)
                    .env("DATABRICKS_CLIENT_SECRET", traces::SECRETS[1])
                    .env("PGUSER", CLIENT_ID);
                CLIENT_ID.to_owned()
            };
            soak.identities.insert(which.name(), who);
            soak.running.push(Watched {
                app: App::start(which.name(), &mut command, Some(log("out")?))?,
                which,
                gauge: Gauge::default(),
                end: None,
            });
        }
        Ok(soak)
    }

    /// Lets them work until it is time, or Ctrl-C; how long that was.
    fn live(
        &mut self,
        length: Duration,
        planned: &[Trouble],
        interrupts: &AtomicU32,
        say: &dyn Fn(&str),
    ) -> Result<Duration> {
        let tell_every = Duration::from_secs(if std::io::stdout().is_terminal() {
            2
        } else {
            10
        });
        let begun = Instant::now();
        let (mut told, mut looked) = (begun, begun);
        let mut planned = planned.iter().peekable();
        let interrupted = || interrupts.load(Ordering::Relaxed) > 0;
        // After a death the rest is of no use; what is known of it is reported.
        while begun.elapsed() < length && !interrupted() && self.deaths.is_empty() {
            thread::sleep(TICK);
            for watched in &mut self.running {
                if let Err(error) = watched.app.check() {
                    let name = watched.which.name();
                    self.deaths.push(format!("{name}: {error:#}"));
                }
                for failure in watched.app.failures() {
                    self.ledger.failed(watched.which.name(), failure);
                }
            }
            while let Some(trouble) = planned.next_if(|trouble| trouble.at <= begun.elapsed()) {
                let window = self.ledger.begins(trouble.kind, Instant::now());
                let armed = trouble::arm(&self.emulator, trouble)
                    .with_context(|| format!("while {}", trouble.kind.name()))?;
                self.armed
                    .push((window, Instant::now() + trouble.hold, armed));
            }
            self.disarm(Some(Instant::now()))?;
            if looked.elapsed() >= LOOK_EVERY {
                looked = Instant::now();
                self.journal.read(&self.emulator)?;
                for watched in &mut self.running {
                    watched.gauge.add(Look::at(watched.app.pid()));
                }
                self.emulator_gauge.add(Look::at(self.emulator.pid()));
            }
            if told.elapsed() >= tell_every {
                told = Instant::now();
                say(&self.line(begun.elapsed(), length));
            }
        }
        self.disarm(None)?;
        Ok(begun.elapsed())
    }

    /// Ends the trouble that is due by then, or all.
    fn disarm(&mut self, due: Option<Instant>) -> Result<()> {
        let (over, armed) = std::mem::take(&mut self.armed)
            .into_iter()
            .partition(|(_, until, _)| due.is_none_or(|due| *until <= due));
        self.armed = armed;
        let over: Vec<_> = over;
        for (window, _, armed) in over {
            trouble::disarm(&self.emulator, armed)?;
            self.ledger.ends(window, Instant::now());
        }
        Ok(())
    }

    fn line(&self, gone: Duration, length: Duration) -> String {
        let sum = |field: fn(&crate::app::Figures) -> u64| -> u64 {
            let all = self.running.iter();
            all.map(|watched| field(&watched.app.figures())).sum()
        };
        let now: Vec<&str> = self
            .armed
            .iter()
            .filter_map(|(window, ..)| self.ledger.windows.get(*window))
            .map(|window| window.kind.name())
            .collect();
        let judgement = self.ledger.judge();
        format!(
            "{:>4} of {} s  rows {:>6}  logins {:>5}  ours {}  now: {}",
            gone.as_secs(),
            length.as_secs(),
            sum(|figures| figures.queries),
            self.journal.logins(),
            judgement.logins.len() + judgement.queries.len(),
            if now.is_empty() {
                "quiet".to_owned()
            } else {
                now.join(", ")
            },
        )
    }

    /// Ends everything and judges it.
    fn end(mut self, apps: &Apps, seed: u64, ran: Duration, interrupted: bool) -> Result<Report> {
        let mut deaths = std::mem::take(&mut self.deaths);
        let mut told = serde_json::Map::new();
        for watched in &mut self.running {
            let name = watched.which.name();
            let end = watched.app.finish();
            for failure in watched.app.failures() {
                self.ledger.failed(name, failure);
            }
            if let Err(error) = &end {
                deaths.push(format!("{name}: {error:#}"));
            }
            watched.end = Some(end);
            let attempts = watched.app.figures().attempts;
            told.insert(
                name.to_owned(),
                json!({"attempts": attempts, "failed": self.ledger.numbers(name)}),
            );
        }
        self.journal.read(&self.emulator)?;
        let counters = self.emulator.counters()?;
        let rows = self.rows(apps, "compare", &Value::Object(told))?;
        let judgement = self.ledger.judge();
        let mut growth: Vec<(&'static str, Option<Growth>)> = self
            .running
            .iter()
            .map(|watched| (watched.which.name(), watched.gauge.growth()))
            .collect();
        growth.push(("emulator", self.emulator_gauge.growth()));
        let counts = self.ledger.counts();
        let forced = counts
            .iter()
            .filter(|(kind, _)| kind.harm() == trouble::Harm::Tokens)
            .map(|(_, count)| count)
            .sum();
        if let Err(error) = self.emulator.end() {
            deaths.push(format!("emulator: {error:#}"));
        }
        let left = traces::processes_in(&self.folder);
        let secrets = traces::secrets(&self.folder)?;
        let verdicts = verdict::all(&Findings {
            ran,
            judgement: &judgement,
            journal: &self.journal,
            counters: &counters,
            rows: &rows,
            identities: &self.identities,
            forced,
            growth: &growth,
            secrets: &secrets,
            left: &left,
            deaths: &deaths,
        });
        let drivers = self
            .running
            .iter()
            .map(|watched| report::Driver::of(watched, &judgement, &rows))
            .collect();
        Ok(Report {
            seed,
            ran,
            interrupted,
            drivers,
            growth,
            trouble: counts,
            refused: self.journal.refused,
            verdicts,
        })
    }

    /// Runs `rows.py` and gives what it said.
    fn rows(&self, apps: &Apps, order: &str, told: &Value) -> Result<Value> {
        let mut command: Command = apps.python.python();
        command
            .arg(self.repo.path("xtask/soak/rows.py"))
            .arg(order)
            .current_dir(&self.folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = self
            .emulator
            .lend(&mut command)
            .spawn()
            .context("rows.py cannot be started")?;
        let mut stdin = child.stdin.take().context("rows.py takes nothing")?;
        stdin.write_all(told.to_string().as_bytes())?;
        drop(stdin);
        let output = child.wait_with_output()?;
        if !output.status.success() {
            bail!("rows.py {order}: {}", output.status);
        }
        match &*output.stdout {
            [] => Ok(Value::Null),
            said => Ok(serde_json::from_slice(said)?),
        }
    }
}
