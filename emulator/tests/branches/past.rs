//! Branches from the past of a parent: by time, by position in the WAL.

use std::time::Duration;

use jiff::Timestamp;
use lakekey_emulator::ClockChange;
use lakekey_emulator::postgres::{Lsn, Origin, PostgresError};
use tokio_postgres::Client;

use crate::stage::{Stage, eventually, rows, text, write};

/// What Postgres says the time is; the emulator's clock shows the same as long as nobody moves it.
async fn now(client: &Client) -> Timestamp {
    let time = text(
        client,
        "to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')",
    );
    time.await.parse().unwrap()
}

async fn lsn(client: &Client) -> Lsn {
    text(client, "pg_current_wal_lsn()").await.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_time_between_two_commits_has_exactly_the_first() {
    for pg_version in [17, 16] {
        let stage = Stage::of_version(pg_version).await;
        let parent = stage.session("main").await;
        let mut times = Vec::new();
        for row in ["1", "2", "3"] {
            write(&parent, row).await;
            times.push(now(&parent).await);
        }
        let second = stage.child("main", "second", Origin::Time(times[1])).await;
        assert_eq!(second.unwrap().time, times[1]);
        assert_eq!(stage.rows("second").await, ["1", "2"]);
        // Nothing was committed after this one.
        let third = Origin::Time(times[2]);
        stage.child("main", "third", third).await.unwrap();
        assert_eq!(stage.rows("third").await, ["1", "2", "3"]);
        stage.suspend("main").await;
        for (index, name) in ["a", "b", "c"].iter().enumerate() {
            let origin = Origin::Time(times[index]);
            stage.child("main", name, origin).await.unwrap();
            assert_eq!(stage.rows(name).await.len(), index + 1);
        }
        stage.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_position_has_what_was_committed_before_it() {
    let stage = Stage::open().await;
    let parent = stage.session("main").await;
    let mut positions = Vec::new();
    for row in ["1", "2", "3"] {
        write(&parent, row).await;
        positions.push(lsn(&parent).await);
    }
    let point = stage.child("main", "one", Origin::Lsn(positions[0])).await;
    assert_eq!(point.unwrap().lsn, positions[0]);
    assert_eq!(stage.rows("one").await, ["1"]);
    stage.suspend("main").await;
    for (index, name) in ["a", "b", "c"].iter().enumerate() {
        let origin = Origin::Lsn(positions[index]);
        stage.child("main", name, origin).await.unwrap();
        assert_eq!(stage.rows(name).await.len(), index + 1);
    }
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_past_of_a_branch_from_the_past_can_be_branched_from() {
    let stage = Stage::open().await;
    let parent = stage.session("main").await;
    write(&parent, "1").await;
    let first = now(&parent).await;
    write(&parent, "2").await;
    stage.child("main", "a", Origin::Time(first)).await.unwrap();
    let a = stage.session("a").await;
    write(&a, "a1").await;
    let of_a = now(&a).await;
    write(&a, "a2").await;
    stage.child("a", "b", Origin::Time(of_a)).await.unwrap();
    let b = stage.session("b").await;
    assert_eq!(rows(&b).await, ["1", "a1"]);
    write(&b, "b1").await;
    let of_b = lsn(&b).await;
    write(&b, "b2").await;
    stage.child("b", "c", Origin::Lsn(of_b)).await.unwrap();
    assert_eq!(stage.rows("c").await, ["1", "a1", "b1"]);
    // One made from the present has a past of its own as well.
    stage.child("b", "d", Origin::Current).await.unwrap();
    let d = stage.session("d").await;
    write(&d, "d1").await;
    let of_d = now(&d).await;
    write(&d, "d2").await;
    stage.child("d", "e", Origin::Time(of_d)).await.unwrap();
    assert_eq!(stage.rows("e").await, ["1", "a1", "b1", "b2", "d1"]);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_branch_has_the_past_of_its_parent_until_it_was_made() {
    let stage = Stage::open().await;
    let parent = stage.session("main").await;
    write(&parent, "1").await;
    let first = now(&parent).await;
    write(&parent, "2").await;
    let second = now(&parent).await;
    write(&parent, "3").await;
    // One from the present and one from the past, which is on a timeline of its own.
    stage.child("main", "a", Origin::Current).await.unwrap();
    stage
        .child("main", "b", Origin::Time(second))
        .await
        .unwrap();
    for (branch, made_with) in [("a", 3), ("b", 2)] {
        write(&stage.session(branch).await, "later").await;
        write(&parent, "of the parent").await;
        let born = stage.clock.now();
        assert!(stage.fleet.has_branch(&stage.branch(branch).uid));
        let early = format!("{branch}-early");
        let origin = Origin::Time(first);
        stage.child(branch, &early, origin).await.unwrap();
        let session = stage.session(&early).await;
        assert_eq!(rows(&session).await, ["1"]);
        // Its timeline leaves the line before that of its parent does, and goes on.
        write(&session, "x").await;
        let position = lsn(&session).await;
        write(&session, "y").await;
        let again = format!("{branch}-again");
        stage
            .child(&early, &again, Origin::Lsn(position))
            .await
            .unwrap();
        assert_eq!(stage.rows(&again).await, ["1", "x"]);
        let late = format!("{branch}-late");
        stage
            .child(branch, &late, Origin::Time(born))
            .await
            .unwrap();
        assert_eq!(stage.rows(&late).await.len(), made_with + 1);
    }
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_time_is_one_that_the_emulators_clock_showed() {
    let stage = Stage::open().await;
    stage.clock.freeze(true);
    let parent = stage.session("main").await;
    write(&parent, "monday").await;
    let monday = stage.clock.now();
    stage.clock.advance(Duration::from_hours(24));
    write(&parent, "tuesday").await;
    let tuesday = stage.clock.now();
    stage.clock.advance(Duration::from_hours(24));
    write(&parent, "wednesday").await;
    let expected: [(&str, Timestamp, &[&str]); 3] = [
        ("a", monday, &["monday"]),
        (
            "b",
            monday + jiff::SignedDuration::from_hours(5),
            &["monday"],
        ),
        ("c", tuesday, &["monday", "tuesday"]),
    ];
    for (name, time, wanted) in expected {
        stage.child("main", name, Origin::Time(time)).await.unwrap();
        assert_eq!(stage.rows(name).await, wanted, "{time}");
    }
    // Moved back, the clock shows the same time once more, and then the later moment is meant.
    let back = ClockChange {
        set: Some(monday),
        ..ClockChange::default()
    };
    stage.clock.change(&back).unwrap();
    stage
        .child("main", "d", Origin::Time(monday))
        .await
        .unwrap();
    assert_eq!(stage.rows("d").await, ["monday", "tuesday", "wednesday"]);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn points_that_are_not_of_the_past_are_refused_by_name() {
    let stage = Stage::open().await;
    let parent = stage.session("main").await;
    write(&parent, "1").await;
    let tomorrow = stage.clock.now() + jiff::SignedDuration::from_hours(24);
    let far = Lsn(lsn(&parent).await.0 + 1);
    for suspended in [false, true] {
        if suspended {
            stage.suspend("main").await;
        }
        for origin in [Origin::Time(tomorrow), Origin::Lsn(Lsn(far.0 + (1 << 30)))] {
            let error = stage.child("main", "child", origin).await.unwrap_err();
            assert!(matches!(error, PostgresError::PointAhead { .. }), "{error}");
        }
    }
    stage.child("main", "child", Origin::Current).await.unwrap();
    for branch in ["main", "child"] {
        for origin in [Origin::Lsn(Lsn(1)), Origin::Time(Timestamp::UNIX_EPOCH)] {
            let error = stage.child(branch, "late", origin).await.unwrap_err();
            assert!(
                matches!(error, PostgresError::HistoryGone { .. }),
                "{error}"
            );
            assert!(
                error.to_string().contains("is kept from position 0/"),
                "{error}"
            );
        }
    }
    let nothing = std::fs::read_dir(stage.dir.join("branches"))
        .unwrap()
        .count();
    assert_eq!(nothing, 2, "refused branches leave nothing behind");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn much_writing_moves_the_past_on_and_bounds_its_room() {
    const EVERY: u64 = 16 << 20;
    let stage = Stage::that_keeps(EVERY, 17).await;
    let session = stage.session("main").await;
    write(&session, "first").await;
    let first = now(&session).await;
    let branch = stage.dir.join("branches/br-main");
    let images = || {
        let entries = std::fs::read_dir(branch.join("images")).unwrap();
        let mut numbers: Vec<u32> = entries
            .map(|entry| {
                entry
                    .unwrap()
                    .file_name()
                    .to_str()
                    .unwrap()
                    .parse()
                    .unwrap()
            })
            .collect();
        numbers.sort_unstable();
        numbers
    };
    let mut late = None;
    for image in 2..=5 {
        // The size of the cluster counts too, up to a limit.
        session
            .batch_execute(
                "CREATE TABLE IF NOT EXISTS bulk (filler text);
                 INSERT INTO bulk SELECT repeat(md5(n::text), 30) FROM generate_series(1, 40000) n;
                 TRUNCATE bulk",
            )
            .await
            .unwrap();
        eventually("a new image is made", async || images().contains(&image)).await;
        write(&session, &image.to_string()).await;
        late = Some(now(&session).await);
    }
    eventually("old images are removed", async || images() == [4, 5]).await;
    write(&session, "last").await;
    let late = stage
        .child("main", "late", Origin::Time(late.unwrap()))
        .await;
    late.unwrap();
    assert_eq!(stage.rows("late").await, ["2", "3", "4", "5", "first"]);
    let error = stage.child("main", "early", Origin::Time(first)).await;
    let error = error.unwrap_err();
    let PostgresError::HistoryGone { from, .. } = &error else {
        panic!("{error}")
    };
    assert!(from.unwrap() > first, "{error}");
    // The last checkpoint removes what is too old.
    stage.suspend("main").await;
    let wal = std::fs::read_dir(branch.join("data/pg_wal"))
        .unwrap()
        .count();
    assert!(wal < 40, "{wal} files of WAL");
    stage.close().await;
}
