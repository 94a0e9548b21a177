//! The system's resolver.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::oneshot;

use super::{Found, Lookup};
use crate::clock::BoxFuture;

/// How many look-ups may run at once. Those that hang hold a thread each until the system gives up, often for 30 s.
const MOST_THREADS: usize = 64;

/// Which addresses come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum FamilyOrder {
    /// As the system sorts them, which follows RFC 6724 and the machine's own routes.
    #[default]
    System,
    /// IPv4 before IPv6.
    Ipv4First,
    /// IPv6 before IPv4.
    Ipv6First,
}

impl FamilyOrder {
    fn sort(self, addresses: &mut [IpAddr]) {
        match self {
            FamilyOrder::System => {}
            FamilyOrder::Ipv4First => addresses.sort_by_key(IpAddr::is_ipv6),
            FamilyOrder::Ipv6First => addresses.sort_by_key(IpAddr::is_ipv4),
        }
    }
}

/// Asks `getaddrinfo`, each time in a thread that is left alone when nobody waits any more.
///
/// A blocking task of the runtime would hold up the runtime's end for as long as the system hangs.
#[derive(Clone, Debug, Default)]
pub struct SystemLookup {
    /// Which addresses come first.
    pub order: FamilyOrder,
    running: Arc<AtomicUsize>,
}

impl SystemLookup {
    /// Sorts as `order` says.
    pub fn new(order: FamilyOrder) -> SystemLookup {
        SystemLookup {
            order,
            running: Arc::default(),
        }
    }
}

/// Counts a thread for as long as it runs.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(running: &Arc<AtomicUsize>) -> io::Result<Place> {
        let place = Place(Arc::clone(running));
        if running.fetch_add(1, Ordering::Relaxed) >= MOST_THREADS {
            // `place` gives the number back.
            return Err(io::Error::other(format!(
                "{MOST_THREADS} earlier look-ups still wait for the system's resolver"
            )));
        }
        Ok(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Lookup for SystemLookup {
    fn lookup(&self, host: &str) -> BoxFuture<'static, io::Result<Found>> {
        let (host, order) = (host.to_owned(), self.order);
        let place = Place::take(&self.running);
        Box::pin(async move {
            let place = place?;
            let (answer, answered) = oneshot::channel();
            std::thread::Builder::new()
                .name("lakekey-resolve".to_owned())
                .spawn(move || {
                    let found = (host.as_str(), 0)
                        .to_socket_addrs()
                        .map(|found| found.map(|address: SocketAddr| address.ip()).collect());
                    drop(place);
                    // Nobody waits any more: the deadline passed.
                    let _ = answer.send(found);
                })?;
            let mut addresses: Vec<IpAddr> = answered
                .await
                .map_err(|_| io::Error::other("the look-up's thread ended without an answer"))??;
            order.sort(&mut addresses);
            Ok(Found::new(addresses))
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::net::IpAddr;
    use std::time::Duration;

    use super::{FamilyOrder, Lookup, SystemLookup};
    use crate::Code;
    use crate::clock::{Deadline, SystemClock};
    use crate::resolve::{Ways, resolve};

    #[tokio::test]
    async fn the_system_is_asked() {
        let found = SystemLookup::default().lookup("127.0.0.1").await.unwrap();
        assert_eq!(found.addresses, ["127.0.0.1".parse::<IpAddr>().unwrap()]);
    }

    #[tokio::test]
    async fn a_name_that_cannot_exist_fails_or_runs_into_the_deadline() {
        let deadline = Deadline::after(&SystemClock, Duration::from_secs(2));
        let ways = Ways {
            system: &SystemLookup::default(),
            direct: None,
        };
        let error = resolve(ways, "lakekey.invalid", deadline, &SystemClock)
            .await
            .unwrap_err();
        assert!(matches!(
            error.code(),
            Code::ResolveFailed | Code::ResolveTimeout
        ));
        assert!(error.message().contains("lakekey.invalid"));
    }

    #[test]
    fn families_are_sorted_and_keep_their_order() {
        let list: Vec<IpAddr> = ["fd00::2", "10.0.0.2", "fd00::1", "10.0.0.1"]
            .map(|text| text.parse().unwrap())
            .into();
        let sorted = |order: FamilyOrder| {
            let mut list = list.clone();
            order.sort(&mut list);
            list.iter().map(IpAddr::to_string).collect::<Vec<_>>()
        };
        assert_eq!(
            sorted(FamilyOrder::Ipv4First),
            ["10.0.0.2", "10.0.0.1", "fd00::2", "fd00::1"]
        );
        assert_eq!(
            sorted(FamilyOrder::Ipv6First),
            ["fd00::2", "fd00::1", "10.0.0.2", "10.0.0.1"]
        );
        assert_eq!(
            sorted(FamilyOrder::System),
            ["fd00::2", "10.0.0.2", "fd00::1", "10.0.0.1"]
        );
    }
}
