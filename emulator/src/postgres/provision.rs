//! The roles and databases that a Lakebase branch has when a client first sees it.

use std::collections::BTreeSet;

use tokio_postgres::Client;
use tracing::warn;

use super::cluster::Cluster;
use super::error::PostgresError;
use super::template::BOOTSTRAP_ROLE;
use crate::front::directory::{Role, RoleLogin};

/// The database that every branch has.
const DEFAULT_DATABASE: &str = "databricks_postgres";

/// Roles of Lakebase itself. Attributes are not inherited, so members of `databricks_superuser` get their own.
const SYSTEM_ROLES: &str = "
    CREATE ROLE databricks_superuser NOLOGIN CREATEDB CREATEROLE BYPASSRLS;
    GRANT pg_read_all_data, pg_write_all_data, pg_monitor, pg_signal_backend TO databricks_superuser WITH ADMIN OPTION;
    CREATE ROLE databricks_monitor NOLOGIN;
    GRANT pg_monitor TO databricks_monitor;
    CREATE ROLE databricks_gateway NOLOGIN;
";

/// What a branch must have.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) roles: Vec<Role>,
    pub(crate) databases: Vec<(String, String)>,
}

/// Creates what is missing and has not been created before; `done` holds what was, and gets what is.
///
/// What a user dropped by hand therefore stays dropped.
pub(crate) async fn provision(
    branch: &str,
    cluster: &Cluster,
    wanted: &Wanted,
    done: &mut BTreeSet<String>,
) -> Result<(), PostgresError> {
    let sql = |what: &str| {
        let (what, branch) = (what.to_owned(), branch.to_owned());
        move |source| PostgresError::Sql {
            what,
            branch,
            source,
        }
    };
    let missing = wanted
        .roles
        .iter()
        .any(|role| !done.contains(&role_key(role)))
        || wanted
            .databases
            .iter()
            .any(|(name, _)| !done.contains(&database_key(name)))
        || !done.contains("system");
    if !missing {
        return Ok(());
    }
    let client = cluster.connect("postgres").await.map_err(sql("connect"))?;
    if !done.contains("system") {
        if !exists(&client, "pg_roles", "rolname", "databricks_superuser")
            .await
            .map_err(sql("look for roles"))?
        {
            client
                .batch_execute(SYSTEM_ROLES)
                .await
                .map_err(sql("create the system roles"))?;
        }
        done.insert("system".into());
    }
    for role in wanted
        .roles
        .iter()
        .filter(|role| role.name != BOOTSTRAP_ROLE)
    {
        if done.insert(role_key(role)) {
            create_role(&client, role)
                .await
                .map_err(sql("create a role"))?;
        }
    }
    let has_default = wanted
        .databases
        .iter()
        .any(|(name, _)| name == DEFAULT_DATABASE);
    let default = (
        DEFAULT_DATABASE.to_owned(),
        "databricks_superuser".to_owned(),
    );
    for (name, owner) in wanted
        .databases
        .iter()
        .chain((!has_default).then_some(&default))
    {
        if done.contains(&database_key(name)) {
            continue;
        }
        create_database(&client, name, owner)
            .await
            .map_err(sql("create a database"))?;
        let inside = cluster.connect(name).await.map_err(sql("connect"))?;
        inside
            .batch_execute("GRANT ALL ON SCHEMA public TO databricks_superuser WITH GRANT OPTION")
            .await
            .map_err(sql("grant the schema public"))?;
        done.insert(database_key(name));
    }
    Ok(())
}

fn role_key(role: &Role) -> String {
    format!("role {}", role.name)
}

fn database_key(name: &str) -> String {
    format!("database {name}")
}

async fn create_role(client: &Client, role: &Role) -> Result<(), tokio_postgres::Error> {
    let name = quoted(&role.name);
    if !exists(client, "pg_roles", "rolname", &role.name).await? {
        let login = if role.login == RoleLogin::None {
            "NOLOGIN"
        } else {
            "LOGIN"
        };
        client
            .batch_execute(&format!("CREATE ROLE {name} {login} PASSWORD NULL"))
            .await?;
    }
    if role.superuser {
        let grant = format!(
            "ALTER ROLE {name} CREATEDB CREATEROLE BYPASSRLS; GRANT databricks_superuser TO {name} WITH ADMIN OPTION"
        );
        client.batch_execute(&grant).await?;
    }
    Ok(())
}

async fn create_database(
    client: &Client,
    name: &str,
    owner: &str,
) -> Result<(), tokio_postgres::Error> {
    if exists(client, "pg_database", "datname", name).await? {
        return Ok(());
    }
    let owner = if exists(client, "pg_roles", "rolname", owner).await? {
        owner
    } else {
        warn!(
            database = name,
            owner, "the owner of the database has no role; databricks_superuser owns it"
        );
        "databricks_superuser"
    };
    let (name, owner) = (quoted(name), quoted(owner));
    client
        .batch_execute(&format!(
            "CREATE DATABASE {name} OWNER {owner} STRATEGY FILE_COPY"
        ))
        .await
}

async fn exists(
    client: &Client,
    catalog: &'static str,
    column: &'static str,
    name: &str,
) -> Result<bool, tokio_postgres::Error> {
    let query = format!("SELECT 1 FROM {catalog} WHERE {column} = $1::text");
    Ok(client.query_opt(&query, &[&name]).await?.is_some())
}

/// A name as an SQL identifier. A zero byte cannot be in one; Postgres would cut the statement there.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('\0', "").replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_names_so_that_they_cannot_leave_the_identifier() {
        assert_eq!(quoted("ann@example.com"), "\"ann@example.com\"");
        assert_eq!(quoted("x\"; DROP ROLE y; --"), "\"x\"\"; DROP ROLE y; --\"");
    }
}
