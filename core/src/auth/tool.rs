//! What the two command line tools have in common: how their failures and their answers are read.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::Value;

use crate::auth::process::{Ended, Process, Program};
use crate::clock::Deadline;
use crate::code::Code;
use crate::config::Environment;
use crate::error::{Error, Result};
use crate::http::{Wire, tidy};

/// No call of a tool takes longer.
const LIMIT: Duration = Duration::from_secs(30);

/// A tool, found.
#[derive(Clone, Debug)]
pub(crate) struct Tool {
    pub(crate) file: std::path::PathBuf,
    pub(crate) environment: Arc<Environment>,
    pub(crate) process: Arc<dyn Process>,
    pub(crate) wire: Wire,
}

impl Tool {
    pub(crate) async fn run(
        &self,
        arguments: &[&str],
        limit: Duration,
        deadline: Deadline,
    ) -> Result<Ended> {
        let program = Program {
            file: self.file.clone(),
            arguments: arguments.iter().map(|text| (*text).to_owned()).collect(),
            environment: Arc::clone(&self.environment),
        };
        let limit = limit.min(LIMIT).min(deadline.left(&*self.wire.clock));
        self.process.run(program, limit).await
    }

    /// What the tool complained about, fit to be shown.
    pub(crate) fn complaint(&self, ended: &Ended) -> String {
        let text = String::from_utf8_lossy(&ended.stderr);
        let text = tidy(&text, &self.wire.secrets);
        let text = text
            .strip_prefix("Error: ")
            .or_else(|| text.strip_prefix("ERROR: "))
            .unwrap_or(&text);
        if text.is_empty() {
            "it failed and said nothing".to_owned()
        } else {
            text.to_owned()
        }
    }

    /// How long a token lives that ends at `end`.
    pub(crate) fn until(&self, end: Timestamp) -> Duration {
        let end = u64::try_from(end.as_millisecond()).unwrap_or(0);
        Duration::from_millis(end.saturating_sub(self.wire.clock.now().wall_ms))
    }
}

/// A caller could not wait until the tool was done.
pub(crate) fn late(command: &str, allowed: Duration) -> Error {
    Error::new(
        Code::Timeout,
        format!(
            "`{command}` gave no token within {} ms",
            allowed.as_millis()
        ),
    )
    .with_hint(format!(
        "Run `{command}` yourself to see what it waits for, or allow more time"
    ))
}

/// An instant as tools write it: RFC 3339, or without a zone, which then is `zone`. More than nine digits of a fraction
/// are no instant.
pub(crate) fn instant(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    let text = text.trim();
    text.parse::<Timestamp>().ok().or_else(|| {
        let civil: DateTime = text.parse().ok()?;
        Some(civil.to_zoned(zone.clone()).ok()?.timestamp())
    })
}

/// The JSON object that a tool printed.
pub(crate) fn printed(ended: &Ended) -> Option<Value> {
    serde_json::from_slice(&ended.stdout)
        .ok()
        .filter(Value::is_object)
}

/// A text field that is not empty.
pub(crate) fn field<'a>(body: &'a Value, name: &str) -> Option<&'a str> {
    body.get(name)?.as_str().filter(|text| !text.is_empty())
}
