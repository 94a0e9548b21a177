//! Lists in pages. A token names the last id that was shown, so that a list that changes between two pages neither
//! repeats nor loses what was there all along.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::Call;
use super::answer::{Answer, ApiError};

const DEFAULT: usize = 100;

/// The page of `all` (oldest first) that the call asks for, under the key `field`. Only what is on it is rendered.
pub(crate) fn of<'a, T: 'a>(
    call: &Call,
    field: &str,
    largest: Option<usize>,
    all: impl Iterator<Item = &'a T> + Clone,
    id: impl Fn(&T) -> &str,
    show: impl Fn(&'a T) -> Value,
) -> Result<Answer, ApiError> {
    let size = size(call, largest)?;
    let start = match after(call, field)? {
        None => 0,
        // A token whose resource is gone starts over rather than hide what is left.
        Some(after) => all
            .clone()
            .position(|item| id(item) == after)
            .map_or(0, |at| at + 1),
    };
    let mut left = all.skip(start).peekable();
    let mut shown = Vec::new();
    let mut last = "";
    while shown.len() < size {
        let Some(item) = left.next() else { break };
        shown.push(show(item));
        if left.peek().is_none() {
            last = "";
        } else if shown.len() == size {
            last = id(item);
        }
    }
    let mut body = json!({});
    if !shown.is_empty() {
        body[field] = Value::Array(shown);
    }
    if !last.is_empty() {
        body["next_page_token"] = json!(URL_SAFE_NO_PAD.encode(format!("{field}:{last}")));
    }
    Ok(Answer::ok(&body))
}

fn size(call: &Call, largest: Option<usize>) -> Result<usize, ApiError> {
    let Some(text) = call.query("page_size").filter(|text| !text.is_empty()) else {
        return Ok(DEFAULT);
    };
    let number: i64 = text.parse().map_err(|_| {
        ApiError::invalid(format!("Field 'page_size' must be a number, got '{text}'."))
    })?;
    let size = usize::try_from(number).map_err(|_| {
        ApiError::invalid(format!(
            "Field 'page_size' must not be negative, got {number}."
        ))
    })?;
    if let Some(largest) = largest.filter(|largest| size > *largest) {
        return Err(ApiError::invalid(format!(
            "Field 'page_size' must be at most {largest}, got {size}."
        )));
    }
    Ok(if size == 0 { DEFAULT } else { size })
}

fn after(call: &Call, field: &str) -> Result<Option<String>, ApiError> {
    let Some(token) = call.query("page_token").filter(|token| !token.is_empty()) else {
        return Ok(None);
    };
    let after = URL_SAFE_NO_PAD
        .decode(&token)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .and_then(|text| {
            text.strip_prefix(field)?
                .strip_prefix(':')
                .map(str::to_owned)
        });
    after.map(Some).ok_or_else(|| {
        ApiError::invalid("Field 'page_token' is not a token that this list gave out.")
    })
}
