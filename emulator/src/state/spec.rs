//! What callers write of each resource, under the names of the API.
//!
//! The names and forms are the wire's own, so that a field mask can be laid over what is kept exactly as it is laid
//! over what was sent. The emulator's types are its own on purpose: with the client's, a misspelled field would agree
//! with itself.

use std::collections::BTreeMap;
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A length of time as protobuf's JSON writes it: decimal seconds and an `s`. Kept in whole seconds, rounded up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Seconds(pub(crate) i64);

impl Seconds {
    /// Reads `600s` or `600.5s`; nothing else is a duration.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let number = text.strip_suffix('s')?;
        let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
        let digits = whole.strip_prefix('-').unwrap_or(whole);
        let all_digits =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !all_digits(digits) || !all_digits(part) || part.len() > 9 || digits.len() > 12 {
            return None;
        }
        let up = i64::from(part.bytes().any(|byte| byte != b'0') && !whole.starts_with('-'));
        Some(Self(whole.parse::<i64>().ok()? + up))
    }

    /// This long after `moment`.
    pub(crate) fn after(self, moment: Timestamp) -> Timestamp {
        moment
            .saturating_add(SignedDuration::from_secs(self.0))
            .unwrap_or(Timestamp::MAX)
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}s", self.0)
    }
}

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::read(&text).ok_or_else(|| de::Error::custom(format!("{text:?} is not a duration")))
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ProjectSpec {
    pub(crate) display_name: String,
    pub(crate) pg_version: u32,
    pub(crate) history_retention_duration: Option<Seconds>,
    pub(crate) enable_pg_native_login: bool,
    /// Resource name of the default branch.
    pub(crate) default_branch: String,
    pub(crate) default_endpoint_settings: EndpointDefaults,
    pub(crate) budget_policy_id: Option<String>,
    pub(crate) custom_tags: Vec<Tag>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Tag {
    pub(crate) key: String,
    pub(crate) value: String,
}

/// What endpoints made later start with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct EndpointDefaults {
    pub(crate) autoscaling_limit_min_cu: f64,
    pub(crate) autoscaling_limit_max_cu: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) suspend_timeout_duration: Option<Seconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) no_suspension: Option<bool>,
    pub(crate) pg_settings: BTreeMap<String, String>,
}

/// A day: what the service takes when nothing is said.
pub(crate) const DEFAULT_SUSPEND_AFTER: Seconds = Seconds(86_400);

impl Default for EndpointDefaults {
    fn default() -> Self {
        Self {
            autoscaling_limit_min_cu: 1.0,
            autoscaling_limit_max_cu: 1.0,
            suspend_timeout_duration: None,
            no_suspension: None,
            pg_settings: BTreeMap::new(),
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct BranchSpec {
    pub(crate) is_protected: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) source_branch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) source_branch_lsn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) source_branch_time: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) source_snapshot: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) expire_time: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ttl: Option<Seconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) no_expiry: Option<bool>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct EndpointSpec {
    pub(crate) endpoint_type: EndpointType,
    pub(crate) autoscaling_limit_min_cu: f64,
    pub(crate) autoscaling_limit_max_cu: f64,
    pub(crate) disabled: bool,
    pub(crate) group: Group,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) suspend_timeout_duration: Option<Seconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) no_suspension: Option<bool>,
    pub(crate) settings: Settings,
}

impl Default for EndpointSpec {
    fn default() -> Self {
        Self::of(EndpointType::ReadWrite, &EndpointDefaults::default())
    }
}

impl EndpointSpec {
    /// An endpoint as a project's defaults make it.
    pub(crate) fn of(endpoint_type: EndpointType, defaults: &EndpointDefaults) -> Self {
        Self {
            endpoint_type,
            autoscaling_limit_min_cu: defaults.autoscaling_limit_min_cu,
            autoscaling_limit_max_cu: defaults.autoscaling_limit_max_cu,
            disabled: false,
            group: Group::default(),
            suspend_timeout_duration: defaults.suspend_timeout_duration.or_else(|| {
                defaults
                    .no_suspension
                    .is_none()
                    .then_some(DEFAULT_SUSPEND_AFTER)
            }),
            no_suspension: defaults.no_suspension,
            settings: Settings {
                pg_settings: defaults.pg_settings.clone(),
            },
        }
    }

