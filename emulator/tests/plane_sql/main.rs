//! The management API with Postgres behind it: what is written through one is there in the other.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../common/mod.rs"]
mod common;

mod logins;
mod restore;
mod tables;

use common::api::{done, get, send};
use common::session::{credential, login, login_to};
use lakekey_emulator::{Emulator, Options, TOKEN, USER};
use serde_json::{Value, json};
use tokio_postgres::Client;

const BRANCH: &str = "projects/emulator/branches/production";

async fn started() -> Emulator {
    Emulator::start(Options::default()).await.unwrap()
}

/// A session of the default user on the default endpoint.
async fn session(emulator: &Emulator) -> Client {
    login(emulator, USER, &credential(emulator, TOKEN))
        .await
        .unwrap()
}

async fn one(client: &Client, sql: &str) -> String {
    client.query_one(sql, &[]).await.unwrap().get(0)
}

fn listed(emulator: &Emulator, what: &str, field: &str) -> Vec<String> {
    let page = get(emulator, &format!("{BRANCH}/{what}"));
    let all = page[what].as_array().unwrap();
    all.iter()
        .map(|it| it["status"][field].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn roles_and_databases_of_the_api_are_there_in_sql() {
    let emulator = started().await;
    let role = json!({"spec": {"postgres_role": "app", "attributes": {"createdb": true}}});
    done(
        &emulator,
        "POST",
        &format!("{BRANCH}/roles?role_id=app"),
        &role,
    );
    let database =
        json!({"spec": {"role": format!("{BRANCH}/roles/app"), "postgres_database": "shop"}});
    done(
        &emulator,
        "POST",
        &format!("{BRANCH}/databases?database_id=shop"),
        &database,
    );
    let client = session(&emulator).await;
    let about = "SELECT concat_ws(' ', rolcanlogin, rolcreatedb, rolcreaterole) FROM pg_roles WHERE rolname = 'app'";
    assert_eq!(one(&client, about).await, "t t f");
    let owner = "SELECT pg_get_userbyid(datdba)::text FROM pg_database WHERE datname = 'shop'";
    assert_eq!(one(&client, owner).await, "app");
    let createrole = json!({"spec": {"attributes": {"createrole": true}}});
    let mask = "update_mask=spec.attributes.createrole";
    done(
        &emulator,
        "PATCH",
        &format!("{BRANCH}/roles/app?{mask}"),
        &createrole,
    );
    assert_eq!(one(&client, about).await, "t t t");
    let renamed = json!({"spec": {"postgres_database": "mall"}});
    let mask = "update_mask=spec.postgres_database";
    done(
        &emulator,
        "PATCH",
        &format!("{BRANCH}/databases/shop?{mask}"),
        &renamed,
    );
    let heir = format!("{BRANCH}/roles/user-emulator-test");
    done(
        &emulator,
        "DELETE",
        &format!("{BRANCH}/roles/app?reassign_owned_to={heir}"),
        &Value::Null,
    );
    let owner = "SELECT pg_get_userbyid(datdba)::text FROM pg_database WHERE datname = 'mall'";
    assert_eq!(one(&client, owner).await, USER);
    done(
        &emulator,
        "DELETE",
        &format!("{BRANCH}/databases/shop"),
        &Value::Null,
    );
    let left = "SELECT count(*)::text FROM pg_database, pg_roles WHERE datname = 'mall' OR rolname = 'app'";
    assert_eq!(one(&client, left).await, "0");
    emulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn roles_and_databases_of_sql_are_listed_by_the_api() {
    let emulator = started().await;
    let client = session(&emulator).await;
    client
        .batch_execute("CREATE ROLE \"Night Shift\" LOGIN PASSWORD 'x'; CREATE ROLE readers")
        .await
        .unwrap();
    client
        .batch_execute("CREATE DATABASE made_in_sql")
        .await
        .unwrap();
    let roles = listed(&emulator, "roles", "postgres_role");
    assert!(
        roles.contains(&"Night Shift".to_owned()) && roles.contains(&"readers".to_owned()),
        "{roles:?}"
    );
    let made = get(&emulator, &format!("{BRANCH}/roles/night-shift"));
    assert_eq!(made["status"]["auth_method"], "PG_PASSWORD_SCRAM_SHA_256");
    let readers = get(&emulator, &format!("{BRANCH}/roles/readers"));
    assert_eq!(readers["status"]["auth_method"], "NO_LOGIN");
    let password = send(
        &emulator,
        "POST",
        &format!("{BRANCH}/roles/night-shift/password"),
        &json!({}),
    );
    assert_eq!(password.error_code(), "INVALID_STATE");
    let made = get(&emulator, &format!("{BRANCH}/databases/made-in-sql"));
    assert_eq!(
        made["status"]["role"],
        format!("{BRANCH}/roles/user-emulator-test")
    );
    // Suspended or not, what is there is told.
    for drop in ["DROP DATABASE made_in_sql", "DROP ROLE readers"] {
        client.batch_execute(drop).await.unwrap();
    }
    emulator.suspend(&emulator.endpoint_uid()).await.unwrap();
    assert_eq!(
        listed(&emulator, "databases", "postgres_database"),
        ["databricks_postgres"]
    );
    assert!(!listed(&emulator, "roles", "postgres_role").contains(&"readers".to_owned()));
    emulator.shutdown().await;
}

/// The host of an endpoint as the API tells it.
fn host(emulator: &Emulator, endpoint: &str) -> String {
    let shown = get(emulator, endpoint);
    shown["status"]["hosts"]["host"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn mint_for(emulator: &Emulator, endpoint: &str) -> String {
    let body = json!({"endpoint": endpoint}).to_string();
    let minted = common::api(emulator, "POST", common::MINT)
        .body(&body)
        .send();
    minted.json()["token"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_branch_has_the_rows_of_its_parent_and_goes_its_own_way() {
    let emulator = started().await;
    let parent = session(&emulator).await;
    parent
        .batch_execute("CREATE TABLE notes (text text); INSERT INTO notes VALUES ('before')")
        .await
        .unwrap();
    let create = "projects/emulator/branches?branch_id=dev";
    let made = done(
        &emulator,
        "POST",
        create,
        &json!({"spec": {"no_expiry": true}}),
    );
    assert!(
        made["status"]["source_branch_lsn"]
            .as_str()
            .unwrap()
            .contains('/'),
        "{made}"
    );
    assert!(
        made["status"]["logical_size_bytes"].as_u64().unwrap() > 1_000_000,
        "{made}"
    );
    parent
        .batch_execute("INSERT INTO notes VALUES ('after')")
        .await
        .unwrap();
    let dev = "projects/emulator/branches/dev/endpoints/primary";
    let token = mint_for(&emulator, dev);
    let child = login_to(&emulator, &host(&emulator, dev), USER, &token)
        .await
        .unwrap();
    let all = "SELECT string_agg(text, ',' ORDER BY text) FROM notes";
    assert_eq!(one(&child, all).await, "before");
    child
        .batch_execute("INSERT INTO notes VALUES ('child')")
        .await
        .unwrap();
    assert_eq!(one(&parent, all).await, "after,before");
    // A read-only endpoint follows the branch and refuses writes.
    let ro = json!({"spec": {"endpoint_type": "ENDPOINT_TYPE_READ_ONLY"}});
    done(
        &emulator,
        "POST",
        &format!("{BRANCH}/endpoints?endpoint_id=ro"),
        &ro,
    );
    let ro = format!("{BRANCH}/endpoints/ro");
    let reader = login_to(
        &emulator,
        &host(&emulator, &ro),
        USER,
        &mint_for(&emulator, &ro),
    )
    .await
    .unwrap();
    let refused = reader
        .batch_execute("INSERT INTO notes VALUES ('x')")
        .await
        .unwrap_err();
    assert_eq!(refused.code().unwrap().code(), "25006");
    // Once deleted, nobody comes in any more.
    done(
        &emulator,
        "DELETE",
        "projects/emulator/branches/dev",
        &Value::Null,
    );
    let gone = login_to(
        &emulator,
        &format!("{}.database.localhost", made["uid"].as_str().unwrap()),
        USER,
        &token,
    )
    .await;
    assert!(gone.is_err());
    emulator.shutdown().await;
}
