//! Bringing an image to a later moment by replaying WAL, as Postgres itself does it.

use std::path::Path;

use jiff::Timestamp;

use super::cluster::{Cluster, Launch};
use super::error::PostgresError;
use super::fleet::Shared;
use super::history::wal_keep_size;
use super::point::Lsn;

/// Postgres ends with these words when the WAL holds nothing after the target.
const NOTHING_AFTER: &str = "recovery ended before configured recovery target was reached";

/// How far to replay.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    /// All that was committed up to this moment of the machine's clock.
    Time(Timestamp),
    /// All records before this position.
    Lsn(Lsn),
}

/// Where the replay ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reached {
    pub(crate) lsn: Lsn,
    /// The last commit, by the machine's clock.
    pub(crate) last_commit: Option<Timestamp>,
}

/// Replays the WAL that lies in the tree, and stops the cluster in order, on a timeline of its own.
pub(crate) async fn recover(
    branch: &str,
    shared: &Shared,
    pg_version: u32,
    tree: &Path,
    target: Target,
) -> Result<Reached, PostgresError> {
    let signal = tree.join("recovery.signal");
    std::fs::write(&signal, "").map_err(PostgresError::file("write", &signal))?;
    shared.account.make_private_file(&signal)?;
    let run = |settings| async {
        let socket_dir = shared.socket_dir();
        shared.account.make_private_dir(&socket_dir)?;
        let reached = replay(branch, shared, pg_version, tree, &socket_dir, settings).await;
        let _ = std::fs::remove_dir_all(&socket_dir);
        reached
    };
    let reached = match run(settings(shared, Some(target))).await {
        // All that there is belongs to it.
        Err(_) if log_of(tree).contains(NOTHING_AFTER) => run(settings(shared, None)).await,
        reached => reached,
    };
    let _ = std::fs::remove_file(tree.with_extension("log"));
    reached
}

async fn replay(
    branch: &str,
    shared: &Shared,
    pg_version: u32,
    tree: &Path,
    socket_dir: &Path,
    settings: Vec<String>,
) -> Result<Reached, PostgresError> {
    let installation = shared.installation(pg_version).await?;
    let launch = Launch {
        branch,
        installation: &installation,
        account: &shared.account,
        data: tree,
        socket_dir,
        settings,
    };
    let mut cluster = Cluster::spawn(launch).await?;
    let reached = async {
        cluster.await_ready_however_long().await?;
        let ask = async {
            let client = cluster.connect("postgres").await?;
            let row = client
                .query_one(
                    "SELECT coalesce(pg_last_wal_replay_lsn(), pg_current_wal_lsn())::text,
                            (extract(epoch FROM pg_last_xact_replay_timestamp()) * 1000000)::bigint",
                    &[],
                )
                .await?;
            let lsn: String = row.try_get(0)?;
            let commit: Option<i64> = row.try_get(1)?;
            Ok((lsn, commit))
        };
        let (lsn, commit) = ask.await.map_err(|source| PostgresError::Sql {
            what: "ask how far the replay came".into(),
            branch: branch.to_owned(),
            source,
        })?;
        Ok(Reached {
            lsn: lsn.parse().unwrap_or_default(),
            last_commit: commit.and_then(|micros| Timestamp::from_microsecond(micros).ok()),
        })
    };
    let reached = reached.await;
    cluster.stop().await;
    reached
}

fn settings(shared: &Shared, target: Option<Target>) -> Vec<String> {
    let mut settings = vec![
        // The branch that is made has this past too.
        wal_keep_size(shared.image_every_bytes),
        // All WAL that it may read is in its own directory.
        "restore_command=false".to_owned(),
        "recovery_target_action=promote".to_owned(),
        // Nobody is let in before the end of the replay, so whoever gets in finds it done.
        "hot_standby=off".to_owned(),
    ];
    match target {
        Some(Target::Time(real)) => settings.push(format!("recovery_target_time={}", micros(real))),
        // The position after a commit is where the next record starts, which is no longer wanted.
        Some(Target::Lsn(lsn)) => settings.extend([
            format!("recovery_target_lsn={lsn}"),
            "recovery_target_inclusive=off".to_owned(),
        ]),
        None => {}
    }
    settings
}

/// Postgres would round what is finer than a microsecond, perhaps up; and at this point of its start it knows no `Z`.
fn micros(time: Timestamp) -> String {
    let floor = Timestamp::from_microsecond(time.as_microsecond()).unwrap_or(time);
    floor.strftime("%Y-%m-%d %H:%M:%S%.6f+00").to_string()
}

fn log_of(tree: &Path) -> String {
    std::fs::read_to_string(tree.with_extension("log")).unwrap_or_default()
}
