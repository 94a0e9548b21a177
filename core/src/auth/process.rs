//! Running the command line tools that hold a login: `databricks` and `az`.
//!
//! Such a tool may wait for input, print without end, start children and never come back, and none of that may hold up
//! a login. So it gets an argument list and never a shell, a closed standard input, a bounded time and a bounded output,
//! and when its time is up its whole process group ends.

use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use crate::clock::BoxFuture;
use crate::code::Code;
use crate::config::Environment;
use crate::error::{Error, Result};

/// A token with its envelope is a few kilobytes.
const MOST_OUTPUT: u64 = 256 * 1024;
/// How long the output of a tool that has ended may be held open by what it started.
const GRACE: Duration = Duration::from_millis(500);
/// A program file that is being replaced is busy for a moment.
const BUSY_TRIES: u32 = 20;

/// What to run.
#[derive(Clone)]
pub struct Program {
    /// The file.
    pub file: PathBuf,
    /// Arguments, each by itself.
    pub arguments: Vec<String>,
    /// All variables it sees.
    pub environment: Arc<Environment>,
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.file.display(), self.arguments.join(" "))
    }
}

/// How a program ended. Debug output leaves out what it printed, which may be a token.
#[derive(Clone)]
pub struct Ended {
    /// Whether its exit status was 0.
    pub success: bool,
    /// The beginning of its standard output.
    pub stdout: Vec<u8>,
    /// The beginning of its standard error.
    pub stderr: Vec<u8>,
}

impl fmt::Debug for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ended")
            .field("success", &self.success)
            .finish_non_exhaustive()
    }
}

/// Runs programs.
pub trait Process: fmt::Debug + Send + Sync + 'static {
    /// Runs a program to its end, at most for `limit`; then it and all it started are killed. Fails with
    /// [`Code::Timeout`] for that, with [`Code::AuthNotConfigured`] when the file cannot be run.
    fn run(&self, program: Program, limit: Duration) -> BoxFuture<'static, Result<Ended>>;
}

/// The programs of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemProcess;

impl Process for SystemProcess {
    fn run(&self, program: Program, limit: Duration) -> BoxFuture<'static, Result<Ended>> {
        Box::pin(async move {
            let (sender, news) = channel();
            // When nobody waits any more, as at the end of a runtime, the program ends too.
            let _waiting = Waiting(sender.clone());
            tokio::task::spawn_blocking(move || run(&program, limit, sender, &news))
                .await
                .map_err(|cause| {
                    Error::new(Code::Internal, "running a program was cut off").with_source(cause)
                })?
        })
    }
}

struct Waiting(Sender<News>);

impl Drop for Waiting {
    fn drop(&mut self) {
        // Nobody listens when the program has ended by itself.
        let _ = self.0.send(News::Abandoned);
    }
}

enum News {
    Abandoned,
    Stdout(Vec<u8>),
    Stderr(Vec<u8>),
    Exited,
}

fn run(
    program: &Program,
    limit: Duration,
    sender: Sender<News>,
    news: &Receiver<News>,
) -> Result<Ended> {
    let end = Instant::now() + limit;
    let mut child = start(program).map_err(|cause| {
        Error::new(
            Code::AuthNotConfigured,
            format!("{} cannot be run: {cause}", program.file.display()),
        )
    })?;
    if let Some(pipe) = child.stdout.take() {
        collect(pipe, sender.clone(), News::Stdout);
    }
    if let Some(pipe) = child.stderr.take() {
        collect(pipe, sender.clone(), News::Stderr);
    }
    watch(&child, sender);
    let (stdout, stderr, in_time) = follow(news, end);
    if stdout.is_none() || stderr.is_none() || !in_time {
        // Before its exit status is taken, so that its number cannot belong to somebody else yet.
        kill(&mut child);
    }
    let status = child.wait();
    if !in_time {
        return Err(Error::new(
            Code::Timeout,
            format!(
                "{} did not end within {} ms and was killed",
                program.file.display(),
                limit.as_millis()
            ),
        ));
    }
    Ok(Ended {
        success: status.is_ok_and(|status| status.success()),
        stdout: stdout.unwrap_or_default(),
        stderr: stderr.unwrap_or_default(),
    })
}

