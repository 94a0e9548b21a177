//! What `token` and `url` share: a client made from the command line and the environment, and a wait that people can
//! follow and end.
//!
//! Without it a hung network would look like a hung program.

use std::future::Future;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use clap::Args;
use lakekey::{Client, ClientOptions, Code, Error, Result};

use crate::duration;
use crate::output::Stop;

/// A wait that is longer than this is shown.
const QUIET: Duration = Duration::from_secs(2);

/// Between two lines in a log.
const BETWEEN_LINES: Duration = Duration::from_secs(10);

/// Options of every command that talks to the workspace.
#[derive(Debug, Args)]
pub(crate) struct Session {
    /// Profile of the Databricks configuration file
    #[arg(long, global = true, value_name = "NAME")]
    profile: Option<String>,
    /// How long to wait for the workspace, such as 500ms, 10s or 1m
    #[arg(long, global = true, value_name = "TIME", value_parser = duration::parse, default_value = "10s")]
    timeout: Duration,
    /// Say on stderr what is done and where each setting came from
    #[arg(long, short, global = true)]
    verbose: bool,
}

impl Session {
    /// A client that takes everything else from the environment.
    pub(crate) fn client(&self) -> Result<Client> {
        self.client_with(&[])
    }

    /// The same with attributes of its own.
    pub(crate) fn client_with(&self, attributes: &[(String, String)]) -> Result<Client> {
        if self.verbose {
            let subscriber = tracing_subscriber::fmt()
                .with_writer(io::stderr)
                .with_max_level(tracing::Level::DEBUG)
                .without_time()
                .finish();
            // One that is already there was set by the program around us, which is then the one to use.
            let _ = tracing::subscriber::set_global_default(subscriber);
        }
        let mut options = ClientOptions::from_process();
        if let Some(profile) = &self.profile {
            options.settings.set("profile", profile.as_str());
        }
        for (name, value) in attributes {
            options.settings.set(name.as_str(), value.as_str());
        }
        options.timeout = self.timeout;
        options.product = Some(concat!("lakekey-cli/", env!("CARGO_PKG_VERSION")).to_owned());
        Client::new(options)
    }
}

/// Waits for `work`; Ctrl-C ends it.
pub(crate) fn wait<T>(
    doing: &str,
    work: impl Future<Output = Result<T>>,
) -> std::result::Result<T, Stop> {
    wait_showing(doing, work, false)
}

/// The same for what takes minutes: a log is told as well, line by line.
pub(crate) fn wait_long<T>(
    doing: &str,
    work: impl Future<Output = Result<T>>,
) -> std::result::Result<T, Stop> {
    wait_showing(doing, work, true)
}

fn wait_showing<T>(
    doing: &str,
    work: impl Future<Output = Result<T>>,
    in_logs: bool,
) -> std::result::Result<T, Stop> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let done = runtime.block_on(async {
        let interrupted = tokio::signal::ctrl_c();
        tokio::select! {
            biased;
            // First, so that the signal is watched before anything is sent.
            _ = interrupted => Err(Stop::Interrupted),
            done = work => done.map_err(Stop::from),
            never = show(doing, in_logs) => match never {},
        }
    });
    // A look-up that hangs in the system must not hold up the end of the program.
    runtime.shutdown_background();
    done
}

/// Counts the seconds on the terminal until dropped.
async fn show(doing: &str, in_logs: bool) -> std::convert::Infallible {
    let terminal = io::stderr().is_terminal();
    if !terminal && !in_logs {
        return std::future::pending().await;
    }
    tokio::time::sleep(QUIET).await;
    if !terminal {
        return lines(doing).await;
    }
    let _line = Line;
    let mut seconds = QUIET.as_secs();
    loop {
        // Nobody is told when the terminal is gone.
        let _ = write!(
            io::stderr(),
            "\rlakekey: {doing}, {seconds} s (Ctrl-C to stop)"
        );
        tokio::time::sleep(Duration::from_secs(1)).await;
        seconds += 1;
    }
}

/// Says every few seconds, in a line of its own, that the wait goes on.
async fn lines(doing: &str) -> std::convert::Infallible {
    let mut seconds = QUIET.as_secs();
    loop {
        crate::output::tell(&format!("{doing}, {seconds} s"));
        tokio::time::sleep(BETWEEN_LINES).await;
        seconds += BETWEEN_LINES.as_secs();
    }
}

/// A line on the terminal that is wiped in the end.
struct Line;

impl Drop for Line {
    fn drop(&mut self) {
        let _ = write!(io::stderr(), "\r\x1b[K");
    }
}

/// An instant as RFC 3339 text.
pub(crate) fn rfc3339(wall_ms: u64) -> Result<String> {
    i64::try_from(wall_ms)
        .ok()
        .and_then(|wall_ms| jiff::Timestamp::from_millisecond(wall_ms).ok())
        .map(|time| time.to_string())
        .ok_or_else(|| {
            Error::new(
                Code::CredentialInvalid,
                "the credential ends beyond all calendars",
            )
        })
}
