//! The Data API and change feeds, which are state only.

use serde_json::json;

use crate::IPV;
use crate::common::api::{all_refused, done, get};
use crate::common::control_plane;

const DATABASE: &str = "projects/emulator/branches/production/databases/databricks-postgres";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_has_at_most_one_data_api() {
    let emulator = control_plane().await;
    let name = format!("{DATABASE}/data-api");
    let name = name.as_str();
    let body = json!({"spec": {"db_max_rows": "100", "server_timing_enabled": true}});
    all_refused(
        &emulator,
        &[
            (
                "GET",
                name,
                json!(null),
                404,
                "NOT_FOUND",
                "data api not found",
            ),
            (
                "DELETE",
                name,
                json!(null),
                404,
                "NOT_FOUND",
                "data api not found",
            ),
            (
                "POST",
                name,
                json!({"spec": {"db_max_rows": 0}}),
                400,
                IPV,
                "must be positive",
            ),
            (
                "POST",
                name,
                json!({"spec": {"db_schemas": vec!["s"; 101]}}),
                400,
                IPV,
                "at most 100",
            ),
        ],
    );
    let made = done(&emulator, "POST", name, &body);
    assert_eq!(made["status"]["db_max_rows"], 100);
    assert_eq!(made["status"]["db_schemas"], json!(["public"]));
    assert!(
        made["status"]["url"]
            .as_str()
            .unwrap()
            .ends_with("/rest/databricks_postgres")
    );
    all_refused(
        &emulator,
        &[(
            "POST",
            name,
            body.clone(),
            409,
            "ALREADY_EXISTS",
            "already exists",
        )],
    );
    let rows = json!({"spec": {"db_max_rows": 5}});
    done(
        &emulator,
        "PATCH",
        &format!("{name}?update_mask=spec.db_max_rows"),
        &rows,
    );
    let now = get(&emulator, name);
    assert_eq!(now["status"]["db_max_rows"], 5);
    assert_eq!(now["status"]["server_timing_enabled"], true);
    done(&emulator, "DELETE", name, &json!(null));
    all_refused(
        &emulator,
        &[(
            "GET",
            name,
            json!(null),
            404,
            "NOT_FOUND",
            "data api not found",
        )],
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_has_one_change_feed() {
    let emulator = control_plane().await;
    let configs = format!("{DATABASE}/cdf-configs");
    let configs = configs.as_str();
    let body = json!({"catalog": "main", "schema": "out", "postgres_schema": "public"});
    let made = done(&emulator, "POST", configs, &body);
    assert_eq!(made["cdf_config_id"], "public");
    assert_eq!(
        get(&emulator, configs)["cdf_configs"][0],
        get(&emulator, &format!("{configs}/public"))
    );
    assert_eq!(
        get(&emulator, &format!("{configs}/public/cdf-statuses")),
        json!({})
    );
    all_refused(
        &emulator,
        &[
            (
                "POST",
                configs,
                json!({"catalog": "main", "schema": "out"}),
                400,
                IPV,
                "postgres_schema",
            ),
            (
                "POST",
                &format!("{configs}?cdf_config_id=Public"),
                body.clone(),
                400,
                IPV,
                "Field cdf_config_id must match pattern",
            ),
            (
                "POST",
                configs,
                body.clone(),
                409,
                "ALREADY_EXISTS",
                "already exists",
            ),
            (
                "POST",
                &format!("{configs}?cdf_config_id=two"),
                body.clone(),
                409,
                "ALREADY_EXISTS",
                "replicated by",
            ),
            (
                "GET",
                &format!("{configs}/none"),
                json!(null),
                404,
                "NOT_FOUND",
                "cdf config not found",
            ),
            (
                "GET",
                &format!("{configs}/public/cdf-statuses/t"),
                json!(null),
                404,
                "NOT_FOUND",
                "cdf status not found",
            ),
        ],
    );
    done(
        &emulator,
        "DELETE",
        &format!("{configs}/public?force=true"),
        &json!(null),
    );
    assert_eq!(get(&emulator, configs), json!({}));
}
