//! Roles and databases.

use serde_json::{Value, json};

use crate::common::api::{all_refused, done, get, send};
use crate::common::control_plane;
use crate::{BRANCH, IPV};

const ROLES: &str = "projects/emulator/branches/production/roles";
const DATABASES: &str = "projects/emulator/branches/production/databases";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_way_to_log_in_follows_from_the_identity() {
    let emulator = control_plane().await;
    let make = |id: &str, spec: Value| {
        done(
            &emulator,
            "POST",
            &format!("{ROLES}?role_id={id}"),
            &json!({"spec": spec}),
        )
    };
    let native = make("app", json!({"postgres_role": "app"}));
    assert_eq!(native["status"]["auth_method"], "PG_PASSWORD_SCRAM_SHA_256");
    assert_eq!(
        native["status"]["identity_type"],
        "IDENTITY_TYPE_UNSPECIFIED"
    );
    assert_eq!(
        native["status"]["attributes"],
        json!({"createdb": false, "createrole": false, "bypassrls": false})
    );
    let user = make(
        "ann",
        json!({"postgres_role": "ann@example.com", "identity_type": "USER",
                                  "membership_roles": ["DATABRICKS_SUPERUSER"]}),
    );
    assert_eq!(user["status"]["auth_method"], "LAKEBASE_OAUTH_V1");
    assert_eq!(
        user["status"]["membership_roles"],
        json!(["DATABRICKS_SUPERUSER"])
    );
    let group = make(
        "ops",
        json!({"postgres_role": "ops team", "identity_type": "GROUP"}),
    );
    assert_eq!(group["status"]["auth_method"], "LAKEBASE_OAUTH_V1");
    let password = send(
        &emulator,
        "POST",
        &format!("{ROLES}/app/password"),
        &json!({}),
    );
    let first = password.json()["password"].as_str().unwrap().to_owned();
    assert!(
        first.len() > 16 && password.status == 200,
        "{}",
        password.body
    );
    let again = send(
        &emulator,
        "POST",
        &format!("{ROLES}/app/password"),
        &json!({}),
    );
    assert_eq!(again.json()["password"], first);
    all_refused(
        &emulator,
        &[
            (
                "POST",
                "projects/emulator/branches/production/roles/ann/password",
                json!({}),
                400,
                "INVALID_STATE",
                "does not log in by a password",
            ),
            (
                "POST",
                "projects/emulator/branches/production/roles/none/password",
                json!({}),
                404,
                "NOT_FOUND",
                "role not found; role_id:\"none\" [TraceId: ",
            ),
        ],
    );
    // SDKs up to 0.81 create with PATCH; without an id the service makes one.
    let old = done(
        &emulator,
        "PATCH",
        ROLES,
        &json!({"spec": {"postgres_role": "old"}}),
    );
    assert!(
        old["role_id"].as_str().unwrap().starts_with("role-"),
        "{old}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_roles_are_refused() {
    let emulator = control_plane().await;
    let spec = |spec: Value| json!({"spec": spec});
    let make = "projects/emulator/branches/production/roles?role_id=r";
    let app = spec(json!({"postgres_role": "app"}));
    done(&emulator, "POST", &format!("{ROLES}?role_id=app"), &app);
    let required =
        "Field 'role' is required and must contain at least one subfield with a non-default value!";
    all_refused(
        &emulator,
        &[
            ("POST", make, json!(null), 400, IPV, required),
            ("POST", make, json!({}), 400, IPV, required),
            (
                "POST",
                make,
                spec(json!({"identity_type": "USER"})),
                400,
                IPV,
                "role.spec.postgres_role",
            ),
            (
                "POST",
                make,
                app.clone(),
                400,
                "BAD_REQUEST",
                "role with that name already exists",
            ),
            (
                "POST",
                "projects/emulator/branches/production/roles?role_id=app",
                spec(json!({"postgres_role": "b"})),
                400,
                "BAD_REQUEST",
                "role with that name already exists",
            ),
            (
                "POST",
                "projects/emulator/branches/production/roles?role_id=Bad_id",
                app.clone(),
                400,
                IPV,
                "Field role_id must match pattern",
            ),
            (
                "POST",
                "projects/emulator/branches/production/roles?replace_existing=true",
                app.clone(),
                400,
                IPV,
                "role_id",
            ),
            (
                "POST",
                make,
                spec(json!({"postgres_role": "x", "auth_method": "NO_LOGIN"})),
                400,
                "BAD_REQUEST",
                "Creating roles with auth_method NO_LOGIN is not currently supported",
            ),
            (
                "POST",
                make,
                spec(json!({"postgres_role": "x", "identity_type": "SERVICE_PRINCIPAL"})),
                400,
                IPV,
                "UUID",
            ),
            (
                "POST",
                make,
                spec(json!({"postgres_role": "x", "identity_type": "USER"})),
                400,
                IPV,
                "e-mail",
            ),
            (
                "POST",
                make,
                spec(json!({"postgres_role": "x", "identity_type": "ROBOT"})),
                400,
                IPV,
                "one of USER",
            ),
            (
                "POST",
                make,
                spec(json!({"postgres_role": "x", "auth_method": "LAKEBASE_OAUTH_V1"})),
                400,
                IPV,
                "identity_type",
            ),
            (
                "POST",
                make,
                spec(json!({"postgres_role": "pg_x"})),
                400,
                IPV,
                "must not start with",
            ),
            (
                "GET",
                "projects/emulator/branches/production/roles/none",
                json!(null),
                404,
                "NOT_FOUND",
                "role not found; role_id:\"none\"",
            ),
            (
                "DELETE",
                "projects/emulator/branches/production/roles/none",
                json!(null),
                404,
                "NOT_FOUND",
                "role not found",
            ),
            (
                "DELETE",
                "projects/emulator/branches/production/roles/user-emulator-test",
                json!(null),
                400,
                "BAD_REQUEST",
                "some objects depend on it",
            ),
        ],
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn roles_are_updated_by_mask_replaced_and_their_databases_handed_down() {
    let emulator = control_plane().await;
    let role = json!({"spec": {"postgres_role": "app", "attributes": {"createrole": true}}});
    done(&emulator, "POST", &format!("{ROLES}?role_id=app"), &role);
    let createdb = json!({"spec": {"attributes": {"createdb": true}}});
    let mask = format!("{ROLES}/app?update_mask=spec.attributes.createdb");
    let changed = done(&emulator, "PATCH", &mask, &createdb);
    assert_eq!(
        changed["status"]["attributes"],
        json!({"createdb": true, "createrole": true, "bypassrls": false})
    );
    let replace = format!("{ROLES}?role_id=app&replace_existing=true");
    let member =
        json!({"spec": {"postgres_role": "app", "membership_roles": ["DATABRICKS_SUPERUSER"]}});
    let replaced = done(&emulator, "POST", &replace, &member);
    assert_eq!(
        replaced["status"]["membership_roles"],
        json!(["DATABRICKS_SUPERUSER"])
    );
    let none = done(&emulator, "POST", &replace, &role);
    assert!(none["status"]["membership_roles"].is_null(), "{none}");
    let owned = json!({"spec": {"role": format!("{ROLES}/app"), "postgres_database": "shop"}});
    done(
        &emulator,
        "POST",
        &format!("{DATABASES}?database_id=shop"),
        &owned,
    );
    all_refused(
        &emulator,
        &[
            (
                "PATCH",
                "projects/emulator/branches/production/roles/app?update_mask=spec.postgres_role",
                role.clone(),
                400,
                IPV,
                "immutable",
            ),
            (
                "DELETE",
                "projects/emulator/branches/production/roles/app",
                json!(null),
                400,
                "BAD_REQUEST",
                "depend on it",
            ),
            (
                "DELETE",
                "projects/emulator/branches/production/roles/app?reassign_owned_to=projects/emulator/branches/production/roles/x",
                json!(null),
                404,
                "NOT_FOUND",
                "role not found",
            ),
        ],
    );
    let heir = format!("{ROLES}/user-emulator-test");
    done(
        &emulator,
        "DELETE",
        &format!("{ROLES}/app?reassign_owned_to={heir}"),
        &json!(null),
    );
    assert_eq!(
        get(&emulator, &format!("{DATABASES}/shop"))["status"]["role"],
        heir
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn databases_follow_their_rules() {
    let emulator = control_plane().await;
    let owner = format!("{BRANCH}/roles/user-emulator-test");
    let spec = |name: &str| json!({"spec": {"role": owner, "postgres_database": name}});
    let made = done(
        &emulator,
        "POST",
        &format!("{DATABASES}?database_id=shop"),
        &json!({"spec": {"role": owner}}),
    );
    assert_eq!(made["status"]["postgres_database"], "shop");
    let nameless = done(&emulator, "POST", DATABASES, &spec("other"));
    assert!(
        nameless["database_id"].as_str().unwrap().starts_with("db-"),
        "{nameless}"
    );
    let create = "projects/emulator/branches/production/databases?database_id=x";
    all_refused(
        &emulator,
        &[
            (
                "POST",
                create,
                json!({"spec": {"postgres_database": "x"}}),
                400,
                IPV,
                "Field 'database.spec.role' is required, expected non-default value (not \"\")!",
            ),
            (
                "POST",
                create,
                json!({}),
                400,
                IPV,
                "Field 'database.spec.role' is required",
            ),
            (
                "POST",
                create,
                json!({"spec": {"role": format!("{BRANCH}/roles/none")}}),
                404,
                "NOT_FOUND",
                "role not found",
            ),
            (
                "POST",
                create,
                spec("other"),
                400,
                "BAD_REQUEST",
                "database with that name already exists",
            ),
            (
                "POST",
                "projects/emulator/branches/production/databases?database_id=shop",
                spec("new"),
                400,
                "BAD_REQUEST",
                "database with that name already exists",
            ),
            (
                "POST",
                "projects/emulator/branches/production/databases?database_id=X",
                spec("x"),
                400,
                IPV,
                "Field database_id must match pattern",
            ),
            (
                "POST",
                create,
                spec(&"x".repeat(64)),
                400,
                IPV,
                "1 to 63 bytes",
            ),
            (
                "GET",
                "projects/emulator/branches/production/databases/none",
                json!(null),
                404,
                "NOT_FOUND",
                "database not found",
            ),
        ],
    );
    let renamed = done(
        &emulator,
        "PATCH",
        &format!("{DATABASES}/shop?update_mask=spec.postgres_database"),
        &spec("mall"),
    );
    assert_eq!(renamed["status"]["postgres_database"], "mall");
    let kept = done(
        &emulator,
        "POST",
        &format!("{DATABASES}?database_id=shop&replace_existing=true"),
        &json!({"spec": {}}),
    );
    assert_eq!(kept["status"]["role"], owner);
    assert_eq!(kept["status"]["postgres_database"], "mall");
    done(
        &emulator,
        "DELETE",
        &format!("{DATABASES}/shop"),
        &json!(null),
    );
    assert_eq!(
        send(&emulator, "GET", &format!("{DATABASES}/shop"), &json!(null)).status,
        404
    );
}
