//! Delta's types as Postgres's, as the documentation of synced tables maps them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::state::source::Source;
use crate::state::spec::SyncedTableSpec;

/// A column of the copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// Its type in Postgres, as SQL.
    pub(crate) pg_type: String,
    pub(crate) nullable: bool,
    /// Whether values come as base64.
    binary: bool,
}

impl Column {
    /// A value of the source in a form that Postgres reads into this column.
    pub(super) fn in_postgres(&self, value: &Value) -> Value {
        match value.as_str() {
            Some(text) if self.binary => match STANDARD.decode(text) {
                Ok(bytes) => json!(format!("\\x{}", crate::token::hex(&bytes))),
                Err(_) => value.clone(),
            },
            _ => value.clone(),
        }
    }
}

/// The columns of the copy, or why the specification does not fit the source.
pub(crate) fn columns(spec: &SyncedTableSpec, source: &Source) -> Result<Vec<Column>, String> {
    let known: Vec<&str> = source.columns.iter().map(|it| it.name.as_str()).collect();
    let overridden = spec.type_overrides.iter().map(|it| &it.column_name);
    let named = spec
        .primary_key_columns
        .iter()
        .chain(&spec.timeseries_key)
        .chain(overridden);
    for name in named {
        if !known.contains(&name.as_str()) {
            return Err(format!(
                "the source '{}' has no column '{name}'; it has {}",
                source.name,
                known.join(", ")
            ));
        }
    }
    if let Some(extra) = spec
        .extra_columns
        .iter()
        .find(|extra| known.contains(&extra.column_name.as_str()))
    {
        return Err(format!(
            "the extra column '{}' is one of the source already",
            extra.column_name
        ));
    }
    source
        .columns
        .iter()
        .map(|column| {
            let asked = spec
                .type_overrides
                .iter()
                .find(|it| it.column_name == column.name);
            let pg_type = match asked {
                Some(asked) => overridden_type(&asked.pg_type, asked.size)?,
                None => mapped(&column.delta_type)
                    .ok_or_else(|| unsupported(&column.name, &column.delta_type))?,
            };
            Ok(Column {
                name: column.name.clone(),
                binary: pg_type == "bytea",
                pg_type,
                nullable: column.nullable,
            })
        })
        .collect()
}

fn unsupported(column: &str, delta_type: &str) -> String {
    format!("the column '{column}' is of type {delta_type}, which cannot be synced to Postgres")
}

fn overridden_type(pg_type: &str, size: Option<i64>) -> Result<String, String> {
    let name = match pg_type {
        "PG_SPECIFIC_TYPE_VARCHAR" => "varchar",
        "PG_SPECIFIC_TYPE_VECTOR" => "vector",
        _ => "halfvec",
    };
    match size {
        Some(size) if size > 0 => Ok(format!("{name}({size})")),
        None if name == "varchar" => Ok(name.to_owned()),
        _ => Err(format!(
            "the type override {pg_type} needs a size of at least 1"
        )),
    }
}

/// The type in Postgres; `None`: there is none for it.
fn mapped(delta_type: &str) -> Option<String> {
    let upper = delta_type.trim().to_ascii_uppercase();
    let base = upper
        .split(['(', '<', ' '])
        .next()
        .unwrap_or_default()
        .to_owned();
    let plain = match base.as_str() {
        "BIGINT" | "LONG" => "bigint",
        "BINARY" => "bytea",
        "BOOLEAN" => "boolean",
        "DATE" => "date",
        "DECIMAL" | "DEC" | "NUMERIC" => return decimal(&upper),
        "DOUBLE" => "double precision",
        "FLOAT" | "REAL" => "real",
        "INT" | "INTEGER" => "integer",
        "INTERVAL" => "interval",
        "SMALLINT" | "SHORT" | "TINYINT" | "BYTE" => "smallint",
        "STRING" | "VARCHAR" | "CHAR" => "text",
        "TIMESTAMP" => "timestamp with time zone",
        "TIMESTAMP_NTZ" => "timestamp without time zone",
        "ARRAY" | "MAP" | "STRUCT" => "jsonb",
        _ => return None,
    };
    Some(plain.to_owned())
}

fn decimal(upper: &str) -> Option<String> {
    let Some((_, inside)) = upper.split_once('(') else {
        return Some("numeric".to_owned());
    };
    let numbers: Vec<u32> = inside
        .strip_suffix(')')?
        .split(',')
        .map(|number| number.trim().parse().ok())
        .collect::<Option<_>>()?;
    match *numbers.as_slice() {
        [precision] => Some(format!("numeric({precision})")),
        [precision, scale] => Some(format!("numeric({precision},{scale})")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::mapped;

    #[test]
    fn every_documented_type_has_its_own() {
        for (delta, postgres) in [
            ("BIGINT", "bigint"),
            ("binary", "bytea"),
            ("BOOLEAN", "boolean"),
            ("DATE", "date"),
            ("DECIMAL(10, 2)", "numeric(10,2)"),
            ("DECIMAL", "numeric"),
            ("DOUBLE", "double precision"),
            ("FLOAT", "real"),
            ("INT", "integer"),
            ("INTERVAL DAY TO SECOND", "interval"),
            ("SMALLINT", "smallint"),
            ("TINYINT", "smallint"),
            ("STRING", "text"),
            ("TIMESTAMP", "timestamp with time zone"),
            ("TIMESTAMP_NTZ", "timestamp without time zone"),
            ("ARRAY<STRING>", "jsonb"),
            ("MAP<STRING, INT>", "jsonb"),
            ("STRUCT<a: INT>", "jsonb"),
        ] {
            assert_eq!(mapped(delta).as_deref(), Some(postgres), "{delta}");
        }
        for unsupported in [
            "GEOGRAPHY",
            "GEOMETRY(4326)",
            "VARIANT",
            "OBJECT",
            "",
            "DECIMAL(x)",
        ] {
            assert_eq!(mapped(unsupported), None, "{unsupported}");
        }
    }
}
