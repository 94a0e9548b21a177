//! Asking an identity service for a token, and reading what it says.
//!
//! Token endpoints differ: numbers as text, forms instead of JSON, error bodies of five shapes. Answers are read
//! tolerantly; errors name the endpoint and what it said, never what it was sent. No redirect is followed, because a
//! secret must not be sent on to wherever a server points.

use std::collections::HashMap;
use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::Value;
use url::Url;

use crate::auth::token_cache::Fetched;
use crate::clock::Deadline;
use crate::code::Code;
use crate::error::{Error, Result};
use crate::http::transport::{Request, Response};
use crate::http::{Asked, Retry, Wire, date_ms, refusal};
use crate::jwt;
use crate::secret::Secret;

/// Sends a form, with HTTP Basic if there is a client secret, and reads the token.
pub(crate) async fn ask_for_token(
    wire: &Wire,
    endpoint: &Url,
    form: &[(&str, &str)],
    basic: Option<(&str, &Secret)>,
    deadline: Deadline,
    retry: Retry,
) -> Result<Fetched> {
    let response = post_form(wire, endpoint, form, basic, deadline, retry).await?;
    read_token(wire, endpoint, &response)
}

/// Sends a form, with HTTP Basic if there is a client secret, and gives the answer if it is a success.
pub(crate) async fn post_form(
    wire: &Wire,
    endpoint: &Url,
    form: &[(&str, &str)],
    basic: Option<(&str, &Secret)>,
    deadline: Deadline,
    retry: Retry,
) -> Result<Response> {
    let mut request = request(wire, Method::POST, endpoint.clone());
    request.headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/x-www-form-urlencoded"),
    );
    if let Some((id, secret)) = basic {
        request
            .headers
            .insert(AUTHORIZATION, basic_header(id, secret)?);
    }
    request.body = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form)
        .finish()
        .into_bytes();
    let response = wire.exchange(&request, deadline, retry).await?;
    if !(200..300).contains(&response.status) {
        return Err(refused(wire, &request, &response));
    }
    Ok(response)
}

/// Sends a request with headers of its own, follows no redirect, and gives the answer if it is a success.
pub(crate) async fn ask(
    wire: &Wire,
    method: Method,
    url: Url,
    headers: Vec<(HeaderName, HeaderValue)>,
    deadline: Deadline,
    retry: Retry,
) -> Result<Response> {
    let mut request = request(wire, method, url);
    request.follow_redirects = false;
    request.headers.extend(headers);
    let response = wire.exchange(&request, deadline, retry).await?;
    if !(200..300).contains(&response.status) {
        return Err(refused(wire, &request, &response));
    }
    Ok(response)
}

/// The JSON object of an answer.
pub(crate) fn object(url: &Url, response: &Response) -> Result<Value> {
    match serde_json::from_slice(&response.body) {
        Ok(body @ Value::Object(_)) => Ok(body),
        _ => Err(unusable(url, "the answer is no JSON object")),
    }
}

/// Entra ends its texts with ids that say nothing to their reader.
fn without_trace(message: &str) -> String {
    let end = message
        .find(". Trace ID")
        .or_else(|| message.find(" Trace ID"));
    message[..end.unwrap_or(message.len())].to_owned()
}

/// A request as every identity service gets it.
pub(crate) fn request(wire: &Wire, method: Method, url: Url) -> Request {
    let mut headers = HeaderMap::new();
    headers.insert(USER_AGENT, wire.user_agent.clone());
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    Request {
        follow_redirects: method == Method::GET,
        method,
        url,
        headers,
        body: Vec::new(),
    }
}

