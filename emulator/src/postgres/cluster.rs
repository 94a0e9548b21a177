//! One running Postgres server: started directly (no `pg_ctl`, which polls), probed until it answers, stopped by signal.
//!
//! The server dies with the emulator, even when that is killed with SIGKILL: a small shell beside it waits for the end
//! of a pipe that the emulator holds, and then stops the server.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin};
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, NoTls};

use super::account::Account;
use super::error::PostgresError;
use super::installation::Installation;
use super::predecessor;
use super::template::BOOTSTRAP_ROLE;

/// Becomes the server (so its process id is ours), and leaves a child that stops it when the pipe on stdin ends. A line
/// on the pipe sends that child home.
const SUPERVISE: &str = r#"exec 3<&0; { read -r _ <&3 || kill -QUIT $$; } >/dev/null 2>&1 & exec 3<&-; exec "$@" </dev/null"#;
const READY_TIME: Duration = Duration::from_mins(1);
const REPLAY_TIME: Duration = Duration::from_mins(10);
const PROBE_PAUSE: Duration = Duration::from_millis(3);
/// How long each signal may take before the next, harder one.
const STOP_STEPS: [(Signal, Duration); 3] = [
    (Signal::INT, Duration::from_secs(10)),
    (Signal::QUIT, Duration::from_secs(5)),
    (Signal::KILL, Duration::from_secs(5)),
];

/// What a server is started with.
pub(crate) struct Launch<'a> {
    pub(crate) branch: &'a str,
    pub(crate) installation: &'a Installation,
    pub(crate) account: &'a Account,
    pub(crate) data: &'a Path,
    pub(crate) socket_dir: &'a Path,
    /// Settings besides those that all servers have, as `name=value`.
    pub(crate) settings: Vec<String>,
}

/// A server process and the way to its socket.
#[derive(Debug)]
pub(crate) struct Cluster {
    branch: String,
    socket_dir: PathBuf,
    log: PathBuf,
    pid: Pid,
    pipe: Option<ChildStdin>,
    ended: watch::Receiver<bool>,
}

impl Cluster {
    /// Starts the server. It is not ready yet.
    pub(crate) async fn spawn(launch: Launch<'_>) -> Result<Self, PostgresError> {
        let Launch {
            branch,
            installation,
            account,
            data,
            socket_dir,
            settings,
        } = launch;
        predecessor::clear(data).await?;
        let log = data.with_extension("log");
        let out = std::fs::File::create(&log).map_err(PostgresError::file("write", &log))?;
        let err = out
            .try_clone()
            .map_err(PostgresError::file("write", &log))?;
        let mut command = tokio::process::Command::new("/bin/sh");
        command
            .args(["-c", SUPERVISE, "sh"])
            .arg(installation.bin_dir.join("postgres"));
        command.arg("-D").arg(data).arg("-k").arg(socket_dir);
        // The last word counts, so those of the launch come last.
        for setting in SETTINGS
            .into_iter()
            .chain(settings.iter().map(String::as_str))
        {
            command.args(["-c", setting]);
        }
        command
            .env("LC_ALL", "C")
            .env("TZ", "UTC")
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(out)
            .stderr(err)
            .kill_on_drop(false);
        account.apply(&mut command);
        let fail = |reason: String| PostgresError::Program {
            program: "/bin/sh".into(),
            reason,
        };
        let mut child = command.spawn().map_err(|error| fail(error.to_string()))?;
        let pid = child
            .id()
            .and_then(|id| Pid::from_raw(i32::try_from(id).ok()?))
            .ok_or_else(|| fail("ended at once".into()))?;
        let pipe = child.stdin.take();
        let ended = watch_end(child);
        Ok(Self {
            branch: branch.to_owned(),
            socket_dir: socket_dir.to_owned(),
            log,
            pid,
            pipe,
            ended,
        })
    }

    /// Waits until the server lets somebody in. A socket alone proves nothing: it is there before the server is ready.
    pub(crate) async fn await_ready(&mut self) -> Result<(), PostgresError> {
        self.await_ready_for(READY_TIME).await
    }

    /// The same for a server that replays WAL before it lets anybody in, which takes as long as there is WAL.
    pub(crate) async fn await_ready_however_long(&mut self) -> Result<(), PostgresError> {
        self.await_ready_for(REPLAY_TIME).await
    }

