//! Reading refusals: Databricks, API 1.2, SCIM, OAuth, Entra, HTML, plain text or nothing at all.
//!
//! What a server writes is shown to people, so it is cut to a sensible length, freed of control characters, and of
//! every secret we know: servers and proxies do echo what they were sent.

use serde_json::Value;

use crate::code::Code;
use crate::error::Error;
use crate::http::retry::retry_after;
use crate::http::transport::Response;
use crate::secret::Secret;

const LONGEST_TEXT: usize = 600;
const UNKNOWN_TOKEN: &str = "Invalid access token";

/// What was asked of whom, for messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    /// `GET /api/2.0/postgres/...`, without the query.
    pub(crate) what: &'a str,
    /// Whom: host and port.
    pub(crate) host: &'a str,
    /// What must not be shown.
    pub(crate) secrets: &'a [Secret],
    /// The local wall clock.
    pub(crate) wall_ms: u64,
}

#[derive(Debug, Default)]
struct Said {
    code: Option<String>,
    details: Vec<Value>,
    text: Option<String>,
    request_id: Option<String>,
    retry_after_ms: Option<u64>,
}

/// Turns an answer that is no success into an error.
pub(crate) fn refusal(asked: Asked<'_>, response: &Response) -> Error {
    let said = read(&response.body);
    let request_id = said.request_id.clone().or_else(|| request_id(response));
    let wait = retry_after(&response.headers, asked.wall_ms)
        .or_else(|| said.retry_after_ms.map(std::time::Duration::from_millis));
    let mut message = format!(
        "{} answered {} with {}",
        asked.host, asked.what, response.status
    );
    if let Some(code) = &said.code {
        message = format!("{message} {}", tidy(code, asked.secrets));
    }
    if let Some(text) = &said.text {
        let text = tidy(text, asked.secrets);
        // The hint begins a sentence of its own behind it.
        let text = text.strip_suffix('.').unwrap_or(&text);
        message = format!("{message}: {text}");
    }
    let code = match code_for(response.status, said.code.as_deref()) {
        // A personal access token that is unknown gets the same code as a missing permission, and another remedy.
        Code::ApiPermissionDenied
            if said
                .text
                .as_deref()
                .is_some_and(|text| text.starts_with(UNKNOWN_TOKEN)) =>
        {
            Code::AuthDenied
        }
        code => code,
    };
    let error = Error::new(code, message)
        .with_api(
            said.code.map(|code| tidy(&code, asked.secrets)),
            said.details
                .into_iter()
                .map(|detail| tidied(detail, asked.secrets))
                .collect(),
        )
        .with_http(
            response.status,
            request_id.map(|id| tidy(&id, asked.secrets)),
        )
        .with_retry_after(wait);
    match hint(response.status, code) {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}

/// The server's id of a request, as far as headers tell.
pub(crate) fn request_id(response: &Response) -> Option<String> {
    ["x-request-id", "x-databricks-request-id"]
        .iter()
        .find_map(|name| response.headers.get(*name)?.to_str().ok())
        .map(str::to_owned)
}

/// Text of others, fit to be shown: one line, bounded, without the secrets we know.
pub(crate) fn tidy(text: &str, secrets: &[Secret]) -> String {
    let mut out = text.to_owned();
    for secret in secrets {
        if secret.expose().len() >= 4 {
            out = out.replace(secret.expose(), "***");
        }
    }
    let out = out
        .split(|c: char| c.is_control() || c.is_whitespace())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    match out.char_indices().nth(LONGEST_TEXT) {
        Some((end, _)) => format!("{}...", &out[..end]),
        None => out,
    }
}

/// A detail of others, each of its texts fit to be shown.
pub(crate) fn tidied(detail: Value, secrets: &[Secret]) -> Value {
    match detail {
        Value::String(text) => Value::String(tidy(&text, secrets)),
        Value::Array(items) => items
            .into_iter()
            .map(|item| tidied(item, secrets))
            .collect(),
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, field)| (name, tidied(field, secrets)))
            .collect(),
        other => other,
    }
}

fn code_for(status: u16, said: Option<&str>) -> Code {
    match said {
        _ if status == 401 => Code::AuthDenied,
        Some("UNAUTHENTICATED") => Code::AuthDenied,
        Some("PERMISSION_DENIED") => Code::ApiPermissionDenied,
        Some("NOT_FOUND" | "RESOURCE_DOES_NOT_EXIST") => Code::ApiNotFound,
        Some("ABORTED" | "ALREADY_EXISTS" | "RESOURCE_ALREADY_EXISTS" | "RESOURCE_CONFLICT") => {
            Code::ApiConflict
        }
        Some("RESOURCE_EXHAUSTED" | "REQUEST_LIMIT_EXCEEDED") => Code::ApiRateLimited,
        _ => match status {
            400 => Code::ApiBadRequest,
            403 => Code::ApiPermissionDenied,
            404 => Code::ApiNotFound,
            409 => Code::ApiConflict,
            429 => Code::ApiRateLimited,
            501 => Code::ApiError,
            500..=599 => Code::ApiUnavailable,
            300..=399 => Code::HttpProtocol,
            _ => Code::ApiError,
        },
    }
}

