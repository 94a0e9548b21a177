//! The empty cluster that every branch starts from: made once per version by `initdb`, then copied.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use super::account::Account;
use super::error::PostgresError;
use super::files::{make_once, unique};
use super::installation::{Installation, blocking};

/// The superuser of `initdb`: nobody logs in as it, since the control plane knows no such role.
pub(crate) const BOOTSTRAP_ROLE: &str = "databricks_control_plane";
/// Raise it when the arguments of `initdb` change, so that old templates are left alone.
const GENERATION: u32 = 1;
/// Bytes of a WAL segment: small, because every branch keeps at least one.
pub(crate) const WAL_SEGMENT: u64 = 4 << 20;
const INITDB_TIME: Duration = Duration::from_mins(2);

/// The template's directory; it is made if it is not there.
pub(crate) async fn template(
    installation: &Installation,
    cache: &Path,
    account: &Account,
) -> Result<PathBuf, PostgresError> {
    let dir = cache.join("templates");
    let target = dir.join(format!(
        "{}-{GENERATION}-{}",
        installation.version,
        account.uid()
    ));
    if target.exists() {
        return Ok(target);
    }
    let draft = unique(&dir, ".initdb-")?;
    let made = initdb(installation, &draft.join("data"), account).await;
    if made.is_ok() {
        let (from, to) = (draft.join("data"), target.clone());
        blocking(move || {
            make_once(&to, |tree| {
                std::fs::rename(&from, tree).map_err(PostgresError::file("move to", tree))
            })
        })
        .await?;
    }
    let _ = std::fs::remove_dir_all(&draft);
    made.map(|()| target)
}

async fn initdb(
    installation: &Installation,
    data: &Path,
    account: &Account,
) -> Result<(), PostgresError> {
    account.make_private_dir(data)?;
    let mut command = tokio::process::Command::new(installation.bin_dir.join("initdb"));
    command
        .arg("--pgdata")
        .arg(data)
        .args([
            "--no-sync",
            &format!("--wal-segsize={}", WAL_SEGMENT >> 20),
            "--encoding=UTF8",
            "--auth=trust",
            "--locale=C",
        ])
        .args(["--username", BOOTSTRAP_ROLE]);
    if installation.major >= 17 {
        // Unicode rules for upper and lower case without any locale of the system.
        command.args(["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]);
    }
    command
        .env("LC_ALL", "C")
        .env("TZ", "UTC")
        .current_dir("/")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    account.apply(&mut command);
    let fail = |reason: String| PostgresError::Program {
        program: "initdb".into(),
        reason,
    };
    let output = tokio::time::timeout(INITDB_TIME, command.output())
        .await
        .map_err(|_| fail(format!("not done within {} s", INITDB_TIME.as_secs())))?
        .map_err(|error| fail(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    Err(fail(
        String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    ))
}
