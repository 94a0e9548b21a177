//! What can go wrong with a local Postgres, and what to do about it.

use std::io;
use std::path::PathBuf;

use jiff::Timestamp;

use super::binaries::install_command;
use super::point::Lsn;

/// Why Postgres could not be found, prepared, started or asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PostgresError {
    /// No usable `postgres` and `initdb` anywhere.
    #[error(
        "no usable Postgres found; install one with `{}` (inside the lakekey repository: `cargo xtask postgres`), or name \
         a directory that holds `postgres` and `initdb` with --pg-bin-dir or LAKEKEY_PG_BIN. Tried: {}",
        install_command(*.major),
        if .tried.is_empty() { "nothing was there to try".to_owned() } else { .tried.join("; ") }
    )]
    NotFound {
        /// The wanted major version.
        major: u32,
        /// Each place that held something, and why it was passed over.
        tried: Vec<String>,
    },
    /// A directory that was named explicitly is of no use.
    #[error("the Postgres in {} ({origin}) cannot be used: {reason}", dir.display())]
    Unusable {
        /// The directory.
        dir: PathBuf,
        /// Where it was named.
        origin: String,
        /// Why not.
        reason: String,
    },
    /// `--strict-version` and no binaries of the project's major version.
    #[error(
        "the project wants Postgres {wanted}, but only {found} is here; install it with `{}`, or leave out --strict-version",
        install_command(*.wanted)
    )]
    WrongMajor {
        /// The project's major version.
        wanted: u32,
        /// The major version that was found.
        found: u32,
    },
    /// Postgres does not run as root and there is no other account.
    #[error(
        "this runs as root, Postgres refuses to, and /etc/passwd has neither `postgres` nor `nobody` to run it as; \
         run the emulator as an ordinary user"
    )]
    NoAccount,
    /// Another emulator uses the directory.
    #[error("the state directory {} is in use by another emulator; stop that one or use another directory", .0.display())]
    StateInUse(PathBuf),
    /// A directory on the way cannot be passed by the account that runs Postgres.
    #[error(
        "{} cannot be entered by the account {account} that Postgres runs as (this is root, and Postgres refuses to run \
         as root); choose a state directory below one that everybody may pass, such as the one for temporary files",
        dir.display()
    )]
    NotTraversable {
        /// The directory.
        dir: PathBuf,
        /// The account.
        account: String,
    },
    /// A file operation failed.
    #[error("cannot {what} {}: {source}", path.display())]
    File {
        /// The operation.
        what: &'static str,
        /// Its object.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A program could not be started or failed.
    #[error("{program} failed: {reason}")]
    Program {
        /// Its name.
        program: String,
        /// What it said.
        reason: String,
    },
    /// The server did not become ready.
    #[error("Postgres of branch {branch} did not start: {reason}")]
    Start {
        /// The branch.
        branch: String,
        /// The end of its log, or the deadline.
        reason: String,
    },
    /// A fault that the admin API ordered.
    #[error("the wake of {endpoint} fails because the admin API ordered it")]
    Ordered {
        /// The endpoint.
        endpoint: String,
    },
    /// A statement of the emulator itself failed.
    #[error("cannot {what} in Postgres of branch {branch}: {source}")]
    Sql {
        /// What the statement was for.
        what: String,
        /// The branch.
        branch: String,
        /// The cause.
        source: tokio_postgres::Error,
    },
    /// A branch of this id has data already.
    #[error("the branch {0} has data already; remove it first, or restore it in place")]
    BranchExists(String),
    /// A branch of this id has no data, or none any more.
    #[error("the branch {0} has no data here; it was never created or has been removed")]
    NoSuchBranch(String),
    /// A snapshot of this id exists.
    #[error("the snapshot {0} exists already; remove it first, or choose another id")]
    SnapshotExists(String),
    /// There is no snapshot of this id.
    #[error("there is no snapshot {0}; it was never taken or has been removed")]
    NoSuchSnapshot(String),
    /// A branch point that has not come yet.
    #[error(
        "the branch {branch} has not come to {asked} yet: it is at {now} now; name a point of its past"
    )]
    PointAhead {
        /// The branch.
        branch: String,
        /// The time or position that was asked for.
        asked: String,
        /// Where the branch is.
        now: String,
    },
    /// A branch point before all that is kept of the branch.
    #[error(
        "the history of branch {branch} does not reach back to {asked}: it is kept from {} on",
        earliest_text(*.from, *.from_lsn)
    )]
    HistoryGone {
        /// The branch.
        branch: String,
        /// The time or position that was asked for.
        asked: String,
        /// The earliest time that can be asked for, by the emulator's clock; `None`: none at all.
        from: Option<Timestamp>,
        /// The earliest position that can be asked for.
        from_lsn: Option<Lsn>,
    },
    /// Something else in the branch's directory kept it from being copied.
    #[error(
        "the branch {branch} was stopped again and again while it was copied; leave its computes alone and try once more"
    )]
    Restless {
        /// The branch.
        branch: String,
    },
    /// The emulator is stopping.
    #[error("the emulator is shutting down")]
    ShuttingDown,
    /// No endpoint of this id has been used yet.
    #[error("the endpoint {0} is unknown to the computes")]
    UnknownEndpoint(String),
}

fn earliest_text(from: Option<Timestamp>, lsn: Option<Lsn>) -> String {
    match (from, lsn) {
        (Some(time), Some(lsn)) => format!("{time} (position {lsn})"),
        (Some(time), None) => time.to_string(),
        (None, Some(lsn)) => format!("position {lsn}"),
        (None, None) => "its next start".to_owned(),
    }
}

impl PostgresError {
    pub(crate) fn file(
        what: &'static str,
        path: &std::path::Path,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { what, path, source }
    }
}
