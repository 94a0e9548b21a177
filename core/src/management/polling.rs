//! When to ask after an operation.
//!
//! Often at first, because most operations take a second or two and somebody waits; then less and less, in proportion to
//! what has been waited already. In numbers: an end is noticed within 250 ms during the first ten seconds, and within 5 % of
//! the operation's age later; 5 requests a second in the first ten seconds at most, and one a second after them. What the
//! fast phase leaves of its allowance is spent between the tenth and the twentieth second, where 5 % are less than a second.

use std::time::Duration;

/// The first look at an operation that has just been started.
const FIRST: Duration = Duration::from_millis(100);
const FAST: Duration = Duration::from_millis(225);
const FAST_PHASE: Duration = Duration::from_secs(10);
const SHARE_OF_AGE: u32 = 20;
/// Nobody waits longer for news, however old the operation.
const LONGEST: Duration = Duration::from_secs(30);

/// The wait from one look to the next, by the operation's age at the first of them.
pub(super) fn interval(age: Duration) -> Duration {
    if age < FIRST {
        FIRST
    } else if age < FAST_PHASE {
        FAST
    } else {
        (age / SHARE_OF_AGE).min(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::interval;

    /// The moments of all looks in an hour, in seconds.
    fn looks() -> Vec<f64> {
        let mut looks = Vec::new();
        let mut age = interval(Duration::ZERO);
        while age < Duration::from_hours(1) {
            looks.push(age.as_secs_f64());
            age += interval(age);
        }
        looks
    }

    #[test]
    fn an_end_is_noticed_soon() {
        for pair in looks().windows(2) {
            let (before, late) = (pair[0], pair[1] - pair[0]);
            let allowed = if before < 10.0 { 0.25 } else { before / 20.0 };
            assert!(late <= allowed + 1e-6, "{before} s: {late} s");
        }
    }

    #[test]
    fn the_service_is_not_pestered() {
        let looks = looks();
        for (count, at) in (1_u32..).zip(&looks) {
            let fast = at.min(10.0);
            let allowed = 1.0 + fast * 5.0 + (at - fast);
            assert!(f64::from(count) <= allowed, "{count} looks by {at} s");
        }
        for window in looks.windows(6) {
            assert!(window[5] - window[0] > 1.0, "{window:?}");
        }
        for pair in looks.windows(2).filter(|pair| pair[0] >= 20.0) {
            assert!(pair[1] - pair[0] >= 1.0, "{pair:?}");
        }
    }
}
