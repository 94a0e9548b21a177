//! What callers may write of each resource: fields with their kinds, oneof groups, and what is fixed after creation.
//!
//! One table serves the reading of bodies and of field masks, so that a field cannot be accepted in one of them and be
//! unknown in the other.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::answer::ApiError;
use crate::state::kind::Kind;
use crate::state::spec::Seconds;

/// What a field holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Holds {
    Bool,
    Int,
    Number,
    Text,
    Duration,
    Time,
    /// One of these names.
    Enum(&'static [&'static str]),
    Texts,
    Enums(&'static [&'static str]),
    TextMap,
    Message(&'static [Field]),
    List(&'static [Field]),
    /// Any object: nothing here looks into it.
    Object,
}

/// A field of a message that a caller writes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) holds: Holds,
    /// Its oneof group, which is what a mask names.
    pub(super) group: Option<&'static str>,
    /// Fixed once the resource is there.
    pub(super) immutable: bool,
    /// Whether a mask may name a message as a whole.
    pub(super) maskable: bool,
}

const fn field(name: &'static str, holds: Holds) -> Field {
    Field {
        name,
        holds,
        group: None,
        immutable: false,
        maskable: true,
    }
}

const fn of(group: &'static str, mut field: Field) -> Field {
    field.group = Some(group);
    field
}

const fn fixed(mut field: Field) -> Field {
    field.immutable = true;
    field
}

const fn by_parts(mut field: Field) -> Field {
    field.maskable = false;
    field
}

const EXPIRATION: [Field; 3] = [
    of("expiration", field("ttl", Holds::Duration)),
    of("expiration", field("expire_time", Holds::Time)),
    of("expiration", field("no_expiry", Holds::Bool)),
];
const SUSPENSION: [Field; 2] = [
    of(
        "suspension",
        field("suspend_timeout_duration", Holds::Duration),
    ),
    of("suspension", field("no_suspension", Holds::Bool)),
];
const LIMITS: [Field; 2] = [
    field("autoscaling_limit_min_cu", Holds::Number),
    field("autoscaling_limit_max_cu", Holds::Number),
];
const PG_SETTINGS: Field = field("pg_settings", Holds::TextMap);
const GROUP: &[Field] = &[
    field("min", Holds::Int),
    field("max", Holds::Int),
    field("enable_readable_secondaries", Holds::Bool),
];
const TAG: &[Field] = &[field("key", Holds::Text), field("value", Holds::Text)];
const HOUR: Field = field("hour", Holds::Int);
const DAYS: &[&str] = &[
    "MONDAY",
    "TUESDAY",
    "WEDNESDAY",
    "THURSDAY",
    "FRIDAY",
    "SATURDAY",
    "SUNDAY",
];

