//! Spans of time as people write them on a command line.

use std::time::Duration;

/// Reads `500ms`, `10s`, `2m`, `1h` or a number of seconds such as `1.5`.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err("write a number with ms, s, m or h, such as 10s".to_owned()),
    };
    digits
        .parse::<f64>()
        .ok()
        .and_then(|number| Duration::try_from_secs_f64(number * unit).ok())
        .filter(|span| !span.is_zero())
        .ok_or_else(|| "write a positive number with ms, s, m or h, such as 10s".to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::parse;

    #[test]
    fn units_are_known_and_nonsense_is_not() {
        for (text, millis) in [
            ("500ms", 500),
            ("10s", 10_000),
            ("2", 2000),
            ("1.5", 1500),
            ("2m", 120_000),
            ("1h", 3_600_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "s", "-1s", "0", "1d", "nan", "infs", "1e300h"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
