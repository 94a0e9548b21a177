//! Who may do what with a project.

use lakekey_emulator::{Emulator, STRANGER, STRANGER_TOKEN};
use serde_json::{Value, json};

use crate::IPV;
use crate::common::api::{done, refused};
use crate::common::{Reply, api, control_plane};

const ROUTE: &str = "/api/2.0/permissions/database-projects/shop";

fn as_stranger(emulator: &Emulator, method: &str, path: &str, body: &Value) -> Reply {
    let ask = api(emulator, method, path).bearer(STRANGER_TOKEN);
    ask.body(&body.to_string()).send()
}

fn grant(level: &str) -> Value {
    json!({"access_control_list": [{"user_name": STRANGER, "permission_level": level}]})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn grants_open_a_project_step_by_step() {
    let emulator = control_plane().await;
    done(&emulator, "POST", "projects?project_id=shop", &json!({}));
    let project = "/api/2.0/postgres/projects/shop";
    let branch = "/api/2.0/postgres/projects/shop/branches?branch_id=dev";
    let forever = json!({"spec": {"no_expiry": true}});
    let listed = || {
        let page = as_stranger(&emulator, "GET", "/api/2.0/postgres/projects", &json!({})).json();
        page["projects"].as_array().unwrap().len()
    };
    refused(
        &as_stranger(&emulator, "GET", project, &json!({})),
        403,
        "PERMISSION_DENIED",
        "CAN_USE",
    );
    assert_eq!(listed(), 1);
    let change = |level: &str| {
        let reply = api(&emulator, "PATCH", ROUTE)
            .body(&grant(level).to_string())
            .send();
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.json()
    };
    let shown = change("CAN_USE");
    assert_eq!(shown["object_id"], "/database-projects/shop");
    let entries = shown["access_control_list"].as_array().unwrap();
    assert!(
        entries.iter().any(|it| it["user_name"] == STRANGER),
        "{shown}"
    );
    let create = entries
        .iter()
        .find(|it| it["group_name"] == "users")
        .unwrap();
    assert_eq!(
        create["all_permissions"][0]["permission_level"],
        "CAN_CREATE"
    );
    assert_eq!(listed(), 2);
    assert_eq!(
        as_stranger(&emulator, "GET", project, &json!({})).status,
        200
    );
    refused(
        &as_stranger(&emulator, "POST", branch, &forever),
        403,
        "PERMISSION_DENIED",
        "CAN_MANAGE",
    );
    change("CAN_MANAGE");
    assert_eq!(as_stranger(&emulator, "POST", branch, &forever).status, 200);
    let none = json!({"access_control_list": []});
    api(&emulator, "PUT", ROUTE).body(&none.to_string()).send();
    assert_eq!(
        as_stranger(&emulator, "GET", project, &json!({})).status,
        403
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_grants_are_refused() {
    let emulator = control_plane().await;
    done(&emulator, "POST", "projects?project_id=shop", &json!({}));
    let patch = |body: &Value| {
        api(&emulator, "PATCH", ROUTE)
            .body(&body.to_string())
            .send()
    };
    refused(&patch(&grant("CAN_CREATE")), 400, IPV, "CAN_CREATE");
    refused(
        &patch(&grant("IS_OWNER")),
        400,
        IPV,
        "CAN_USE or CAN_MANAGE",
    );
    let nobody = json!({"access_control_list": [{"permission_level": "CAN_USE"}]});
    refused(&patch(&nobody), 400, IPV, "exactly one of");
    let missing = api(
        &emulator,
        "GET",
        "/api/2.0/permissions/database-projects/none",
    )
    .send();
    refused(&missing, 404, "RESOURCE_DOES_NOT_EXIST", "does not exist");
    let levels = api(&emulator, "GET", &format!("{ROUTE}/permissionLevels")).send();
    assert_eq!(
        levels.json()["permission_levels"].as_array().unwrap().len(),
        3
    );
}
