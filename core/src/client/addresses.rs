//! Where a database's host is dialled: its addresses, remembered by the client, and what is known of those that failed.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::Client;
use crate::clock::Deadline;
use crate::code::Code;
use crate::error::Result;
use crate::once::{Age, Remembered};
use crate::resolve::{self, Ways};

impl Client {
    /// The addresses of a host, asked for once by a crowd, and again when the answer is over; those that failed lately
    /// come last.
    pub(crate) async fn addresses(&self, host: &str, deadline: Deadline) -> Result<Vec<IpAddr>> {
        let name = host.to_owned();
        let known = self
            .0
            .addresses
            .get_or_insert(&name, &Arc::new(Remembered::new(None)));
        let age = known
            .current()
            .map_or(Duration::ZERO, |found| found.fresh_for());
        let options = &self.0.options;
        let (lookup, direct) = (Arc::clone(&options.lookup), options.direct_lookup.clone());
        let clock = Arc::clone(self.store().clock());
        let resolve = move |deadline, _| async move {
            let ways = Ways {
                system: &*lookup,
                direct: direct.as_deref(),
            };
            resolve::resolve(ways, &name, deadline, &*clock).await
        };
        let clock = self.store().clock();
        // A resolver that hangs must leave time to dial what is known.
        let deadline = match known.current() {
            Some(_) => deadline.within(&**clock, deadline.left(&**clock) / 3),
            None => deadline,
        };
        let began = clock.now().boot_ms;
        let found = known
            .get(clock, Age::Renew(age), deadline, resolve)
            .await
            .map_err(|error| match error.code() {
                Code::Timeout => resolve::late(host, clock.now().boot_ms.saturating_sub(began)),
                _ => error,
            })?;
        Ok(self.0.failed.last(&found.addresses, &**clock))
    }

    /// Says that `address` of `host` could not be dialled: for a while it is tried last, and the next login looks the
    /// name up again, because it may have moved.
    pub fn doubt_address(&self, host: &str, address: IpAddr) {
        self.0.failed.note(address, &**self.store().clock());
        if let Some(known) = self.0.addresses.get(host) {
            known.doubt();
        }
    }
}
