//! `POST /api/2.0/postgres/credentials`: mints a database credential.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::answer::{Answer, ApiError};
use super::route::{Target, Verb};
use super::{Call, find, permissions, schema};
use crate::state::Lakebase;
use crate::state::identity::Principal;
use crate::state::kind::Kind;
use crate::state::model::Level;
use crate::state::spec::Seconds;

const SHORTEST_S: i64 = 300;
const LONGEST_S: i64 = 3600;

pub(crate) fn mint(
    lakebase: &Lakebase,
    caller: &Principal,
    call: &Call,
) -> Result<Answer, ApiError> {
    let request = schema::parse(&call.body)?;
    let endpoint = text(&request, "endpoint")?
        .filter(|name| !name.is_empty())
        .ok_or_else(|| ApiError::missing("endpoint"))?;
    let Target::Resource(Verb::Get, Kind::Endpoint, ids) =
        Target::of("GET", &format!("/api/2.0/postgres/{endpoint}"))
    else {
        return Err(ApiError::not_found("resource not found"));
    };
    {
        let all = lakebase.view();
        let [p, b, e] = [&ids[0], &ids[1], &ids[2]];
        find::endpoint(&all, p, b, e)?;
        permissions::may(&all, caller, &ids, Kind::Endpoint, Level::CanUse)?;
    }
    check_claims(&request["claims"])?;
    let ttl_s = ttl(lakebase, &request)?;
    let (token, end) = lakebase.mint(caller.user_name, endpoint, ttl_s, &request["claims"])?;
    Ok(Answer::ok(&json!({"token": token, "expire_time": end})))
}

/// How long the credential is to live: what was asked for, within the service's limits unless the admin lifted them.
fn ttl(lakebase: &Lakebase, request: &Value) -> Result<i64, ApiError> {
    let knob = lakebase.tokens.knobs().ttl_s;
    let (field, asked) = match (text(request, "ttl")?, text(request, "expire_time")?) {
        (Some(_), Some(_)) => {
            return Err(ApiError::invalid(
                "At most one of 'ttl' and 'expire_time' may be given.",
            ));
        }
        (None, None) => return Ok(knob.unwrap_or(LONGEST_S)),
        (Some(ttl), None) => (
            "ttl",
            Seconds::read(ttl).map(|ttl| ttl.0).ok_or_else(|| {
                ApiError::invalid(format!(
                    "Field 'ttl' must be a duration in seconds such as \"600s\", got '{ttl}'."
                ))
            })?,
        ),
        (None, Some(end)) => {
            let end: Timestamp = end.parse().map_err(|_| {
                let form = "a time such as \"2026-01-31T12:00:00Z\"";
                ApiError::invalid(format!("Field 'expire_time' must be {form}, got '{end}'."))
            })?;
            (
                "expire_time",
                end.as_second() - lakebase.clock.now().as_second(),
            )
        }
    };
    if knob.is_none() && !(SHORTEST_S..=LONGEST_S).contains(&asked) {
        return Err(ApiError::invalid(format!(
            "Field '{field}' must be between {SHORTEST_S} and {LONGEST_S} seconds from now, got {asked} seconds."
        )));
    }
    Ok(asked)
}

fn check_claims(claims: &Value) -> Result<(), ApiError> {
    let wrong = |what: &str| ApiError::invalid(format!("Field 'claims' {what}."));
    let claims = match claims {
        Value::Null => return Ok(()),
        Value::Array(claims) => claims,
        _ => return Err(wrong("must be a list")),
    };
    for claim in claims {
        match claim["permission_set"].as_str() {
            Some("READ_ONLY" | "PERMISSION_SET_UNSPECIFIED") => {}
            None if claim["permission_set"].is_null() && claim.is_object() => {}
            _ => return Err(wrong("has a permission_set other than READ_ONLY")),
        }
        match &claim["resources"] {
            Value::Null => {}
            Value::Array(resources)
                if resources
                    .iter()
                    .all(|resource| resource["table_name"].is_string()) => {}
            _ => {
                return Err(wrong(
                    "has resources that are not a list of {\"table_name\": ..}",
                ));
            }
        }
    }
    Ok(())
}

fn text<'a>(request: &'a Value, field: &str) -> Result<Option<&'a str>, ApiError> {
    match &request[field] {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        _ => Err(ApiError::invalid(format!(
            "Field '{field}' must be a string."
        ))),
    }
}
