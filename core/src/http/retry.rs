//! When to try again, and how long to wait.
//!
//! Full jitter, so that a fleet that was refused together does not come back together; and what the server asks for
//! with `Retry-After` is a floor, never a suggestion.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};

use crate::clock::millis;
use crate::code::Code;
use crate::jitter::Dice;

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(8);
/// Whoever does not answer six times in a row will not answer the seventh time either.
const MOST_ATTEMPTS: u32 = 6;
/// A name that does not exist stays so; a resolver that hiccuped has one more chance.
const MOST_LOOKUPS: u32 = 2;

/// How often to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// One HTTP attempt: the rotation machine does its own retrying.
    Once,
    /// One attempt of the call itself, with patience for the identity before it: what must not be done twice.
    NotTwice,
    /// Until the deadline (30 s at most): 429, 502, 503, 504, failed connections and attempts that timed out.
    WithinDeadline,
}

/// What an attempt ended with.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Outcome {
    Status(u16),
    Failed(Code),
}

impl Retry {
    /// How often to try what comes before the call itself: the identity and its token.
    pub(crate) fn of_identity(self) -> Retry {
        match self {
            Retry::Once => Retry::Once,
            Retry::NotTwice | Retry::WithinDeadline => Retry::WithinDeadline,
        }
    }

    /// Whether attempt number `attempt` (from 1) may be followed by another.
    pub(crate) fn goes_on(self, attempt: u32, outcome: Outcome) -> bool {
        let passing = match outcome {
            Outcome::Status(status) => matches!(status, 429 | 502 | 503 | 504),
            Outcome::Failed(Code::HttpDns) => attempt < MOST_LOOKUPS,
            Outcome::Failed(code) => matches!(
                code,
                Code::HttpConnect | Code::HttpTimeout | Code::HttpProxy
            ),
        };
        self == Retry::WithinDeadline && passing && attempt < MOST_ATTEMPTS
    }
}

/// The wait after attempt number `attempt` (from 1), before what the server asked for.
pub(crate) fn backoff(attempt: u32, dice: &dyn Dice) -> Duration {
    let ceiling = FIRST
        .saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1)))
        .min(LONGEST);
    ceiling.mul_f64(dice.unit().clamp(0.0, 1.0))
}

/// What `Retry-After` asks for, in seconds or as a date. A date counts from the server's own `Date`, if it gave one.
pub(crate) fn retry_after(headers: &HeaderMap, wall_ms: u64) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u32>() {
        return Some(Duration::from_secs(seconds.into()));
    }
    let until = http_date(text)?;
    let now = date_ms(headers).unwrap_or(wall_ms);
    Some(Duration::from_millis(until.saturating_sub(now)))
}

/// The server's own time, in milliseconds since 1970.
pub(crate) fn date_ms(headers: &HeaderMap) -> Option<u64> {
    http_date(headers.get(DATE)?.to_str().ok()?)
}

fn http_date(text: &str) -> Option<u64> {
    let time: SystemTime = httpdate::parse_http_date(text.trim()).ok()?;
    time.duration_since(UNIX_EPOCH).ok().map(millis)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Duration;

    use http::{HeaderMap, HeaderName, HeaderValue};

    use super::{Outcome, Retry, backoff, retry_after};
    use crate::code::Code;
    use crate::jitter::FixedDice;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect()
    }

    #[test]
    fn retry_after_in_every_form() {
        let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        for (text, wait) in [
            ("7", Some(7)),
            (" 0 ", Some(0)),
            ("Sun, 06 Nov 1994 08:49:47 GMT", Some(10)),
            ("Sunday, 06-Nov-94 08:49:47 GMT", Some(10)),
            ("Sun Nov  6 08:49:47 1994", Some(10)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("-1", None),
            ("soon", None),
            ("99999999999999", None),
        ] {
            assert_eq!(
                retry_after(&headers(&[("retry-after", text), date]), 0),
                wait.map(Duration::from_secs),
                "{text}"
            );
        }
        let without_date = headers(&[("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT")]);
        assert_eq!(
            retry_after(&without_date, 784_111_770_000),
            Some(Duration::from_secs(7)),
            "then the local clock has to do"
        );
    }

    #[test]
    fn waits_double_up_to_a_ceiling_and_are_jittered_over_their_whole_length() {
        let at_most: Vec<u128> = (1..8)
            .map(|n| backoff(n, &FixedDice(1.0)).as_millis())
            .collect();
        assert_eq!(at_most, [500, 1000, 2000, 4000, 8000, 8000, 8000]);
        assert_eq!(backoff(5, &FixedDice(0.0)), Duration::ZERO);
    }

    #[test]
    fn what_is_tried_again() {
        let again = |outcome| Retry::WithinDeadline.goes_on(1, outcome);
        for status in [429, 502, 503, 504] {
            assert!(again(Outcome::Status(status)), "{status}");
            assert!(!Retry::Once.goes_on(1, Outcome::Status(status)));
        }
        for status in [200, 302, 400, 401, 403, 404, 409, 500, 501] {
            assert!(!again(Outcome::Status(status)), "{status}");
        }
        assert!(again(Outcome::Failed(Code::HttpConnect)));
        assert!(again(Outcome::Failed(Code::HttpDns)));
        assert!(!Retry::WithinDeadline.goes_on(2, Outcome::Failed(Code::HttpDns)));
        assert!(
            !again(Outcome::Failed(Code::HttpTls)),
            "an untrusted certificate stays so"
        );
        assert!(!Retry::WithinDeadline.goes_on(6, Outcome::Status(503)));
    }
}
