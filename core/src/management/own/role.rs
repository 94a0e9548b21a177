//! `add_role`: a role for an identity, with the SQL that says the same.
//!
//! A role that may log in sees nothing yet: the owner of the objects has to grant, which the API does not do. So the
//! statements are given along, quoted, to be read and run.

use serde_json::{Value, json};

use super::branch_for_ci::id_of;
use super::{Own, argument, at, text};
use crate::code::Code;
use crate::error::{Error, Result};
use crate::management::send::is_there_already;
use crate::management::{Object, RoleIdentityType, bad_argument};
use crate::name::Target;

const DATABASE: &str = "databricks_postgres";

impl Own<'_> {
    pub(super) async fn add_role(&self, given: &Object) -> Result<Value> {
        let identity = text(given, "identity")?.unwrap_or_default();
        if identity.is_empty() {
            return Err(bad_argument("identity", "is empty"));
        }
        let kind: Option<RoleIdentityType> = argument(given, "identity_type")?;
        let kind = kind
            .and_then(|kind| serde_json::to_value(kind).ok())
            .and_then(|kind| kind.as_str().map(str::to_owned))
            .unwrap_or_default();
        let database = text(given, "database")?.unwrap_or_else(|| DATABASE.to_owned());
        let schema = text(given, "schema")?.unwrap_or_else(|| "public".to_owned());
        let write = argument::<bool>(given, "write")?.unwrap_or_default();
        let mut told = json!({
            "sql": format!(
                "CREATE EXTENSION IF NOT EXISTS databricks_auth;\nSELECT databricks_create_role({}, {});",
                literal(&identity),
                literal(&kind)
            ),
            "grants": grants(&identity, &database, &schema, write),
        });
        if argument::<bool>(given, "dry_run")?.unwrap_or_default() {
            return Ok(told);
        }
        let branch = self.branch_of(given).await?;
        let id = text(given, "role_id")?.unwrap_or_else(|| id_of(&identity));
        let asked = json!({
            "parent": branch,
            "role_id": id,
            "role": {"spec": {"postgres_role": identity, "identity_type": kind}},
        });
        let name = format!("{branch}/roles/{id}");
        let role = match self.done("create_role", asked).await {
            Ok(role) => role,
            Err(error) if is_there_already(&error) => {
                self.role_of(&branch, &name, &identity).await?
            }
            Err(error) => return Err(error),
        };
        told["role"] = role;
        Ok(told)
    }

    /// The role that is there already: by its id, or under another one.
    async fn role_of(&self, branch: &str, name: &str, identity: &str) -> Result<Value> {
        let client = self.postgres.client();
        let api = &client.door()?.api;
        let roles = crate::endpoint::list(api, branch, "roles", self.deadline).await?;
        let postgres_role = |role: &Value| at(role, "/status/postgres_role").to_owned();
        if let Some(role) = roles.iter().find(|role| postgres_role(role) == identity) {
            return Ok(role.clone());
        }
        let other = roles.iter().find(|role| at(role, "/name") == name);
        Err(Error::new(
            Code::ApiConflict,
            format!(
                "the role {name} is there already, and is {:?} in Postgres",
                other.map(postgres_role).unwrap_or_default()
            ),
        )
        .with_hint("Choose another role_id"))
    }

    async fn branch_of(&self, given: &Object) -> Result<String> {
        let client = self.postgres.client();
        let target = client.choose(text(given, "target")?.as_deref())?.target;
        if let Target::Branch(..) = target {
            return Ok(target.to_string());
        }
        if let Target::Endpoint(name) = &target {
            return Ok(name.branch());
        }
        let name = crate::endpoint::find(&client.door()?.api, &target, self.deadline).await?;
        let (branch, _) = name.split_once("/endpoints/").unwrap_or((&name, ""));
        Ok(branch.to_owned())
    }
}

fn grants(role: &str, database: &str, schema: &str, write: bool) -> Vec<String> {
    let (role, schema) = (identifier(role), identifier(schema));
    let (tables, sequences) = if write {
        ("SELECT, INSERT, UPDATE, DELETE", Some("USAGE, SELECT"))
    } else {
        ("SELECT", None)
    };
    let mut all = vec![
        format!(
            "GRANT CONNECT ON DATABASE {} TO {role};",
            identifier(database)
        ),
        format!("GRANT USAGE ON SCHEMA {schema} TO {role};"),
        format!("GRANT {tables} ON ALL TABLES IN SCHEMA {schema} TO {role};"),
        format!("ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT {tables} ON TABLES TO {role};"),
    ];
    if let Some(sequences) = sequences {
        all.push(format!(
            "GRANT {sequences} ON ALL SEQUENCES IN SCHEMA {schema} TO {role};"
        ));
        all.push(format!(
            "ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT {sequences} ON SEQUENCES TO {role};"
        ));
    }
    all
}

fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::{grants, identifier, literal};

    #[test]
    fn names_cannot_leave_their_quotes() {
        assert_eq!(identifier("a\"; DROP"), "\"a\"\"; DROP\"");
        assert_eq!(literal("o'neil@x"), "'o''neil@x'");
        let all = grants("ann@x", "d b", "public", false);
        assert_eq!(all[0], "GRANT CONNECT ON DATABASE \"d b\" TO \"ann@x\";");
        assert!(!all.concat().contains("INSERT"), "{all:?}");
        assert_eq!(grants("ann@x", "d", "public", true).len(), 6);
    }
}
