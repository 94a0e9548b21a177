//! Many branches of a database that is not small, while it is being written to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use lakekey_emulator::postgres::Origin;

use crate::stage::{Stage, text};

const BRANCHES: usize = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_branches_of_100_mb_while_the_parent_takes_writes() {
    let stage = Stage::open().await;
    let parent = stage.session("main").await;
    parent
        .batch_execute(
            "CREATE TABLE bulk AS SELECT n, repeat(md5(n::text), 30) AS filler FROM generate_series(1, 100000) n;
             CREATE TABLE counter (n bigint)",
        )
        .await
        .unwrap();
    let size: i64 = text(&parent, "pg_database_size(current_database())")
        .await
        .parse()
        .unwrap();
    assert!(size > 100_000_000, "{size}");
    let (stop, committed) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicI64::new(0)),
    );
    let writer = tokio::spawn({
        let (stop, committed) = (Arc::clone(&stop), Arc::clone(&committed));
        async move {
            let insert = parent
                .prepare("INSERT INTO counter VALUES ($1)")
                .await
                .unwrap();
            while !stop.load(Ordering::Acquire) {
                let next = committed.load(Ordering::Acquire) + 1;
                parent.execute(&insert, &[&next]).await.unwrap();
                committed.store(next, Ordering::Release);
            }
            parent
        }
    });
    let mut floors = Vec::new();
    for number in 0..BRANCHES {
        let before = committed.load(Ordering::Acquire);
        let name = format!("b{number}");
        stage.child("main", &name, Origin::Current).await.unwrap();
        floors.push((name, before, committed.load(Ordering::Acquire)));
    }
    assert_eq!(
        stage.fleet.counts().running,
        1,
        "branches that nobody uses cost no process"
    );
    stop.store(true, Ordering::Release);
    let parent = writer.await.unwrap();
    let all = committed.load(Ordering::Acquire);
    assert!(all > floors[0].2, "the parent wrote all the time");
    assert_eq!(
        text(&parent, "SELECT count(*) = max(n) FROM counter").await,
        "true"
    );
    for (name, before, after) in floors {
        let branch = stage.session(&name).await;
        let has: i64 = text(&branch, "SELECT max(n) FROM counter")
            .await
            .parse()
            .unwrap();
        // All that was committed before the call, perhaps some that was committed during it, and nothing later.
        assert!(
            (before..=after + 1).contains(&has),
            "{before} <= {has} <= {after}"
        );
        let count: i64 = text(&branch, "SELECT count(*) FROM counter")
            .await
            .parse()
            .unwrap();
        assert_eq!(count, has, "no gap in {name}");
        let bulk = text(
            &branch,
            "SELECT count(*) FROM bulk WHERE filler = repeat(md5(n::text), 30)",
        )
        .await;
        assert_eq!(bulk, "100000");
        stage.suspend(&name).await;
    }
    stage.close().await;
}
