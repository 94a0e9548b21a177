//! What a stopped cluster says of itself in `global/pg_control`.
//!
//! Packages bring no `pg_controldata`, and a copy of a cluster must know whether it was stopped in order and from which
//! WAL segment it starts; guessing either would make branches that lose rows.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::error::PostgresError;
use super::point::{Lsn, Segment};

/// The layout of the fields below is the same from this version of the file on (Postgres 13).
const OLDEST_VERSION: u32 = 1300;
const SHUT_DOWN: u32 = 1;
/// Where the fields that are read here end.
const READ_BYTES: usize = 52;

/// The part of it that branching needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ControlFile {
    /// Stopped in order: what the files hold needs no WAL.
    pub(crate) is_clean: bool,
    /// Where the last checkpoint stands in the WAL.
    pub(crate) checkpoint: Lsn,
    /// The first segment that a start reads.
    pub(crate) redo: Segment,
}

impl ControlFile {
    pub(crate) fn read(data: &Path) -> Result<Self, PostgresError> {
        let path = data.join("global/pg_control");
        let mut bytes = [0_u8; READ_BYTES];
        File::open(&path)
            .and_then(|mut file| file.read_exact(&mut bytes))
            .and_then(|()| Self::parse(&bytes))
            .map_err(PostgresError::file("read", &path))
    }

    fn parse(bytes: &[u8; READ_BYTES]) -> io::Result<Self> {
        let u32_at = |at: usize| {
            let mut part = [0; 4];
            part.copy_from_slice(&bytes[at..at + 4]);
            u32::from_ne_bytes(part)
        };
        let lsn_at = |at: usize| {
            let mut part = [0; 8];
            part.copy_from_slice(&bytes[at..at + 8]);
            Lsn(u64::from_ne_bytes(part))
        };
        let version = u32_at(8);
        if version < OLDEST_VERSION {
            let message = format!("its version {version} is that of a Postgres before 13");
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        Ok(Self {
            is_clean: u32_at(16) == SHUT_DOWN,
            checkpoint: lsn_at(32),
            redo: Segment {
                number: lsn_at(40).segment(),
                timeline: u32_at(48),
            },
        })
    }
}
