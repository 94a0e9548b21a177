//! Points in the history of a branch, as clients name them: now, a time, a position in the WAL, a snapshot.
//!
//! A time is always one that the emulator's clock showed. Whoever compared it with the times that Postgres writes into
//! its WAL, which are those of the machine, would branch from the wrong moment as soon as a test moves the clock.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::template::WAL_SEGMENT;

/// A branch as its clusters know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch {
    /// Its unique id, such as `br-still-moon-e5f6a7b8`.
    pub uid: String,
    /// Major version of Postgres of its project: 16 or 17.
    pub pg_version: u32,
}

/// Which moment of a branch a new branch, a snapshot or a restored branch begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Now: with everything that was committed when the call began.
    Current,
    /// With what was committed when the emulator's clock last showed this time; if it never did because somebody moved
    /// it on, what was committed when it was moved.
    Time(Timestamp),
    /// With every WAL record before this position. `pg_current_wal_lsn()` after a commit is a position that has it.
    Lsn(Lsn),
    /// As it is in the snapshot of this id; the parent plays no part.
    Snapshot(String),
}

/// The moment that an [`Origin`] turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BranchPoint {
    /// The end of the WAL that is in it.
    pub lsn: Lsn,
    /// By the emulator's clock.
    pub time: Timestamp,
}

/// A position in the WAL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Lsn(pub u64);

/// Something that is not written like a position in the WAL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no WAL position: it must be two hexadecimal numbers of up to 8 digits, such as 0/16B3748"
)]
pub struct NotAnLsn(String);

impl Lsn {
    /// The number of the WAL segment that the byte before this position is in.
    pub(crate) fn segment_before(self) -> u64 {
        self.0.saturating_sub(1) / WAL_SEGMENT
    }

    /// The number of the WAL segment that this position is in.
    pub(crate) fn segment(self) -> u64 {
        self.0 / WAL_SEGMENT
    }
}

impl FromStr for Lsn {
    type Err = NotAnLsn;

    fn from_str(text: &str) -> Result<Self, NotAnLsn> {
        let part = |digits: &str| {
            let fits = (1..=8).contains(&digits.len())
                && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            fits.then(|| u64::from_str_radix(digits, 16).ok()).flatten()
        };
        text.split_once('/')
            .and_then(|(high, low)| Some(Self(part(high)? << 32 | part(low)?)))
            .ok_or_else(|| NotAnLsn(text.to_owned()))
    }
}

impl TryFrom<String> for Lsn {
    type Error = NotAnLsn;

    fn try_from(text: String) -> Result<Self, NotAnLsn> {
        text.parse()
    }
}

impl From<Lsn> for String {
    fn from(lsn: Lsn) -> Self {
        lsn.to_string()
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 & 0xFFFF_FFFF)
    }
}

/// A WAL segment by the name of its file: its timeline and its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Segment {
    pub(crate) number: u64,
    pub(crate) timeline: u32,
}

/// How many segments share the middle part of their names.
const SEGMENTS_PER_ID: u64 = (1 << 32) / WAL_SEGMENT;

impl Segment {
    /// `None`: the file is no complete segment, but a history or something else.
    pub(crate) fn of_file(name: &str) -> Option<Self> {
        let is_name = name.len() == 24 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        let part = |range| u64::from_str_radix(&name[range], 16).ok();
        is_name.then_some(())?;
        Some(Self {
            number: part(8..16)? * SEGMENTS_PER_ID + part(16..24)?,
            timeline: part(0..8)?.try_into().ok()?,
        })
    }

    pub(crate) fn file(self) -> String {
        let (id, seg) = (self.number / SEGMENTS_PER_ID, self.number % SEGMENTS_PER_ID);
        format!("{:08X}{id:08X}{seg:08X}", self.timeline)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn positions_are_read_as_postgres_writes_them() {
        assert_eq!("0/16B3748".parse(), Ok(Lsn(0x16B_3748)));
        assert_eq!("A/0".parse::<Lsn>().unwrap().to_string(), "A/0");
        for bad in [
            "",
            "/",
            "0",
            "0/",
            "0/123456789",
            "0/+1",
            "0x1/2",
            "0/1/2",
            " 0/1",
        ] {
            let error = bad.parse::<Lsn>().unwrap_err().to_string();
            assert!(error.contains("0/16B3748"), "{error}");
        }
    }

    #[test]
    fn segments_are_named_as_postgres_names_them() {
        // SELECT pg_walfile_name('1/2C00001') with segments of 4 MB.
        let segment = Segment {
            number: Lsn(0x1_02C0_0001).segment(),
            timeline: 3,
        };
        assert_eq!(segment.file(), "00000003000000010000000B");
        assert_eq!(Segment::of_file(&segment.file()), Some(segment));
        for other in [
            "00000002.history",
            "archive_status",
            "00000003000000010000000B.partial",
            "é23456789012345678901234",
        ] {
            assert_eq!(Segment::of_file(other), None, "{other}");
        }
        assert_eq!(Lsn(WAL_SEGMENT).segment_before(), 0);
        assert_eq!(Lsn(WAL_SEGMENT).segment(), 1);
    }
}
