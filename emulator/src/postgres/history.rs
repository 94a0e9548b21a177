//! The past of one branch: its images, and the WAL that its cluster has written since.
//!
//! The WAL stays in the cluster's own directory (`wal_keep_size`), where it lies from the moment of its commit, also
//! after a crash; an archive would always lack the last of it.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::control_file::ControlFile;
use super::error::PostgresError;
use super::image::{Image, wal_files};
use super::point::{Lsn, Segment};
use super::recovery::Target;

/// Of large clusters images are made less often, by up to this factor.
const LARGE: u64 = 2;
/// Older images are of no use: the WAL that follows them is not kept for so long.
const MOST_IMAGES: usize = 2;

/// The setting of a cluster that keeps its WAL for as long as the images need it.
pub(crate) fn wal_keep_size(image_every_bytes: u64) -> String {
    let bytes = image_every_bytes.saturating_mul(LARGE + 1);
    format!("wal_keep_size={}MB", (bytes >> 20).clamp(64, 1 << 20))
}

/// The directories of one branch.
#[derive(Clone, Debug)]
pub(crate) struct History {
    dir: PathBuf,
}

impl History {
    pub(crate) fn in_dir(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
        }
    }

    /// Where the branch's cluster lives.
    pub(crate) fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// Where the image of this number is, or will be.
    pub(crate) fn image_dir(&self, number: u64) -> PathBuf {
        self.dir.join("images").join(number.to_string())
    }

    /// The images, oldest first.
    pub(crate) fn images(&self) -> Result<Vec<(u64, Image)>, PostgresError> {
        let dir = self.dir.join("images");
        let mut images = Vec::new();
        for entry in fs::read_dir(&dir).into_iter().flatten() {
            let path = entry.map_err(PostgresError::file("read", &dir))?.path();
            let number = path
                .file_name()
                .and_then(|name| name.to_str()?.parse().ok());
            if let (Some(number), Some(image)) = (number, Image::load(&path)?) {
                images.push((number, image));
            }
        }
        images.sort_by_key(|(number, _)| *number);
        Ok(images)
    }

    pub(crate) fn newest(&self) -> Result<Option<(u64, Image)>, PostgresError> {
        Ok(self.images()?.pop())
    }

    /// The latest image from which the WAL leads to `target`.
    pub(crate) fn before(
        &self,
        target: Target,
        cache: &Path,
    ) -> Result<Option<Image>, PostgresError> {
        let mut images = self.reachable(cache)?;
        images.retain(|image| match target {
            Target::Time(real) => image.about.taken.is_none_or(|taken| taken <= real),
            Target::Lsn(lsn) => image.about.end <= lsn,
        });
        Ok(images.pop())
    }

    /// The images that are followed by WAL without a gap, oldest first.
    fn reachable(&self, cache: &Path) -> Result<Vec<Image>, PostgresError> {
        let images = self.images()?.into_iter().map(|(_, image)| image);
        if !self.data().exists() {
            return Ok(images.collect());
        }
        let oldest = self.oldest_segment()?;
        let system = ControlFile::read(&self.data())?.system;
        let follows = |image: &Image| {
            // The WAL up to its end is in the image itself.
            oldest.is_some_and(|oldest| oldest.number <= image.about.end.segment())
                // Somebody may have emptied the cache with the template, and the one there now is another.
                && ControlFile::read(&image.tree(cache)).is_ok_and(|tree| tree.system == system)
        };
        Ok(images.filter(follows).collect())
    }

    fn oldest_segment(&self) -> Result<Option<Segment>, PostgresError> {
        let files = wal_files(&self.data())?;
        Ok(files.into_iter().filter_map(|(_, segment)| segment).min())
    }

    /// The number of the image that is due: so much WAL has been written since the last one that replaying it would take
    /// long, and keeping it much room. `None`: not yet.
    pub(crate) fn due(&self, every_bytes: u64, cache: &Path) -> Result<Option<u64>, PostgresError> {
        let next = self.newest()?.map_or(1, |(number, _)| number + 1);
        let Some(newest) = self.reachable(cache)?.pop() else {
            return Ok(Some(next));
        };
        let since = newest.about.end.segment();
        let files = wal_files(&self.data())?;
        let written = files
            .iter()
            .filter_map(|(_, segment)| Some(segment.as_ref()?.number))
            .filter(|number| *number > since)
            .count() as u64
            * super::template::WAL_SEGMENT;
        if written < every_bytes {
            return Ok(None);
        }
        let size = size_of(&self.data().join("base"));
        let is_due = written >= size.min(every_bytes.saturating_mul(LARGE));
        Ok(is_due.then_some(next))
    }

    /// Removes the images that are too old.
    pub(crate) fn prune(&self) -> Result<(), PostgresError> {
        let images = self.images()?;
        for (number, _) in images.iter().rev().skip(MOST_IMAGES) {
            let dir = self.image_dir(*number);
            fs::remove_dir_all(&dir).map_err(PostgresError::file("remove", &dir))?;
        }
        Ok(())
    }

    /// The earliest position that can still be gone back to, and its time by the machine's clock.
    pub(crate) fn earliest(
        &self,
        cache: &Path,
    ) -> Result<Option<(Lsn, Option<Timestamp>)>, PostgresError> {
        let images = self.reachable(cache)?;
        Ok(images
            .first()
            .map(|image| (image.about.end, image.about.taken)))
    }
}

/// The bytes below a directory, as far as they can be counted.
pub(crate) fn size_of(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| Some((entry.metadata().ok()?, entry.path())))
        .map(|(meta, path)| {
            if meta.is_dir() {
                size_of(&path)
            } else {
                meta.len()
            }
        })
        .sum()
}
