//! What is left of branches that are deleted.

use std::path::Path;

use lakekey_emulator::postgres::{Origin, PostgresError};

use crate::stage::{Stage, write};

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_branch_keeps_its_files_and_a_removed_one_has_none() {
    let stage = Stage::open().await;
    write(&stage.session("main").await, "1").await;
    stage.child("main", "child", Origin::Current).await.unwrap();
    let open = stage.session("child").await;
    stage.fleet.stop_branch("br-child").await;
    assert!(open.batch_execute("SELECT 1").await.is_err());
    // A soft delete that is taken back.
    assert_eq!(stage.rows("child").await, ["1"]);
    let branches = stage.dir.join("branches");
    assert!(stage.fleet.remove_branch("br-child").await.unwrap());
    assert_eq!(names(&branches), ["br-main"]);
    assert!(!stage.fleet.remove_branch("br-child").await.unwrap());
    // A late login does not bring it back empty.
    let late = stage.fleet.wake(&stage.endpoint("child")).await;
    assert!(matches!(late, Err(PostgresError::NoSuchBranch(uid)) if uid == "br-child"));
    assert_eq!(names(&branches), ["br-main"]);
    // The id may be used again, for a branch that has data.
    stage.child("main", "child", Origin::Current).await.unwrap();
    assert_eq!(stage.rows("child").await, ["1"]);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_start_sweeps_away_what_a_killed_emulator_left_half_done() {
    let stage = Stage::open().await;
    write(&stage.session("main").await, "1").await;
    write(&stage.session("other").await, "2").await;
    stage.fleet.shutdown().await;
    let branches = stage.dir.join("branches");
    std::fs::create_dir_all(branches.join(".draft-0badf00d/images/1/tree")).unwrap();
    // Killed between the two renames of a restore, and after both.
    std::fs::rename(branches.join("br-main"), branches.join(".replaced-br-main")).unwrap();
    std::fs::create_dir_all(branches.join(".replaced-br-other/data")).unwrap();
    std::fs::create_dir_all(branches.join("br-nobodys/data")).unwrap();
    let next = Stage::at(&stage.dir, 17).await;
    assert_eq!(names(&branches), ["br-main", "br-nobodys", "br-other"]);
    let known = ["br-main".to_owned(), "br-other".to_owned()];
    next.fleet.keep_only(&known, &[]).await.unwrap();
    assert_eq!(names(&branches), ["br-main", "br-other"]);
    assert_eq!(next.rows("main").await, ["1"]);
    assert_eq!(next.rows("other").await, ["2"]);
    next.close().await;
}
