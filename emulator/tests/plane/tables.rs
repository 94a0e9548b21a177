//! Catalogs and synced tables, as far as they are state.

use lakekey_emulator::Emulator;
use serde_json::{Value, json};

use crate::common::api::{all_refused, done, get};
use crate::common::{admin, control_plane};
use crate::{BRANCH, IPV};

fn source(emulator: &Emulator, rows: &Value) {
    let body = json!({"name": "main.sales.orders", "columns": [
        {"name": "id", "type": "BIGINT", "nullable": false}, {"name": "note", "type": "STRING"}],
        "rows": rows});
    let set = admin(emulator, "POST", "/_emulator/sources")
        .body(&body.to_string())
        .send();
    assert_eq!(set.status, 200, "{}", set.body);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn catalogs_register_databases() {
    let emulator = control_plane().await;
    let spec = |database: &str, make: bool| json!({"spec": {"postgres_database": database, "branch": BRANCH, "create_database_if_missing": make}});
    all_refused(
        &emulator,
        &[
            (
                "POST",
                "catalogs",
                spec("databricks_postgres", false),
                400,
                IPV,
                "Field 'catalog_id' is required",
            ),
            (
                "POST",
                "catalogs?catalog_id=shop",
                json!({"spec": {"branch": BRANCH}}),
                400,
                IPV,
                "postgres_database",
            ),
            (
                "POST",
                "catalogs?catalog_id=shop",
                spec("none", false),
                404,
                "NOT_FOUND",
                "database not found",
            ),
            (
                "GET",
                "catalogs/shop",
                json!(null),
                404,
                "NOT_FOUND",
                "catalog not found",
            ),
            (
                "GET",
                "catalogs",
                json!(null),
                405,
                "BAD_REQUEST",
                "use POST",
            ),
        ],
    );
    let made = done(
        &emulator,
        "POST",
        "catalogs?catalog_id=shop",
        &spec("mall", true),
    );
    assert_eq!(made["status"]["project"], "projects/emulator");
    all_refused(
        &emulator,
        &[(
            "POST",
            "catalogs?catalog_id=shop",
            spec("mall", true),
            409,
            "ALREADY_EXISTS",
            "already exists",
        )],
    );
    let databases = get(&emulator, &format!("{BRANCH}/databases"));
    assert_eq!(
        databases["databases"][1]["status"]["postgres_database"],
        "mall"
    );
    done(&emulator, "DELETE", "catalogs/shop", &json!(null));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn synced_tables_need_a_source_a_key_and_types_that_fit() {
    let emulator = control_plane().await;
    let spec = |mut more: Value| {
        more["branch"] = json!(BRANCH);
        more["postgres_database"] = json!("databricks_postgres");
        if more["source_table_full_name"].is_null() {
            more["source_table_full_name"] = json!("main.sales.orders");
        }
        json!({"spec": more})
    };
    let key = json!({"primary_key_columns": ["id"]});
    let create = "synced_tables?synced_table_id=shop.public.orders";
    all_refused(
        &emulator,
        &[(
            "POST",
            create,
            spec(key.clone()),
            404,
            "NOT_FOUND",
            "POST /_emulator/sources",
        )],
    );
    source(&emulator, &json!([[1, "a"]]));
    let vector = json!({"primary_key_columns": ["id"], "type_overrides": [{"column_name": "note", "pg_type": "PG_SPECIFIC_TYPE_VECTOR"}]});
    all_refused(
        &emulator,
        &[
            (
                "POST",
                "synced_tables",
                spec(key.clone()),
                400,
                IPV,
                "Field 'synced_table_id' is required",
            ),
            (
                "POST",
                "synced_tables?synced_table_id=orders",
                spec(key.clone()),
                400,
                IPV,
                "three parts",
            ),
            (
                "POST",
                create,
                spec(json!({})),
                400,
                IPV,
                "primary_key_columns",
            ),
            (
                "POST",
                create,
                spec(json!({"primary_key_columns": ["nope"]})),
                400,
                IPV,
                "has no column 'nope'; it has id, note",
            ),
            (
                "POST",
                create,
                spec(json!({"source_table_full_name": "main.sales.none"})),
                404,
                "NOT_FOUND",
                "it knows main.sales.orders",
            ),
            ("POST", create, spec(vector), 400, IPV, "needs a size"),
            (
                "GET",
                "synced_tables/shop.public.orders",
                json!(null),
                404,
                "NOT_FOUND",
                "synced table not found",
            ),
        ],
    );
    let made = done(
        &emulator,
        "POST",
        create,
        &spec(json!({"primary_key_columns": ["id"], "scheduling_policy": "TRIGGERED"})),
    );
    assert_eq!(
        made["status"]["detailed_state"],
        "SYNCED_TABLE_ONLINE_NO_PENDING_UPDATE"
    );
    assert_eq!(made["status"]["last_processed_commit_version"], 0);
    all_refused(
        &emulator,
        &[(
            "POST",
            create,
            spec(key),
            409,
            "ALREADY_EXISTS",
            "already exists",
        )],
    );
    done(
        &emulator,
        "DELETE",
        "synced_tables/shop.public.orders",
        &json!(null),
    );
}
