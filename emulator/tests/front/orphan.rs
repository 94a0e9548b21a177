//! A killed emulator takes its Postgres with it.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, test_kill_process};

use crate::client::connect;
use crate::stage::Stage;

const ROLE: &str = "LAKEKEY_TEST_ORPHAN";

/// Not a test of its own: the process that the test below kills.
#[tokio::test]
async fn victim() {
    if std::env::var_os(ROLE).is_none() {
        return;
    }
    let stage = Stage::open().await;
    drop(connect(&stage).await.unwrap());
    let pid = stage.postmaster("ep-one").await;
    let dir = stage.certificates.ca_file().parent().unwrap();
    println!("\npostmaster {} {}", pid.as_raw_nonzero(), dir.display());
    std::future::pending::<()>().await;
}

#[test]
fn sigkill_of_the_emulator_ends_its_postgres() {
    let mut emulator = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "orphan::victim", "--nocapture"])
        .env(ROLE, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(emulator.stdout.take().unwrap()).lines();
    let told = lines
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("postmaster ").map(str::to_owned))
        .expect("the emulator tells the process id of its Postgres");
    let (pid, state) = told.split_once(' ').unwrap();
    let pid = Pid::from_raw(pid.parse().unwrap()).unwrap();
    assert!(test_kill_process(pid).is_ok());
    emulator.kill().unwrap();
    emulator.wait().unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while test_kill_process(pid).is_ok() && !is_zombie(pid) {
        assert!(
            Instant::now() < deadline,
            "Postgres {pid:?} outlives its emulator"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
    std::fs::remove_dir_all(state).unwrap();
}

/// Dead, but its new parent has not looked yet.
fn is_zombie(pid: Pid) -> bool {
    std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).is_ok_and(|stat| {
        stat.rsplit(')')
            .next()
            .is_some_and(|rest| rest.trim_start().starts_with('Z'))
    })
}