const PROJECT: &[Field] = &[
    field("display_name", Holds::Text),
    fixed(field("pg_version", Holds::Int)),
    field("history_retention_duration", Holds::Duration),
    field("enable_pg_native_login", Holds::Bool),
    field("default_branch", Holds::Text),
    field(
        "default_endpoint_settings",
        Holds::Message(&[
            LIMITS[0],
            LIMITS[1],
            SUSPENSION[0],
            SUSPENSION[1],
            PG_SETTINGS,
        ]),
    ),
    field("budget_policy_id", Holds::Text),
    field("custom_tags", Holds::List(TAG)),
];
const BRANCH: &[Field] = &[
    field("is_protected", Holds::Bool),
    EXPIRATION[0],
    EXPIRATION[1],
    EXPIRATION[2],
    fixed(field("source_branch", Holds::Text)),
    fixed(field("source_branch_lsn", Holds::Text)),
    fixed(field("source_branch_time", Holds::Time)),
    fixed(field("source_snapshot", Holds::Text)),
];
const ENDPOINT: &[Field] = &[
    fixed(field(
        "endpoint_type",
        Holds::Enum(&["ENDPOINT_TYPE_READ_WRITE", "ENDPOINT_TYPE_READ_ONLY"]),
    )),
    LIMITS[0],
    LIMITS[1],
    SUSPENSION[0],
    SUSPENSION[1],
    field("disabled", Holds::Bool),
    by_parts(field("group", Holds::Message(GROUP))),
    field("settings", Holds::Message(&[PG_SETTINGS])),
];
const ROLE: &[Field] = &[
    fixed(field("postgres_role", Holds::Text)),
    fixed(field(
        "identity_type",
        Holds::Enum(&["USER", "SERVICE_PRINCIPAL", "GROUP"]),
    )),
    fixed(field(
        "auth_method",
        Holds::Enum(&["LAKEBASE_OAUTH_V1", "PG_PASSWORD_SCRAM_SHA_256", "NO_LOGIN"]),
    )),
    field("membership_roles", Holds::Enums(&["DATABRICKS_SUPERUSER"])),
    field(
        "attributes",
        Holds::Message(&[
            field("createdb", Holds::Bool),
            field("createrole", Holds::Bool),
            field("bypassrls", Holds::Bool),
        ]),
    ),
];
const DATABASE: &[Field] = &[
    field("role", Holds::Text),
    field("postgres_database", Holds::Text),
];
const DATA_API: &[Field] = &[
    field("db_aggregates_enabled", Holds::Bool),
    field("db_extra_search_path", Holds::Texts),
    field("db_max_rows", Holds::Int),
    field("db_schemas", Holds::Texts),
    field("jwt_cache_max_lifetime", Holds::Duration),
    field("jwt_role_claim_key", Holds::Text),
    field(
        "openapi_mode",
        Holds::Enum(&["OPEN_API_MODE_DISABLED", "OPEN_API_MODE_IGNORE_PRIVILEGES"]),
    ),
    field("server_cors_allowed_origins", Holds::Texts),
    field("server_timing_enabled", Holds::Bool),
];
const SNAPSHOT: &[Field] = &[
    field("source_branch", Holds::Text),
    of("source_point", field("source_branch_lsn", Holds::Text)),
    of("source_point", field("source_branch_time", Holds::Time)),
    EXPIRATION[0],
    EXPIRATION[1],
    EXPIRATION[2],
];
const CADENCE: &[Field] = &[
    field("retention", Holds::Duration),
    of("cadence", field("daily_schedule", Holds::Message(&[HOUR]))),
    of(
        "cadence",
        field(
            "weekly_schedule",
            Holds::Message(&[field("day_of_week", Holds::Enum(DAYS)), HOUR]),
        ),
    ),
    of(
        "cadence",
        field(
            "monthly_schedule",
            Holds::Message(&[field("day", Holds::Int), HOUR]),
        ),
    ),
];
const CATALOG: &[Field] = &[
    fixed(field("postgres_database", Holds::Text)),
    field("branch", Holds::Text),
    field("create_database_if_missing", Holds::Bool),
];
const CDF: &[Field] = &[
    fixed(field("catalog", Holds::Text)),
    fixed(field("schema", Holds::Text)),
    fixed(field("postgres_schema", Holds::Text)),
];
const SYNCED_TABLE: &[Field] = &[
    field("source_table_full_name", Holds::Text),
    field("branch", Holds::Text),
    field("postgres_database", Holds::Text),
    field("primary_key_columns", Holds::Texts),
    field("timeseries_key", Holds::Text),
    field(
        "scheduling_policy",
        Holds::Enum(&["SNAPSHOT", "TRIGGERED", "CONTINUOUS"]),
    ),
    field("create_database_objects_if_missing", Holds::Bool),
    of("pipeline", field("existing_pipeline_id", Holds::Text)),
    of("pipeline", field("new_pipeline_spec", Holds::Object)),
    field(
        "type_overrides",
        Holds::List(&[
            field("column_name", Holds::Text),
            field(
                "pg_type",
                Holds::Enum(&[
                    "PG_SPECIFIC_TYPE_VARCHAR",
                    "PG_SPECIFIC_TYPE_VECTOR",
                    "PG_SPECIFIC_TYPE_HALFVEC",
                ]),
            ),
            field("size", Holds::Int),
        ]),
    ),
    field(
        "extra_columns",
        Holds::List(&[
            field("column_name", Holds::Text),
            field("column_type", Holds::Text),
            field("compute", Holds::Text),
            field("maintenance", Holds::Enum(&["STORED_GENERATED"])),
        ]),
    ),
    field("accelerated_sync", Holds::Bool),
];

const fn spec(fields: &'static [Field]) -> Field {
    field("spec", Holds::Message(fields))
}

/// What of a project counts when it is made, and may be masked later without effect.
const INITIAL: [Field; 2] = [
    field(
        "initial_branch_spec",
        Holds::Message(&[field("is_protected", Holds::Bool)]),
    ),
    field(
        "initial_endpoint_spec",
        Holds::Message(&[
            LIMITS[0],
            LIMITS[1],
            SUSPENSION[0],
            SUSPENSION[1],
            by_parts(field("group", Holds::Message(GROUP))),
        ]),
    ),
];

/// The whole resource as callers write it.
pub(super) fn writable(kind: Kind) -> &'static [Field] {
    match kind {
        Kind::Project => const { &[spec(PROJECT), INITIAL[0], INITIAL[1]] },
        Kind::Branch => const { &[spec(BRANCH)] },
        Kind::Endpoint => const { &[spec(ENDPOINT)] },
        Kind::Role => const { &[spec(ROLE)] },
        Kind::Database => const { &[spec(DATABASE)] },
        Kind::DataApi => const { &[spec(DATA_API)] },
        Kind::Snapshot => const { &[spec(SNAPSHOT)] },
        Kind::Catalog => const { &[spec(CATALOG)] },
        Kind::SyncedTable => const { &[spec(SYNCED_TABLE)] },
        Kind::SnapshotSchedule => const { &[field("schedule", Holds::List(CADENCE))] },
        Kind::CdfConfig => CDF,
        Kind::CdfStatus => &[],
    }
}

