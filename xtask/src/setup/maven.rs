//! Maven, with its repository below `target/`: nothing that is fetched lands in the user's home.

use std::ffi::OsString;
use std::process::Command;

use crate::repo::Repo;

/// The program `mvn`, which asks nothing and says only what went wrong.
pub(crate) fn command(repo: &Repo) -> Command {
    let mut maven = talking(repo);
    maven.arg("--quiet");
    maven
}

/// The same, which tells what it does.
pub(crate) fn talking(repo: &Repo) -> Command {
    let mut local = OsString::from("-Dmaven.repo.local=");
    local.push(repo.target("m2"));
    let mut maven = Command::new("mvn");
    maven
        .args(["--batch-mode", "--no-transfer-progress"])
        .arg(local);
    maven
}