/// A refusal as an error of authentication.
pub(crate) fn refused(wire: &Wire, request: &Request, response: &Response) -> Error {
    let what = format!("{} {}", request.method, request.url.path());
    let read = refusal(
        Asked {
            what: &what,
            host: request.url.host_str().unwrap_or_default(),
            secrets: &wire.secrets,
            wall_ms: wire.clock.now().wall_ms,
        },
        response,
    );
    let code = match (response.status, &request.method) {
        (400 | 401 | 403, &Method::POST) => Code::AuthDenied,
        (429 | 500..=599, _) => read.code(),
        _ => Code::AuthFailed,
    };
    Error::new(code, without_trace(read.message()))
        .with_http(response.status, read.request_id().map(str::to_owned))
        .with_retry_after(read.retry_after())
}

/// The token in a successful answer.
pub(crate) fn read_token(wire: &Wire, endpoint: &Url, response: &Response) -> Result<Fetched> {
    let fields = fields_of(response)
        .ok_or_else(|| unusable(endpoint, "the answer is neither JSON nor a form"))?;
    let text = |name: &str| {
        fields
            .get(name)
            .map(String::as_str)
            .filter(|text| !text.is_empty())
    };
    let token = text("access_token")
        .ok_or_else(|| unusable(endpoint, "the answer holds no access_token"))?;
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(unusable(
            endpoint,
            "the token holds characters that no token has",
        ));
    }
    // Counted from the server's own time where it tells it, so that a wrong clock here does not matter.
    let now = date_ms(&response.headers).unwrap_or_else(|| wire.clock.now().wall_ms);
    let until = |end: u64| Duration::from_millis(end.saturating_sub(now));
    let lifetime = text("expires_in")
        .and_then(seconds)
        .or_else(|| {
            text("expires_on")
                .and_then(seconds)
                .map(|end| until(crate::clock::millis(end)))
        })
        .or_else(|| jwt::expires_at_ms(token).map(until));
    Ok(Fetched {
        token: Secret::new(token),
        scheme: scheme(text("token_type")),
        lifetime,
        headers: HeaderMap::new(),
    })
}

/// An answer that says nothing.
pub(crate) fn unusable(url: &Url, why: &str) -> Error {
    Error::new(
        Code::AuthFailed,
        format!(
            "{}{} cannot be used: {why}",
            url.host_str().unwrap_or_default(),
            url.path()
        ),
    )
    .with_hint("Check DATABRICKS_HOST, and what answers at that address")
}

fn basic_header(id: &str, secret: &Secret) -> Result<HeaderValue> {
    use base64::Engine;
    let pair = format!("{id}:{}", secret.expose());
    let encoded = base64::engine::general_purpose::STANDARD.encode(pair);
    let mut header = HeaderValue::from_str(&format!("Basic {encoded}"))
        .map_err(|_| Error::new(Code::Internal, "base64 is no header"))?;
    header.set_sensitive(true);
    Ok(header)
}

/// The fields of a token answer, JSON or form, numbers as text.
fn fields_of(response: &Response) -> Option<HashMap<String, String>> {
    let form = response
        .headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| {
            kind.to_ascii_lowercase()
                .starts_with("application/x-www-form-urlencoded")
        });
    if form {
        return Some(
            url::form_urlencoded::parse(&response.body)
                .into_owned()
                .collect(),
        );
    }
    let Ok(Value::Object(body)) = serde_json::from_slice(&response.body) else {
        return None;
    };
    let flat = body.into_iter().filter_map(|(name, value)| match value {
        Value::String(text) => Some((name, text)),
        Value::Number(number) => Some((name, number.to_string())),
        _ => None,
    });
    Some(flat.collect())
}

/// Seconds, whole or not.
pub(crate) fn seconds(text: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(text.trim().parse().ok()?).ok()
}

/// Any case of `bearer`, or none at all, is `Bearer`.
fn scheme(given: Option<&str>) -> String {
    match given {
        Some(other)
            if !other.eq_ignore_ascii_case("bearer")
                && other.bytes().all(|byte| byte.is_ascii_alphanumeric()) =>
        {
            other.to_owned()
        }
        _ => "Bearer".to_owned(),
    }
}
