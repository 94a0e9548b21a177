//! How wrong this machine's clock is, learnt from the workspace's answers.
//!
//! Tokens and certificates end by somebody else's clock. Most of lakekey does not care: lifetimes are counted from the
//! answer that brought them. What does care are certificates, answers without a `Date`, and the person who reads "token
//! expired" on a machine whose clock stopped in a suspended virtual machine.

use std::sync::atomic::{AtomicI64, Ordering};

use crate::clock::Moment;

/// `Date` has whole seconds, cut off.
const RESOLUTION_MS: u64 = 1000;
const UNKNOWN: i64 = i64::MIN;

/// The workspace's time, as far as it is known.
#[derive(Debug)]
pub(crate) struct Skew {
    /// The workspace's clock minus boot time. Boot time does not jump when somebody sets this machine's clock.
    server_minus_boot: AtomicI64,
}

impl Default for Skew {
    fn default() -> Skew {
        Skew {
            server_minus_boot: AtomicI64::new(UNKNOWN),
        }
    }
}

impl Skew {
    /// Learns from an answer's `Date`.
    pub(crate) fn learn(&self, date_ms: u64, sent: Moment, received: Moment) {
        let middle = sent.boot_ms / 2 + received.boot_ms / 2;
        let server = date_ms + RESOLUTION_MS / 2;
        let difference = i64::try_from(server).ok().zip(i64::try_from(middle).ok());
        if let Some((server, boot)) = difference {
            self.server_minus_boot
                .store(server - boot, Ordering::Relaxed);
        }
    }

    /// The workspace's clock minus this machine's, in milliseconds. Less than a second and a half is nothing: the stamps
    /// are no finer.
    pub(crate) fn at(&self, now: Moment) -> Option<i64> {
        let server = self.server_ms(now)?;
        let wall = i64::try_from(now.wall_ms).ok()?;
        let skew = i64::try_from(server).ok()? - wall;
        Some(if skew.unsigned_abs() < RESOLUTION_MS * 3 / 2 {
            0
        } else {
            skew
        })
    }

    /// The workspace's clock now, in milliseconds since 1970.
    pub(crate) fn server_ms(&self, now: Moment) -> Option<u64> {
        let difference = self.server_minus_boot.load(Ordering::Relaxed);
        if difference == UNKNOWN {
            return None;
        }
        now.boot_ms.checked_add_signed(difference)
    }

    /// Takes over what a parent process knew.
    pub(crate) fn inherit(&self, parent: &Skew) {
        self.server_minus_boot.store(
            parent.server_minus_boot.load(Ordering::Relaxed),
            Ordering::Relaxed,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::Skew;
    use crate::clock::Moment;

    const T0: u64 = 1_800_000_000_000;

    fn at(boot_ms: u64, wall_ms: u64) -> Moment {
        Moment { boot_ms, wall_ms }
    }

    #[test]
    fn the_difference_is_learnt_and_survives_a_clock_that_is_set() {
        let skew = Skew::default();
        assert_eq!(skew.at(at(5_000, T0)), None);
        // The workspace is ten minutes ahead.
        skew.learn(T0 + 600_000, at(5_000, T0), at(5_200, T0 + 200));
        assert_eq!(skew.at(at(5_100, T0 + 100)), Some(600_400));
        // Somebody sets this machine's clock right.
        assert_eq!(skew.at(at(65_100, T0 + 660_100)), Some(400 - 400));
        assert_eq!(skew.server_ms(at(65_100, 0)), Some(T0 + 660_500));
    }

    #[test]
    fn what_the_stamps_cannot_tell_is_no_skew() {
        let skew = Skew::default();
        skew.learn(T0, at(1_000, T0 + 900), at(1_010, T0 + 910));
        assert_eq!(skew.at(at(1_010, T0 + 910)), Some(0));
    }
}