fn hint(status: u16, code: Code) -> Option<&'static str> {
    match (status, code) {
        (_, Code::AuthDenied) => {
            Some("The token was not accepted: it may be expired, revoked or of another workspace")
        }
        (_, Code::ApiPermissionDenied) => Some(
            "Ask the owner of the Lakebase project for CAN_USE (or CAN_MANAGE) for this identity",
        ),
        (_, Code::ApiNotFound) => {
            Some("Check the name; what this identity may not see is reported as missing too")
        }
        (300..=399, _) => Some(
            "Check DATABRICKS_HOST; a host that serves several workspaces needs DATABRICKS_WORKSPACE_ID",
        ),
        _ => None,
    }
}

fn read(body: &[u8]) -> Said {
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    if let Ok(Value::Object(body)) = serde_json::from_str(text) {
        return from_json(&body);
    }
    if text.is_empty() {
        return Said::default();
    }
    if text.starts_with('<') {
        let inside = ["pre", "title", "h1"]
            .iter()
            .find_map(|tag| between(text, tag));
        return Said {
            text: Some(inside.map_or_else(
                || "an HTML page".to_owned(),
                |inside| format!("an HTML page: {inside}"),
            )),
            ..Said::default()
        };
    }
    match text.split_once(": ") {
        Some((code, rest)) if is_code(code) => Said {
            code: Some(code.to_owned()),
            text: Some(rest.to_owned()),
            ..Said::default()
        },
        _ => Said {
            text: Some(text.to_owned()),
            ..Said::default()
        },
    }
}

fn from_json(body: &serde_json::Map<String, Value>) -> Said {
    let text = |names: &[&str]| {
        names.iter().find_map(|name| match body.get(*name) {
            Some(Value::String(text)) if !text.is_empty() => Some(text.clone()),
            Some(Value::Number(number)) => Some(number.to_string()),
            _ => None,
        })
    };
    // OAuth puts a code into `error`, API 1.2 a sentence.
    let error = text(&["error"]);
    let described = text(&["error_description", "errorSummary"]);
    let (error_code, error_text) = match error {
        Some(error) if described.is_some() || is_oauth_code(&error) => (Some(error), None),
        other => (None, other),
    };
    let mut said = Said {
        code: text(&["error_code", "errorCode"])
            .or(error_code)
            .or_else(|| text(&["scimType"])),
        text: text(&["message"])
            .or(described.map(|text| entra(&text, body)))
            .or_else(|| text(&["detail"]))
            .or(error_text),
        ..Said::default()
    };
    if let Some(Value::Array(details)) = body.get("details") {
        said.details.clone_from(details);
    }
    for detail in &said.details {
        let kind = detail
            .get("@type")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let field = |name: &str| detail.get(name).and_then(Value::as_str);
        if kind.ends_with("RequestInfo") {
            said.request_id = field("request_id").map(str::to_owned);
        } else if kind.ends_with("RetryInfo") {
            said.retry_after_ms = field("retry_delay").and_then(seconds);
        }
    }
    said
}

/// Entra appends trace ids and times that help nobody but its support.
fn entra(text: &str, body: &serde_json::Map<String, Value>) -> String {
    let short = text.split(". Trace ID").next().unwrap_or(text);
    let short = short.split("\r\nTrace ID").next().unwrap_or(short);
    match body.get("error_uri").and_then(Value::as_str) {
        Some(uri) => format!("{short}. See {uri}"),
        None => short.to_owned(),
    }
}

fn seconds(text: &str) -> Option<u64> {
    let seconds: f64 = text.strip_suffix('s')?.parse().ok()?;
    let wait = std::time::Duration::try_from_secs_f64(seconds).ok()?;
    Some(crate::clock::millis(wait))
}

fn is_code(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte == b'_')
}

