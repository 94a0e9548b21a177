//! Snapshots, branches from them, and branches that are put back.

use lakekey_emulator::postgres::{Lsn, Origin, PostgresError};

use crate::stage::{Stage, rows, text, write};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_outlives_its_branch_and_makes_new_ones() {
    let stage = Stage::open().await;
    let main = stage.branch("main");
    let session = stage.session("main").await;
    write(&session, "1").await;
    let position: Lsn = text(&session, "pg_current_wal_lsn()")
        .await
        .parse()
        .unwrap();
    write(&session, "2").await;
    let taken = stage.fleet.snapshot(&main, "now", &Origin::Current).await;
    assert!(taken.unwrap().size_bytes > 1_000_000);
    let early = Origin::Lsn(position);
    let early = stage.fleet.snapshot(&main, "early", &early).await.unwrap();
    assert_eq!(early.point.lsn, position);
    write(&session, "3").await;
    let again = stage.fleet.snapshot(&main, "now", &Origin::Current).await;
    assert!(matches!(again, Err(PostgresError::SnapshotExists(_))));
    stage.fleet.remove_branch("br-main").await.unwrap();
    for (snapshot, wanted) in [("now", vec!["1", "2"]), ("early", vec!["1"])] {
        for number in [1, 2] {
            let child = format!("{snapshot}{number}");
            let origin = Origin::Snapshot(snapshot.to_owned());
            stage.child("main", &child, origin).await.unwrap();
            let session = stage.session(&child).await;
            assert_eq!(rows(&session).await, wanted);
            // What one child writes is neither in the snapshot nor in the next child.
            write(&session, "9").await;
        }
    }
    assert!(stage.fleet.remove_snapshot("now").await.unwrap());
    let gone = Origin::Snapshot("now".to_owned());
    let error = stage.child("main", "late", gone).await.unwrap_err();
    assert!(matches!(error, PostgresError::NoSuchSnapshot(_)), "{error}");
    assert_eq!(stage.rows("now1").await, ["1", "2", "9"]);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_branch_is_as_it_was_with_its_readers() {
    let stage = Stage::open().await;
    let main = stage.branch("main");
    let session = stage.session("main").await;
    write(&session, "good").await;
    let position: Lsn = text(&session, "pg_current_wal_lsn()")
        .await
        .parse()
        .unwrap();
    stage
        .fleet
        .snapshot(&main, "good", &Origin::Current)
        .await
        .unwrap();
    write(&session, "mistake").await;
    let reader = stage.reader("main", "r");
    assert_eq!(
        rows(&stage.session_at(&reader).await).await,
        ["good", "mistake"]
    );
    let refused = stage
        .fleet
        .restore(&main, &Origin::Lsn(Lsn(u64::MAX)))
        .await;
    assert!(matches!(refused, Err(PostgresError::PointAhead { .. })));
    assert_eq!(rows(&session).await, ["good", "mistake"]);
    for origin in [Origin::Lsn(position), Origin::Snapshot("good".to_owned())] {
        stage.fleet.restore(&main, &origin).await.unwrap();
        let session = stage.session("main").await;
        assert_eq!(rows(&session).await, ["good"]);
        assert_eq!(rows(&stage.session_at(&reader).await).await, ["good"]);
        write(&session, "second mistake").await;
    }
    stage.close().await;
}
