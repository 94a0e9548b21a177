//! `GET /api/2.0/preview/scim/v2/Me`: who the caller is. Clients take the Postgres user from `userName` and the
//! workspace's id from the header `X-Databricks-Org-Id`.

use serde_json::{Value, json};

use super::answer::Answer;
use crate::state::identity::{Principal, WORKSPACE_ID, group_id};

pub(crate) fn me(caller: &Principal) -> Answer {
    let groups: Vec<Value> = caller
        .groups
        .iter()
        .map(|group| {
            let id = group_id(group);
            json!({"display": group, "type": "direct", "value": id, "$ref": format!("Groups/{id}")})
        })
        .collect();
    let mut body = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "id": caller.id,
        "userName": caller.user_name,
        "displayName": caller.display_name,
        "active": true,
        "groups": groups,
        "entitlements": [{"value": "workspace-access"}, {"value": "databricks-sql-access"}],
    });
    if !caller.service {
        let (given, family) = caller
            .display_name
            .split_once(' ')
            .unwrap_or((caller.display_name, ""));
        body["name"] = json!({"givenName": given, "familyName": family});
        body["emails"] = json!([{"type": "work", "value": caller.user_name, "primary": true}]);
    }
    Answer::ok(&body).with("x-databricks-org-id", WORKSPACE_ID)
}
