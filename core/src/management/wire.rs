//! How values are written on the wire, where JSON alone does not say it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::secret::Secret;

/// An instant, as the service wrote it: RFC 3339. Kept as text, so that it goes back as it came.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(String);

impl Timestamp {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The instant; `None` if the text is no RFC 3339 timestamp, or of before 1970.
    pub fn to_system_time(&self) -> Option<SystemTime> {
        let time: jiff::Timestamp = self.0.parse().ok()?;
        let since: Duration = time.as_duration().try_into().ok()?;
        UNIX_EPOCH.checked_add(since)
    }

    /// Milliseconds since 1970.
    pub(crate) fn millis(&self) -> Option<u64> {
        let since = self.to_system_time()?.duration_since(UNIX_EPOCH).ok()?;
        Some(crate::clock::millis(since))
    }
}

impl From<&str> for Timestamp {
    fn from(text: &str) -> Timestamp {
        Timestamp(text.to_owned())
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Timestamp {
        let time = jiff::Timestamp::try_from(time).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        Timestamp(time.to_string())
    }
}

/// A duration in the API's form: decimal seconds and an `s`, with no more digits than it needs.
pub(crate) fn seconds(duration: Duration) -> String {
    let nanos = duration.subsec_nanos();
    if nanos == 0 {
        return format!("{}s", duration.as_secs());
    }
    let fraction = format!("{nanos:09}");
    format!("{}.{}s", duration.as_secs(), fraction.trim_end_matches('0'))
}

/// Reads the API's form of a duration.
pub(crate) fn from_seconds(text: &str) -> Option<Duration> {
    let (whole, fraction) = match text.strip_suffix('s')?.split_once('.') {
        Some((whole, fraction)) => (whole, fraction),
        None => (text.strip_suffix('s')?, ""),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || fraction.len() > 9 || !digits(whole) || !digits(fraction) {
        return None;
    }
    let nanos: u32 = format!("{fraction:0<9}").parse().ok()?;
    Some(Duration::new(whole.parse().ok()?, nanos))
}

/// Durations.
#[allow(clippy::ref_option, reason = "serde calls it so")]
pub(crate) mod duration {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(crate) fn serialize<S: Serializer>(
        value: &Option<Duration>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(duration) => to.serialize_str(&super::seconds(*duration)),
            None => to.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Duration>, D::Error> {
        let Some(text) = Option::<String>::deserialize(from)? else {
            return Ok(None);
        };
        super::from_seconds(&text)
            .map(Some)
            .ok_or_else(|| de::Error::custom(format!("{text:?} is no duration such as \"600s\"")))
    }
}

/// Whole numbers, which arrive as numbers or as texts.
#[allow(clippy::ref_option, reason = "serde calls it so")]
pub(crate) mod int {
    use serde::{Deserialize, Deserializer, Serializer, de};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(i64),
        Float(f64),
        Text(String),
    }

    pub(crate) fn serialize<S: Serializer>(value: &Option<i64>, to: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(number) => to.serialize_i64(*number),
            None => to.serialize_none(),
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "only floats without a fraction come here, and the cast saturates"
    )]
    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
        match Option::<Either>::deserialize(from)? {
            None => Ok(None),
            Some(Either::Number(number)) => Ok(Some(number)),
            Some(Either::Float(float)) if float.fract() == 0.0 => Ok(Some(float as i64)),
            Some(Either::Float(float)) => {
                Err(de::Error::custom(format!("{float} is no whole number")))
            }
            Some(Either::Text(text)) => text
                .parse()
                .map(Some)
                .map_err(|_| de::Error::custom(format!("{text:?} is no whole number"))),
        }
    }
}

/// Secrets are read and never written.
pub(crate) fn secret<'de, D: serde::Deserializer<'de>>(
    from: D,
) -> Result<Option<Secret>, D::Error> {
    Ok(Option::<String>::deserialize(from)?.map(Secret::new))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::{Duration, UNIX_EPOCH};

    use super::{Timestamp, from_seconds, seconds};

    #[test]
    fn durations_are_decimal_seconds() {
        for (text, duration) in [
            ("600s", Duration::from_mins(10)),
            ("0s", Duration::ZERO),
            ("1.5s", Duration::from_millis(1500)),
            ("0.000000001s", Duration::from_nanos(1)),
        ] {
            assert_eq!(from_seconds(text), Some(duration), "{text}");
            assert_eq!(seconds(duration), text);
        }
        assert_eq!(from_seconds("2.50s"), Some(Duration::from_millis(2500)));
        for text in [
            "",
            "s",
            "600",
            "1h",
            "-1s",
            ".5s",
            "1.0000000001s",
            "1 s",
            "99999999999999999999s",
        ] {
            assert_eq!(from_seconds(text), None, "{text}");
        }
    }

    #[test]
    fn timestamps_keep_their_text() {
        let time = Timestamp::from("2026-01-02T03:04:05.123456789+02:00");
        assert_eq!(time.as_str(), "2026-01-02T03:04:05.123456789+02:00");
        assert_eq!(time.millis(), Some(1_767_315_845_123));
        assert_eq!(Timestamp::from("soon").to_system_time(), None);
        let minute = Timestamp::from(UNIX_EPOCH + Duration::from_mins(1));
        assert_eq!(minute.as_str(), "1970-01-01T00:01:00Z");
    }
}
