//! Synced tables: rows of a source in Postgres.

use std::time::{Duration, Instant};

use lakekey_emulator::Emulator;
use serde_json::{Value, json};
use tokio_postgres::Client;

use crate::common::api::{done, get};
use crate::common::{admin, api};
use crate::{BRANCH, one, session, started};

fn source(emulator: &Emulator, rows: &Value) {
    let column = |name: &str, kind: &str| json!({"name": name, "type": kind});
    let body = json!({"name": "main.sales.orders", "rows": rows, "columns": [
        {"name": "id", "type": "BIGINT", "nullable": false}, column("note", "STRING"),
        column("price", "DECIMAL(10,2)"), column("at", "TIMESTAMP"), column("tags", "ARRAY<STRING>"),
        column("raw", "BINARY"), column("day", "DATE"), column("small", "TINYINT")]});
    let set = admin(emulator, "POST", "/_emulator/sources")
        .body(&body.to_string())
        .send();
    assert_eq!(set.status, 200, "{}", set.body);
}

fn row(id: i64, note: &str) -> Value {
    json!([
        id,
        note,
        9.5,
        "2026-01-02T03:04:05Z",
        ["a", "b"],
        "aGk=",
        "2026-01-02",
        7
    ])
}

fn table(emulator: &Emulator, name: &str, policy: &str) -> Value {
    let spec = json!({"spec": {"source_table_full_name": "main.sales.orders", "branch": BRANCH,
        "postgres_database": "databricks_postgres", "primary_key_columns": ["id"],
        "scheduling_policy": policy}});
    done(
        emulator,
        "POST",
        &format!("synced_tables?synced_table_id=shop.copies.{name}"),
        &spec,
    )
}

async fn notes(client: &Client, table: &str) -> String {
    one(
        client,
        &format!("SELECT coalesce(string_agg(note, ',' ORDER BY id), '') FROM copies.{table}"),
    )
    .await
}

/// Waits until the copy has these notes.
async fn until(client: &Client, table: &str, wanted: &str) {
    let patience = Instant::now() + Duration::from_secs(30);
    loop {
        let now = notes(client, table).await;
        if now == wanted {
            return;
        }
        assert!(Instant::now() < patience, "{table}: {now}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_mode_copies_rows_with_their_types() {
    let emulator = started().await;
    source(&emulator, &json!([row(1, "one"), row(2, "two")]));
    let made = table(&emulator, "snapshot", "SNAPSHOT");
    table(&emulator, "triggered", "TRIGGERED");
    let followed = table(&emulator, "continuous", "CONTINUOUS");
    assert_eq!(
        followed["status"]["detailed_state"],
        "SYNCED_TABLE_ONLINE_CONTINUOUS_UPDATE"
    );
    let client = session(&emulator).await;
    for name in ["snapshot", "triggered", "continuous"] {
        assert_eq!(notes(&client, name).await, "one,two");
    }
    let types = "SELECT string_agg(format_type(atttypid, atttypmod), ', ' ORDER BY attnum) FROM pg_attribute \
                 WHERE attrelid = 'copies.snapshot'::regclass AND attnum > 0";
    assert_eq!(
        one(&client, types).await,
        "bigint, text, numeric(10,2), timestamp with time zone, jsonb, bytea, date, smallint"
    );
    let values = "SELECT concat_ws('|', price, at AT TIME ZONE 'UTC', tags->>1, convert_from(raw, 'UTF8'), day, small) \
                  FROM copies.snapshot WHERE id = 1";
    assert_eq!(
        one(&client, values).await,
        "9.50|2026-01-02 03:04:05|b|hi|2026-01-02|7"
    );
    source(&emulator, &json!([row(2, "TWO"), row(3, "three")]));
    until(&client, "continuous", "TWO,three").await;
    assert_eq!(notes(&client, "triggered").await, "one,two");
    let behind = get(&emulator, "synced_tables/shop.copies.triggered");
    assert_eq!(behind["status"]["detailed_state"], "SYNCED_TABLE_ONLINE");
    for name in ["triggered", "snapshot"] {
        let shown = get(&emulator, &format!("synced_tables/shop.copies.{name}"));
        let pipeline = shown["status"]["pipeline_id"].as_str().unwrap().to_owned();
        let started = api(
            &emulator,
            "POST",
            &format!("/api/2.0/pipelines/{pipeline}/updates"),
        )
        .send();
        assert_eq!(started.status, 200, "{}", started.body);
        until(&client, name, "TWO,three").await;
    }
    assert_eq!(made["status"]["last_processed_commit_version"], 0);
    emulator.shutdown().await;
}
