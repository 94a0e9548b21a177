//! Endpoints.

use serde_json::json;

use crate::common::api::{all_refused, done, get, refused, send};
use crate::common::control_plane;
use crate::{BRANCH, IPV};

const PRIMARY: &str = "projects/emulator/branches/production/endpoints/primary";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_only_endpoint_has_read_only_hosts_and_a_new_name_each_time() {
    let emulator = control_plane().await;
    let create = format!("{BRANCH}/endpoints?endpoint_id=ro");
    let spec = json!({"spec": {"endpoint_type": "ENDPOINT_TYPE_READ_ONLY", "suspend_timeout_duration": "600s"}});
    let made = done(&emulator, "POST", &create, &spec);
    let hosts = &made["status"]["hosts"];
    assert_eq!(hosts["host"], hosts["read_only_host"]);
    assert!(
        hosts["read_only_pooled_host"].is_string() && hosts["read_write_pooled_host"].is_null()
    );
    assert_eq!(made["status"]["suspend_timeout_duration"], "600s");
    refused(
        &send(&emulator, "POST", &create, &spec),
        409,
        "ALREADY_EXISTS",
        "already exists",
    );
    let never =
        json!({"spec": {"endpoint_type": "ENDPOINT_TYPE_READ_ONLY", "no_suspension": true}});
    let replaced = done(
        &emulator,
        "POST",
        &format!("{create}&replace_existing=true"),
        &never,
    );
    assert_eq!(replaced["uid"], made["uid"]);
    assert!(replaced["status"]["suspend_timeout_duration"].is_null());
    done(
        &emulator,
        "DELETE",
        &format!("{BRANCH}/endpoints/ro"),
        &json!(null),
    );
    refused(
        &send(
            &emulator,
            "GET",
            &format!("{BRANCH}/endpoints/ro"),
            &json!(null),
        ),
        404,
        "NOT_FOUND",
        "endpoint not found",
    );
    let again = done(&emulator, "POST", &create, &spec);
    assert_ne!(again["status"]["hosts"]["host"], hosts["host"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_endpoints_are_refused() {
    let emulator = control_plane().await;
    let create = format!("{BRANCH}/endpoints?endpoint_id=ro");
    let create = create.as_str();
    let spec = |mut spec: serde_json::Value| {
        spec["endpoint_type"] = json!("ENDPOINT_TYPE_READ_ONLY");
        json!({"spec": spec})
    };
    let rw = json!({"spec": {"endpoint_type": "ENDPOINT_TYPE_READ_WRITE"}});
    all_refused(
        &emulator,
        &[
            (
                "POST",
                "projects/emulator/branches/production/endpoints",
                spec(json!({})),
                400,
                IPV,
                "Field 'endpoint_id' is required",
            ),
            (
                "POST",
                create,
                json!({"spec": {}}),
                400,
                IPV,
                "endpoint_type",
            ),
            (
                "POST",
                create,
                json!({"spec": {"endpoint_type": "READ_ONLY"}}),
                400,
                IPV,
                "one of ENDPOINT_TYPE_READ_WRITE",
            ),
            (
                "POST",
                create,
                rw,
                400,
                "BAD_REQUEST",
                "has a read-write endpoint already",
            ),
            (
                "POST",
                create,
                spec(json!({"autoscaling_limit_min_cu": 0.25})),
                400,
                IPV,
                "at least 0.5",
            ),
            (
                "POST",
                create,
                spec(json!({"autoscaling_limit_max_cu": 65})),
                400,
                IPV,
                "at most 64",
            ),
            (
                "POST",
                create,
                spec(json!({"autoscaling_limit_min_cu": 4, "autoscaling_limit_max_cu": 2})),
                400,
                IPV,
                "must not be above",
            ),
            (
                "POST",
                create,
                spec(json!({"autoscaling_limit_min_cu": 1, "autoscaling_limit_max_cu": 18})),
                400,
                IPV,
                "at most 16 above",
            ),
            (
                "POST",
                create,
                spec(json!({"suspend_timeout_duration": "604801s"})),
                400,
                IPV,
                "between 60s and 604800s",
            ),
            (
                "POST",
                create,
                spec(json!({"no_suspension": false})),
                400,
                IPV,
                "can only be true",
            ),
            (
                "POST",
                create,
                spec(json!({"no_suspension": true, "suspend_timeout_duration": "60s"})),
                400,
                IPV,
                "at most one of",
            ),
            (
                "POST",
                create,
                spec(json!({"group": {"min": 1, "max": 2}})),
                400,
                IPV,
                "the same number",
            ),
            (
                "POST",
                create,
                spec(json!({"group": {"min": 0, "max": 0}})),
                400,
                IPV,
                "at least 1",
            ),
            (
                "POST",
                create,
                spec(json!({"group": {"min": 2, "max": 2}})),
                400,
                IPV,
                "needs no_suspension",
            ),
            (
                "POST",
                create,
                spec(json!({"settings": {"pg_settings": {"work_mem": 4}}})),
                400,
                IPV,
                "must be a string",
            ),
            (
                "POST",
                "projects/emulator/branches/none/endpoints?endpoint_id=ro",
                spec(json!({})),
                404,
                "NOT_FOUND",
                "branch id not found",
            ),
        ],
    );
    let kept = send(&emulator, "DELETE", PRIMARY, &json!(null));
    let text = format!(
        "Cannot delete read-write endpoint '{PRIMARY}'. Read-write endpoints cannot be deleted."
    );
    refused(&kept, 400, "BAD_REQUEST", &text);
    assert_eq!(kept.json()["details"][0]["reason"], "RESOURCE_CONFLICT");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn updates_change_what_is_masked() {
    let emulator = control_plane().await;
    // SDKs must send the type, which a mask cannot name.
    let body = json!({"spec": {"endpoint_type": "ENDPOINT_TYPE_READ_WRITE", "disabled": true,
                               "autoscaling_limit_max_cu": 8, "no_suspension": true,
                               "settings": {"pg_settings": {"work_mem": "8MB"}}}});
    let patch = |mask: &str| format!("{PRIMARY}?update_mask={mask}");
    let changed = done(&emulator, "PATCH", &patch("spec.disabled"), &body);
    assert_eq!(changed["status"]["disabled"], true);
    assert_eq!(changed["status"]["autoscaling_limit_max_cu"], 1.0);
    let changed = done(
        &emulator,
        "PATCH",
        &patch("spec.suspension%2Cspec.autoscaling_limit_max_cu%2Cspec.settings.pg_settings"),
        &body,
    );
    assert!(changed["status"]["suspend_timeout_duration"].is_null());
    assert_eq!(changed["status"]["autoscaling_limit_max_cu"], 8.0);
    assert_eq!(
        changed["status"]["settings"]["pg_settings"]["work_mem"],
        "8MB"
    );
    let all = done(
        &emulator,
        "PATCH",
        &patch("spec"),
        &json!({"spec": {"disabled": false}}),
    );
    assert!(all["status"]["disabled"].is_null());
    assert_eq!(all["status"]["autoscaling_limit_max_cu"], 8.0);
    let wide = json!({"spec": {"autoscaling_limit_max_cu": 64}});
    all_refused(
        &emulator,
        &[
            (
                "PATCH",
                &patch("spec.endpoint_type"),
                body.clone(),
                400,
                IPV,
                "immutable",
            ),
            (
                "PATCH",
                &patch("spec.no_suspension"),
                body.clone(),
                400,
                IPV,
                "Unknown field path",
            ),
            (
                "PATCH",
                &patch("spec.group"),
                body.clone(),
                400,
                IPV,
                "Unknown field path",
            ),
            (
                "PATCH",
                &patch("spec.group.min"),
                body.clone(),
                400,
                IPV,
                "not provided in request",
            ),
            (
                "PATCH",
                &patch("spec.autoscaling_limit_max_cu"),
                wide,
                400,
                IPV,
                "at most 16 above",
            ),
        ],
    );
    assert_eq!(
        get(&emulator, PRIMARY)["status"]["autoscaling_limit_max_cu"],
        8.0
    );
}
