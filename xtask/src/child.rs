//! Running other programs: with their output on the screen and in a log, with a deadline, with retries where a network is
//! involved. Without one place for it, a hung child or a swallowed error message would be each caller's own mistake.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How long a child that was asked to end may take.
const STOP_WITHIN: Duration = Duration::from_secs(15);
const POLL: Duration = Duration::from_millis(20);

/// Runs a program that must succeed; its output is shown only when it fails.
pub(crate) fn quietly(what: &str, command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("{what}: {} cannot be started", program(command)))?;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        bail!("{what}: {}\n{stdout}{stderr}", describe(output.status));
    }
    Ok(stdout)
}

/// Runs a program with its output on the screen, as errors and progress are; our own standard output is for results.
pub(crate) fn loudly(what: &str, command: &mut Command) -> Result<()> {
    let status = command
        .stdin(Stdio::null())
        .stdout(io::stderr())
        .status()
        .with_context(|| format!("{what}: {} cannot be started", program(command)))?;
    if !status.success() {
        bail!("{what}: {}", describe(status));
    }
    Ok(())
}

/// Runs a program that asks a package registry, up to four times: a network fails now and then.
pub(crate) fn fetching(what: &str, mut command: impl FnMut() -> Command) -> Result<()> {
    let mut pause = Duration::from_secs(2);
    for _ in 0..3 {
        match quietly(what, &mut command()) {
            Ok(_) => return Ok(()),
            Err(error) => {
                eprintln!("{error:#}\ntrying again in {} s", pause.as_secs());
                thread::sleep(pause);
                pause *= 3;
            }
        }
    }
    quietly(what, &mut command()).map(|_| ())
}

/// What a program said and how it ended.
pub(crate) struct Told {
    pub(crate) success: bool,
    pub(crate) ending: String,
    pub(crate) text: String,
}

/// Runs a program with its output on the screen and in `log`, and ends it when it takes longer than `limit`.
pub(crate) fn logged(command: &mut Command, log: &Path, limit: Duration) -> Result<Told> {
    if let Some(folder) = log.parent() {
        fs::create_dir_all(folder)?;
    }
    let log = Arc::new(Mutex::new(Record {
        file: File::create(log).with_context(|| format!("{} cannot be written", log.display()))?,
        text: String::new(),
    }));
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("{} cannot be started", program(command)))?;
    let readers = [
        child
            .stdout
            .take()
            .map(|pipe| tee(pipe, io::stdout(), Arc::clone(&log))),
        child
            .stderr
            .take()
            .map(|pipe| tee(pipe, io::stderr(), Arc::clone(&log))),
    ];
    let mut child = Running(child);
    let ended = child.wait(limit)?;
    if ended.is_none() {
        child.end()?;
    }
    for reader in readers.into_iter().flatten() {
        // A grandchild that keeps the pipe open must not keep us: its output is then cut, not waited for.
        let deadline = Instant::now() + STOP_WITHIN;
        while !reader.is_finished() && Instant::now() < deadline {
            thread::sleep(POLL);
        }
    }
    let text = log
        .lock()
        .map(|record| record.text.clone())
        .unwrap_or_default();
    Ok(match ended {
        Some(status) => Told {
            success: status.success(),
            ending: describe(status),
            text,
        },
        None => Told {
            success: false,
            ending: format!("ended after {} s without a result", limit.as_secs()),
            text,
        },
    })
}

struct Record {
    file: File,
    text: String,
}

fn tee(
    pipe: impl Read + Send + 'static,
    mut screen: impl Write + Send + 'static,
    log: Arc<Mutex<Record>>,
) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        while pipe.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            // A closed screen (a pager that went away) is no reason to lose the log.
            let _ = screen.write_all(&line);
            if let Ok(mut record) = log.lock() {
                let _ = record.file.write_all(&line);
                record.text.push_str(&String::from_utf8_lossy(&line));
            }
            line.clear();
        }
    })
}

/// A child that is ended when this value goes, whatever happens to its owner.
pub(crate) struct Running(pub(crate) Child);

impl Running {
    /// Waits for the end, at most so long.
    pub(crate) fn wait(&mut self, limit: Duration) -> Result<Option<ExitStatus>> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.0.try_wait()? {
                return Ok(Some(status));
            }
            if Instant::now() >= deadline {
                return Ok(None);
            }
            thread::sleep(POLL);
        }
    }

    /// Asks the child to end (SIGTERM), waits, and kills it when it does not.
    pub(crate) fn end(&mut self) -> Result<()> {
        if self.0.try_wait()?.is_some() {
            return Ok(());
        }
        ask_to_end(&self.0);
        if self.wait(STOP_WITHIN)?.is_none() {
            self.0.kill()?;
            self.0.wait()?;
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

#[cfg(unix)]
fn ask_to_end(child: &Child) {
    if let Some(pid) = i32::try_from(child.id())
        .ok()
        .and_then(rustix::process::Pid::from_raw)
    {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
}

#[cfg(not(unix))]
fn ask_to_end(_: &Child) {}

fn program(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

fn describe(status: ExitStatus) -> String {
    if status.success() {
        "ended well".into()
    } else {
        format!("failed ({status})")
    }
}