fn is_oauth_code(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

fn between<'t>(html: &'t str, tag: &str) -> Option<&'t str> {
    let (_, rest) = html.split_once(&format!("<{tag}>"))?;
    let (inside, _) = rest.split_once(&format!("</{tag}>"))?;
    Some(inside.trim()).filter(|inside| !inside.is_empty())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Duration;

    use http::HeaderMap;

    use super::{Asked, refusal};
    use crate::code::Code;
    use crate::error::Error;
    use crate::http::transport::Response;
    use crate::secret::Secret;

    fn refused(status: u16, body: &str) -> Error {
        let secrets = [Secret::new("planted-secret")];
        let asked = Asked {
            what: "GET /x",
            host: "w.example.com",
            secrets: &secrets,
            wall_ms: 0,
        };
        let mut headers = HeaderMap::new();
        headers.insert("x-request-id", "from-header".parse().unwrap());
        refusal(
            asked,
            &Response {
                status,
                headers,
                body: body.as_bytes().to_vec(),
            },
        )
    }

    #[test]
    fn every_known_shape_of_a_refusal_gives_its_code_and_words() {
        for (status, body, code, words) in [
            (
                404,
                r#"{"error_code":"NOT_FOUND","message":"project id not found [TraceId: 0a]"}"#,
                Code::ApiNotFound,
                "404 NOT_FOUND: project id not found",
            ),
            (
                400,
                r#"{"error_code":"RESOURCE_ALREADY_EXISTS","message":"there"}"#,
                Code::ApiConflict,
                "there",
            ),
            (
                400,
                r#"{"error_code":"INVALID_PARAMETER_VALUE","message":"ttl"}"#,
                Code::ApiBadRequest,
                "INVALID_PARAMETER_VALUE: ttl",
            ),
            (
                429,
                r#"{"error_code":"RESOURCE_EXHAUSTED","message":"Too many requests"}"#,
                Code::ApiRateLimited,
                "Too many",
            ),
            (
                403,
                r#"{"error_code":"PERMISSION_DENIED","message":"Invalid access token."}"#,
                Code::AuthDenied,
                "Invalid access token",
            ),
            (
                403,
                r#"{"error":"sentence of API 1.2"}"#,
                Code::ApiPermissionDenied,
                "403: sentence of API 1.2",
            ),
            (
                403,
                r#"{"detail":"no","status":"403","scimType":"mutability"}"#,
                Code::ApiPermissionDenied,
                "mutability: no",
            ),
            (
                401,
                r#"{"error":"invalid_client","error_description":"Client authentication failed"}"#,
                Code::AuthDenied,
                "invalid_client: Client authentication failed",
            ),
            (
                401,
                r#"{"errorCode":"e","errorSummary":"s"}"#,
                Code::AuthDenied,
                "401 e: s",
            ),
            (
                400,
                r#"{"error":"invalid_request"}"#,
                Code::ApiBadRequest,
                "400 invalid_request",
            ),
            (
                401,
                r#"{"error":"unauthorized_client","error_description":"AADSTS7000215: Invalid. Trace ID: 1 Timestamp: 2","error_uri":"https://e/7"}"#,
                Code::AuthDenied,
                "AADSTS7000215: Invalid. See https://e/7",
            ),
            (
                503,
                "<html><head><title>Service down</title></head></html>",
                Code::ApiUnavailable,
                "an HTML page: Service down",
            ),
            (
                500,
                "<html><pre>stack\ntrace</pre></html>",
                Code::ApiUnavailable,
                "stack trace",
            ),
            (
                400,
                "MALFORMED_REQUEST: no body",
                Code::ApiBadRequest,
                "MALFORMED_REQUEST: no body",
            ),
            (502, "", Code::ApiUnavailable, "answered GET /x with 502"),
            (418, "null", Code::ApiError, "418: null"),
            (302, "", Code::HttpProtocol, "302"),
        ] {
            let error = refused(status, body);
            assert_eq!(error.code(), code, "{body}: {error}");
            assert!(error.message().contains(words), "{body}: {error}");
            assert!(error.message().contains("w.example.com"), "{error}");
            assert_eq!(error.http_status(), Some(status));
            assert_eq!(error.request_id(), Some("from-header"));
        }
    }

    #[test]
    fn details_give_request_id_and_wait() {
        let error = refused(
            429,
            r#"{"error_code":"RESOURCE_EXHAUSTED","message":"m","details":[
                {"@type":"type.googleapis.com/google.rpc.RequestInfo","request_id":"from-body"},
                {"@type":"type.googleapis.com/google.rpc.RetryInfo","retry_delay":"3.5s"}]}"#,
        );
        assert_eq!(error.request_id(), Some("from-body"));
        assert_eq!(error.retry_after(), Some(Duration::from_millis(3500)));
    }

    #[test]
    fn people_learn_what_to_do() {
        for (status, words) in [
            (401, "expired, revoked"),
            (403, "CAN_USE"),
            (404, "Check the name"),
            (302, "DATABRICKS_WORKSPACE_ID"),
        ] {
            assert!(
                refused(status, "").hint().unwrap().contains(words),
                "{status}"
            );
        }
    }

    #[test]
    fn echoed_secrets_and_endless_texts_are_cut() {
        let error = refused(
            400,
            &format!("you sent planted-secret {}", "x".repeat(5000)),
        );
        assert!(!format!("{error} {error:?}").contains("planted-secret"));
        assert!(error.message().contains("you sent ***"));
        assert!(error.message().len() < 800);
    }
}
