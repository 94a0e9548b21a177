//! Branches put back in place by the admin API: what was committed later is gone, and the branch is the same one.

use std::time::Duration;

use serde_json::{Value, json};

use crate::common::admin;
use crate::{BRANCH, one, session, started};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_branch_is_put_back_to_a_time_and_to_a_position() {
    let emulator = started().await;
    let restore = |order: Value| {
        admin(&emulator, "POST", "/_emulator/restore")
            .body(&order.to_string())
            .send()
    };
    let count = "SELECT count(*)::text FROM orders";
    let before = session(&emulator).await;
    before
        .batch_execute("CREATE TABLE orders (id int); INSERT INTO orders VALUES (1)")
        .await
        .unwrap();
    let then = emulator.clock().now();
    emulator.clock().advance(Duration::from_mins(1));
    before
        .batch_execute("INSERT INTO orders VALUES (2)")
        .await
        .unwrap();
    let lsn = one(&before, "SELECT pg_current_wal_lsn()::text").await;
    before
        .batch_execute("INSERT INTO orders VALUES (3)")
        .await
        .unwrap();

    let done = restore(json!({"branch": BRANCH, "lsn": lsn}));
    assert_eq!(done.status, 200, "{}", done.body);
    before.query_one(count, &[]).await.unwrap_err();
    assert_eq!(one(&session(&emulator).await, count).await, "2");
    let done = restore(json!({"branch": BRANCH, "time": then}));
    assert_eq!(done.status, 200, "{}", done.body);
    assert_eq!(one(&session(&emulator).await, count).await, "1");

    for (order, wrong) in [
        (
            json!({"branch": "projects/emulator/branches/none", "time": then}),
            "the name of a branch",
        ),
        (json!({"branch": BRANCH}), "exactly one of"),
        (
            json!({"branch": BRANCH, "time": then, "lsn": "0/1"}),
            "exactly one of",
        ),
        (
            json!({"branch": BRANCH, "snapshot": "none"}),
            "the name of a snapshot",
        ),
    ] {
        let refused = restore(order);
        assert_eq!(refused.status, 400, "{}", refused.body);
        assert!(refused.body.contains(wrong), "{}", refused.body);
    }
    emulator.shutdown().await;
}
