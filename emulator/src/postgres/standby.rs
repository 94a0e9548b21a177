//! The data of a read-only endpoint: a copy of the branch's cluster that follows it by streaming.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use super::account::Account;
use super::cluster::Cluster;
use super::compute::{Compute, of_sql};
use super::control_file::ControlFile;
use super::error::PostgresError;
use super::image::{Image, copy_wal, wal_files};
use super::installation::blocking;
use super::point::{Lsn, Segment};

/// Under this name standbys connect to their primary.
pub(crate) const STANDBY: &str = "lakekey-standby";
/// A standby that is this late is let in all the same; a real one may lag too.
const CATCH_UP_TIME: Duration = Duration::from_secs(10);

/// Makes `dir/data` a cluster that follows `primary` and has the WAL that `primary` has now.
pub(crate) async fn prepare(primary: &Arc<Compute>, dir: &Path) -> Result<(), PostgresError> {
    let shared = &primary.shared;
    let (data, source) = (dir.join("data"), primary.data());
    if data.exists() {
        let (from, to, owner) = (source.clone(), data.clone(), shared.account.clone());
        if blocking(move || catch_up(&from, &to, &owner)).await? {
            return Ok(());
        }
        info!(branch = %primary.branch.uid, "the standby is too far behind: copying it anew");
        let old = data.clone();
        blocking(move || {
            std::fs::remove_dir_all(&old).map_err(PostgresError::file("remove", &old))
        })
        .await?;
    }
    shared.account.make_passable_dir(dir)?;
    let draft = dir.join("draft");
    let job = draft.clone();
    blocking(move || {
        let _ = std::fs::remove_dir_all(&job);
        std::fs::create_dir_all(&job).map_err(PostgresError::file("create", &job))
    })
    .await?;
    shared.account.make_passable_dir(&draft)?;
    primary.image_of_data(&draft).await?;
    let tree = Image::tree_in(&draft);
    let signal = tree.join("standby.signal");
    std::fs::write(&signal, "").map_err(PostgresError::file("write", &signal))?;
    shared.account.make_private_file(&signal)?;
    std::fs::rename(&tree, &data).map_err(PostgresError::file("move to", &data))?;
    let _ = std::fs::remove_dir_all(&draft);
    Ok(())
}

/// Copies the WAL that the standby lacks. `false`: the primary has not kept it.
///
/// While the primary is suspended nobody could stream it.
fn catch_up(primary: &Path, standby: &Path, owner: &Account) -> Result<bool, PostgresError> {
    let newest = |data: &Path| -> Result<Option<Segment>, PostgresError> {
        let files = wal_files(data)?;
        Ok(files.into_iter().filter_map(|(_, segment)| segment).max())
    };
    let Some(from) = newest(standby)? else {
        return Ok(false);
    };
    if !primary.join("pg_wal").join(from.file()).exists() {
        return Ok(false);
    }
    copy_wal(primary, standby, owner, |segment| {
        segment.number >= from.number
    })?;
    Ok(true)
}

/// What a standby is started with besides the settings of all.
pub(crate) fn settings(primary: &Compute) -> Vec<String> {
    let role = super::template::BOOTSTRAP_ROLE;
    let host = primary.socket_dir().display().to_string();
    let host = host.replace('\\', "\\\\").replace('\'', "\\'");
    vec![
        format!("primary_conninfo=host='{host}' port=5432 user={role} application_name={STANDBY}"),
        "wal_retrieve_retry_interval=200ms".to_owned(),
    ]
}

/// Waits until the standby has what was committed on the primary before now, but not for ever.
pub(crate) async fn await_caught_up(
    primary: &Compute,
    standby: &Cluster,
) -> Result<(), PostgresError> {
    let wanted = match primary.flushed().await? {
        Some(lsn) => lsn,
        None => ControlFile::read(&primary.data())?.checkpoint,
    };
    let branch = &primary.branch.uid;
    let ask = async {
        let client = standby.connect("postgres").await?;
        let deadline = Instant::now() + CATCH_UP_TIME;
        loop {
            let row = client
                .query_one("SELECT pg_last_wal_replay_lsn()::text", &[])
                .await?;
            let replayed: Option<String> = row.try_get(0)?;
            if replayed.and_then(|lsn| lsn.parse::<Lsn>().ok()) >= Some(wanted) {
                return Ok(());
            }
            if Instant::now() >= deadline {
                warn!(%branch, %wanted, "the standby lags behind its primary");
                return Ok(());
            }
            sleep(Duration::from_millis(3)).await;
        }
    };
    ask.await
        .map_err(of_sql("ask how far the standby is", branch))
}
