use serde_json::json;

use super::{Bench, refused};
use crate::http::scripted::{ok, settle};
use crate::http::transport::Request;

/// Three pages, one of them empty.
fn pages(request: &Request) -> serde_json::Value {
    let token = request
        .url
        .query_pairs()
        .find(|(name, _)| name == "page_token")
        .map(|(_, token)| token.into_owned());
    match token.as_deref() {
        None => json!({"branches": [{"uid": "1"}, {"uid": "2"}], "next_page_token": "a"}),
        Some("a") => json!({"next_page_token": "b"}),
        Some("b") => json!({"branches": [{"uid": "3"}], "next_page_token": ""}),
        Some(other) => panic!("a page {other} that nobody told of"),
    }
}

#[tokio::test]
async fn all_pages_are_read_and_each_once() {
    let bench = Bench::new(|request, _| ok(pages(request).to_string()));
    let list = bench
        .postgres
        .list_branches("projects/p")
        .page_size(2)
        .show_deleted(true);
    let all = bench.run(list.all()).await.unwrap();
    let uids: Vec<_> = all.into_iter().filter_map(|branch| branch.uid).collect();
    assert_eq!(uids, ["1", "2", "3"]);
    assert_eq!(
        bench.asked(),
        [
            "GET /projects/p/branches?page_size=2&show_deleted=true",
            "GET /projects/p/branches?page_size=2&page_token=a&show_deleted=true",
            "GET /projects/p/branches?page_size=2&page_token=b&show_deleted=true",
        ]
    );
}

#[tokio::test]
async fn the_next_page_is_under_way_while_one_is_read() {
    let bench = Bench::new(|request, _| ok(pages(request).to_string()));
    let mut list = bench.postgres.list_branches("projects/p");
    let first = bench.run(list.next()).await.unwrap().unwrap();
    assert_eq!(first.uid.as_deref(), Some("1"));
    settle().await;
    assert_eq!(bench.asked().len(), 2, "one page ahead, and no more");
}

#[tokio::test]
async fn bindings_read_page_by_page() {
    let bench = Bench::new(|request, _| ok(pages(request).to_string()));
    let first = bench
        .call(
            "list_branches",
            json!({"parent": "projects/p", "prefetch": true}),
        )
        .await
        .unwrap();
    assert_eq!(first["next_page_token"], "a");
    settle().await;
    assert_eq!(bench.asked().len(), 2);
    let second = json!({"parent": "projects/p", "prefetch": true, "page_token": "a"});
    bench.call("list_branches", second.clone()).await.unwrap();
    let third = json!({"parent": "projects/p", "prefetch": true, "page_token": "b"});
    let third = bench.call("list_branches", third).await.unwrap();
    assert_eq!(third.get("next_page_token"), None);
    assert_eq!(bench.asked().len(), 3, "what was fetched ahead was used");
    bench.call("list_branches", second).await.unwrap();
    assert_eq!(bench.asked().len(), 4, "and used once");
}

#[tokio::test]
async fn a_page_that_failed_ahead_is_asked_for_again() {
    let mut asked = 0;
    let bench = Bench::new(move |request, _| {
        asked += 1;
        if asked == 2 {
            refused(500, "INTERNAL_ERROR", "oh")
        } else {
            ok(pages(request).to_string())
        }
    });
    let all = bench
        .run(bench.postgres.list_branches("projects/p").all())
        .await
        .unwrap();
    assert_eq!(all.len(), 3);
    assert_eq!(bench.asked().len(), 4);
}

#[tokio::test]
async fn a_token_that_repeats_ends_the_list() {
    let body = json!({"branches": [{}], "next_page_token": "again"});
    let bench = Bench::saying(&body);
    let all = bench
        .run(bench.postgres.list_branches("projects/p").all())
        .await
        .unwrap();
    assert_eq!(all.len(), 2);
}

#[tokio::test]
async fn of_two_pages_that_were_fetched_ahead_the_later_is_the_true_one() {
    let mut asked = 0;
    let bench = Bench::new(move |request, _| {
        asked += 1;
        match request.url.query() {
            None => ok(json!({"branches": [{"uid": "1"}], "next_page_token": "a"}).to_string()),
            Some(_) => ok(json!({"branches": [{"uid": asked.to_string()}]}).to_string()),
        }
    });
    let first = || json!({"parent": "projects/p", "prefetch": true});
    for _ in 0..2 {
        bench.call("list_branches", first()).await.unwrap();
        settle().await;
    }
    let second = json!({"parent": "projects/p", "page_token": "a"});
    let second = bench.call("list_branches", second).await.unwrap();
    assert_eq!(
        second["branches"][0]["uid"], "4",
        "asked for by the second list"
    );
    assert_eq!(bench.asked().len(), 4);
}
