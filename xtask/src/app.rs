//! An app as demo and soak see it: a process that takes commands and tells its figures line by line.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
#[cfg(unix)]
use std::os::unix::process::CommandExt as _;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::child::Running;

/// Ending may wait for one rotation or one connect, so this is longer than a token or a budget.
const FINISH_WITHIN: Duration = Duration::from_secs(90);

/// What the app has done so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Figures {
    /// Numbers it has asked or written so far, whatever became of them.
    pub(crate) attempts: u64,
    pub(crate) logins: u64,
    pub(crate) failed_logins: u64,
    pub(crate) queries: u64,
    pub(crate) failed_queries: u64,
    /// Distinct database tokens it logged in with.
    pub(crate) tokens: u64,
    pub(crate) connections: u64,
}

/// Something that did not work.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) text: String,
    /// The number that it was about; 0 when it was about none.
    pub(crate) number: u64,
    /// Whether there was no connection; else a query failed on one.
    pub(crate) login: bool,
    pub(crate) began: Instant,
    pub(crate) ended: Instant,
}

/// The running app; it ends with this value.
pub(crate) struct App {
    name: &'static str,
    process: Running,
    commands: ChildStdin,
    lines: Receiver<(Instant, String)>,
    figures: Figures,
    failures: Vec<Failure>,
    done: Option<Value>,
    told_since_command: bool,
}

impl App {
    /// Starts it; what it says is written to `log` as well.
    pub(crate) fn start(
        name: &'static str,
        command: &mut Command,
        mut log: Option<File>,
    ) -> Result<App> {
        // Ctrl-C is for us to tell it; and when we are gone, its standard input has ended.
        #[cfg(unix)]
        command.process_group(0);
        let mut process = Running(
            command
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .with_context(|| format!("the {name} app cannot be started"))?,
        );
        let commands = process
            .0
            .stdin
            .take()
            .context("the app takes no commands")?;
        let stdout = process.0.stdout.take().context("the app has no output")?;
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let now = Instant::now();
                if let Some(log) = &mut log {
                    // A full disk is no reason to lose what the app says.
                    let _ = writeln!(log, "{line}");
                }
                if sender.send((now, line)).is_err() {
                    break;
                }
            }
        });
        Ok(App {
            name,
            process,
            commands,
            lines,
            figures: Figures::default(),
            failures: Vec::new(),
            done: None,
            told_since_command: false,
        })
    }

    /// Sends a command.
    pub(crate) fn tell(&mut self, command: &str) -> Result<()> {
        self.read()?;
        self.told_since_command = false;
        writeln!(self.commands, "{command}").context("the app takes no commands any more")?;
        self.commands.flush()?;
        Ok(())
    }

    /// Fails when the app has ended by itself.
    pub(crate) fn check(&mut self) -> Result<()> {
        self.read()?;
        if let Some(status) = self.process.0.try_wait()? {
            bail!(
                "the {} app ended by itself ({status}); its own messages stand above",
                self.name
            );
        }
        Ok(())
    }

    /// Whether it said, since the last command, that it holds no connection.
    pub(crate) fn quiet(&self) -> bool {
        self.told_since_command && self.figures.connections == 0
    }

    /// Its driver, in short.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// The newest figures.
    pub(crate) fn figures(&self) -> Figures {
        self.figures
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.process.0.id()
    }

    /// What failed since the last call.
    pub(crate) fn failures(&mut self) -> Vec<Failure> {
        std::mem::take(&mut self.failures)
    }

    /// Stops the app and gives its last words.
    pub(crate) fn finish(&mut self) -> Result<Value> {
        self.tell("stop")?;
        let deadline = Instant::now() + FINISH_WITHIN;
        loop {
            self.read()?;
            if let Some(done) = self.done.take() {
                return match self.process.wait(FINISH_WITHIN)? {
                    Some(status) if status.success() => Ok(done),
                    Some(status) => bail!("the {} app ended badly: {status}", self.name),
                    None => bail!("the {} app does not end after its last words", self.name),
                };
            }
            if self.process.0.try_wait()?.is_some()
                && self.lines.recv_timeout(Duration::from_secs(1)).is_err()
            {
                bail!("the app ended without its last words; its own messages stand above");
            }
            if Instant::now() > deadline {
                bail!("the app did not end within {} s", FINISH_WITHIN.as_secs());
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn read(&mut self) -> Result<()> {
        while let Ok((at, line)) = self.lines.try_recv() {
            let message: Value =
                serde_json::from_str(&line).with_context(|| format!("the app said {line:?}"))?;
            if let Some(failure) = message["failure"].as_str() {
                let waited = message["waited_s"].as_f64().unwrap_or_default();
                let waited = Duration::try_from_secs_f64(waited).unwrap_or_default();
                self.failures.push(Failure {
                    text: failure.to_owned(),
                    number: message["number"].as_u64().unwrap_or_default(),
                    login: message["login"] == Value::Bool(true),
                    began: at.checked_sub(waited).unwrap_or(at),
                    ended: at,
                });
                continue;
            }
            let number = |name: &str| {
                message[name]
                    .as_u64()
                    .with_context(|| format!("the app gave no {name}"))
            };
            self.figures = Figures {
                attempts: number("attempts")?,
                logins: number("logins")?,
                failed_logins: number("failed_logins")?,
                queries: number("queries")?,
                failed_queries: number("failed_queries")?,
                tokens: number("tokens")?,
                connections: number("connections")?,
            };
            self.told_since_command = true;
            if message["done"] == Value::Bool(true) {
                self.done = Some(message);
            }
        }
        Ok(())
    }
}
