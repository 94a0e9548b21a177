//! An app as the demo sees it: a process that takes commands and tells its figures line by line.

use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::child::Running;

/// Ending waits for one rotation, so this is longer than a token lives.
const FINISH_WITHIN: Duration = Duration::from_secs(90);

/// What the app has done so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Figures {
    pub(super) logins: u64,
    pub(super) failed_logins: u64,
    pub(super) queries: u64,
    pub(super) failed_queries: u64,
    /// Distinct database tokens it logged in with.
    pub(super) tokens: u64,
    pub(super) connections: u64,
}

/// The running app; it ends with this value.
pub(super) struct App {
    name: &'static str,
    process: Running,
    commands: ChildStdin,
    lines: Receiver<String>,
    figures: Figures,
    failures: Vec<String>,
    done: Option<Value>,
    told_since_command: bool,
}

impl App {
    /// Starts it.
    pub(super) fn start(name: &'static str, command: &mut Command) -> Result<App> {
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
                if sender.send(line).is_err() {
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
    pub(super) fn tell(&mut self, command: &str) -> Result<()> {
        self.read()?;
        self.told_since_command = false;
        writeln!(self.commands, "{command}").context("the app takes no commands any more")?;
        self.commands.flush()?;
        Ok(())
    }

    /// Fails when the app has ended by itself.
    pub(super) fn check(&mut self) -> Result<()> {
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
    pub(super) fn quiet(&self) -> bool {
        self.told_since_command && self.figures.connections == 0
    }

    /// Its driver, in short.
    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// The newest figures.
    pub(super) fn figures(&self) -> Figures {
        self.figures
    }

    /// What failed since the last call.
    pub(super) fn failures(&mut self) -> Vec<String> {
        std::mem::take(&mut self.failures)
    }

    /// Stops the app and gives its last words.
    pub(super) fn finish(&mut self) -> Result<Value> {
        self.tell("stop")?;
        let deadline = Instant::now() + FINISH_WITHIN;
        loop {
            self.read()?;
            if let Some(done) = self.done.take() {
                self.process.wait(FINISH_WITHIN)?;
                return Ok(done);
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
        while let Ok(line) = self.lines.try_recv() {
            let message: Value =
                serde_json::from_str(&line).with_context(|| format!("the app said {line:?}"))?;
            if let Some(failure) = message["failure"].as_str() {
                self.failures.push(failure.to_owned());
                continue;
            }
            let number = |name: &str| {
                message[name]
                    .as_u64()
                    .with_context(|| format!("the app gave no {name}"))
            };
            self.figures = Figures {
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
