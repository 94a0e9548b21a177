//! One emulator per state directory.
//!
//! Two of them would overwrite each other's resources and start two servers on the same data. So the lock comes before
//! anything of the directory is read or written.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;

use crate::Error;
use crate::postgres::PostgresError;

/// Keeps other emulators out of a state directory until it is dropped, or its process ends.
#[derive(Debug)]
pub(crate) struct StateLock(File);

impl StateLock {
    /// Locks the directory, which is made when it is missing.
    pub(crate) fn take(state_dir: &Path) -> Result<Self, Error> {
        let failed = |doing, path: &Path| {
            let path = path.to_owned();
            move |source: io::Error| Error::StateFile {
                doing,
                path,
                source,
            }
        };
        fs::create_dir_all(state_dir).map_err(failed("create", state_dir))?;
        let path = state_dir.join("lock");
        let file = File::create(&path).map_err(failed("create", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => {
                Err(PostgresError::StateInUse(state_dir.to_owned()).into())
            }
            Err(TryLockError::Error(error)) => Err(failed("lock", &path)(error)),
        }
    }
}

impl Drop for StateLock {
    fn drop(&mut self) {
        // Said aloud, because a child process that is just being made may hold a copy of the file for a moment.
        let _ = self.0.unlock();
    }
}
