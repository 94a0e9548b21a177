//! Servers that an earlier emulator left behind in a data directory, and the lock files that they left.
//!
//! A killed emulator's servers end by themselves, unless the shell that watches over them was killed as well. Two servers
//! on one directory would destroy it; a stale lock file whose process id now belongs to somebody else would keep the
//! branch from ever starting. Nothing is signalled but servers whose working directory is this very data directory.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tokio::time::{Instant, sleep};

use super::error::PostgresError;

const LOCK_FILE: &str = "postmaster.pid";
/// How long servers may take to end before they are told to, then to obey, then to be gone.
const STEPS: [(Option<Signal>, Duration); 3] = [
    (None, Duration::from_secs(3)),
    (Some(Signal::QUIT), Duration::from_secs(5)),
    (Some(Signal::KILL), Duration::from_secs(5)),
];

/// Sees to it that no server runs in `data` and that its lock file stands in nobody's way.
pub(crate) async fn clear(data: &Path) -> Result<(), PostgresError> {
    let lock = data.join(LOCK_FILE);
    if !lock.exists() {
        return Ok(());
    }
    let Ok(home) = data.canonicalize() else {
        return Ok(());
    };
    for (signal, patience) in STEPS {
        if let Some(signal) = signal {
            for pid in servers_in(&home, &lock) {
                tracing::warn!(data = %data.display(), pid = pid.as_raw_nonzero(), ?signal, "ending a server of an earlier emulator");
                let _ = kill_process(pid, signal);
            }
        }
        let deadline = Instant::now() + patience;
        loop {
            if servers_in(&home, &lock).is_empty() {
                return remove_stale(&lock);
            }
            if Instant::now() >= deadline {
                break;
            }
            sleep(Duration::from_millis(10)).await;
        }
    }
    Err(PostgresError::Program {
        program: "a server of an earlier emulator".into(),
        reason: format!("it does not end and holds {}", data.display()),
    })
}

/// Postgres itself refuses to start when the process of a lock file lives, whatever that process is by now.
fn remove_stale(lock: &Path) -> Result<(), PostgresError> {
    match fs::remove_file(lock) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(PostgresError::file("remove the stale", lock)(error))
        }
        _ => Ok(()),
    }
}

/// The processes of a server, the postmaster and its children: all work in the data directory.
#[cfg(target_os = "linux")]
fn servers_in(home: &Path, _: &Path) -> Vec<Pid> {
    let Ok(processes) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    processes
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let pid = Pid::from_raw(entry.file_name().to_str()?.parse().ok()?)?;
            let is_here = fs::read_link(entry.path().join("cwd")).ok()? == home;
            let name = fs::read_to_string(entry.path().join("comm")).ok()?;
            (is_here && name.trim_end() == "postgres" && test_kill_process(pid).is_ok())
                .then_some(pid)
        })
        .collect()
}

/// The postmaster, if the process of the lock file is one that was started with this data directory.
#[cfg(not(target_os = "linux"))]
fn servers_in(home: &Path, lock: &Path) -> Vec<Pid> {
    let text = fs::read_to_string(lock).unwrap_or_default();
    let Some(pid) = text
        .lines()
        .next()
        .and_then(|line| Pid::from_raw(line.trim().parse().ok()?))
    else {
        return Vec::new();
    };
    let command = std::process::Command::new("ps")
        .args(["-o", "command=", "-p", &pid.as_raw_nonzero().to_string()])
        .output();
    let is_ours = command.is_ok_and(|output| {
        let command = String::from_utf8_lossy(&output.stdout).into_owned();
        command.contains("postgres") && command.contains(&*home.to_string_lossy())
    });
    if is_ours && test_kill_process(pid).is_ok() {
        vec![pid]
    } else {
        Vec::new()
    }
}
