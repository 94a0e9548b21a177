//! The C library as the bench uses it: a release build, and a program compiled against it.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use super::row::Row;
use crate::child;
use crate::emulator::Emulator;
use crate::repo::Repo;
use crate::setup::artifacts::Profile;
use crate::setup::c;

/// The size that the shared library may have, in megabytes.
const LIBRARY: f64 = 5.0;

/// Where it is installed.
pub(super) struct Library {
    prefixes: [PathBuf; 2],
}

impl Library {
    /// Builds and installs it.
    pub(super) fn install(repo: &Repo) -> Result<Library> {
        println!("building the C library (a release build)");
        Ok(Library {
            prefixes: c::both(repo, Profile::Release)?,
        })
    }

    /// How large it is.
    pub(super) fn size(&self) -> Result<Row> {
        let library = self.prefixes[0].join("lib/liblakekey.so");
        Row::size("size of liblakekey.so", &library, LIBRARY)
    }

    /// What a token costs that is in the cache.
    pub(super) fn warm_token(
        &self,
        repo: &Repo,
        emulator: &Emulator,
        rounds: &str,
    ) -> Result<Vec<Row>> {
        println!("measuring warm_token.c");
        let [library, libpq] = &self.prefixes;
        let program = c::program(repo, &["tests/bench/warm_token.c"], &[library, libpq])?;
        let mut command = Command::new(program);
        c::lend(emulator.lend(&mut command), &[library, libpq])
            .env("LAKEKEY_BENCH_ROUNDS", rounds);
        Row::read(&child::quietly("warm_token.c", &mut command)?)
    }
}
