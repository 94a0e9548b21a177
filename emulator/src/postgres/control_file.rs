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
    /// Made by `initdb`, and the same in all that was copied from what it made.
    pub(crate) system: u64,
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
        let u64_at = |at: usize| {
            let mut part = [0; 8];
            part.copy_from_slice(&bytes[at..at + 8]);
            u64::from_ne_bytes(part)
        };
        let version = u32_at(8);
        if version < OLDEST_VERSION {
            let message = format!("its version {version} is that of a Postgres before 13");
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        Ok(Self {
            system: u64_at(0),
            is_clean: u32_at(16) == SHUT_DOWN,
            checkpoint: Lsn(u64_at(32)),
            redo: Segment {
                number: Lsn(u64_at(40)).segment(),
                timeline: u32_at(48),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_layout_that_is_not_known_is_refused() {
        let mut bytes = [0; READ_BYTES];
        bytes[8..12].copy_from_slice(&1201_u32.to_ne_bytes());
        let error = ControlFile::parse(&bytes).unwrap_err().to_string();
        assert!(error.contains("1201"), "{error}");
    }

    #[test]
    fn fields_are_read_from_where_postgres_writes_them() {
        let mut bytes = [0; READ_BYTES];
        bytes[0..8].copy_from_slice(&77_u64.to_ne_bytes());
        bytes[8..12].copy_from_slice(&1300_u32.to_ne_bytes());
        bytes[16..20].copy_from_slice(&1_u32.to_ne_bytes());
        bytes[32..40].copy_from_slice(&0x0280_0060_u64.to_ne_bytes());
        bytes[40..48].copy_from_slice(&0x0280_0028_u64.to_ne_bytes());
        bytes[48..52].copy_from_slice(&3_u32.to_ne_bytes());
        let control = ControlFile::parse(&bytes).unwrap();
        assert!(control.is_clean);
        assert_eq!(control.system, 77);
        assert_eq!(control.checkpoint.to_string(), "0/2800060");
        assert_eq!(control.redo.file(), "00000003000000000000000A");
    }
}
