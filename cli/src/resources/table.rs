//! What there is to manage, as data: names, columns, flags and examples of each kind of resource.
//!
//! A new kind of resource, or a new field, is a line here; nothing else knows one kind from another.

use super::Verb::{
    Create, Delete, ForCi, Get, List, Reset, RevealPassword, Undelete, Update, Wait,
};
use super::field::Goes::{Beside, Into};
use super::field::{Field, Kind};
use super::{Column, Place, Resource};

const OAUTH: &str = "LAKEBASE_OAUTH_V1";

const COMPUTE_HELP_MIN: &str = "Lower compute units, 0.5 or more";
const COMPUTE_HELP_MAX: &str = "Upper compute units, 64 at most";

pub(super) static RESOURCES: &[Resource] = &[
    Resource {
        command: "projects",
        one: "project",
        about: "Projects: each has branches, and they share its settings",
        place: Place::Below(&["projects"]),
        verbs: &[List, Get, Create, Update, Delete, Undelete],
        columns: &[
            Column("NAME", "name"),
            Column("DISPLAY NAME", "status.display_name"),
            Column("POSTGRES", "status.pg_version"),
            Column("OWNER", "status.owner"),
            Column("CREATED", "create_time"),
            Column("DELETED", "delete_time"),
        ],
        fields: &[
            Field { flag: "display-name", goes: Into("spec.display_name"), kind: Kind::Text, verbs: &[Create, Update], help: "Name for people" },
            Field { flag: "pg-version", goes: Into("spec.pg_version"), kind: Kind::Whole, verbs: &[Create], help: "Major version of Postgres" },
            Field { flag: "retention", goes: Into("spec.history_retention_duration"), kind: Kind::Span, verbs: &[Create, Update], help: "How far back branches can begin, 48h to 840h" },
            Field { flag: "native-login", goes: Into("spec.enable_pg_native_login"), kind: Kind::Bool, verbs: &[Create, Update], help: "Whether Postgres passwords may log in" },
            Field { flag: "default-branch", goes: Into("spec.default_branch"), kind: Kind::Branch, verbs: &[Update], help: "The branch that new branches begin at" },
            Field { flag: "budget-policy", goes: Into("spec.budget_policy_id"), kind: Kind::Text, verbs: &[Create, Update], help: "Id of the budget policy" },
            Field { flag: "tag", goes: Into("spec.custom_tags"), kind: Kind::Tags, verbs: &[Create, Update], help: "A tag; may be repeated, and all tags are replaced" },
            Field { flag: "min-cu", goes: Into("spec.default_endpoint_settings.autoscaling_limit_min_cu"), kind: Kind::Number, verbs: &[Create, Update], help: "Lower compute units of new endpoints" },
            Field { flag: "max-cu", goes: Into("spec.default_endpoint_settings.autoscaling_limit_max_cu"), kind: Kind::Number, verbs: &[Create, Update], help: "Upper compute units of new endpoints" },
            PURGE,
            DELETED,
            GET_EXISTING,
        ],
        examples: "\
Examples:
  lakekey projects list
  lakekey projects create shop --display-name 'The shop' --pg-version 17
  lakekey projects update shop --retention 168h
  lakekey projects delete shop --yes               it can be undeleted for some days",
    },
    Resource {
        command: "branches",
        one: "branch",
        about: "Branches: a copy of a database at a moment, with a life of its own",
        place: Place::Below(&["projects", "branches"]),
        verbs: &[List, Get, Create, Update, Delete, Undelete, Wait, Reset, ForCi],
        columns: &[
            Column("NAME", "name"),
            Column("STATE", "status.current_state"),
            Column("DEFAULT", "status.default"),
            Column("PROTECTED", "status.is_protected"),
            Column("SOURCE", "status.source_branch"),
            Column("EXPIRES", "status.expire_time"),
            Column("CREATED", "create_time"),
        ],
        fields: &[
            Field { flag: "source", goes: Into("spec.source_branch"), kind: Kind::Branch, verbs: &[Create], help: "The branch to begin with; default: the project's default branch" },
            Field { flag: "at", goes: Into("spec.source_branch_time"), kind: Kind::Time, verbs: &[Create], help: "Begin with what the source was then" },
            Field { flag: "lsn", goes: Into("spec.source_branch_lsn"), kind: Kind::Text, verbs: &[Create], help: "Begin with what the source was at this WAL position" },
            Field { flag: "snapshot", goes: Into("spec.source_snapshot"), kind: Kind::Text, verbs: &[Create], help: "Begin with this snapshot, by its full name" },
            Field { flag: "ttl", goes: Into("spec.ttl"), kind: Kind::Span, verbs: &[Create, Update], help: "Delete it after so long" },
            Field { flag: "expires", goes: Into("spec.expire_time"), kind: Kind::Time, verbs: &[Create, Update], help: "Delete it then" },
            Field { flag: "no-expiry", goes: Into("spec.no_expiry"), kind: Kind::Switch, verbs: &[Create, Update], help: "Keep it until it is deleted" },
            Field { flag: "protected", goes: Into("spec.is_protected"), kind: Kind::Bool, verbs: &[Create, Update], help: "Whether deleting it is refused" },
            Field {
                flag: "id",
                goes: Beside("branch_id"),
                kind: Kind::Text,
                verbs: &[ForCi],
                help: "Its id; default: made of what the CI system says of this job",
            },
            Field {
                flag: "ttl",
                goes: Beside("ttl"),
                kind: Kind::Span,
                verbs: &[ForCi],
                help: "Delete it after so long; default: two hours",
            },
            Field {
                flag: "database",
                goes: Beside("database"),
                kind: Kind::Text,
                verbs: &[ForCi],
                help: "The database to log in to",
            },
            Field {
                flag: "user",
                goes: Beside("user"),
                kind: Kind::Text,
                verbs: &[ForCi],
                help: "The Postgres role to log in as",
            },
            PURGE,
            DELETED,
            REPLACE,
            GET_EXISTING,
        ],
        examples: "\
Examples:
  lakekey branches list shop
  lakekey branches create shop.ci-42 --ttl 2h
  lakekey branches create shop.before --source shop.production --at 2026-01-02T03:04:05Z --no-expiry
  lakekey branches create shop.ci-42 --ttl 2h --get-existing --output json | jq -r .name
  lakekey branches ci shop --ttl 1h --output json | jq -r .login.uri
  lakekey branches reset shop.dev                 its data is that of its source again
  lakekey branches delete shop.ci-42 --yes",
    },
    Resource {
        command: "endpoints",
        one: "endpoint",
        about: "Endpoints: the computes of a branch, and the hosts to connect to",
        place: Place::Below(&["projects", "branches", "endpoints"]),
        verbs: &[List, Get, Create, Update, Delete, Wait],
        columns: &[
            Column("NAME", "name"),
            Column("TYPE", "status.endpoint_type"),
            Column("STATE", "status.current_state"),
            Column("MIN CU", "status.autoscaling_limit_min_cu"),
            Column("MAX CU", "status.autoscaling_limit_max_cu"),
            Column("HOST", "status.hosts.host"),
        ],
        fields: &[
            Field { flag: "type", goes: Into("spec.endpoint_type"), kind: Kind::Word(&[("read-write", "ENDPOINT_TYPE_READ_WRITE"), ("read-only", "ENDPOINT_TYPE_READ_ONLY")]), verbs: &[Create], help: "What it is for; a branch has one read-write endpoint" },
            Field { flag: "min-cu", goes: Into("spec.autoscaling_limit_min_cu"), kind: Kind::Number, verbs: &[Create, Update], help: COMPUTE_HELP_MIN },
            Field { flag: "max-cu", goes: Into("spec.autoscaling_limit_max_cu"), kind: Kind::Number, verbs: &[Create, Update], help: COMPUTE_HELP_MAX },
            Field { flag: "suspend-after", goes: Into("spec.suspend_timeout_duration"), kind: Kind::Span, verbs: &[Create, Update], help: "Suspend it after so much idle time, 60s to 168h" },
            Field { flag: "no-suspension", goes: Into("spec.no_suspension"), kind: Kind::Switch, verbs: &[Create, Update], help: "Never suspend it" },
            Field { flag: "disabled", goes: Into("spec.disabled"), kind: Kind::Bool, verbs: &[Create, Update], help: "Whether it refuses connections" },
            Field { flag: "group-min", goes: Into("spec.group.min"), kind: Kind::Whole, verbs: &[Create, Update], help: "Computes of its high-availability group, at least" },
            Field { flag: "group-max", goes: Into("spec.group.max"), kind: Kind::Whole, verbs: &[Create, Update], help: "Computes of its high-availability group, at most" },
            Field { flag: "pg-setting", goes: Into("spec.settings.pg_settings"), kind: Kind::Pairs, verbs: &[Create, Update], help: "A setting of Postgres; may be repeated, and all are replaced" },
            REPLACE,
            GET_EXISTING,
        ],
        examples: "\
Examples:
  lakekey endpoints list shop.production
  lakekey endpoints get shop.production               its read-write endpoint
  lakekey endpoints create shop.production.reader --type read-only --max-cu 2
  lakekey endpoints update shop.production.primary --min-cu 1 --max-cu 4",
    },
    Resource {
        command: "roles",
        one: "role",
        about: "Roles: who may log in to a branch's databases",
        place: Place::Below(&["projects", "branches", "roles"]),
        verbs: &[List, Get, Create, Update, Delete, RevealPassword],
        columns: &[
            Column("NAME", "name"),
            Column("POSTGRES ROLE", "status.postgres_role"),
            Column("IDENTITY", "status.identity_type"),
            Column("LOGIN", "status.auth_method"),
            Column("MEMBER OF", "status.membership_roles"),
        ],
        fields: &[
            Field { flag: "postgres-role", goes: Into("spec.postgres_role"), kind: Kind::Text, verbs: &[Create], help: "Its name in Postgres: an e-mail address, an application id, a group's name" },
            Field { flag: "identity", goes: Into("spec.identity_type"), kind: Kind::Word(&[("user", "USER"), ("service-principal", "SERVICE_PRINCIPAL"), ("group", "GROUP")]), verbs: &[Create], help: "What it is in the workspace; without it it has a Postgres password" },
            Field { flag: "login", goes: Into("spec.auth_method"), kind: Kind::Word(&[("oauth", OAUTH), ("password", "PG_PASSWORD_SCRAM_SHA_256"), ("none", "NO_LOGIN")]), verbs: &[Create], help: "How it logs in" },
            Field { flag: "member-of", goes: Into("spec.membership_roles"), kind: Kind::Words(&[("databricks-superuser", "DATABRICKS_SUPERUSER")]), verbs: &[Create, Update], help: "A standard role to be a member of" },
            Field { flag: "createdb", goes: Into("spec.attributes.createdb"), kind: Kind::Bool, verbs: &[Create, Update], help: "Whether it may create databases" },
            Field { flag: "createrole", goes: Into("spec.attributes.createrole"), kind: Kind::Bool, verbs: &[Create, Update], help: "Whether it may create roles" },
            Field { flag: "bypassrls", goes: Into("spec.attributes.bypassrls"), kind: Kind::Bool, verbs: &[Create, Update], help: "Whether row security does not bind it" },
            Field { flag: "reassign-owned-to", goes: Beside("reassign_owned_to"), kind: Kind::Role, verbs: &[Delete], help: "Whom its objects belong to afterwards" },
            REPLACE,
            GET_EXISTING,
        ],
        examples: "\
Examples:
  lakekey roles list shop.production
  lakekey roles create shop.production.ann --postgres-role ann@example.com --identity user
  lakekey roles reveal-password shop.production.legacy
  lakekey roles delete shop.production.ann --reassign-owned-to owner --yes",
    },
    Resource {
        command: "databases",
        one: "database",
        about: "Databases of a branch",
        place: Place::Below(&["projects", "branches", "databases"]),
        verbs: &[List, Get, Create, Update, Delete],
        columns: &[
            Column("NAME", "name"),
            Column("POSTGRES DATABASE", "status.postgres_database"),
            Column("OWNER", "status.role"),
            Column("CREATED", "create_time"),
        ],
        fields: &[
            Field { flag: "postgres-database", goes: Into("spec.postgres_database"), kind: Kind::Text, verbs: &[Create, Update], help: "Its name in Postgres" },
            Field { flag: "owner", goes: Into("spec.role"), kind: Kind::Role, verbs: &[Create, Update], help: "The role that owns it" },
            REPLACE,
            GET_EXISTING,
        ],
        examples: "\
Examples:
  lakekey databases list shop.production
  lakekey databases create shop.production.orders --postgres-database orders --owner ann",
    },
    Resource {
        command: "snapshots",
        one: "snapshot",
        about: "Snapshots of a project: what a branch was at a moment, kept",
        place: Place::Below(&["projects", "snapshots"]),
        verbs: &[List, Get, Create, Delete],
        columns: &[
            Column("NAME", "name"),
            Column("SOURCE", "status.source_branch"),
            Column("BYTES", "status.full_size_bytes"),
            Column("EXPIRES", "status.expire_time"),
            Column("CREATED", "create_time"),
        ],
        fields: &[
            Field { flag: "source", goes: Into("spec.source_branch"), kind: Kind::Branch, verbs: &[Create], help: "The branch to keep" },
            Field { flag: "at", goes: Into("spec.source_branch_time"), kind: Kind::Time, verbs: &[Create], help: "Keep what it was then" },
            Field { flag: "lsn", goes: Into("spec.source_branch_lsn"), kind: Kind::Text, verbs: &[Create], help: "Keep what it was at this WAL position" },
            Field { flag: "ttl", goes: Into("spec.ttl"), kind: Kind::Span, verbs: &[Create], help: "Delete it after so long" },
            Field { flag: "expires", goes: Into("spec.expire_time"), kind: Kind::Time, verbs: &[Create], help: "Delete it then" },
            Field { flag: "no-expiry", goes: Into("spec.no_expiry"), kind: Kind::Switch, verbs: &[Create], help: "Keep it until it is deleted" },
            GET_EXISTING,
        ],
        examples: "\
Examples:
  lakekey snapshots list shop
  lakekey snapshots create shop.monday --source shop.production --no-expiry
  lakekey branches create shop.again --snapshot projects/shop/snapshots/monday --no-expiry",
    },
    Resource {
        command: "synced-tables",
        one: "synced_table",
        about: "Synced tables: tables of Unity Catalog, copied into Postgres (the API has no list of them)",
        place: Place::Root("synced_tables"),
        verbs: &[Get, Create, Delete, Wait],
        columns: &[Column("NAME", "name")],
        fields: &[
            Field { flag: "branch", goes: Into("spec.branch"), kind: Kind::Branch, verbs: &[Create], help: "The branch to copy into" },
            Field { flag: "source-table", goes: Into("spec.source_table_full_name"), kind: Kind::Text, verbs: &[Create], help: "The table to copy: CATALOG.SCHEMA.TABLE" },
            Field { flag: "database", goes: Into("spec.postgres_database"), kind: Kind::Text, verbs: &[Create], help: "The database to copy into" },
            Field { flag: "key", goes: Into("spec.primary_key_columns"), kind: Kind::Texts, verbs: &[Create], help: "Columns of the primary key" },
            Field { flag: "timeseries-key", goes: Into("spec.timeseries_key"), kind: Kind::Text, verbs: &[Create], help: "Of rows with the same key, the one with the greatest value here is kept" },
            Field { flag: "mode", goes: Into("spec.scheduling_policy"), kind: Kind::Word(&[("snapshot", "SNAPSHOT"), ("triggered", "TRIGGERED"), ("continuous", "CONTINUOUS")]), verbs: &[Create], help: "When it is copied" },
            Field { flag: "pipeline", goes: Into("spec.existing_pipeline_id"), kind: Kind::Text, verbs: &[Create], help: "Id of a pipeline to use; default: a new one" },
            Field { flag: "storage-catalog", goes: Into("spec.new_pipeline_spec.storage_catalog"), kind: Kind::Text, verbs: &[Create], help: "Where a new pipeline keeps its state: the catalog" },
            Field { flag: "storage-schema", goes: Into("spec.new_pipeline_spec.storage_schema"), kind: Kind::Text, verbs: &[Create], help: "Where a new pipeline keeps its state: the schema" },
            Field { flag: "create-missing", goes: Into("spec.create_database_objects_if_missing"), kind: Kind::Bool, verbs: &[Create], help: "Whether a missing database or schema is made" },
            GET_EXISTING,
        ],
        examples: "\
Examples:
  lakekey synced-tables create main.sales.orders_pg --branch shop.production --source-table main.sales.orders --key id --mode triggered
  lakekey synced-tables wait main.sales.orders_pg     until its rows are there
  lakekey synced-tables get main.sales.orders_pg --output json | jq .status",
    },
    Resource {
        command: "operations",
        one: "operation",
        about: "Operations: what takes longer than a request, by its name (the API has no list of them)",
        place: Place::Operation,
        verbs: &[Get, Wait],
        columns: &[Column("NAME", "name")],
        fields: &[],
        examples: "\
Examples:
  op=$(lakekey branches create shop.ci-42 --ttl 2h --no-wait --output json | jq -r .name)
  lakekey operations wait \"$op\"",
    },
];

const PURGE: Field = Field {
    flag: "purge",
    goes: Beside("purge"),
    kind: Kind::Switch,
    verbs: &[Delete],
    help: "Delete it for good, with no way back",
};
const DELETED: Field = Field {
    flag: "show-deleted",
    goes: Beside("show_deleted"),
    kind: Kind::Switch,
    verbs: &[List],
    help: "Those as well that were deleted and can be undeleted",
};
const REPLACE: Field = Field {
    flag: "replace-existing",
    goes: Beside("replace_existing"),
    kind: Kind::Switch,
    verbs: &[Create],
    help: "Change what is there already, in place of failing",
};
const GET_EXISTING: Field = Field {
    flag: "get-existing",
    goes: Beside("get_existing"),
    kind: Kind::Switch,
    verbs: &[Create],
    help: "Take what is there already as it is, in place of failing",
};
