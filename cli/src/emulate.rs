//! `lakekey emulate`: runs a local Lakebase, alone or around a command.
//!
//! It must leave nothing behind however it ends: by a signal, by the admin API, with its parent, or with the command
//! that it runs. A Postgres that outlives it would hold its state directory and its memory for good.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use lakekey_emulator::{Emulator, HostMode, Options, SuspendAfter};
use serde_json::json;
use tokio::process::{Child, Command};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::duration;

/// How often a parent that cannot be waited for is looked at.
const PARENT_LOOK: Duration = Duration::from_millis(200);
/// How long a command may take to end after it was told to.
const COMMAND_GRACE: Duration = Duration::from_secs(10);
/// The longest of waking times that Lakebase's documents call usual.
const REALISTIC_WAKE: Duration = Duration::from_millis(500);

const EXAMPLES: &str = "\
Examples:
  lakekey emulate                                   run until Ctrl-C; one JSON line on stdout when ready
  lakekey emulate -- pytest                         run a command against it, and end with it
  lakekey emulate --env-file .env                   write the environment to a file when ready
  lakekey emulate --print-env sh                    print lines for a shell instead of the JSON line
  lakekey emulate --state-dir ./lakebase            keep databases between runs
  lakekey emulate --token-ttl 5s --suspend-after 2s see rotation and wake-ups happen

Well-known credentials: DATABRICKS_TOKEN=dapi-emulator, or client id 00000000-0000-4000-8000-000000000001 with secret
emulator-secret. The admin API (its URL and token stand in the ready line) has, under /_emulator: health, ready, state,
requests?since=N, reset, clock, tokens, faults, endpoints/{uid or name}, connections, connections/kill, operations,
sources, shutdown.
What is unpacked for Postgres is kept in $LAKEKEY_CACHE_DIR, else in your cache directory (as root: in the temporary one).";

/// Options of `lakekey emulate`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct EmulateArgs {
    /// Port of the control plane; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Port of Postgres; 0 takes a free one, or 5432 with `--host-mode ip`
    #[arg(long, default_value_t = 0)]
    pg_port: u16,
    /// Port of the admin API; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    admin_port: u16,
    /// Keep projects and databases in this directory; without it they are gone at the end
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// A further project besides `emulator`; may be given several times
    #[arg(long = "project", value_name = "ID")]
    projects: Vec<String>,
    /// Major version of Postgres
    #[arg(long, default_value_t = 17, value_parser = clap::value_parser!(u32).range(16..=17))]
    pg_version: u32,
    /// Directory with `postgres` and `initdb`
    #[arg(long, value_name = "DIR", env = "LAKEKEY_PG_BIN")]
    pg_bin_dir: Option<PathBuf>,
    /// How clients address an endpoint
    #[arg(long, value_enum, default_value_t = HostModeArg::Name)]
    host_mode: HostModeArg,
    /// Lifetime of database credentials, such as 5s or 10m; also lifts the limits of 5 minutes and 1 hour
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    token_ttl: Option<Duration>,
    /// Suspend a compute after so much idle time, or `never`
    #[arg(long, value_name = "TIME", value_parser = suspend_after)]
    suspend_after: Option<SuspendAfter>,
    /// Let each wake take so much longer; `realistic` is 500ms
    #[arg(long, value_name = "TIME", value_parser = wake_latency)]
    wake_latency: Option<Duration>,
    /// Let operations of the management API take at least so long, on the virtual clock
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    operation_delay: Option<Duration>,
    /// Print the environment in this form when ready, instead of the JSON line
    #[arg(long, value_enum, value_name = "FORM")]
    print_env: Option<EnvForm>,
    /// Write the environment to this file, in dotenv form
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,
    /// Write the ready line to this file, whole or not at all
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    /// Form of the log on stderr
    #[arg(long, value_enum, default_value_t = LogForm::Text)]
    log_format: LogForm,
    /// End when the process of this id ends
    #[arg(long, value_name = "PID")]
    parent_pid: Option<i32>,
    /// A command to run with the environment set; its exit code becomes that of `lakekey emulate`
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum HostModeArg {
    /// By host name, as in the cloud; clients on machines that do not resolve `*.localhost` need PGHOSTADDR
    Name,
    /// By a loopback address per endpoint, on port 5432 unless some program holds it on all addresses
    Ip,
    /// By a port per endpoint
    Port,
    /// By a host name that only the emulator's own name server knows (LAKEKEY_NAMESERVERS names it)
    Dns,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum EnvForm {
    /// Lines for a shell to evaluate
    Sh,
    /// Lines of a .env file
    Dotenv,
    /// One JSON object
    Json,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogForm {
    Text,
    Json,
}

/// Runs the emulator until something ends it.
pub(crate) fn run(args: &EmulateArgs) -> ExitCode {
    log_to_stderr(args.log_format);
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return failed(&format!("cannot start threads: {error}")),
    };
    runtime
        .block_on(emulate(args))
        .unwrap_or_else(|error| failed(&error))
}

fn failed(error: &str) -> ExitCode {
    eprintln!("lakekey emulate: {error}");
    ExitCode::FAILURE
}

fn log_to_stderr(form: LogForm) {
    let to_stderr = tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_max_level(tracing::Level::INFO);
    // A second subscriber in one process can only be the caller's own, which is then the one to use.
    let _ = match form {
        LogForm::Text => tracing::subscriber::set_global_default(to_stderr.finish()),
        LogForm::Json => tracing::subscriber::set_global_default(to_stderr.json().finish()),
    };
}

async fn emulate(args: &EmulateArgs) -> Result<ExitCode, String> {
    // Before anything is started, so that no signal ends this process without its clean-up.
    let mut signals = Signals::watch().map_err(|error| format!("cannot watch signals: {error}"))?;
    let parent = args.parent_pid.map(Parent::of).transpose()?;
    let emulator = tokio::select! {
        started = Emulator::start(options(args)) => started.map_err(|error| error.to_string())?,
        () = signals.any() => return Ok(ExitCode::SUCCESS),
    };
    let outcome = live(args, &emulator, &mut signals, parent).await;
    emulator.shutdown().await;
    outcome
}

fn options(args: &EmulateArgs) -> Options {
    let mut options = Options::default();
    options.port = args.port;
    options.pg_port = args.pg_port;
    options.admin_port = args.admin_port;
    options.state_dir.clone_from(&args.state_dir);
    options.projects.clone_from(&args.projects);
    options.pg_version = args.pg_version;
    options.pg_bin_dir.clone_from(&args.pg_bin_dir);
    options.host_mode = match args.host_mode {
        HostModeArg::Name => HostMode::Name,
        HostModeArg::Ip => HostMode::Ip,
        HostModeArg::Port => HostMode::Port,
        HostModeArg::Dns => HostMode::Dns,
    };
    options.token_ttl_s = args
        .token_ttl
        .map(|ttl| i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX));
    options.suspend_after = args.suspend_after.unwrap_or_default();
    options.wake_latency = args.wake_latency.unwrap_or_default();
    options.operation_delay = args.operation_delay.unwrap_or_default();
    options
}

