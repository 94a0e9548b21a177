//! An app of one language: a process that takes one command a line and answers each with one line.
//!
//! Fields are separated by tabs, which every language can read without a library: `connect ENDPOINT TTL BUDGET USER`,
//! `storm ENDPOINT TTL BUDGET COUNT`, `query SQL`, `close`; answered by `ok VALUE` or `failed KIND CODE HINT TEXT`.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::collections::BTreeMap;

/// How to start the app of a language; xtask knows.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Recipe {
    /// The column.
    pub(crate) name: String,
    program: PathBuf,
    args: Vec<String>,
    folder: PathBuf,
    env: BTreeMap<String, String>,
}

/// What became of a command.
#[derive(Clone, Debug, Default)]
pub(crate) struct Said {
    pub(crate) value: Option<String>,
    pub(crate) kind: String,
    pub(crate) code: String,
    pub(crate) hint: String,
    pub(crate) text: String,
}

/// A running app; it ends with this value.
pub(crate) struct App {
    process: Child,
    commands: ChildStdin,
    lines: Receiver<String>,
    /// All that it has said.
    pub(crate) log: PathBuf,
    heard: File,
}

impl App {
    /// Starts it in `env`, and nothing else that names a workspace or a database.
    pub(crate) fn start(
        recipe: &Recipe,
        env: &BTreeMap<String, String>,
        log: PathBuf,
    ) -> Result<App> {
        let heard = File::options().create(true).append(true).open(&log)?;
        let mut command = Command::new(&recipe.program);
        crate::stage::clean(&mut command);
        let mut process = command
            .args(&recipe.args)
            .current_dir(&recipe.folder)
            .envs(&recipe.env)
            .envs(env)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(heard.try_clone()?)
            .spawn()
            .with_context(|| format!("{} cannot be started", recipe.program.display()))?;
        let commands = process.stdin.take().context("the app takes no commands")?;
        let stdout = process.stdout.take().context("the app has no output")?;
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(App {
            process,
            commands,
            lines,
            log,
            heard,
        })
    }

    pub(crate) fn tell(&mut self, fields: &[&str]) -> Result<()> {
        let mut line = fields.join("\t");
        line.push('\n');
        self.commands
            .write_all(line.as_bytes())
            .and_then(|()| self.commands.flush())
            .context("the app has ended")
    }

    /// Its answer to the last command; `None`: not in time.
    pub(crate) fn answer(&mut self, deadline: Instant) -> Result<Option<Said>> {
        let left = deadline.saturating_duration_since(Instant::now());
        let line = match self.lines.recv_timeout(left) {
            Ok(line) => line,
            Err(mpsc::RecvTimeoutError::Timeout) => return Ok(None),
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                bail!("the app ended, see {}", self.log.display())
            }
        };
        writeln!(self.heard, "{line}")?;
        let mut fields = line.split('\t').map(str::to_owned);
        let mut next = || fields.next().unwrap_or_default();
        Ok(Some(match next().as_str() {
            "ok" => Said {
                value: Some(next()),
                ..Said::default()
            },
            "failed" => Said {
                value: None,
                kind: next(),
                code: next(),
                hint: next(),
                text: next(),
            },
            _ => bail!("the app said {line:?}, which is no answer"),
        }))
    }
}

impl Drop for App {
    fn drop(&mut self) {
        // The end of its input ends it; what hangs is ended.
        let deadline = Instant::now() + Duration::from_secs(1);
        let _ = self.tell(&["end"]);
        while Instant::now() < deadline {
            if matches!(self.process.try_wait(), Ok(Some(_))) {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Reads the recipes.
pub(crate) fn recipes(file: &Path) -> Result<Vec<Recipe>> {
    let text = std::fs::read_to_string(file).with_context(|| {
        format!(
            "{} cannot be read; run `cargo xtask test faults`",
            file.display()
        )
    })?;
    serde_json::from_str(&text).with_context(|| format!("{} has no recipes", file.display()))
}