    async fn await_ready_for(&mut self, patience: Duration) -> Result<(), PostgresError> {
        let deadline = Instant::now() + patience;
        loop {
            if self.has_ended() {
                return Err(self.start_error("it ended"));
            }
            if self.socket().exists() {
                match self.connect("postgres").await {
                    Ok(_) => return Ok(()),
                    // It answers, and all that it has is in use: that is a healthy server.
                    Err(error) if error.code() == Some(&SqlState::TOO_MANY_CONNECTIONS) => {
                        return Ok(());
                    }
                    Err(_) => {}
                }
            }
            if Instant::now() >= deadline {
                return Err(self.start_error("it does not answer"));
            }
            sleep(PROBE_PAUSE).await;
        }
    }

    /// Connects as the superuser.
    pub(crate) async fn connect(&self, database: &str) -> Result<Client, tokio_postgres::Error> {
        let (client, connection) = tokio_postgres::Config::new()
            .host_path(&self.socket_dir)
            .user(BOOTSTRAP_ROLE)
            .dbname(database)
            .application_name("lakekey-emulator")
            .connect_timeout(Duration::from_secs(5))
            .connect(NoTls)
            .await?;
        // Ends by itself when the client is dropped.
        tokio::spawn(connection);
        Ok(client)
    }

    pub(crate) fn socket(&self) -> PathBuf {
        socket_in(&self.socket_dir)
    }

    pub(crate) fn has_ended(&self) -> bool {
        *self.ended.borrow()
    }

    /// Becomes true when the process has ended.
    pub(crate) fn ended(&self) -> watch::Receiver<bool> {
        self.ended.clone()
    }

    /// Ends all sessions with 57P01 and stops; harder means follow if that takes too long.
    pub(crate) async fn stop(self) {
        self.end(&STOP_STEPS).await;
    }

    /// Stops without a word to anybody, as after a crash of the machine.
    pub(crate) async fn crash(self) {
        self.end(&STOP_STEPS[1..]).await;
    }

    async fn end(mut self, steps: &[(Signal, Duration)]) {
        if let Some(mut pipe) = self.pipe.take() {
            // The shell beside the server must not signal a process id that may belong to somebody else by then.
            let _ = pipe.write_all(b"stop\n").await;
            let _ = pipe.flush().await;
            drop(pipe);
        }
        for (signal, patience) in steps {
            if self.has_ended() {
                return;
            }
            let _ = kill_process(self.pid, *signal);
            if timeout(*patience, self.ended.wait_for(|ended| *ended))
                .await
                .is_ok()
            {
                return;
            }
        }
    }

    fn start_error(&self, what: &str) -> PostgresError {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let tail: Vec<_> = log.lines().rev().take(8).collect();
        let tail = tail.into_iter().rev().collect::<Vec<_>>().join(" | ");
        PostgresError::Start {
            branch: self.branch.clone(),
            reason: format!("{what}; the end of its log: {tail}"),
        }
    }
}

/// `fsync` is off because a local database need not survive a power cut; `synchronous_commit` stays on because it
/// costs nothing here and a crash of the server then loses nothing.
///
/// Segments of the WAL are never written again under another name, so that they can be lent to a replay.
const SETTINGS: [&str; 13] = [
    "listen_addresses=",
    "port=5432",
    "unix_socket_permissions=0700",
    "fsync=off",
    "full_page_writes=off",
    "synchronous_commit=on",
    "max_connections=110",
    "shared_buffers=32MB",
    "max_wal_size=256MB",
    "wal_recycle=off",
    "wal_init_zero=off",
    "timezone=UTC",
    "log_timezone=UTC",
];

/// Where a server with this directory for sockets listens.
pub(crate) fn socket_in(dir: &Path) -> PathBuf {
    dir.join(".s.PGSQL.5432")
}

fn watch_end(mut child: Child) -> watch::Receiver<bool> {
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        let _ = child.wait().await;
        sender.send_replace(true);
    });
    receiver
}

/// Runs a future to its end even if the caller stops waiting: a start that is dropped half-way would leave a server
/// that nobody knows.
pub(crate) async fn detached<T: Send + 'static>(
    job: impl Future<Output = T> + Send + 'static,
) -> Option<T> {
    let (sender, receiver) = oneshot::channel();
    tokio::spawn(async move {
        let _ = sender.send(job.await);
    });
    receiver.await.ok()
}