async fn live(
    args: &EmulateArgs,
    emulator: &Emulator,
    signals: &mut Signals,
    parent: Option<Parent>,
) -> Result<ExitCode, String> {
    let environment = emulator.environment();
    let ready = ready_line(emulator);
    if let Some(file) = &args.env_file {
        write_file(file, &written(EnvForm::Dotenv, &environment))?;
    }
    if let Some(file) = &args.ready_file {
        write_file(file, &format!("{ready}\n"))?;
    }
    // With a command, stdout is the command's.
    if args.command.is_empty() {
        let text = args
            .print_env
            .map_or_else(|| format!("{ready}\n"), |form| written(form, &environment));
        let mut stdout = io::stdout().lock();
        stdout
            .write_all(text.as_bytes())
            .and_then(|()| stdout.flush())
            .map_err(|error| format!("cannot write to stdout: {error}"))?;
    }
    let parent_ends = async {
        match parent {
            Some(parent) => parent.ends().await,
            None => std::future::pending().await,
        }
    };
    let told_to_end = async {
        tokio::select! {
            () = signals.any() => {}
            () = emulator.stop_asked() => {}
            () = parent_ends => tracing::info!("the parent process has ended"),
        }
    };
    let Some((program, arguments)) = args.command.split_first() else {
        told_to_end.await;
        return Ok(ExitCode::SUCCESS);
    };
    let mut command = Command::new(program);
    command.args(arguments).kill_on_drop(true);
    // What is set for a real workspace would contradict what is set here, or win over it.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("DATABRICKS_")
            || ["PGHOSTADDR", "PGPASSWORD", "PGSERVICE"].contains(&&*text)
        {
            command.env_remove(&name);
        }
    }
    command.envs(environment);
    let mut child = command
        .spawn()
        .map_err(|error| format!("cannot run {}: {error}", program.to_string_lossy()))?;
    let status = tokio::select! {
        status = child.wait() => Some(status),
        () = told_to_end => None,
    };
    let status = match status {
        Some(status) => status,
        None => end(&mut child).await,
    };
    status
        .map(exit_code)
        .map_err(|error| format!("cannot wait for {}: {error}", program.to_string_lossy()))
}

