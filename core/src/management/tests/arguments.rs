use serde_json::json;

use super::Bench;
use crate::code::Code;
use crate::management::{Endpoint, EndpointSpec, Postgres, Project, ProjectSpec};

#[tokio::test]
async fn every_kind_of_argument_has_its_place() {
    for (method, arguments, asked) in [
        (
            "create_branch",
            json!({"parent": "projects/p", "branch_id": "b", "branch": {"spec": {"ttl": "60s"}}, "replace_existing": true}),
            r#"POST /projects/p/branches?branch_id=b&replace_existing=true {"spec":{"ttl":"60s"}}"#,
        ),
        (
            "create_project",
            json!({"project_id": "p", "project": {}}),
            "POST /projects?project_id=p {}",
        ),
        (
            "delete_branch",
            json!({"name": "projects/p/branches/b", "purge": null}),
            "DELETE /projects/p/branches/b",
        ),
        (
            "undelete_project",
            json!({"name": "projects/p"}),
            "POST /projects/p/undelete {}",
        ),
        (
            "list_roles",
            json!({"parent": "projects/p/branches/b", "page_size": 7}),
            "GET /projects/p/branches/b/roles?page_size=7",
        ),
        (
            "generate_database_credential",
            json!({"endpoint": "projects/p/branches/b/endpoints/e", "ttl": "600s"}),
            r#"POST /credentials {"endpoint":"projects/p/branches/b/endpoints/e","ttl":"600s"}"#,
        ),
        (
            "get_operation",
            json!({"name": "projects/p/operations/YWJj+/8="}),
            "GET /projects/p/operations/YWJj+/8=",
        ),
        (
            "get_operation",
            json!({"name": "synced_tables/c.s.t/operations/a//b=="}),
            "GET /synced_tables/c.s.t/operations/a//b==",
        ),
        (
            "get_synced_table",
            json!({"name": "synced_tables/c.my schema.ü%?#"}),
            "GET /synced_tables/c.my%20schema.%C3%BC%25%3F%23",
        ),
        (
            "update_endpoint",
            json!({"name": "projects/p/branches/b/endpoints/e", "endpoint": {}, "update_mask": ["spec.disabled", "spec.suspension"]}),
            "PATCH /projects/p/branches/b/endpoints/e?update_mask=spec.disabled%2Cspec.suspension {}",
        ),
    ] {
        let bench = Bench::saying(&json!({}));
        bench.call(method, arguments).await.unwrap();
        assert_eq!(bench.asked(), [asked]);
    }
}

#[tokio::test]
async fn what_cannot_be_sent_is_said_before_it_is() {
    for (method, arguments, words) in [
        ("create_brunch", json!({}), "no method \"create_brunch\""),
        (
            "get_branch",
            json!({}),
            "argument `name`: get_branch needs it",
        ),
        ("get_branch", json!({"name": 7}), "must be a text"),
        (
            "get_branch",
            json!({"name": "projects/p"}),
            "Write projects/{project_id}/branches/{branch_id}",
        ),
        (
            "get_branch",
            json!({"name": "projects/p/branches/"}),
            "no name",
        ),
        (
            "get_branch",
            json!({"name": "projects/../branches/b"}),
            "no name",
        ),
        (
            "get_operation",
            json!({"name": "projects/p/operations/../x"}),
            "no name",
        ),
        ("get_operation", json!({"name": "projects/p"}), "no name"),
        (
            "get_branch",
            json!({"name": "projects/p/branches/b", "force": true}),
            "does not take it. It takes name",
        ),
        (
            "create_branch",
            json!({"parent": "projects/p", "branch": {}}),
            "argument `branch_id`",
        ),
        (
            "create_branch",
            json!({"parent": "projects/p", "branch_id": "", "branch": {}}),
            "argument `branch_id`",
        ),
        (
            "create_branch",
            json!({"parent": "projects/p", "branch_id": "b", "branch": []}),
            "must be an object",
        ),
        (
            "list_branches",
            json!({"parent": "projects/p", "page_size": "7"}),
            "must be a whole number",
        ),
        (
            "delete_branch",
            json!({"name": "projects/p/branches/b", "purge": "yes"}),
            "must be true or false",
        ),
        (
            "update_branch",
            json!({"name": "projects/p/branches/b", "branch": {"status": {}}}),
            "sets nothing that could be changed",
        ),
        (
            "update_branch",
            json!({"name": "projects/p/branches/b", "branch": {"spec": {"source_branch": "x"}}}),
            "cannot be changed later: spec.source_branch",
        ),
        (
            "generate_database_credential",
            json!({"ttl": "60s"}),
            "argument `endpoint`",
        ),
    ] {
        let bench = Bench::saying(&json!({}));
        let error = bench.call(method, arguments).await.unwrap_err();
        assert_eq!(error.code(), Code::ApiArgument, "{error}");
        assert!(error.to_string().contains(words), "{error}");
        assert!(bench.asked().is_empty());
    }
}

