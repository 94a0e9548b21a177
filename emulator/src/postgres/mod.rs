//! Real Postgres clusters, one per branch: found, prepared, started on demand and suspended when idle; branched, kept as
//! snapshots, put back, and followed by standbys.
//!
//! Without them the emulator would be a mock that agrees with whatever lakekey does; a real server is what makes a
//! passing test mean something.
//!
//! The files of a branch, in `branches/<uid>` of the state directory:
//!
//! | path | what it is |
//! |---|---|
//! | `data/` | the cluster; its `pg_wal` is also the branch's past |
//! | `images/<n>/` | immutable copies, from which the WAL leads to any later moment |
//! | `standbys/<endpoint>/data/` | the clusters of read-only endpoints |
//! | `provisioned.json` | the roles and databases that were made in it by order |
//!
//! Snapshots are images in `snapshots/<id>`. An image, and a WAL segment that is full, is never written again, so
//! branches share them by hard links, and each of them can be removed on its own.

mod account;
mod backup;
mod binaries;
mod branching;
mod capture;
mod cluster;
mod compute;
mod control_file;
mod error;
mod files;
mod fleet;
mod history;
mod image;
mod installation;
mod point;
mod predecessor;
mod provision;
mod recovery;
mod standby;
mod template;
mod time;
mod watch;

pub use binaries::{BinarySearch, INSTALL_VERSION, install_command};
pub use branching::Snapshot;
pub use compute::Ready;
pub use error::PostgresError;
pub use fleet::{Fleet, FleetCounts, FleetOptions};
pub use installation::Installation;
pub use point::{Branch, BranchPoint, Lsn, NotAnLsn, Origin};
pub(crate) use template::BOOTSTRAP_ROLE;
pub use time::{SystemTime, Time};
