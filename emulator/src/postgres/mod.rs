//! Real Postgres clusters, one per branch: found, prepared, started on demand and suspended when idle.
//!
//! Without them the emulator would be a mock that agrees with whatever lakekey does; a real server is what makes a
//! passing test mean something.

mod account;
mod binaries;
mod cluster;
mod compute;
mod error;
mod files;
mod fleet;
mod installation;
mod provision;
mod template;
mod time;

pub use binaries::{BinarySearch, INSTALL_VERSION, install_command};
pub use compute::Ready;
pub use error::PostgresError;
pub use fleet::{Fleet, FleetCounts, FleetOptions};
pub use installation::Installation;
pub use time::{SystemTime, Time};
