//! When a credential is used, refreshed and given up: pure arithmetic, no clock and no I/O.
//!
//! Sites that hand-write this trust a fixed hour, the local clock or a parse that cannot fail. Each of those breaks
//! logins one day: a shorter `ttl`, a laptop that slept, a clock ten minutes off, an answer without `expire_time`.

use std::time::Duration;

use crate::clock::Moment;
use crate::code::Code;
use crate::error::{Error, Result};

/// The longest lifetime that is believed. The API documents one hour as the most a credential gets, so a longer claim
/// is a wrong stamp, and refreshing early costs nothing.
pub const LONGEST_LIFETIME: Duration = Duration::from_hours(1);
/// What is assumed when an answer gives no usable time at all: the shortest `ttl` that the API accepts.
pub const ASSUMED_LIFETIME: Duration = Duration::from_mins(5);
/// A remaining lifetime below this cannot reach a server in time.
const SHORTEST_LIFETIME_MS: u64 = 50;
/// Stamps in HTTP's `Date` have whole seconds, cut off.
const DATE_RESOLUTION_MS: u64 = 1000;
/// Up to this difference between our clock and `Date`, both are taken as right.
const SAME_TIME_MS: u64 = 1500;

/// The API takes seconds; a rounded lifetime would not be the one that was asked for.
pub(crate) fn whole_seconds(ttl: Option<Duration>) -> Result<()> {
    match ttl {
        Some(ttl) if ttl.as_secs() == 0 || ttl.subsec_nanos() != 0 => Err(Error::new(
            Code::ConfigInvalid,
            format!(
                "a ttl of {} s is no whole number of seconds",
                ttl.as_secs_f64()
            ),
        )
        .with_hint("Give a ttl from 300 to 3600 seconds, or none")),
        _ => Ok(()),
    }
}

/// What an answer said about time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stamps<'a> {
    /// The answer's `expire_time`, as sent.
    pub expire_time: Option<&'a str>,
    /// The answer's HTTP `Date`, in milliseconds since 1970.
    pub date_ms: Option<u64>,
    /// `exp` minus `iat` of the token, if it is a JWT that has both.
    pub jwt_lifetime: Option<Duration>,
    /// The `ttl` that was asked for.
    pub requested_ttl: Option<Duration>,
}

/// The times of one credential, each on both clocks: it is over when either clock says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// When the request that brought it was sent.
    pub issued: Moment,
    /// How long it lives from then on, in milliseconds.
    pub lifetime_ms: u64,
    /// From here on a refresh is due.
    pub refresh: Moment,
    /// From here on it is not handed out any more.
    pub serve_until: Moment,
    /// Its end.
    pub end: Moment,
}

/// Where a credential is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Use it.
    Fresh,
    /// Use it, and let one refresh start.
    Stale,
    /// Do not use it.
    Expired,
}

impl Validity {
    /// Reads the stamps of an answer. `sent` is the moment before the request left and `received` the one after the
    /// answer came; `unit` is a random number from 0 to 1 that spreads a fleet's refreshes.
    ///
    /// # Errors
    /// [`Code::CredentialInvalid`] when the credential was over before it came.
    pub fn from_answer(
        stamps: Stamps<'_>,
        sent: Moment,
        received: Moment,
        unit: f64,
    ) -> Result<Validity> {
        let lifetime_ms = match stamps.expire_time.and_then(parse_rfc3339_ms) {
            Some(expires_ms) => remaining_ms(expires_ms, stamps.date_ms, received.wall_ms).ok_or_else(|| {
                Error::new(
                    Code::CredentialInvalid,
                    format!(
                        "the minted credential had already expired when it came (expire_time {}; this machine's clock says {})",
                        stamps.expire_time.unwrap_or_default(),
                        stamp(received.wall_ms),
                    ),
                )
                .with_hint("Compare this machine's clock and the workspace's; the answer's Date header is used where it has one")
            })?,
            None => crate::clock::millis(stamps.jwt_lifetime.or(stamps.requested_ttl).unwrap_or(ASSUMED_LIFETIME)),
        };
        if lifetime_ms < SHORTEST_LIFETIME_MS {
            return Err(Error::new(
                Code::CredentialInvalid,
                format!("the minted credential lives for {lifetime_ms} ms only"),
            ));
        }
        Ok(Validity::new(
            sent,
            lifetime_ms.min(crate::clock::millis(LONGEST_LIFETIME)),
            unit,
        ))
    }

