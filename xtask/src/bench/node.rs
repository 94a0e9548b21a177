//! The npm package as the bench uses it: the tests' installation, with a release build of the native module.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::row::Row;
use crate::emulator::Emulator;
use crate::repo::Repo;
use crate::setup::artifacts::Profile;
use crate::setup::{artifacts, npm};

/// The size that the native module may have, in megabytes.
const MODULE: f64 = 5.0;

/// Where the scripts and the native module are.
pub(super) struct Package {
    scripts: PathBuf,
    module: PathBuf,
}

impl Package {
    /// Builds and installs it; `folder` keeps the native module.
    pub(super) fn install(repo: &Repo, folder: &Path) -> Result<Package> {
        // Node looks for packages beside the file that imports them.
        let scripts = npm::installed(repo)?.join("bench");
        if scripts.exists() {
            fs::remove_dir_all(&scripts)?;
        }
        fs::create_dir_all(&scripts)?;
        for entry in fs::read_dir(repo.path("tests/bench"))? {
            let entry = entry?;
            if entry.path().extension().is_some_and(|kind| kind == "mjs") {
                fs::copy(entry.path(), scripts.join(entry.file_name()))?;
            }
        }
        println!("building the native module for Node (a release build)");
        let library = artifacts::library(repo, "lakekey-node", Profile::Release)?;
        // Node loads native modules by this ending only.
        let module = folder.join("lakekey.node");
        fs::copy(&library, &module)?;
        Ok(Package { scripts, module })
    }

    /// How large the native module is.
    pub(super) fn size(&self) -> Result<Row> {
        Row::size("size of the native module for Node", &self.module, MODULE)
    }

    /// A script's process, pointed at the emulator.
    pub(super) fn script(&self, name: &str, emulator: &Emulator) -> Command {
        let mut node = Command::new("node");
        emulator
            .lend(&mut node)
            .current_dir(&self.scripts)
            .env("LAKEKEY_NATIVE_MODULE", &self.module)
            .arg(name);
        node
    }
}