    /// Seconds of idleness after which the compute is suspended; `None`: never.
    pub(crate) fn suspend_after_s(&self) -> Option<u64> {
        if self.no_suspension == Some(true) {
            return None;
        }
        let after = self
            .suspend_timeout_duration
            .unwrap_or(DEFAULT_SUSPEND_AFTER);
        Some(u64::try_from(after.0).unwrap_or(0))
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum EndpointType {
    #[default]
    #[serde(rename = "ENDPOINT_TYPE_READ_WRITE")]
    ReadWrite,
    #[serde(rename = "ENDPOINT_TYPE_READ_ONLY")]
    ReadOnly,
}

/// A high-availability group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Group {
    pub(crate) min: i64,
    pub(crate) max: i64,
    pub(crate) enable_readable_secondaries: bool,
}

impl Default for Group {
    fn default() -> Self {
        Self {
            min: 1,
            max: 1,
            enable_readable_secondaries: false,
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Settings {
    pub(crate) pg_settings: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct RoleSpec {
    /// The name in Postgres: an e-mail address, an application id, a group's name or a native name.
    pub(crate) postgres_role: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) identity_type: Option<IdentityType>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) auth_method: Option<AuthMethod>,
    pub(crate) membership_roles: Vec<Membership>,
    pub(crate) attributes: Attributes,
}

impl RoleSpec {
    pub(crate) fn superuser(&self) -> bool {
        self.membership_roles
            .contains(&Membership::DatabricksSuperuser)
    }

    /// How it logs in: what was said, else by token for identities and by password for the rest.
    pub(crate) fn auth(&self) -> AuthMethod {
        let usual = if self.identity_type.is_some() {
            AuthMethod::Token
        } else {
            AuthMethod::Password
        };
        self.auth_method.unwrap_or(usual)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Membership {
    DatabricksSuperuser,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Attributes {
    pub(crate) createdb: bool,
    pub(crate) createrole: bool,
    pub(crate) bypassrls: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum IdentityType {
    User,
    ServicePrincipal,
    Group,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum AuthMethod {
    #[serde(rename = "LAKEBASE_OAUTH_V1")]
    Token,
    #[serde(rename = "PG_PASSWORD_SCRAM_SHA_256")]
    Password,
    #[serde(rename = "NO_LOGIN")]
    NoLogin,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct DatabaseSpec {
    /// Resource name of the role that owns it.
    pub(crate) role: String,
    /// Its name in Postgres.
    pub(crate) postgres_database: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct SnapshotSpec {
    pub(crate) source_branch: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) source_branch_lsn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) source_branch_time: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) expire_time: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ttl: Option<Seconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) no_expiry: Option<bool>,
}

/// One cadence of a branch's snapshot schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cadence {
    pub(crate) retention: Option<Seconds>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) daily_schedule: Option<Daily>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) weekly_schedule: Option<Weekly>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) monthly_schedule: Option<Monthly>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Daily {
    pub(crate) hour: i64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Weekly {
    pub(crate) day_of_week: String,
    pub(crate) hour: i64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Monthly {
    pub(crate) day: i64,
    pub(crate) hour: i64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct CatalogSpec {
    pub(crate) postgres_database: String,
    pub(crate) branch: String,
    pub(crate) create_database_if_missing: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct CdfSpec {
    pub(crate) catalog: String,
    pub(crate) schema: String,
    pub(crate) postgres_schema: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct SyncedTableSpec {
    pub(crate) source_table_full_name: String,
    pub(crate) branch: String,
    pub(crate) postgres_database: String,
    pub(crate) primary_key_columns: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) timeseries_key: Option<String>,
    pub(crate) scheduling_policy: SchedulingPolicy,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) create_database_objects_if_missing: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) existing_pipeline_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) new_pipeline_spec: Option<serde_json::Value>,
    pub(crate) type_overrides: Vec<TypeOverride>,
    pub(crate) extra_columns: Vec<ExtraColumn>,
    pub(crate) accelerated_sync: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum SchedulingPolicy {
    #[default]
    Snapshot,
    Triggered,
    Continuous,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct TypeOverride {
    pub(crate) column_name: String,
    pub(crate) pg_type: String,
    pub(crate) size: Option<i64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ExtraColumn {
    pub(crate) column_name: String,
    pub(crate) column_type: String,
    pub(crate) compute: Option<String>,
    pub(crate) maintenance: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::Seconds;

    #[test]
    fn durations_are_decimal_seconds() {
        for (text, seconds) in [
            ("600s", 600),
            ("3600.250s", 3601),
            ("600.0s", 600),
            ("-5s", -5),
        ] {
            assert_eq!(Seconds::read(text), Some(Seconds(seconds)), "{text}");
        }
        for bad in [
            "600",
            "1h",
            "s",
            "6e2s",
            " 600s",
            "600 s",
            "1.s",
            ".5s",
            "0.1234567890s",
            "infs",
            "--5s",
        ] {
            assert_eq!(Seconds::read(bad), None, "{bad}");
        }
    }
}