    /// The times of a credential that another process minted, from what it wrote down: how long after `issued` it ends
    /// and is refreshed. `None` for what no minted credential has.
    pub(crate) fn kept(issued: Moment, lifetime_ms: u64, refresh_ms: u64) -> Option<Validity> {
        let longest = crate::clock::millis(LONGEST_LIFETIME);
        let fits = (SHORTEST_LIFETIME_MS..=longest).contains(&lifetime_ms)
            && refresh_ms < lifetime_ms
            && issued.boot_ms.checked_add(longest).is_some()
            && issued.wall_ms.checked_add(longest).is_some();
        fits.then(|| Validity::of(issued, lifetime_ms, refresh_ms))
    }

    fn new(issued: Moment, lifetime_ms: u64, unit: f64) -> Validity {
        let refresh_ms = scale(lifetime_ms, 0.50 + 0.25 * unit.clamp(0.0, 1.0));
        Validity::of(issued, lifetime_ms, refresh_ms)
    }

    fn of(issued: Moment, lifetime_ms: u64, refresh_ms: u64) -> Validity {
        let at = |ms: u64| Moment {
            boot_ms: issued.boot_ms + ms,
            wall_ms: issued.wall_ms + ms,
        };
        let margin = (lifetime_ms / 10).min(60_000);
        Validity {
            issued,
            lifetime_ms,
            refresh: at(refresh_ms),
            serve_until: at(lifetime_ms - margin),
            end: at(lifetime_ms),
        }
    }

    /// Where the credential is in its life at `now`.
    pub fn phase(&self, now: Moment) -> Phase {
        if passed(now, self.serve_until) {
            Phase::Expired
        } else if passed(now, self.refresh) {
            Phase::Stale
        } else {
            Phase::Fresh
        }
    }
}

fn passed(now: Moment, mark: Moment) -> bool {
    now.boot_ms >= mark.boot_ms || now.wall_ms >= mark.wall_ms
}

#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "milliseconds of hours fit"
)]
fn scale(ms: u64, factor: f64) -> u64 {
    (ms as f64 * factor) as u64
}

/// The time left of a credential that ends at `expires_ms` of the server's clock. The answer's own `Date` makes the
/// difference between the two clocks drop out; its cut-off fraction is taken as lost unless our clock agrees with it.
fn remaining_ms(expires_ms: u64, date_ms: Option<u64>, local_ms: u64) -> Option<u64> {
    let Some(date_ms) = date_ms else {
        return expires_ms.checked_sub(local_ms).filter(|left| *left > 0);
    };
    let by_server = expires_ms.checked_sub(date_ms).filter(|left| *left > 0)?;
    let same_time = local_ms.abs_diff(date_ms + DATE_RESOLUTION_MS / 2) <= SAME_TIME_MS;
    match expires_ms.checked_sub(local_ms) {
        Some(by_us) if same_time => Some(by_us.min(by_server)),
        _ => Some(by_server - DATE_RESOLUTION_MS.min(by_server / 2)),
    }
}

fn stamp(ms: u64) -> String {
    let time = i64::try_from(ms)
        .ok()
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    time.map_or_else(|| ms.to_string(), |time| format!("{time:.0}"))
}

/// Milliseconds since 1970 of an RFC 3339 stamp with `Z` or an offset.
pub fn parse_rfc3339_ms(text: &str) -> Option<u64> {
    u64::try_from(
        text.trim()
            .parse::<jiff::Timestamp>()
            .ok()?
            .as_millisecond(),
    )
    .ok()
}

/// How long after the `failures`-th failed refresh in a row the next one may start, while a valid credential is still
/// being served. It grows with the lifetime, so that an outage costs the same few requests for any `ttl`: at most 15
/// from 40 % to 90 % of a life. Half of each wait is random; the other half keeps that bound.
pub fn refresh_backoff(failures: u32, lifetime_ms: u64, unit: f64) -> Duration {
    let step = (lifetime_ms / 600)
        .max(1)
        .saturating_mul(1_u64 << failures.saturating_sub(1).min(20));
    let cap = step.min(lifetime_ms / 8);
    Duration::from_millis(cap / 2 + scale(cap, unit / 2.0))
}

/// The wait after the `failures`-th failed attempt while callers have nothing to log in with: short, full jitter.
pub fn demand_backoff(failures: u32, unit: f64) -> Duration {
    let cap = 200_u64
        .saturating_mul(1 << failures.saturating_sub(1).min(5))
        .min(5_000);
    Duration::from_millis(50 + scale(cap, unit))
}

