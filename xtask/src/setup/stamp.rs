//! Remembers what a folder was made from, so that a second run does nothing and a changed pin makes it anew.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

const NAME: &str = ".made-from";

/// Makes the folder with `make` unless it stands already and was made from the same inputs. A folder that was only half
/// made has no stamp and is made again from nothing.
pub(crate) fn once(folder: &Path, inputs: &str, make: impl FnOnce() -> Result<()>) -> Result<()> {
    let stamp = folder.join(NAME);
    if fs::read_to_string(&stamp).is_ok_and(|made_from| made_from == inputs) {
        return Ok(());
    }
    if folder.exists() {
        fs::remove_dir_all(folder)
            .with_context(|| format!("{} cannot be removed", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    make()?;
    fs::write(&stamp, inputs).with_context(|| format!("{} cannot be written", stamp.display()))
}