fn start(program: &Program) -> io::Result<Child> {
    let mut command = std::process::Command::new(&program.file);
    command
        .args(&program.arguments)
        .env_clear()
        .envs(program.environment.pairs())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        command.process_group(0);
    }
    let mut tries = 0;
    loop {
        match command.spawn() {
            Err(cause)
                if cause.kind() == io::ErrorKind::ExecutableFileBusy && tries < BUSY_TRIES =>
            {
                tries += 1;
                std::thread::sleep(Duration::from_millis(10));
            }
            other => return other,
        }
    }
}

/// Reads a pipe to its end, and says so; what goes beyond the bound ends the reading, and with it the writer.
fn collect(
    pipe: impl Read + Send + 'static,
    sender: Sender<News>,
    news: impl FnOnce(Vec<u8>) -> News + Send + 'static,
) {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // What was read before an error is what there is.
        let _ = pipe.take(MOST_OUTPUT).read_to_end(&mut bytes);
        // Nobody listens any more after a timeout.
        let _ = sender.send(news(bytes));
    });
}

/// Says when the child has exited, without taking its exit status.
#[cfg(unix)]
fn watch(child: &Child, sender: Sender<News>) {
    use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
    let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) else {
        return;
    };
    std::thread::spawn(move || {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while let Err(rustix::io::Errno::INTR) = waitid(WaitId::Pid(pid), options) {}
        let _ = sender.send(News::Exited);
    });
}

/// Elsewhere the end of its output has to do.
#[cfg(not(unix))]
fn watch(_child: &Child, sender: Sender<News>) {
    drop(sender);
}

/// Waits for the output and the exit: both, until `end`; once the program has exited, a little for its output.
fn follow(news: &Receiver<News>, mut end: Instant) -> (Option<Vec<u8>>, Option<Vec<u8>>, bool) {
    let (mut stdout, mut stderr) = (None, None);
    let mut exited = cfg!(not(unix));
    while stdout.is_none() || stderr.is_none() || !exited {
        match news.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(News::Stdout(bytes)) => stdout = Some(bytes),
            Ok(News::Stderr(bytes)) => stderr = Some(bytes),
            Ok(News::Exited) => {
                exited = true;
                end = end.min(Instant::now() + GRACE);
            }
            Ok(News::Abandoned) => return (stdout, stderr, false),
            Err(RecvTimeoutError::Timeout) => return (stdout, stderr, exited),
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    (stdout, stderr, true)
}

#[cfg(unix)]
fn kill(child: &mut Child) {
    use rustix::process::{Pid, Signal, kill_process_group};
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // It fails only when all of it has ended by itself.
        let _ = kill_process_group(group, Signal::KILL);
    }
}

#[cfg(not(unix))]
fn kill(child: &mut Child) {
    let _ = child.kill();
}

/// The files of that name in the absolute folders of `PATH`, in its order.
pub(crate) fn on_path(environment: &Environment, name: &str) -> Vec<PathBuf> {
    let path = environment.var("PATH").unwrap_or_default();
    let file = if cfg!(windows) {
        format!("{name}.exe")
    } else {
        name.to_owned()
    };
    std::env::split_paths(path)
        // A relative folder would run whatever lies where the program happens to stand.
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(&file))
        .filter(|file| is_program(file))
        .collect()
}

fn is_program(file: &Path) -> bool {
    let Ok(metadata) = std::fs::metadata(file) else {
        return false;
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        metadata.is_file() && metadata.permissions().mode() & 0o111 != 0
    }
    #[cfg(not(unix))]
    metadata.is_file()
}
