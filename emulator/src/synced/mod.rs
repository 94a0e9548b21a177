//! Copies of sources in Postgres: what the pipeline of a synced table does.

mod types;

use serde_json::{Map, Value, json};
use tokio_postgres::Client;

use crate::session::quoted;
use crate::state::source::Source;
use crate::state::spec::{SchedulingPolicy, SyncedTableSpec};
pub(crate) use types::{Column, columns};

/// Makes the table if it is missing, and makes its rows those of the source.
///
/// In snapshot mode all rows are replaced; in the other modes only those that differ are touched, so that whoever
/// watches the table sees changes and no more.
pub(crate) async fn sync(
    client: &mut Client,
    id: &str,
    spec: &SyncedTableSpec,
    source: &Source,
) -> Result<(), tokio_postgres::Error> {
    let mut parts = id.split('.').skip(1);
    let schema = quoted(parts.next().unwrap_or("public"));
    let table = format!("{schema}.{}", quoted(parts.next().unwrap_or(id)));
    // A specification that cannot be mapped was refused before the table was there.
    let columns = columns(spec, source).unwrap_or_default();
    let transaction = client.transaction().await?;
    transaction
        .batch_execute(&format!("CREATE SCHEMA IF NOT EXISTS {schema}"))
        .await?;
    transaction
        .batch_execute(&created(&table, spec, &columns))
        .await?;
    transaction
        .batch_execute(&format!(
            "CREATE TEMPORARY TABLE incoming (LIKE {table}) ON COMMIT DROP"
        ))
        .await?;
    let names: Vec<String> = columns.iter().map(|column| quoted(&column.name)).collect();
    let names = names.join(", ");
    let rows = json!(rows(&columns, source)).to_string();
    transaction
        .execute(
            &format!(
                "INSERT INTO incoming ({names}) SELECT {names} \
                 FROM jsonb_populate_recordset(null::incoming, $1::text::jsonb)"
            ),
            &[&rows],
        )
        .await?;
    transaction.batch_execute(&cleaned(spec)).await?;
    transaction
        .batch_execute(&applied(&table, spec, &columns, &names))
        .await?;
    transaction.commit().await
}

fn created(table: &str, spec: &SyncedTableSpec, columns: &[Column]) -> String {
    let mut parts: Vec<String> = columns
        .iter()
        .map(|column| {
            let not_null = if column.nullable { "" } else { " NOT NULL" };
            format!("{} {}{not_null}", quoted(&column.name), column.pg_type)
        })
        .collect();
    for extra in &spec.extra_columns {
        let (name, kind) = (quoted(&extra.column_name), &extra.column_type);
        parts.push(match &extra.compute {
            Some(compute) => format!("{name} {kind} GENERATED ALWAYS AS ({compute}) STORED"),
            None => format!("{name} {kind}"),
        });
    }
    parts.push(format!("PRIMARY KEY ({})", key(spec)));
    format!("CREATE TABLE IF NOT EXISTS {table} ({})", parts.join(", "))
}

fn key(spec: &SyncedTableSpec) -> String {
    let columns = spec.primary_key_columns.iter();
    columns
        .map(|name| quoted(name))
        .collect::<Vec<_>>()
        .join(", ")
}

/// Drops rows without a whole key; of rows with the same key only the newest by the time series key stays.
fn cleaned(spec: &SyncedTableSpec) -> String {
    let key = key(spec);
    let without: Vec<String> = spec
        .primary_key_columns
        .iter()
        .map(|name| format!("{} IS NULL", quoted(name)))
        .collect();
    let keyless = format!("DELETE FROM incoming WHERE {}", without.join(" OR "));
    let Some(time) = spec.timeseries_key.as_deref().map(quoted) else {
        return keyless;
    };
    format!(
        "{keyless}; DELETE FROM incoming WHERE ctid NOT IN \
         (SELECT DISTINCT ON ({key}) ctid FROM incoming ORDER BY {key}, {time} DESC NULLS LAST)"
    )
}

fn applied(table: &str, spec: &SyncedTableSpec, columns: &[Column], names: &str) -> String {
    if spec.scheduling_policy == SchedulingPolicy::Snapshot {
        return format!(
            "DELETE FROM {table}; INSERT INTO {table} ({names}) SELECT {names} FROM incoming"
        );
    }
    let key = key(spec);
    let rest: Vec<String> = columns
        .iter()
        .filter(|column| !spec.primary_key_columns.contains(&column.name))
        .map(|column| quoted(&column.name))
        .collect();
    let update = if rest.is_empty() {
        "DO NOTHING".to_owned()
    } else {
        let set: Vec<String> = rest
            .iter()
            .map(|name| format!("{name} = EXCLUDED.{name}"))
            .collect();
        let old: Vec<String> = rest.iter().map(|name| format!("kept.{name}")).collect();
        let new: Vec<String> = rest.iter().map(|name| format!("EXCLUDED.{name}")).collect();
        format!(
            "DO UPDATE SET {} WHERE ({}) IS DISTINCT FROM ({})",
            set.join(", "),
            old.join(", "),
            new.join(", ")
        )
    };
    format!(
        "DELETE FROM {table} AS kept WHERE NOT EXISTS \
         (SELECT FROM incoming WHERE ({}) = ({})); \
         INSERT INTO {table} AS kept ({names}) SELECT {names} FROM incoming ON CONFLICT ({key}) {update}",
        prefixed("incoming", spec),
        prefixed("kept", spec),
    )
}

fn prefixed(prefix: &str, spec: &SyncedTableSpec) -> String {
    let columns = spec.primary_key_columns.iter();
    columns
        .map(|name| format!("{prefix}.{}", quoted(name)))
        .collect::<Vec<_>>()
        .join(", ")
}

/// The source's rows as objects that Postgres can read into the table's types.
fn rows(columns: &[Column], source: &Source) -> Vec<Value> {
    let row = |values: &Vec<Value>| {
        let fields = columns
            .iter()
            .zip(values)
            .map(|(column, value)| (column.name.clone(), column.in_postgres(value)));
        Value::Object(fields.collect::<Map<_, _>>())
    };
    source.rows.iter().map(row).collect()
}
