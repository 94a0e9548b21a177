//! A local Lakebase: HTTP control plane, gateway and real Postgres clusters.
//!
//! ```no_run
//! # async fn example() -> Result<(), lakekey_emulator::Error> {
//! use lakekey_emulator::{Emulator, Fault, Options};
//!
//! let emulator = Emulator::start(Options::default()).await?;
//! for (name, value) in emulator.environment() {
//!     println!("{name}={value}");
//! }
//! emulator.fault(Fault::status(503).times(2))?;
//! emulator.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! It never uses the client's own types: with shared ones a mistake on the wire would cancel itself out.

mod admin;
mod behind;
pub mod certs;
mod clock;
mod control;
mod dns;
mod emulator;
mod error;
mod faults;
pub mod front;
mod journal;
mod lock;
mod options;
pub mod postgres;
mod session;
mod shown;
mod state;
mod synced;
mod token;

pub use certs::WrongCertificate;
pub use clock::{Clock, ClockChange, ClockReading};
pub use dns::{DnsAnswer, DnsRule};
pub use emulator::{Emulator, Urls};
pub use error::Error;
pub use faults::{Action, Fault, FaultReport, LoginStep, LoginTrouble, Match, Phase, RetryAfter};
pub use journal::{ComputeEvent, Counters, EndpointCounters, Entry, Event, Login, Request};
pub use options::{HostMode, Options, SuspendAfter};
pub use state::identity::{
    ACCOUNT_ID, CLIENT_ID, CLIENT_SECRET, GROUP, STRANGER, STRANGER_TOKEN, TOKEN, USER,
    WORKSPACE_ID,
};
pub use token::TokenSettings;
