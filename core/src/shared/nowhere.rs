//! Where there are no Unix permissions, nothing is shared: a file that others may read is worse than a second mint.

use std::path::PathBuf;
use std::time::Duration;

use crate::code::Code;
use crate::error::{Error, Result};
use crate::secret::SecretBytes;

pub(super) fn boot() -> String {
    String::new()
}

#[derive(Debug)]
pub(super) struct Directory;

#[derive(Debug)]
pub(crate) struct Locked;

#[allow(dead_code, reason = "what there would be to find elsewhere")]
pub(super) enum Found {
    Nothing,
    Foreign(Error),
    Text(SecretBytes),
}

#[allow(
    clippy::unused_self,
    reason = "the same calls as where there is something to share"
)]
impl Directory {
    pub(super) fn new(_: PathBuf, _: bool) -> Directory {
        Directory
    }

    pub(super) fn read(&self, _: &str) -> Result<Found> {
        Err(unknown())
    }

    pub(super) fn replace(&self, _: &str, _: &[u8]) -> Result<()> {
        Err(unknown())
    }

    pub(super) fn remove(&self, _: &str) -> Result<()> {
        Err(unknown())
    }

    pub(super) fn try_lock(&self, _: &str) -> Result<Option<Locked>> {
        Err(unknown())
    }

    pub(super) fn sweep(&self, _: Duration, _: &str) -> Result<()> {
        Err(unknown())
    }
}

fn unknown() -> Error {
    Error::new(
        Code::SharedDirectory,
        "credentials are not shared between processes on this system",
    )
    .with_hint("Unset LAKEKEY_SHARED_CREDENTIALS; each process mints its own")
}