/// How long a refusal that more trying cannot mend (400, 401, 403, 404) is repeated to callers without asking again.
pub fn refusal_memory(failures: u32) -> Duration {
    Duration::from_millis(
        1_000_u64
            .saturating_mul(1 << failures.saturating_sub(1).min(5))
            .min(30_000),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const T0: u64 = 1_800_000_000_000;

    fn at(wall_ms: u64) -> Moment {
        Moment {
            boot_ms: 1_000_000,
            wall_ms,
        }
    }

    fn stamp(ms: u64) -> String {
        jiff::Timestamp::from_millisecond(i64::try_from(ms).unwrap())
            .unwrap()
            .to_string()
    }

    fn lifetime(expire_time: Option<&str>, date_ms: Option<u64>, local: u64) -> Result<u64> {
        let stamps = Stamps {
            expire_time,
            date_ms,
            ..Stamps::default()
        };
        Validity::from_answer(stamps, at(local), at(local), 0.0)
            .map(|validity| validity.lifetime_ms)
    }

    #[test]
    fn the_difference_between_the_clocks_drops_out() {
        let expires = stamp(T0 + 3_600_000);
        for skew in [-600_000_i64, 600_000] {
            let local = T0.saturating_add_signed(skew);
            assert_eq!(
                lifetime(Some(&expires), Some(T0), local).unwrap(),
                3_599_000,
                "skew {skew}"
            );
        }
        assert_eq!(
            lifetime(Some(&expires), Some(T0), T0 + 300).unwrap(),
            3_599_700,
            "our clock agrees and is finer"
        );
        assert_eq!(
            lifetime(Some(&expires), None, T0).unwrap(),
            3_600_000,
            "without a Date only our clock is left"
        );
    }

    #[test]
    fn odd_stamps_give_a_bounded_lifetime_or_an_error() {
        for odd in [
            None,
            Some(""),
            Some("tomorrow"),
            Some("2026-13-45T99:00:00Z"),
        ] {
            assert_eq!(lifetime(odd, Some(T0), T0).unwrap(), 300_000, "{odd:?}");
        }
        assert_eq!(
            lifetime(Some(&stamp(T0 + 86_400_000)), Some(T0), T0).unwrap(),
            3_600_000,
            "24 h is not believed"
        );
        assert_eq!(
            lifetime(Some(&stamp(T0 - 1)), Some(T0), T0)
                .unwrap_err()
                .code(),
            Code::CredentialInvalid
        );
        assert_eq!(
            lifetime(Some(&stamp(T0)), Some(T0), T0).unwrap_err().code(),
            Code::CredentialInvalid
        );
        assert!(lifetime(Some(&stamp(T0 + 1_000)), Some(T0), T0).unwrap() <= 1_000);
    }

    #[test]
    fn the_phases_follow_each_other_and_either_clock_ends_it() {
        let validity = Validity::new(at(T0), 3_600_000, 1.0);
        let later = |boot: u64, wall: u64| Moment {
            boot_ms: 1_000_000 + boot,
            wall_ms: T0 + wall,
        };
        assert_eq!(validity.phase(later(0, 0)), Phase::Fresh);
        assert_eq!(validity.phase(later(2_699_999, 2_699_999)), Phase::Fresh);
        assert_eq!(validity.phase(later(2_700_000, 2_700_000)), Phase::Stale);
        assert_eq!(validity.phase(later(3_539_999, 3_539_999)), Phase::Stale);
        assert_eq!(
            validity.phase(later(3_540_000, 0)),
            Phase::Expired,
            "the machine slept"
        );
        assert_eq!(
            validity.phase(later(0, 3_540_000)),
            Phase::Expired,
            "the clock was set"
        );
        assert_eq!(
            Validity::new(at(T0), 3_600_000, 0.0).refresh.boot_ms,
            1_000_000 + 1_800_000
        );
        assert_eq!(
            Validity::new(at(T0), 5_000, 0.0).serve_until.boot_ms,
            1_000_000 + 4_500
        );
    }

    #[test]
    fn an_outage_from_forty_to_ninety_percent_costs_at_most_fifteen_attempts() {
        for lifetime in [1_000_u64, 5_000, 300_000, 3_600_000] {
            for unit in [0.0, 0.5, 1.0] {
                let (mut at, mut attempts) = (lifetime / 2, 0);
                while at < lifetime * 9 / 10 {
                    attempts += 1;
                    at += crate::clock::millis(refresh_backoff(attempts, lifetime, unit)).max(1);
                }
                assert!(
                    attempts <= 15,
                    "{attempts} attempts for {lifetime} ms at {unit}"
                );
            }
        }
    }
}
