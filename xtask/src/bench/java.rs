//! The jar as the bench uses it: with a release build of the native library.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::row::Row;
use crate::emulator::Emulator;
use crate::repo::Repo;
use crate::setup::artifacts::Profile;
use crate::setup::java;

/// The size that the jar and the native library in it may have, in megabytes each.
const MOST: f64 = 5.0;

/// Where they are.
pub(super) struct Jar {
    jar: PathBuf,
    library: PathBuf,
}

impl Jar {
    /// Builds it; `folder` keeps it.
    pub(super) fn build(repo: &Repo, folder: &Path) -> Result<Jar> {
        println!("building the jar (with a release build of its native library)");
        let folder = folder.join("java");
        let jar = java::jar(repo, Profile::Release, &folder, "package")?;
        let library = java::library(&folder)?;
        Ok(Jar { jar, library })
    }

    /// How large both are.
    pub(super) fn sizes(&self) -> Result<Vec<Row>> {
        Ok(vec![
            Row::size("size of the jar", &self.jar, MOST)?,
            Row::size("size of the native library for Java", &self.library, MOST)?,
        ])
    }

    /// A program of one file, pointed at the emulator. `beside` are further jars.
    pub(super) fn program(
        &self,
        source: &Path,
        beside: &[PathBuf],
        emulator: &Emulator,
    ) -> Result<Command> {
        let jars = [&self.jar].into_iter().chain(beside);
        let mut java = Command::new("java");
        emulator
            .lend(&mut java)
            .arg("-cp")
            .arg(env::join_paths(jars)?)
            .arg(source);
        Ok(java)
    }
}
