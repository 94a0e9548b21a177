//! Why the emulator could not do what it was asked, in words that say how to go on.

use std::fmt::Display;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::certs::CertError;
use crate::front::FrontError;
use crate::postgres::PostgresError;

/// Why the emulator did not start, or why an option, an admin call or a fault was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An option or a field has a value that it cannot have.
    #[error("`{field}` is {value}: it must be {expected}")]
    Invalid {
        /// The option or the field.
        field: String,
        /// What it was.
        value: String,
        /// What it may be.
        expected: String,
    },
    /// A port is taken, or the address is not of this machine.
    #[error(
        "cannot listen on {address} for {what}: {source} (another emulator may run there; port 0 takes a free one)"
    )]
    Listen {
        /// The listener's purpose.
        what: &'static str,
        /// The address that was asked for.
        address: SocketAddr,
        /// The system's answer.
        source: io::Error,
    },
    /// The state directory cannot be read or written.
    #[error("cannot {doing} {}: {source}", path.display())]
    StateFile {
        /// What was tried.
        doing: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// A file of the state directory is not what this version writes.
    #[error("{} is not a state file of this version: {reason} (move it away to start from an empty state)", path.display())]
    StateFormat {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// No such endpoint.
    #[error("no endpoint has the uid or the name {asked:?}; there are: {}", known.join(", "))]
    NoSuchEndpoint {
        /// What was asked for.
        asked: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// The system has no randomness, or the signing key is broken.
    #[error("the token signing key cannot be {0}")]
    SigningKey(&'static str),
    /// Postgres could not be found, started or asked.
    #[error(transparent)]
    Postgres(#[from] PostgresError),
    /// The front door could not be opened.
    #[error(transparent)]
    Front(#[from] FrontError),
    /// There is no certificate for the front door.
    #[error(transparent)]
    Certificate(#[from] CertError),
    /// A DNS rule without a name server.
    #[error("this emulator has no name server of its own: start it with `--host-mode dns` to set what DNS answers")]
    NoNameServer,
    /// What was asked for needs a Postgres, and this emulator was started without.
    #[error("this emulator runs its control plane only: start it with Postgres to {0}")]
    NoPostgres(&'static str),
}

impl Error {
    pub(crate) fn invalid(
        field: impl Into<String>,
        value: impl Display,
        expected: impl Into<String>,
    ) -> Self {
        Self::Invalid {
            field: field.into(),
            value: value.to_string(),
            expected: expected.into(),
        }
    }
}
