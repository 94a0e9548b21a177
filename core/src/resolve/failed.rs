//! Addresses that could not be dialled lately.
//!
//! A name with two addresses of which one is dead costs every second login a dial that hangs. Such an address is tried
//! last for a while; it is never left out, because all of them may be on the list.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::Duration;

use crate::clock::{Clock, millis};
use crate::credential::sync::lock;

/// How long an address is tried last.
const AVOIDED_FOR: Duration = Duration::from_secs(30);
/// More than the addresses of any set of databases that one process uses.
const MOST: usize = 256;

/// The addresses and, in boot time, until when they are tried last.
#[derive(Debug, Default)]
pub(crate) struct Failed(Mutex<HashMap<IpAddr, u64>>);

impl Failed {
    pub(crate) fn note(&self, address: IpAddr, clock: &dyn Clock) {
        let now = clock.now();
        let mut failed = lock(&self.0);
        failed.retain(|_, until| *until > now.boot_ms);
        if failed.len() < MOST {
            failed.insert(address, now.boot_ms + millis(AVOIDED_FOR));
        }
    }

    /// The same addresses, those that failed lately behind the others.
    pub(crate) fn last(&self, addresses: &[IpAddr], clock: &dyn Clock) -> Vec<IpAddr> {
        let now = clock.now().boot_ms;
        let failed = lock(&self.0);
        let mut addresses = addresses.to_vec();
        addresses.sort_by_key(|address| failed.get(address).is_some_and(|until| *until > now));
        addresses
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::time::Duration;

    use super::Failed;
    use crate::clock::ManualClock;

    #[test]
    fn a_failed_address_is_tried_last_for_half_a_minute() {
        let clock = ManualClock::at(0);
        let failed = Failed::default();
        let all = [[10, 0, 0, 1], [10, 0, 0, 2], [10, 0, 0, 3]].map(IpAddr::from);
        failed.note(all[0], &clock);
        assert_eq!(failed.last(&all, &clock), [all[1], all[2], all[0]]);
        failed.note(all[1], &clock);
        failed.note(all[2], &clock);
        assert_eq!(failed.last(&all, &clock), all);
        clock.advance(Duration::from_secs(30));
        assert_eq!(failed.last(&all, &clock), all);
        failed.note(all[1], &clock);
        assert_eq!(failed.last(&all, &clock), [all[0], all[2], all[1]]);
    }
}
