//! Native passwords, and how many sessions a compute takes.

use serde_json::json;

use crate::common::api::{done, send};
use crate::common::session::{credential, login, login_to};
use crate::{BRANCH, session, started};
use lakekey_emulator::{TOKEN, USER};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_native_password_logs_in_where_the_project_allows_it() {
    let emulator = started().await;
    let role = json!({"spec": {"postgres_role": "app"}});
    done(
        &emulator,
        "POST",
        &format!("{BRANCH}/roles?role_id=app"),
        &role,
    );
    let reveal = send(
        &emulator,
        "POST",
        &format!("{BRANCH}/roles/app/password"),
        &json!({}),
    );
    let password = reveal.json()["password"].as_str().unwrap().to_owned();
    // Switched off, the connection ends without a word.
    let silent = login(&emulator, "app", &password).await.err().unwrap();
    assert!(!silent.contains("28P01"), "{silent}");
    let on = json!({"spec": {"enable_pg_native_login": true}});
    let mask = "projects/emulator?update_mask=spec.enable_pg_native_login";
    done(&emulator, "PATCH", mask, &on);
    let client = login(&emulator, "app", &password).await.unwrap();
    let row = client
        .query_one("SELECT current_user::text", &[])
        .await
        .unwrap();
    assert_eq!(row.get::<_, String>(0), "app");
    // The pooled host takes native passwords, and them alone.
    let pooled = format!("{}-pooler.database.localhost", emulator.endpoint_uid());
    login_to(&emulator, &pooled, "app", &password)
        .await
        .unwrap();
    for wrong in ["", "wrong", &credential(&emulator, TOKEN)] {
        let refused = login(&emulator, "app", wrong).await.err().unwrap();
        assert!(refused.starts_with("28"), "{refused}");
    }
    // What counts is what Postgres has, also when it was changed in SQL.
    client
        .batch_execute("ALTER ROLE app PASSWORD 'changed'")
        .await
        .unwrap();
    assert!(login(&emulator, "app", &password).await.is_err());
    login(&emulator, "app", "changed").await.unwrap();
    // So does a role that only Postgres has heard of.
    let owner = session(&emulator).await;
    let made = "CREATE ROLE night LOGIN PASSWORD 'shift'";
    owner.batch_execute(made).await.unwrap();
    login(&emulator, "night", "shift").await.unwrap();
    assert!(login(&emulator, "nobody", "shift").await.is_err());
    emulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_small_compute_takes_so_many_sessions_and_no_more() {
    let emulator = started().await;
    let small = json!({"spec": {"autoscaling_limit_min_cu": 0.5, "autoscaling_limit_max_cu": 0.5}});
    let mask = "update_mask=spec.autoscaling_limit_min_cu%2Cspec.autoscaling_limit_max_cu";
    done(
        &emulator,
        "PATCH",
        &format!("{BRANCH}/endpoints/primary?{mask}"),
        &small,
    );
    let token = credential(&emulator, TOKEN);
    let mut sessions = Vec::new();
    let refused = loop {
        match login(&emulator, USER, &token).await {
            Ok(client) => sessions.push(client),
            Err(text) => break text,
        }
        assert!(sessions.len() <= 104, "nobody was refused");
    };
    assert_eq!(sessions.len(), 101);
    assert!(
        refused.starts_with("53300") && refused.contains("remaining connection slots are reserved"),
        "{refused}"
    );
    // Whoever leaves makes room.
    sessions.clear();
    let patience = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while login(&emulator, USER, &token).await.is_err() {
        assert!(std::time::Instant::now() < patience, "no seat became free");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    emulator.shutdown().await;
}