#[tokio::test]
async fn a_mask_follows_from_what_is_set() {
    for (method, arguments, mask) in [
        (
            "update_branch",
            json!({"name": "projects/p/branches/b", "branch": {"spec": {"no_expiry": true, "is_protected": false}}}),
            "spec.expiration,spec.is_protected",
        ),
        (
            "update_endpoint",
            json!({"name": "projects/p/branches/b/endpoints/e", "endpoint": {"spec": {
                "endpoint_type": "ENDPOINT_TYPE_READ_WRITE", "suspend_timeout_duration": "60s", "disabled": null,
                "group": {"min": 1, "max": 1}, "settings": {"pg_settings": {"a": "b"}}}}}),
            "spec.group.min,spec.group.max,spec.suspension,spec.settings.pg_settings",
        ),
        (
            "update_project",
            json!({"name": "projects/p", "project": {"name": "projects/p", "spec": {"custom_tags": [],
                "default_endpoint_settings": {"no_suspension": true, "autoscaling_limit_min_cu": 1}}}}),
            "spec.custom_tags,spec.default_endpoint_settings.autoscaling_limit_min_cu,spec.default_endpoint_settings.suspension",
        ),
        (
            "update_role",
            json!({"name": "projects/p/branches/b/roles/r", "role": {"spec": {"attributes": {"createdb": true}, "auth_method": "NO_LOGIN"}}}),
            "spec.attributes.createdb",
        ),
        (
            "update_snapshot_schedule",
            json!({"name": "projects/p/branches/b/snapshot-schedule", "snapshot_schedule": {"schedule": [{"retention": "3600s"}]}}),
            "schedule",
        ),
        (
            "update_branch",
            json!({"name": "projects/p/branches/b", "branch": {"spec": {"newer": 1, "ttl": "60s"}}}),
            "spec.expiration,spec.newer",
        ),
    ] {
        let bench = Bench::saying(&json!({}));
        bench.call(method, arguments).await.unwrap();
        let asked = bench.wire.seen();
        let (_, query) = asked[0].url.query_pairs().next().unwrap();
        assert_eq!(query, mask, "{method}");
    }
}

#[tokio::test]
async fn typed_methods_send_the_same() {
    let bench = Bench::saying(&json!({"name": "projects/p/operations/o"}));
    let spec = EndpointSpec {
        no_suspension: Some(true),
        ..EndpointSpec::default()
    };
    let endpoint = Endpoint {
        spec: Some(spec),
        ..Endpoint::default()
    };
    let name = "projects/p/branches/b/endpoints/e";
    bench
        .run(
            bench
                .postgres
                .update_endpoint(name, &endpoint)
                .into_future(),
        )
        .await
        .unwrap();
    let spec = ProjectSpec {
        display_name: Some("Shop".to_owned()),
        ..ProjectSpec::default()
    };
    let project = Project {
        spec: Some(spec),
        ..Project::default()
    };
    let update = bench
        .postgres
        .update_project("projects/p", &project)
        .update_mask("spec");
    bench.run(update.into_future()).await.unwrap();
    assert_eq!(
        bench.asked(),
        [
            r#"PATCH /projects/p/branches/b/endpoints/e?update_mask=spec.suspension {"spec":{"no_suspension":true}}"#,
            r#"PATCH /projects/p?update_mask=spec {"spec":{"display_name":"Shop"}}"#,
        ]
    );
}

#[tokio::test]
async fn permissions_are_of_a_project() {
    let bench = Bench::saying(&json!({}));
    let list = json!([{"user_name": "ann", "permission_level": "CAN_USE"}]);
    bench
        .call(
            "get_project_permissions",
            json!({"project_id": "projects/shop"}),
        )
        .await
        .unwrap();
    bench
        .call(
            "update_project_permissions",
            json!({"project_id": "shop", "access_control_list": list}),
        )
        .await
        .unwrap();
    assert_eq!(
        bench.asked(),
        [
            "GET /api/2.0/permissions/database-projects/shop",
            r#"PATCH /api/2.0/permissions/database-projects/shop {"access_control_list":[{"permission_level":"CAN_USE","user_name":"ann"}]}"#,
        ]
    );
}

#[test]
fn methods_are_found_by_their_names() {
    let names: Vec<&str> = Postgres::methods().collect();
    assert!(names.is_sorted(), "they are looked up by halves");
    assert_eq!(
        names.len(),
        52 + 4 + 6,
        "the service's, of permissions, lakekey's own"
    );
}
