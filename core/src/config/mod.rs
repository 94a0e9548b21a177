//! Configuration: explicit values, then the environment, then `~/.databrickscfg`; every value remembers its source.
//!
//! The order, the file's dialect and the texts of errors are those that the Databricks SDKs and CLI share, so that one
//! machine set up for any of them is set up for us. Without the sources nobody can tell why a login used that host.

mod attribute;
mod dialect;
mod environment;
mod host;
mod profile;
mod resolved;
mod settings;
#[cfg(test)]
mod tests;

pub use attribute::{ATTRIBUTES, Attribute, Kind};
pub use environment::Environment;
pub use resolved::{Resolved, Source, Value, resolve};
pub use settings::Settings;

pub(crate) use host::{account_host, is_loopback, normalise_host};
pub(crate) use resolved::SERVING;
