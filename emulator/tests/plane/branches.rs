//! Branches.

use serde_json::json;

use crate::common::api::{all_refused, done, get, refused, send};
use crate::common::control_plane;
use crate::{BRANCH, IPV};

const CREATE: &str = "projects/emulator/branches?branch_id=dev";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_branch_inherits_roles_and_databases_and_has_an_endpoint() {
    let emulator = control_plane().await;
    let made = done(
        &emulator,
        "POST",
        CREATE,
        &json!({"spec": {"no_expiry": true}}),
    );
    assert_eq!(made["name"], "projects/emulator/branches/dev");
    assert_eq!(made["status"]["source_branch"], BRANCH);
    assert_eq!(made["status"]["current_state"], "READY");
    assert!(made["spec"].is_null());
    let dev = "projects/emulator/branches/dev";
    let endpoints = get(&emulator, &format!("{dev}/endpoints"));
    assert_eq!(endpoints["endpoints"][0]["endpoint_id"], "primary");
    let parent = get(&emulator, &format!("{BRANCH}/endpoints/primary"));
    assert_ne!(endpoints["endpoints"][0]["uid"], parent["uid"]);
    let roles = get(&emulator, &format!("{dev}/roles"))["roles"]
        .as_array()
        .unwrap()
        .len();
    assert_eq!(roles, 3);
    let database = get(&emulator, &format!("{dev}/databases/databricks-postgres"));
    assert_eq!(
        database["status"]["role"],
        format!("{dev}/roles/user-emulator-test")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_branches_are_refused() {
    let emulator = control_plane().await;
    let spec = |spec: serde_json::Value| json!({"spec": spec});
    let forever = spec(json!({"no_expiry": true}));
    all_refused(
        &emulator,
        &[
            (
                "POST",
                "projects/emulator/branches",
                forever.clone(),
                400,
                IPV,
                "Field 'branch_id' is required, expected non-default value (not \"\")!",
            ),
            (
                "POST",
                "projects/emulator/branches?branch_id=Dev",
                forever.clone(),
                400,
                IPV,
                "Field branch_id must match pattern",
            ),
            (
                "POST",
                "projects/emulator/branches?branch_id=production",
                forever.clone(),
                409,
                "ALREADY_EXISTS",
                "with such id already exists",
            ),
            (
                "POST",
                "projects/none/branches?branch_id=dev",
                forever.clone(),
                404,
                "NOT_FOUND",
                "project id not found",
            ),
            ("POST", CREATE, json!({}), 400, IPV, "expiration"),
            (
                "POST",
                CREATE,
                spec(json!({"no_expiry": false})),
                400,
                IPV,
                "can only be true",
            ),
            (
                "POST",
                CREATE,
                spec(json!({"no_expiry": true, "ttl": "60s"})),
                400,
                IPV,
                "at most one of",
            ),
            (
                "POST",
                CREATE,
                spec(json!({"ttl": "2592001s"})),
                400,
                IPV,
                "expiration time exceeds the maximum expiration time [TraceId",
            ),
            (
                "POST",
                CREATE,
                spec(json!({"ttl": "3600"})),
                400,
                IPV,
                "a duration in seconds",
            ),
            (
                "POST",
                CREATE,
                spec(json!({"ttl": "-5s"})),
                400,
                IPV,
                "in the future",
            ),
            (
                "POST",
                CREATE,
                spec(json!({"expire_time": "tomorrow"})),
                400,
                IPV,
                "must be a time",
            ),
            (
                "POST",
                CREATE,
                spec(json!({"no_expiry": true, "source_branch": "projects/emulator/branches/x"})),
                404,
                "NOT_FOUND",
                "branch id not found",
            ),
            (
                "POST",
                CREATE,
                spec(json!({"no_expiry": true, "source_branch": "projects/other/branches/x"})),
                400,
                IPV,
                "of this project",
            ),
            (
                "POST",
                CREATE,
                spec(json!({"no_expiry": true, "source_branch_lsn": "zz"})),
                400,
                IPV,
                "no WAL position",
            ),
            (
                "POST",
                CREATE,
                spec(json!({"no_expiry": true, "source_branch_time": "2999-01-01T00:00:00Z"})),
                400,
                IPV,
                "must not be in the future",
            ),
            (
                "POST",
                CREATE,
                spec(
                    json!({"no_expiry": true, "source_snapshot": "projects/emulator/snapshots/x"}),
                ),
                404,
                "NOT_FOUND",
                "snapshot not found",
            ),
            (
                "POST",
                CREATE,
                spec(
                    json!({"no_expiry": true, "source_snapshot": "projects/emulator/snapshots/x", "source_branch": BRANCH}),
                ),
                400,
                IPV,
                "excludes",
            ),
            (
                "GET",
                "projects/emulator/branches/dev",
                json!(null),
                404,
                "NOT_FOUND",
                "branch id not found [TraceId: ",
            ),
            (
                "DELETE",
                "projects/emulator/branches/dev",
                json!(null),
                404,
                "NOT_FOUND",
                "branch id not found",
            ),
            (
                "GET",
                "projects/emulator/branches?page_size=-1",
                json!(null),
                400,
                IPV,
                "negative",
            ),
        ],
    );
    // A uid is no id.
    let uid = get(&emulator, BRANCH)["uid"].as_str().unwrap().to_owned();
    let by_uid = send(
        &emulator,
        "GET",
        &format!("projects/emulator/branches/{uid}"),
        &json!(null),
    );
    refused(&by_uid, 404, "NOT_FOUND", "branch id not found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn root_default_and_protected_branches_stay() {
    let emulator = control_plane().await;
    let root = send(&emulator, "DELETE", BRANCH, &json!(null));
    let text = "Cannot delete root branch 'projects/emulator/branches/production'. Root branches cannot be deleted independently.";
    refused(&root, 400, "BAD_REQUEST", text);
    let details = &root.json()["details"];
    assert_eq!(
        details[0]["@type"],
        "type.googleapis.com/google.rpc.ErrorInfo"
    );
    assert_eq!(details[0]["reason"], "RESOURCE_CONFLICT");
    assert_eq!(
        details[0]["metadata"]["declarative_context"],
        "MANAGED_BY_PARENT"
    );
    assert_eq!(
        details[1]["@type"],
        "type.googleapis.com/google.rpc.RequestInfo"
    );
    let spec = json!({"spec": {"no_expiry": true, "is_protected": true}});
    done(&emulator, "POST", CREATE, &spec);
    let dev = "projects/emulator/branches/dev";
    all_refused(
        &emulator,
        &[
            (
                "DELETE",
                dev,
                json!(null),
                400,
                "BAD_REQUEST",
                "cannot delete protected branch",
            ),
            (
                "DELETE",
                "projects/emulator",
                json!(null),
                400,
                "BAD_REQUEST",
                "cannot delete protected branch",
            ),
            (
                "POST",
                "projects/emulator/branches?branch_id=two",
                spec.clone(),
                400,
                "BAD_REQUEST",
                "only one can be",
            ),
        ],
    );
    let open = json!({"spec": {"is_protected": false}});
    done(
        &emulator,
        "PATCH",
        &format!("{dev}?update_mask=spec.is_protected"),
        &open,
    );
    let default = json!({"spec": {"default_branch": dev}});
    done(
        &emulator,
        "PATCH",
        "projects/emulator?update_mask=spec.default_branch",
        &default,
    );
    assert_eq!(get(&emulator, dev)["status"]["default"], true);
    assert!(get(&emulator, BRANCH)["status"]["default"].is_null());
    refused(
        &send(&emulator, "DELETE", dev, &json!(null)),
        400,
        "BAD_REQUEST",
        "default branch",
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_branch_is_deleted_softly_brought_back_and_purged() {
    let emulator = control_plane().await;
    let dev = "projects/emulator/branches/dev";
    done(
        &emulator,
        "POST",
        CREATE,
        &json!({"spec": {"ttl": "3600s"}}),
    );
    done(&emulator, "DELETE", dev, &json!(null));
    let deleted = get(&emulator, dev);
    assert_eq!(deleted["status"]["current_state"], "DELETED");
    assert!(deleted["status"]["purge_time"].is_string(), "{deleted}");
    let listed = |path: &str| {
        get(&emulator, path)["branches"]
            .as_array()
            .map_or(0, Vec::len)
    };
    assert_eq!(listed("projects/emulator/branches"), 1);
    assert_eq!(listed("projects/emulator/branches?show_deleted=true"), 2);
    all_refused(
        &emulator,
        &[
            (
                "DELETE",
                dev,
                json!(null),
                404,
                "NOT_FOUND",
                "branch id not found",
            ),
            (
                "GET",
                "projects/emulator/branches/dev/endpoints",
                json!(null),
                404,
                "NOT_FOUND",
                "branch id not found",
            ),
            (
                "POST",
                "projects/emulator/branches/production/undelete",
                json!({}),
                400,
                "BAD_REQUEST",
                "is not deleted",
            ),
        ],
    );
    done(&emulator, "POST", &format!("{dev}/undelete"), &json!({}));
    assert_eq!(get(&emulator, dev)["status"]["current_state"], "READY");
    done(
        &emulator,
        "DELETE",
        &format!("{dev}?purge=true"),
        &json!(null),
    );
    refused(
        &send(&emulator, "GET", dev, &json!(null)),
        404,
        "NOT_FOUND",
        "branch id",
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replacing_a_branch_updates_it_and_masks_name_the_group() {
    let emulator = control_plane().await;
    let dev = "projects/emulator/branches/dev";
    let first = done(
        &emulator,
        "POST",
        CREATE,
        &json!({"spec": {"ttl": "3600s"}}),
    );
    let replace = format!("{CREATE}&replace_existing=true");
    let second = done(
        &emulator,
        "POST",
        &replace,
        &json!({"spec": {"no_expiry": true}}),
    );
    assert_eq!(first["uid"], second["uid"]);
    assert!(first["status"]["expire_time"].is_string());
    assert!(second["status"]["expire_time"].is_null(), "{second}");
    let ttl = json!({"spec": {"ttl": "600s"}});
    let third = done(
        &emulator,
        "PATCH",
        &format!("{dev}?update_mask=spec.expiration"),
        &ttl,
    );
    assert!(third["status"]["expire_time"].is_string(), "{third}");
    all_refused(
        &emulator,
        &[
            (
                "PATCH",
                "projects/emulator/branches/dev?update_mask=spec.ttl",
                ttl.clone(),
                400,
                IPV,
                "Unknown field path in update_mask: 'spec.ttl'",
            ),
            (
                "PATCH",
                "projects/emulator/branches/dev?update_mask=spec.source_branch",
                ttl.clone(),
                400,
                IPV,
                "immutable",
            ),
            (
                "PATCH",
                "projects/emulator/branches/dev?update_mask=*",
                ttl.clone(),
                400,
                IPV,
                "'spec.is_protected' is in update_mask but not provided",
            ),
        ],
    );
}
