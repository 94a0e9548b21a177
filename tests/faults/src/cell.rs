//! One cell: a row played with the app of one language on its emulator. Every wait has an end, so that a hang is a failed
//! cell with a name and not a run that somebody has to stop.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::app::{App, Recipe, Said};
use crate::row::{Expect, Hosts, Row, Step};
use crate::stage::Stage;

/// How much longer than promised an answer is waited for before it counts as a hang.
const HANG: Duration = Duration::from_secs(15);

/// What became of a cell.
#[derive(Clone, Debug)]
pub(crate) enum Cell {
    /// As promised; how long the app waited at each step.
    Held(Vec<Duration>),
    /// Not as promised.
    Broken(String),
    /// The platform cannot, and why.
    Cannot(String),
}

/// The app of one language and its emulator.
pub(crate) struct Column<'a> {
    recipe: &'a Recipe,
    folder: &'a Path,
    env: BTreeMap<String, String>,
    stage: Stage,
    app: Option<App>,
    logs: Vec<PathBuf>,
    /// Each client of a row asks for a lifetime of its own, so that it shares no token with the row before.
    ttl_s: u32,
}

impl<'a> Column<'a> {
    pub(crate) fn start(
        recipe: &'a Recipe,
        lakekey: &Path,
        hosts: Hosts,
        folder: &'a Path,
    ) -> Result<Column<'a>> {
        let log = folder.join(format!("{}-{}-emulator.log", recipe.name, hosts.mode()));
        let _ = std::fs::remove_file(&log);
        let stage = Stage::start(lakekey, &["--host-mode", hosts.mode()], &log)?;
        let said = folder.join(format!("{}-{}.log", recipe.name, hosts.mode()));
        let _ = std::fs::remove_file(&said);
        Ok(Column {
            recipe,
            folder,
            env: stage.env.clone(),
            stage,
            app: None,
            logs: vec![log, said],
            ttl_s: 3600,
        })
    }

    /// Plays one row.
    pub(crate) fn play(&mut self, row: &Row) -> Cell {
        if let Some(why) = row.platforms.get(&self.recipe.name) {
            return Cell::Cannot(why.clone());
        }
        let played = self.steps(row);
        if played.is_err() {
            // Whatever state it is in, the next row gets a new one.
            self.app = None;
        }
        match played {
            Ok(waits) => Cell::Held(waits),
            Err(trouble) => Cell::Broken(format!("{trouble:#}")),
        }
    }

    fn steps(&mut self, row: &Row) -> Result<Vec<Duration>> {
        self.stage.reset()?;
        self.ttl_s -= 1;
        let mut waits = Vec::new();
        for step in &row.steps {
            match (step, step.expect()) {
                (Step::Tell { post, body }, _) => drop(self.stage.post(post, body)?),
                (Step::Pause { s }, _) => std::thread::sleep(Duration::from_secs_f64(*s)),
                (_, Some(expect)) => {
                    let (said, took) = self.ask(step, expect)?;
                    judge(expect, &said, took)?;
                    waits.push(took);
                }
                (_, None) => bail!("a step that nothing is expected of"),
            }
        }
        self.said(&["close"], Instant::now() + HANG)
            .context("to close its pool")?;
        for (name, (least, most)) in &row.counts {
            let counted = self.stage.counted(name, self.ttl_s)?;
            if !(least..=most).contains(&&counted) {
                bail!("{counted} {name}, not {least} to {most}");
            }
        }
        Ok(waits)
    }

    fn ask(&mut self, step: &Step, expect: &Expect) -> Result<(Said, Duration)> {
        let (endpoint, ttl) = (self.stage.endpoint().to_owned(), self.ttl_s.to_string());
        let began = Instant::now();
        let deadline = began + Duration::from_secs_f64(expect.within_s()) + HANG;
        let said = match step {
            Step::Connect { budget_s, user, .. } => {
                let budget = budget_s.to_string();
                self.said(&["connect", &endpoint, &ttl, &budget, user], deadline)?
            }
            Step::Storm {
                count, budget_s, ..
            } => {
                let (count, budget) = (count.to_string(), budget_s.to_string());
                self.said(&["storm", &endpoint, &ttl, &budget, &count], deadline)?
            }
            Step::Query { sql, .. } => self.said(&["query", sql], deadline)?,
            Step::During {
                sql, post, body, ..
            } => {
                self.app()?.tell(&["query", sql])?;
                self.stage.busy()?;
                self.stage.post(post, body)?;
                let began = Instant::now();
                let deadline = began + Duration::from_secs_f64(expect.within_s()) + HANG;
                let said = self.app()?.answer(deadline)?.context("it hangs")?;
                return Ok((said, began.elapsed()));
            }
            Step::Tell { .. } | Step::Pause { .. } => bail!("nothing to ask"),
        };
        Ok((said, began.elapsed()))
    }

    fn said(&mut self, fields: &[&str], deadline: Instant) -> Result<Said> {
        let app = self.app()?;
        app.tell(fields)?;
        app.answer(deadline)?.context("it hangs")
    }

    fn app(&mut self) -> Result<&mut App> {
        let app = match self.app.take() {
            Some(app) => app,
            None => App::start(self.recipe, &self.env, self.logs[1].clone())?,
        };
        Ok(self.app.insert(app))
    }

    /// Ends both, and says which of `secrets` stand in what they have said.
    pub(crate) fn end(mut self, secrets: &[&str]) -> Result<Vec<String>> {
        self.app = None;
        let logs = std::mem::take(&mut self.logs);
        let folder = self.folder;
        drop(self);
        let mut found = Vec::new();
        for log in logs {
            let text = std::fs::read(&log).with_context(|| format!("{}", log.display()))?;
            let text = String::from_utf8_lossy(&text);
            for secret in secrets {
                if text.contains(secret) {
                    let name = log.strip_prefix(folder).unwrap_or(&log);
                    found.push(format!("{} has {}…", name.display(), &secret[..3]));
                }
            }
        }
        Ok(found)
    }
}

fn judge(expect: &Expect, said: &Said, took: Duration) -> Result<()> {
    let what = match &said.value {
        Some(value) => format!("it got {value:?}"),
        None => format!("[{}] {} {}", said.kind, said.code, said.text),
    };
    let took_s = took.as_secs_f64();
    if took_s > expect.within_s() {
        bail!("{took_s:.1} s, not within {} s: {what}", expect.within_s());
    }
    match (expect, &said.value) {
        (Expect::Serves { value, .. }, Some(got)) => {
            if value.as_ref().is_some_and(|value| value != got) {
                bail!("{what}, not {value:?}");
            }
        }
        (Expect::Fails { of, hint, .. }, None) => {
            let named = of.iter().any(|kind| {
                *kind == said.kind || *kind == said.code || said.text.contains(&format!("[{kind}]"))
            });
            if !named {
                bail!("not of {of:?}: {what}");
            }
            let hinted = hint.as_ref().is_none_or(|hint| {
                said.hint.contains(hint.as_str()) || said.text.contains(hint.as_str())
            });
            if !hinted {
                bail!("no hint with {hint:?} but {:?}: {what}", said.hint);
            }
        }
        _ => bail!("after {took_s:.1} s {what}"),
    }
    Ok(())
}
