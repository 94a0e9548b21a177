//! One connect as a Rust program makes it, and a query.

use lakekey::plan::PlanRequest;
use lakekey::{Client, Result, tokio_postgres};

/// Connects, and runs one query.
pub(crate) async fn connect(client: &Client, request: PlanRequest) -> Result<()> {
    let (session, connection) = tokio_postgres::connect(client, request).await?;
    let connection = tokio::spawn(connection);
    let one: i32 = session.query_one("select 1", &[]).await.unwrap().get(0);
    assert_eq!(one, 1);
    drop(session);
    connection.await.unwrap().unwrap();
    Ok(())
}
