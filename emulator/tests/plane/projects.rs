//! Projects.

use serde_json::json;

use crate::IPV;
use crate::common::api::{all_refused, done, get, refused, send};
use crate::common::control_plane;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_comes_with_branch_endpoint_role_and_database() {
    let emulator = control_plane().await;
    let made = done(
        &emulator,
        "POST",
        "projects?project_id=shop",
        &json!({"spec": {"display_name": "My shop"}}),
    );
    assert_eq!(
        made["@type"],
        "type.googleapis.com/databricks.postgres.v1.Project"
    );
    assert_eq!(made["name"], "projects/shop");
    let status = &made["status"];
    assert_eq!(status["display_name"], "My shop");
    assert_eq!(status["history_retention_duration"], "604800s");
    assert_eq!(
        status["default_branch"],
        "projects/shop/branches/production"
    );
    assert_eq!(
        status["default_endpoint_settings"],
        json!({"autoscaling_limit_min_cu": 1.0, "autoscaling_limit_max_cu": 1.0,
               "suspend_timeout_duration": "86400s"})
    );
    let branch = get(&emulator, "projects/shop/branches/production");
    assert_eq!(branch["status"]["current_state"], "READY");
    assert_eq!(branch["status"]["default"], true);
    let endpoint = get(
        &emulator,
        "projects/shop/branches/production/endpoints/primary",
    );
    assert_eq!(
        endpoint["status"]["endpoint_type"],
        "ENDPOINT_TYPE_READ_WRITE"
    );
    let host = endpoint["status"]["hosts"]["host"].as_str().unwrap();
    assert!(
        host.starts_with(endpoint["uid"].as_str().unwrap()),
        "{host}"
    );
    let roles = get(&emulator, "projects/shop/branches/production/roles");
    assert_eq!(
        roles["roles"][0]["status"]["membership_roles"],
        json!(["DATABRICKS_SUPERUSER"])
    );
    get(
        &emulator,
        "projects/shop/branches/production/databases/databricks-postgres",
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_with_a_project_can_be_chosen() {
    let emulator = control_plane().await;
    let body = json!({
        "spec": {"pg_version": 16, "history_retention_duration": "172800s",
                 "custom_tags": [{"key": "team", "value": "a"}]},
        "initial_endpoint_spec": {"autoscaling_limit_min_cu": 0.5, "autoscaling_limit_max_cu": 4,
                                  "no_suspension": true},
        "initial_branch_spec": {"is_protected": true},
    });
    let made = done(&emulator, "POST", "projects?project_id=small", &body);
    assert_eq!(made["status"]["pg_version"], 16);
    assert_eq!(
        made["status"]["custom_tags"],
        json!([{"key": "team", "value": "a"}])
    );
    let endpoint = get(
        &emulator,
        "projects/small/branches/production/endpoints/primary",
    );
    assert_eq!(endpoint["status"]["autoscaling_limit_max_cu"], 4.0);
    assert!(endpoint["status"]["suspend_timeout_duration"].is_null());
    let branch = get(&emulator, "projects/small/branches/production");
    assert_eq!(branch["status"]["is_protected"], true);
    refused(
        &send(&emulator, "DELETE", "projects/small", &json!(null)),
        400,
        "BAD_REQUEST",
        "cannot delete protected branch",
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_projects_are_refused() {
    let emulator = control_plane().await;
    let spec = |spec: serde_json::Value| json!({"spec": spec});
    let create = "projects?project_id=p";
    let required = "Field 'project_id' is required, expected non-default value (not \"\")!";
    let settings = |value| spec(json!({"default_endpoint_settings": value}));
    all_refused(
        &emulator,
        &[
            ("POST", "projects", json!({}), 400, IPV, required),
            (
                "POST",
                "projects?project_id=A",
                json!({}),
                400,
                IPV,
                "Field project_id must match pattern ^[a-z]",
            ),
            (
                "POST",
                "projects?project_id=emulator",
                json!({}),
                409,
                "ALREADY_EXISTS",
                "with such id already exists",
            ),
            (
                "POST",
                create,
                spec(json!({"display_name": "x".repeat(257)})),
                400,
                IPV,
                "1 to 256 characters",
            ),
            (
                "POST",
                create,
                spec(json!({"pg_version": 12})),
                400,
                IPV,
                "must be 16 or 17",
            ),
            (
                "POST",
                create,
                spec(json!({"history_retention_duration": "3600s"})),
                400,
                IPV,
                "between 172800s and 3024000s",
            ),
            (
                "POST",
                create,
                spec(json!({"history_retention_duration": "720h"})),
                400,
                IPV,
                "a duration in seconds",
            ),
            (
                "POST",
                create,
                spec(json!({"history_retention_duration": 172_800})),
                400,
                IPV,
                "a duration in seconds",
            ),
            (
                "POST",
                create,
                spec(json!({"enable_pg_native_login": "yes"})),
                400,
                IPV,
                "true or false",
            ),
            (
                "POST",
                create,
                settings(json!({"autoscaling_limit_min_cu": 0.25})),
                400,
                IPV,
                "at least 0.5",
            ),
            (
                "POST",
                create,
                settings(json!({"suspend_timeout_duration": "5s"})),
                400,
                IPV,
                "between 60s and 604800s",
            ),
            (
                "POST",
                create,
                settings(json!({"suspend_timeout_duration": "60s", "no_suspension": true})),
                400,
                IPV,
                "at most one of",
            ),
            (
                "GET",
                "projects?page_size=101",
                json!(null),
                400,
                IPV,
                "at most 100",
            ),
            (
                "GET",
                "projects?page_size=-1",
                json!(null),
                400,
                IPV,
                "must not be negative",
            ),
            (
                "GET",
                "projects?page_token=nonsense",
                json!(null),
                400,
                IPV,
                "page_token",
            ),
            (
                "GET",
                "projects/none",
                json!(null),
                404,
                "NOT_FOUND",
                "project id not found [TraceId: ",
            ),
            (
                "DELETE",
                "projects/none",
                json!(null),
                404,
                "NOT_FOUND",
                "project id not found",
            ),
            (
                "POST",
                "projects/none/undelete",
                json!({}),
                404,
                "NOT_FOUND",
                "project id not found",
            ),
            (
                "POST",
                "projects/emulator/undelete",
                json!({}),
                400,
                "BAD_REQUEST",
                "is not deleted",
            ),
        ],
    );
    let body = "{";
    let reply = crate::common::api(&emulator, "POST", "/api/2.0/postgres/projects?project_id=p")
        .body(body)
        .send();
    refused(&reply, 400, "MALFORMED_REQUEST", "Could not parse");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn updates_follow_the_mask() {
    let emulator = control_plane().await;
    let patch = |mask: &str| format!("projects/emulator?update_mask={mask}");
    let both = json!({"spec": {"display_name": "new", "enable_pg_native_login": true}});
    let changed = done(&emulator, "PATCH", &patch("spec.display_name"), &both);
    assert_eq!(changed["status"]["display_name"], "new");
    assert!(changed["status"]["enable_pg_native_login"].is_null());
    let suspension =
        json!({"spec": {"default_endpoint_settings": {"suspend_timeout_duration": "300s"}}});
    let mask = "spec.default_endpoint_settings.suspension%2Cspec.display_name";
    all_refused(
        &emulator,
        &[
            (
                "PATCH",
                "projects/emulator",
                both.clone(),
                400,
                IPV,
                "Field 'update_mask' is required",
            ),
            (
                "PATCH",
                &patch("spec.nope"),
                both.clone(),
                400,
                IPV,
                "Unknown field path in update_mask: 'spec.nope'",
            ),
            (
                "PATCH",
                &patch("spec.custom_tags"),
                both.clone(),
                400,
                IPV,
                "Field 'spec.custom_tags' is in update_mask but not provided in request",
            ),
            (
                "PATCH",
                &patch(mask),
                suspension.clone(),
                400,
                IPV,
                "'spec.display_name' is in update_mask but not provided",
            ),
            (
                "PATCH",
                &patch("spec.pg_version"),
                both.clone(),
                400,
                IPV,
                "immutable",
            ),
            (
                "PATCH",
                &patch("uid"),
                both.clone(),
                400,
                IPV,
                "output only",
            ),
            (
                "PATCH",
                &patch("spec.default_endpoint_settings.no_suspension"),
                suspension.clone(),
                400,
                IPV,
                "Unknown field path",
            ),
            (
                "PATCH",
                &patch("spec.default_branch"),
                json!({"spec": {"default_branch": "projects/emulator/branches/x"}}),
                404,
                "NOT_FOUND",
                "branch id not found",
            ),
        ],
    );
    let changed = done(
        &emulator,
        "PATCH",
        &patch("spec.default_endpoint_settings.suspension"),
        &suspension,
    );
    assert_eq!(
        changed["status"]["default_endpoint_settings"]["suspend_timeout_duration"],
        "300s"
    );
    // The service's own flaw: the name is changed before it breaks.
    let whole = json!({"spec": {"display_name": "half"}});
    refused(
        &send(&emulator, "PATCH", &patch("spec"), &whole),
        500,
        "INTERNAL_ERROR",
        "default_endpoint_settings",
    );
    assert_eq!(
        get(&emulator, "projects/emulator")["status"]["display_name"],
        "half"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_project_can_be_brought_back_until_it_is_purged() {
    let emulator = control_plane().await;
    done(&emulator, "POST", "projects?project_id=shop", &json!({}));
    let gone = done(&emulator, "DELETE", "projects/shop", &json!(null));
    assert_eq!(
        gone,
        json!({"@type": "type.googleapis.com/google.protobuf.Empty"})
    );
    let names = |path: &str| {
        let page = get(&emulator, path);
        let projects = page["projects"].as_array().unwrap().clone();
        projects
            .iter()
            .map(|it| it["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names("projects"), ["projects/emulator"]);
    assert_eq!(names("projects?show_deleted=true").len(), 2);
    let deleted = get(&emulator, "projects/shop");
    assert!(
        deleted["delete_time"].is_string() && deleted["purge_time"].is_string(),
        "{deleted}"
    );
    all_refused(
        &emulator,
        &[
            (
                "DELETE",
                "projects/shop",
                json!(null),
                404,
                "NOT_FOUND",
                "project id not found",
            ),
            (
                "GET",
                "projects/shop/branches",
                json!(null),
                404,
                "NOT_FOUND",
                "project id not found",
            ),
            (
                "POST",
                "projects?project_id=shop",
                json!({}),
                409,
                "ALREADY_EXISTS",
                "already exists",
            ),
        ],
    );
    done(&emulator, "POST", "projects/shop/undelete", &json!({}));
    get(&emulator, "projects/shop/branches/production");
    done(
        &emulator,
        "DELETE",
        "projects/shop?purge=true",
        &json!(null),
    );
    refused(
        &send(&emulator, "GET", "projects/shop", &json!(null)),
        404,
        "NOT_FOUND",
        "project id",
    );
    // The same id gives another host.
    let first = done(&emulator, "POST", "projects?project_id=shop", &json!({}));
    assert_ne!(first["uid"], deleted["uid"]);
}
