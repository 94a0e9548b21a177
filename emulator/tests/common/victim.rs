//! Another process of this test program, which is killed.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs one test of this program as a process of its own, with `variable` naming the directory, and kills that process
/// with SIGKILL as soon as it prints the line `committed`.
pub fn kill_when_committed(test: &str, variable: &str, dir: &Path) {
    let mut killed = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(variable, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(killed.stdout.take().unwrap()).lines();
    let committed = lines.map_while(Result::ok).any(|line| line == "committed");
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert!(committed, "the other process did not get that far");
}
