//! Real Postgres clusters, one per branch: found, prepared, started on demand and suspended when idle.
//!
//! Without them the emulator would be a mock that agrees with whatever lakekey does; a real server is what makes a
//! passing test mean something.

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
