//! What demo, test and bench need of the outside world, made under `target/` from the ordinary package clients. A missing
//! tool is named with the way to get it; nothing is skipped, because a test that did not run looks like one that passed.

pub(crate) mod artifacts;
pub(crate) mod c;
pub(crate) mod faults;
pub(crate) mod go;
pub(crate) mod java;
pub(crate) mod maven;
pub(crate) mod node;
pub(crate) mod npm;
pub(crate) mod postgres;
pub(crate) mod python;
mod stamp;
pub(crate) mod tools;
pub(crate) mod witness;

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::Result;

use crate::repo::Repo;

/// All that has been set up.
pub(crate) struct Ready {
    pub(crate) python: python::Environment,
    pub(crate) lakekey: PathBuf,
}

impl Ready {
    /// The variables by which tests find what was set up.
    pub(crate) fn variables(&self) -> Vec<(&'static str, OsString)> {
        vec![
            ("LAKEKEY_BIN", self.lakekey.clone().into()),
            ("LAKEKEY_POOL_3_2", self.python.older_pool.clone().into()),
        ]
    }
}

/// Postgres, the Python environment with lakekey installed, and the command `lakekey`.
pub(crate) fn everything(repo: &Repo) -> Result<Ready> {
    tools::require(&[tools::CC, tools::PYTHON, tools::NODE, tools::NPM])?;
    let _alone = repo.alone()?;
    postgres::install(repo)?;
    let python = python::install(repo)?;
    let lakekey = artifacts::command(repo, artifacts::Profile::Dev)?;
    artifacts::package(repo, &python)?;
    Ok(Ready { python, lakekey })
}