/// Tells the command to end as this process was told, and makes it when it does not listen.
async fn end(child: &mut Child) -> io::Result<std::process::ExitStatus> {
    let pid = child
        .id()
        .and_then(|pid| i32::try_from(pid).ok())
        .and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid {
        // It may just have ended; then there is nobody to tell.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
    if let Ok(status) = tokio::time::timeout(COMMAND_GRACE, child.wait()).await {
        return status;
    }
    child.kill().await?;
    child.wait().await
}

/// The command's own code, or 128 and the signal's number as shells count.
fn exit_code(status: std::process::ExitStatus) -> ExitCode {
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    let code = status
        .code()
        .or(signal.map(|signal| 128 + signal))
        .unwrap_or(1);
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

fn ready_line(emulator: &Emulator) -> String {
    let environment: serde_json::Map<String, serde_json::Value> = emulator
        .environment()
        .into_iter()
        .map(|(name, value)| (name, json!(value)))
        .collect();
    json!({
        "event": "ready",
        "pid": std::process::id(),
        "url": emulator.urls().control,
        "admin_url": emulator.urls().admin,
        "admin_token": emulator.admin_token(),
        "pg": {"host": environment.get("PGHOST"), "port": emulator.pg_port()},
        "ca_file": emulator.ca_file(),
        "state_dir": emulator.state_dir(),
        "env": environment,
    })
    .to_string()
}

fn written(form: EnvForm, environment: &[(String, String)]) -> String {
    if let EnvForm::Json = form {
        let object: serde_json::Map<String, serde_json::Value> = environment
            .iter()
            .map(|(name, value)| (name.clone(), json!(value)))
            .collect();
        return format!("{}\n", serde_json::Value::Object(object));
    }
    let line = |(name, value): &(String, String)| match form {
        EnvForm::Sh => format!("export {name}='{}'\n", value.replace('\'', r"'\''")),
        _ => format!("{name}={}\n", dotenv_value(value)),
    };
    environment.iter().map(line).collect()
}

/// As plain as it may be: the readers of .env files differ in what they do inside of quotes.
fn dotenv_value(value: &str) -> String {
    let plain =
        |character: char| character.is_ascii_alphanumeric() || "_-./:@%+,".contains(character);
    if value.chars().all(plain) {
        value.to_owned()
    } else if value.contains('\'') {
        format!(
            "\"{}\"",
            value
                .replace('\\', "\\\\")
                .replace('"', "\\\"")
                .replace('$', "\\$")
        )
    } else {
        format!("'{value}'")
    }
}

/// Writes a file that a reader sees whole or not at all, and that only its owner may read: it names the admin token.
fn write_file(path: &Path, text: &str) -> Result<(), String> {
    let failed = |error: io::Error| format!("cannot write {}: {error}", path.display());
    // A device or a pipe cannot be replaced.
    if std::fs::metadata(path).is_ok_and(|meta| !meta.is_file()) {
        return std::fs::write(path, text).map_err(failed);
    }
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".new");
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .open(&unfinished)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .and_then(|()| std::fs::rename(&unfinished, path))
        .map_err(failed)
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn watch() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn any(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}

/// A process whose end is to be this one's end.
struct Parent {
    pid: rustix::process::Pid,
    /// Whether it started this process: then its end shows at once, even while nobody has collected it.
    own: bool,
}

impl Parent {
    fn of(pid: i32) -> Result<Self, String> {
        let parent = rustix::process::Pid::from_raw(pid).filter(|_| pid > 0);
        let pid = parent.ok_or_else(|| format!("--parent-pid {pid} is not the id of a process"))?;
        let parent = Self {
            pid,
            own: rustix::process::getppid() == Some(pid),
        };
        if parent.lives() {
            Ok(parent)
        } else {
            Err(format!(
                "--parent-pid {pid}: there is no such process",
                pid = pid.as_raw_nonzero()
            ))
        }
    }

    fn lives(&self) -> bool {
        if self.own {
            return rustix::process::getppid() == Some(self.pid);
        }
        rustix::process::test_kill_process(self.pid) != Err(rustix::io::Errno::SRCH)
    }

    async fn ends(&self) {
        while self.lives() {
            tokio::time::sleep(PARENT_LOOK).await;
        }
    }
}

fn suspend_after(text: &str) -> Result<SuspendAfter, String> {
    if text == "never" {
        Ok(SuspendAfter::Never)
    } else {
        duration::parse(text).map(SuspendAfter::Idle)
    }
}

fn wake_latency(text: &str) -> Result<Duration, String> {
    if text == "realistic" {
        Ok(REALISTIC_WAKE)
    } else {
        duration::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_special_times_are_known() {
        assert_eq!(suspend_after("never"), Ok(SuspendAfter::Never));
        assert_eq!(
            suspend_after("5m"),
            Ok(SuspendAfter::Idle(Duration::from_mins(5)))
        );
        assert_eq!(wake_latency("realistic"), Ok(Duration::from_millis(500)));
        assert!(wake_latency("never").is_err());
    }

    #[test]
    fn the_environment_is_quoted_for_its_reader() {
        let environment = [
            ("A".to_owned(), "plain/path:1@x".to_owned()),
            ("B".to_owned(), "it's $5".to_owned()),
            ("C".to_owned(), "a b".to_owned()),
        ];
        assert_eq!(
            written(EnvForm::Sh, &environment),
            "export A='plain/path:1@x'\nexport B='it'\\''s $5'\nexport C='a b'\n"
        );
        assert_eq!(
            written(EnvForm::Dotenv, &environment),
            "A=plain/path:1@x\nB=\"it's \\$5\"\nC='a b'\n"
        );
        assert_eq!(
            written(EnvForm::Json, &environment),
            "{\"A\":\"plain/path:1@x\",\"B\":\"it's $5\",\"C\":\"a b\"}\n"
        );
    }
}
