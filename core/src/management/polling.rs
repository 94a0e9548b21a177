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

    /// The moments of all looks in the first `seconds`.
    fn looks(seconds: u64) -> Vec<Duration> {
        let mut looks = Vec::new();
        let mut age = interval(Duration::ZERO);
        while age < Duration::from_secs(seconds) {
            looks.push(age);
            age += interval(age);
        }
        looks
    }

    #[test]
    fn an_end_is_noticed_soon() {
        let looks = looks(3600);
        for pair in looks.windows(2) {
            let (before, late) = (pair[0], pair[1] - pair[0]);
            if before < Duration::from_secs(10) {
                assert!(late <= Duration::from_millis(250), "{before:?}: {late:?}");
            } else {
                assert!(late <= before / 20, "{before:?}: {late:?}");
            }
        }
    }

    #[test]
    fn the_service_is_not_pestered() {
        let looks = looks(3600);
        for (count, at) in (1_u32..).zip(&looks) {
            let fast = at.as_secs_f64().min(10.0);
            let allowed = 1.0 + fast * 5.0 + (at.as_secs_f64() - fast);
            assert!(f64::from(count) <= allowed, "{count} looks by {at:?}");
        }
        for window in looks.windows(6) {
            assert!(window[5] - window[0] > Duration::from_secs(1), "{window:?}");
        }
        let slow: Vec<_> = looks.iter().filter(|at| at.as_secs() >= 20).collect();
        for pair in slow.windows(2) {
            assert!(*pair[1] - *pair[0] >= Duration::from_secs(1));
        }
    }
}
