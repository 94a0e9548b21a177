//! The Postgres front door of the emulator: the gateway's wire, the control plane's decisions and real clusters.

pub mod directory;
mod door;
mod refusals;
mod running;
mod scram;

pub use running::{Front, FrontError, FrontOptions, KillHow, SessionFilter};
