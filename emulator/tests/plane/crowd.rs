//! Branches by the thousand: lists of them come in pages, each branch once, and nothing else is disturbed.

use std::collections::BTreeSet;

use serde_json::json;

use crate::common::api::get;
use crate::common::{admin, control_plane};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_of_branches_is_listed_page_by_page() {
    let emulator = control_plane().await;
    let ask = |body: serde_json::Value| {
        admin(&emulator, "POST", "/_emulator/crowd")
            .body(&body.to_string())
            .send()
    };
    // A second time it changes nothing.
    for _ in 0..2 {
        let made = ask(json!({"project": "emulator", "branches": 250}));
        assert_eq!(made.status, 200, "{}", made.body);
    }
    let (mut names, mut pages, mut token) = (BTreeSet::new(), 0, String::new());
    loop {
        let path = format!("projects/emulator/branches?page_size=100&page_token={token}");
        let page = get(&emulator, &path);
        for branch in page["branches"].as_array().unwrap() {
            assert!(names.insert(branch["name"].to_string()), "{branch} twice");
        }
        pages += 1;
        match page["next_page_token"].as_str() {
            Some(next) => next.clone_into(&mut token),
            None => break,
        }
    }
    assert_eq!((names.len(), pages), (251, 3));
    for (body, wrong) in [
        (
            json!({"project": "nobody", "branches": 1}),
            "the id of a project",
        ),
        (
            json!({"project": "emulator", "branches": 100_001}),
            "100000 at most",
        ),
    ] {
        let refused = ask(body);
        assert_eq!(refused.status, 400, "{}", refused.body);
        assert!(refused.body.contains(wrong), "{}", refused.body);
    }
    emulator.shutdown().await;
}
