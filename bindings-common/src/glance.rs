//! Looking less often than once per call.
//!
//! Whether a cached credential may still be used is asked of two clocks, and in Python those two readings cost more than
//! the rest of a call. A binding that was just told "yes" may repeat the answer while the [`stamp`] stays the same: it
//! changes every 16 ms of wall time, forwards or backwards, after a sleep as well, with every invalidation and with the end
//! of every client in this process. Every margin of a credential is far longer than that.

use std::sync::atomic::{AtomicU64, Ordering};

/// Milliseconds per stamp, as a power of two.
const SHIFT: u32 = 4;

static CHANGES: AtomicU64 = AtomicU64::new(0);

/// The present stamp; none where the system has no cheap clock.
#[inline]
pub fn stamp() -> Option<u64> {
    let changes = CHANGES.load(Ordering::Acquire);
    coarse_ms().map(|now| (now >> SHIFT) ^ (changes << 48))
}

/// What was known before is to be looked at again.
pub fn changed() {
    CHANGES.fetch_add(1, Ordering::Release);
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[inline]
fn coarse_ms() -> Option<u64> {
    // Read from a page that the kernel keeps: no system call.
    let now = rustix::time::clock_gettime(rustix::time::ClockId::RealtimeCoarse);
    let seconds = u64::try_from(now.tv_sec).ok()?;
    Some(seconds * 1000 + u64::try_from(now.tv_nsec).ok()? / 1_000_000)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn coarse_ms() -> Option<u64> {
    None
}

#[cfg(all(test, any(target_os = "linux", target_os = "android")))]
mod tests {
    use std::time::{Duration, Instant};

    use super::{changed, stamp};

    #[test]
    fn a_stamp_ends_with_time_and_with_an_invalidation() {
        let first = stamp();
        let started = Instant::now();
        while stamp() == first {
            assert!(
                started.elapsed() < Duration::from_secs(5),
                "the stamp stands still"
            );
            std::thread::yield_now();
        }
        let before = stamp();
        changed();
        assert_ne!(stamp(), before);
    }
}
