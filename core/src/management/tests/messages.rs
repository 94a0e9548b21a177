use std::time::Duration;

use serde_json::json;

use crate::management::{
    Branch, BranchSpec, BranchStatusState, DatabaseCredential, ProjectStatus, Timestamp,
};

#[test]
fn what_is_unknown_survives_a_round_trip() {
    let wire = json!({
        "name": "projects/p/branches/b",
        "create_time": "2026-01-02T03:04:05.000000001Z",
        "newer": {"a": [1, null]},
        "spec": {"ttl": "1.5s", "newer_still": true},
        "status": {"current_state": "HIBERNATING", "logical_size_bytes": 7, "default": false},
    });
    let branch: Branch = serde_json::from_value(wire.clone()).unwrap();
    let status = branch.status.as_ref().unwrap();
    assert_eq!(
        status.current_state,
        Some(BranchStatusState::Other("HIBERNATING".to_owned()))
    );
    assert_eq!(
        branch.spec.as_ref().unwrap().ttl,
        Some(Duration::from_millis(1500))
    );
    assert_eq!(serde_json::to_value(&branch).unwrap(), wire);
}

#[test]
fn known_values_have_names() {
    let branch: Branch =
        serde_json::from_value(json!({"status": {"current_state": "READY"}})).unwrap();
    assert_eq!(
        branch.status.unwrap().current_state,
        Some(BranchStatusState::Ready)
    );
    assert_eq!(BranchStatusState::from("READY"), BranchStatusState::Ready);
    assert_eq!(BranchStatusState::Ready.to_string(), "READY");
}

#[test]
fn numbers_come_as_texts_too() {
    for wire in [
        json!({"branch_logical_size_limit_bytes": "8796093022208"}),
        json!({"branch_logical_size_limit_bytes": 8_796_093_022_208_i64}),
    ] {
        let status: ProjectStatus = serde_json::from_value(wire).unwrap();
        assert_eq!(
            status.branch_logical_size_limit_bytes,
            Some(8_796_093_022_208)
        );
    }
    assert!(
        serde_json::from_value::<BranchSpec>(json!({"ttl": "1h"}))
            .unwrap_err()
            .to_string()
            .contains("600s")
    );
}

#[test]
fn secrets_are_neither_shown_nor_written() {
    let wire = json!({"token": "planted-token", "expire_time": "2026-01-02T03:04:05Z"});
    let credential: DatabaseCredential = serde_json::from_value(wire).unwrap();
    assert_eq!(credential.token.as_ref().unwrap().expose(), "planted-token");
    assert_eq!(
        credential.expire_time,
        Some(Timestamp::from("2026-01-02T03:04:05Z"))
    );
    let shown = format!(
        "{credential:?} {}",
        serde_json::to_string(&credential).unwrap()
    );
    assert!(!shown.contains("planted"), "{shown}");
}
