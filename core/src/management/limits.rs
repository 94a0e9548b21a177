//! Values that the service will probably refuse: said in the log before they are sent.
//!
//! The service's own refusals often have no words for a limit. What is written of limits disagrees, though, and they are
//! raised without notice, so nothing is refused here.

use std::sync::OnceLock;

use serde::Deserialize;
use serde_json::Value;

use super::Object;
use super::wire::from_seconds;
use crate::name::shorten;

#[derive(Deserialize)]
struct Limits {
    ids: Vec<Ids>,
    ranges: Vec<Range>,
    spread: Spread,
    ttl: Vec<Ttl>,
}

#[derive(Deserialize)]
struct Ids {
    arguments: Vec<String>,
    /// What an id may hold beside lower-case letters and digits.
    also: char,
    longest: usize,
}

#[derive(Deserialize)]
struct Range {
    field: String,
    least: f64,
    most: Option<f64>,
}

#[derive(Deserialize)]
struct Spread {
    least: String,
    most: String,
    at_most: f64,
}

#[derive(Deserialize)]
struct Ttl {
    method: String,
    least: f64,
    most: f64,
}

fn limits() -> Option<&'static Limits> {
    static LIMITS: OnceLock<Option<Limits>> = OnceLock::new();
    LIMITS
        .get_or_init(|| serde_json::from_str(include_str!("../../api/limits.json")).ok())
        .as_ref()
}

/// What is doubtful about a method's arguments, in sentences.
pub(super) fn doubts(method: &str, arguments: &Object) -> Vec<String> {
    let mut doubts = Vec::new();
    let Some(limits) = limits() else {
        return doubts;
    };
    for ids in &limits.ids {
        for name in &ids.arguments {
            let id = arguments.get(name).and_then(Value::as_str);
            // A project may be given by its name where its id is asked for.
            let id = id.map(|id| id.strip_prefix("projects/").unwrap_or(id));
            if let Some(id) = id.filter(|id| !ids.fits(id)) {
                doubts.push(format!(
                    "{name} {:?}: ids begin with a lower-case letter and hold letters, digits and '{}', {} at most",
                    shorten(id),
                    ids.also,
                    ids.longest
                ));
            }
        }
    }
    limits.look(method, arguments, &mut doubts);
    doubts
}

impl Limits {
    fn look(&self, method: &str, object: &Object, doubts: &mut Vec<String>) {
        for (name, value) in object {
            match value {
                Value::Object(inner) => self.look(method, inner, doubts),
                Value::Array(items) => {
                    for inner in items.iter().filter_map(Value::as_object) {
                        self.look(method, inner, doubts);
                    }
                }
                _ => {
                    let ttl = |ttl: &&Ttl| name == "ttl" && ttl.method == method;
                    let of_ttl = self
                        .ttl
                        .iter()
                        .find(ttl)
                        .map(|ttl| (ttl.least, Some(ttl.most)));
                    let range = self.ranges.iter().find(|range| range.field == *name);
                    let range = range.map(|range| (range.least, range.most)).or(of_ttl);
                    if let (Some((least, most)), Some(number)) = (range, number(value))
                        && (number < least || most.is_some_and(|most| number > most))
                    {
                        let most =
                            most.map_or(String::new(), |most| format!(" and at most {most}"));
                        doubts.push(format!("{name} {number}: at least {least}{most}"));
                    }
                }
            }
        }
        let limit = |name: &str| object.get(name).and_then(number);
        if let (Some(least), Some(most)) = (limit(&self.spread.least), limit(&self.spread.most))
            && most - least > self.spread.at_most
        {
            doubts.push(format!(
                "{} {most} is more than {} above {} {least}",
                self.spread.most, self.spread.at_most, self.spread.least
            ));
        }
    }
}

impl Ids {
    fn fits(&self, id: &str) -> bool {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        id.len() <= self.longest
            && id.starts_with(|first: char| first.is_ascii_lowercase())
            && id.chars().all(|c| plain(c) || c == self.also)
    }
}

/// A number, or the seconds of a duration.
fn number(value: &Value) -> Option<f64> {
    let seconds = || Some(from_seconds(value.as_str()?)?.as_secs_f64());
    value.as_f64().or_else(seconds)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::{Value, json};

    use super::{doubts, limits};

    #[test]
    fn the_facts_can_be_read() {
        assert!(limits().is_some());
    }

    #[test]
    fn what_is_within_all_limits_is_not_doubted_and_what_is_not_is() {
        for (method, arguments, words) in [
            (
                "create_branch",
                json!({"branch_id": "ci-42", "branch": {"spec": {"ttl": "3600s"}}}),
                None,
            ),
            (
                "get_project_permissions",
                json!({"project_id": "projects/shop"}),
                None,
            ),
            (
                "create_branch",
                json!({"branch_id": "CI 42"}),
                Some("branch_id \"CI 42\""),
            ),
            (
                "create_branch",
                json!({"branch": {"spec": {"ttl": "99999999s"}}}),
                Some("ttl 99999999: at least 1 and at most 2592000"),
            ),
            (
                "create_snapshot",
                json!({"snapshot": {"spec": {"ttl": "99999999s"}}}),
                None,
            ),
            (
                "generate_database_credential",
                json!({"ttl": "60s"}),
                Some("ttl 60: at least 300"),
            ),
            (
                "create_endpoint",
                json!({"endpoint": {"spec": {"autoscaling_limit_min_cu": 1, "autoscaling_limit_max_cu": 17}}}),
                None,
            ),
            (
                "create_endpoint",
                json!({"endpoint": {"spec": {"autoscaling_limit_min_cu": 1, "autoscaling_limit_max_cu": 18}}}),
                Some("more than 16 above"),
            ),
            (
                "update_endpoint",
                json!({"endpoint": {"spec": {"suspend_timeout_duration": "10s"}}}),
                Some("suspend_timeout_duration 10"),
            ),
            (
                "update_project",
                json!({"project": {"spec": {"default_endpoint_settings": {"autoscaling_limit_min_cu": 0.25}}}}),
                Some("0.25: at least 0.5"),
            ),
            (
                "update_snapshot_schedule",
                json!({"snapshot_schedule": {"schedule": [{"retention": "60s"}]}}),
                Some("retention 60: at least 3600"),
            ),
            (
                "create_cdf_config",
                json!({"cdf_config_id": "my_feed"}),
                None,
            ),
        ] {
            let Value::Object(arguments) = arguments else {
                panic!("no object")
            };
            let doubts = doubts(method, &arguments);
            match words {
                None => assert!(doubts.is_empty(), "{doubts:?}"),
                Some(words) => {
                    assert!(doubts.len() == 1 && doubts[0].contains(words), "{doubts:?}");
                }
            }
        }
    }
}
