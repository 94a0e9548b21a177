//! An image of a running cluster, by Postgres' own backup functions: its sessions go on reading and writing meanwhile.

use std::io::Write;
use std::path::Path;

use jiff::Timestamp;
use tokio_postgres::Client;

use super::account::Account;
use super::error::PostgresError;
use super::image::{copy_files, copy_segment, copy_wal};
use super::installation::blocking;
use super::point::{Lsn, Segment};
use super::template::WAL_SEGMENT;

/// What came out of a backup.
#[derive(Clone, Debug)]
pub(crate) struct Backup {
    /// All WAL before this is in it.
    pub(crate) end: Lsn,
    pub(crate) first_segment: Segment,
    /// By the machine's clock.
    pub(crate) taken: Timestamp,
}

/// Why there is no backup.
pub(crate) enum BackupError {
    /// The server was stopped meanwhile, or ended the session.
    Lost(tokio_postgres::Error),
    Other(PostgresError),
}

impl From<tokio_postgres::Error> for BackupError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Lost(error)
    }
}

impl From<PostgresError> for BackupError {
    fn from(error: PostgresError) -> Self {
        Self::Other(error)
    }
}

/// Copies the cluster in `data`, to which `client` is connected, to `tree`.
pub(crate) async fn backup(
    client: &Client,
    data: &Path,
    tree: &Path,
    owner: &Account,
) -> Result<Backup, BackupError> {
    client
        .execute("SELECT pg_backup_start('lakekey', fast => true)", &[])
        .await?;
    let (from, to, account) = (data.to_owned(), tree.to_owned(), owner.clone());
    blocking(move || copy_files(&from, &to, &account)).await?;
    let row = client
        .query_one(
            "SELECT lsn::text, labelfile FROM pg_backup_stop(wait_for_archive => false)",
            &[],
        )
        .await?;
    let taken = Timestamp::now();
    let (end, label): (String, String) = (row.try_get(0)?, row.try_get(1)?);
    let end: Lsn = end.parse().map_err(unreadable)?;
    let first_segment = label
        .split_once("(file ")
        .and_then(|(_, rest)| Segment::of_file(rest.get(..24)?))
        .ok_or_else(|| unreadable(&label))?;
    let (from, to, owner) = (data.to_owned(), tree.to_owned(), owner.clone());
    blocking(move || {
        // The histories of timelines.
        copy_wal(&from, &to, &owner, |_| false)?;
        let last = end.segment_before();
        for number in first_segment.number..=last {
            let segment = Segment {
                number,
                ..first_segment
            };
            copy_segment(&from, &to, &owner, segment)?;
        }
        let segment = Segment {
            number: last,
            ..first_segment
        };
        cut(&to.join("pg_wal").join(segment.file()), end)?;
        let path = to.join("backup_label");
        std::fs::write(&path, label).map_err(PostgresError::file("write", &path))?;
        owner.make_private_file(&path)
    })
    .await?;
    Ok(Backup {
        end,
        first_segment,
        taken,
    })
}

/// Blanks a segment from a position on, so that what was committed after the backup is not in it.
fn cut(segment: &Path, end: Lsn) -> Result<(), PostgresError> {
    let keep = (end.0 - 1) % WAL_SEGMENT + 1;
    let blank = || -> std::io::Result<()> {
        let mut file = std::fs::OpenOptions::new().write(true).open(segment)?;
        file.set_len(keep)?;
        file.set_len(WAL_SEGMENT)?;
        file.flush()
    };
    blank().map_err(PostgresError::file("cut", segment))
}

fn unreadable(what: impl std::fmt::Display) -> PostgresError {
    PostgresError::Program {
        program: "pg_backup_stop".into(),
        reason: format!("it said what is not understood: {what}"),
    }
}
