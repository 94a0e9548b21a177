//! Sessions of the control plane on a branch's Postgres, as its superuser.

use tokio_postgres::{Client, Config, NoTls};

use crate::front::directory::Endpoint;
use crate::postgres::{BOOTSTRAP_ROLE, Fleet, PostgresError};

/// Connects to a database behind the endpoint, whose Postgres is woken if need be.
pub(crate) async fn superuser(
    fleet: &Fleet,
    endpoint: &Endpoint,
    database: &str,
) -> Result<Client, PostgresError> {
    let stream = fleet.connect(endpoint).await?;
    let (client, connection) = Config::new()
        .user(BOOTSTRAP_ROLE)
        .dbname(database)
        .application_name("lakekey-emulator")
        .connect_raw(stream, NoTls)
        .await
        .map_err(failed("connect", &endpoint.branch_uid))?;
    // Ends by itself when the client is dropped.
    tokio::spawn(connection);
    Ok(client)
}

/// An error of Postgres with what was being done.
pub(crate) fn failed(
    what: &str,
    branch: &str,
) -> impl FnOnce(tokio_postgres::Error) -> PostgresError + use<> {
    let (what, branch) = (what.to_owned(), branch.to_owned());
    move |source| PostgresError::Sql {
        what,
        branch,
        source,
    }
}

/// A name as an SQL identifier. A zero byte cannot be in one; Postgres would cut the statement there.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('\0', "").replace('"', "\"\""))
}

/// A text as an SQL literal.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\0', "").replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_so_that_nothing_leaves_the_quotes() {
        assert_eq!(quoted("x\"; DROP ROLE y; --"), "\"x\"\"; DROP ROLE y; --\"");
        assert_eq!(literal("it's"), "'it''s'");
    }
}
