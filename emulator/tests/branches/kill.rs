//! What is left when the emulator, or all of its processes, are killed.

use std::path::Path;
use std::process::{Command, Stdio};

use lakekey_emulator::postgres::Origin;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::scratch::state_dir;
use crate::stage::{Stage, eventually, rows, write};
use crate::victim::kill_when_committed;

const STATE: &str = "LAKEKEY_TEST_BRANCHES";

/// Not a test of its own: the process that the test below kills.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn victim() {
    let Some(dir) = std::env::var_os(STATE) else {
        return;
    };
    let stage = Stage::at(Path::new(&dir), 17).await;
    let main = stage.session("main").await;
    write(&main, "1").await;
    stage.child("main", "child", Origin::Current).await.unwrap();
    let child = stage.session("child").await;
    write(&child, "2").await;
    stage
        .child("child", "quiet", Origin::Current)
        .await
        .unwrap();
    let reader = stage.session_at(&stage.reader("child", "r")).await;
    assert_eq!(rows(&reader).await, ["1", "2"]);
    write(&child, "3").await;
    write(&main, "4").await;
    println!("\ncommitted");
    std::future::pending::<()>().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn branches_outlive_a_sigkill_of_the_emulator() {
    let dir = state_dir();
    kill_when_committed("kill::victim", STATE, dir.path());
    let stage = Stage::at(dir.path(), 17).await;
    assert_eq!(stage.rows("main").await, ["1", "4"]);
    assert_eq!(stage.rows("child").await, ["1", "2", "3"]);
    assert_eq!(stage.rows("quiet").await, ["1", "2"]);
    let reader = stage.session_at(&stage.reader("child", "r")).await;
    assert_eq!(rows(&reader).await, ["1", "2", "3"]);
    write(&stage.session("child").await, "5").await;
    eventually("the standby follows again", async || {
        rows(&reader).await.len() == 4
    })
    .await;
    stage.close().await;
}

/// Killed together with the shell that watches over it, an emulator leaves servers that nobody stops.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_was_left_behind_is_ended_and_nobody_else() {
    let stage = Stage::open().await;
    write(&stage.session("main").await, "1").await;
    write(&stage.session("other").await, "2").await;
    stage.fleet.shutdown().await;
    let data = stage.dir.join("branches/br-main/data");
    let left = Orphan::start(&data).await;
    // The lock file of the other branch names a process that is alive and none of ours.
    let mut bystander = Command::new("sleep").arg("600").spawn().unwrap();
    let lock = stage.dir.join("branches/br-other/data/postmaster.pid");
    std::fs::write(&lock, format!("{}\n/elsewhere\n", bystander.id())).unwrap();
    let next = Stage::at(&stage.dir, 17).await;
    assert_eq!(next.rows("main").await, ["1"]);
    assert_eq!(next.rows("other").await, ["2"]);
    assert!(
        test_kill_process(left.pid).is_err(),
        "the old server is gone"
    );
    assert!(
        bystander.try_wait().unwrap().is_none(),
        "the bystander lives"
    );
    bystander.kill().unwrap();
    bystander.wait().unwrap();
    next.close().await;
}

/// A server that runs on a branch's files without an emulator.
struct Orphan {
    pid: Pid,
    _sockets: tempfile::TempDir,
}

impl Orphan {
    async fn start(data: &Path) -> Self {
        use std::os::unix::fs::MetadataExt;
        use std::os::unix::process::CommandExt;
        let owner = std::fs::metadata(data).unwrap();
        let text = std::fs::read_to_string(data.join("postmaster.opts")).unwrap();
        let program = text.split_whitespace().next().unwrap().to_owned();
        let sockets = tempfile::tempdir().unwrap();
        std::os::unix::fs::chown(sockets.path(), Some(owner.uid()), Some(owner.gid())).unwrap();
        let mut command = Command::new(program);
        command
            .arg("-D")
            .arg(data)
            .args(["-c", "listen_addresses=", "-k"])
            .arg(sockets.path())
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0);
        if rustix::process::geteuid().is_root() {
            command.uid(owner.uid()).gid(owner.gid());
        }
        let mut child = command.spawn().unwrap();
        let pid = Pid::from_raw(child.id().cast_signed()).unwrap();
        std::thread::spawn(move || child.wait());
        let lock = data.join("postmaster.pid");
        eventually("the server runs", async || {
            std::fs::read_to_string(&lock).is_ok_and(|text| text.contains("ready"))
        })
        .await;
        Self {
            pid,
            _sockets: sockets,
        }
    }
}

impl Drop for Orphan {
    fn drop(&mut self) {
        let _ = kill_process(self.pid, Signal::KILL);
    }
}