/// Fields that the service alone writes. Callers may send them back; they are not looked at.
pub(super) fn is_output_only(kind: Kind, path: &str) -> bool {
    let first = path.split('.').next().unwrap_or(path);
    [
        "name",
        "uid",
        "parent",
        "status",
        "create_time",
        "update_time",
        "delete_time",
        "purge_time",
    ]
    .contains(&first)
        || first
            .strip_suffix("_id")
            .is_some_and(|stem| stem == kind.word())
}

/// The body as a resource of this kind: known fields in their plain forms; unknown and output-only ones are left out.
pub(super) fn read(kind: Kind, body: &[u8]) -> Result<Value, ApiError> {
    let value = parse(body)?;
    message(writable(kind), &value, "")
}

/// The body as JSON; none is an empty object.
pub(super) fn parse(body: &[u8]) -> Result<Value, ApiError> {
    let malformed = |text: String| ApiError::new(super::BAD_REQUEST, "MALFORMED_REQUEST", text);
    if body.is_empty() {
        return Ok(json!({}));
    }
    let value: Value = serde_json::from_slice(body)
        .map_err(|error| malformed(format!("Could not parse request object: {error}")))?;
    if value.is_object() {
        Ok(value)
    } else {
        Err(malformed("The request must be a JSON object.".to_owned()))
    }
}

fn message(fields: &[Field], value: &Value, path: &str) -> Result<Value, ApiError> {
    let Some(object) = value.as_object() else {
        return Err(wrong(path, "an object", value));
    };
    let mut read = Map::new();
    for field in fields {
        let Some(given) = object.get(field.name).filter(|given| !given.is_null()) else {
            continue;
        };
        let path = join(path, field.name);
        if let Some(group) = field.group
            && let Some(other) = fields.iter().find(|other| {
                other.group == Some(group)
                    && other.name != field.name
                    && object.get(other.name).is_some_and(|value| !value.is_null())
            })
        {
            let (one, two) = (field.name, other.name);
            return Err(ApiError::invalid(format!(
                "Field '{path}': at most one of '{one}' and '{two}' may be given, they belong to '{group}'."
            )));
        }
        read.insert(field.name.to_owned(), plain(field.holds, given, &path)?);
    }
    Ok(Value::Object(read))
}

fn plain(holds: Holds, given: &Value, path: &str) -> Result<Value, ApiError> {
    let text = given.as_str();
    match holds {
        Holds::Bool => given
            .is_boolean()
            .then(|| given.clone())
            .ok_or_else(|| wrong(path, "true or false", given)),
        Holds::Int => {
            let number = given.as_i64().or_else(|| text?.parse().ok());
            number
                .map(Value::from)
                .ok_or_else(|| wrong(path, "a whole number", given))
        }
        Holds::Number => given
            .as_f64()
            .or_else(|| text?.parse().ok())
            .filter(|number| number.is_finite())
            .map(|number| json!(number))
            .ok_or_else(|| wrong(path, "a number", given)),
        Holds::Text => text
            .map(Value::from)
            .ok_or_else(|| wrong(path, "a string", given)),
        Holds::Duration => text
            .and_then(Seconds::read)
            .map(|seconds| json!(seconds))
            .ok_or_else(|| wrong(path, "a duration in seconds such as \"600s\"", given)),
        Holds::Time => text
            .and_then(|text| text.parse::<Timestamp>().ok())
            .map(|time| json!(time))
            .ok_or_else(|| wrong(path, "a time such as \"2026-01-31T12:00:00Z\"", given)),
        Holds::Enum(names) => text
            .filter(|text| names.contains(text))
            .map(Value::from)
            .ok_or_else(|| wrong(path, &format!("one of {}", names.join(", ")), given)),
        Holds::Texts => list(given, path, |item, path| plain(Holds::Text, item, path)),
        Holds::Enums(names) => list(given, path, |item, path| {
            plain(Holds::Enum(names), item, path)
        }),
        Holds::List(fields) => list(given, path, |item, path| message(fields, item, path)),
        Holds::Message(fields) => message(fields, given, path),
        Holds::TextMap => {
            let object = given
                .as_object()
                .ok_or_else(|| wrong(path, "an object of strings", given))?;
            let bad = object.iter().find(|(_, value)| !value.is_string());
            match bad {
                Some((key, value)) => Err(wrong(&join(path, key), "a string", value)),
                None => Ok(given.clone()),
            }
        }
        Holds::Object => given
            .is_object()
            .then(|| given.clone())
            .ok_or_else(|| wrong(path, "an object", given)),
    }
}

fn list(
    given: &Value,
    path: &str,
    item: impl Fn(&Value, &str) -> Result<Value, ApiError>,
) -> Result<Value, ApiError> {
    let items = given
        .as_array()
        .ok_or_else(|| wrong(path, "a list", given))?;
    items
        .iter()
        .enumerate()
        .map(|(place, value)| item(value, &format!("{path}[{place}]")))
        .collect()
}

pub(super) fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

fn wrong(path: &str, expected: &str, given: &Value) -> ApiError {
    let given = given
        .as_str()
        .map_or_else(|| given.to_string(), str::to_owned);
    ApiError::invalid(format!("Field '{path}' must be {expected}, got '{given}'."))
}
