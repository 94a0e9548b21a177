//! Host names to addresses: all of them, within a deadline.
//!
//! Drivers get the addresses beside the name, so that a driver's own look-up cannot hang past the caller's budget, and
//! a name with several addresses can be tried on each of them. The system's resolver is asked first, because it knows of
//! hosts files, VPNs and search rules. Where it fails, cannot carry the answer or hangs, the system's name servers are
//! asked directly, over UDP and TCP: macOS gives up on some names that its own name server answers.
//!
//! An address is only where to dial. Who is there is decided by TLS, always by the name.

mod failed;
mod name_servers;
mod system;

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

pub(crate) use failed::Failed;
pub use name_servers::NameServers;
pub use system::{FamilyOrder, SystemLookup};

use crate::clock::{BoxFuture, Clock, Deadline};
use crate::{Code, Error, Result};

/// The longest name that DNS can carry, without the final dot.
const LONGEST_NAME: usize = 253;
/// How long the system's resolver is waited for before the name servers are asked beside it.
const HEAD_START: Duration = Duration::from_secs(2);
/// How long an answer without a time to live is good for. The system's resolver keeps answers itself.
const UNTOLD: Duration = Duration::from_secs(5);
/// The longest that an answer is good for, whatever it says: a failover moves the name.
const LONGEST: Duration = Duration::from_secs(30);

/// A way to look names up: [`SystemLookup`] or [`NameServers`].
pub trait Lookup: fmt::Debug + Send + Sync + 'static {
    /// Every address of `host`, the preferred first.
    fn lookup(&self, host: &str) -> BoxFuture<'static, io::Result<Found>>;
}

/// The addresses of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Each once, the preferred first.
    pub addresses: Vec<IpAddr>,
    /// How long the answer may be kept, where the resolver says so.
    pub ttl: Option<Duration>,
}

impl Found {
    /// Without a time to live; an address that comes twice is kept once.
    pub fn new(addresses: impl IntoIterator<Item = IpAddr>) -> Found {
        let mut once = Vec::new();
        for address in addresses {
            if !once.contains(&address) {
                once.push(address);
            }
        }
        Found {
            addresses: once,
            ttl: None,
        }
    }

    /// How long it is used without asking again.
    pub fn fresh_for(&self) -> Duration {
        self.ttl.unwrap_or(UNTOLD).min(LONGEST)
    }
}

/// The ways to look a name up, in the order they are tried.
#[derive(Clone, Copy, Debug)]
pub struct Ways<'a> {
    /// Asked first.
    pub system: &'a dyn Lookup,
    /// Asked when the first fails, and beside it when it is slow.
    pub direct: Option<&'a dyn Lookup>,
}

/// Every address of `host`, each once, the preferred first. An address stands for itself; `localhost` and names below
/// it are this machine, as RFC 6761 says and many system resolvers do not.
///
/// # Errors
/// [`Code::ResolveFailed`] with what each way answered; [`Code::ResolveTimeout`] at the deadline.
pub async fn resolve(
    ways: Ways<'_>,
    host: &str,
    deadline: Deadline,
    clock: &dyn Clock,
) -> Result<Found> {
    if let Some(address) = literal(host) {
        return Ok(Found::new([address]));
    }
    check_name(host)?;
    if is_localhost(host) {
        return Ok(Found::new([
            Ipv4Addr::LOCALHOST.into(),
            Ipv6Addr::LOCALHOST.into(),
        ]));
    }
    let started = clock.now();
    match deadline
        .limit(clock, ask(ways, host, deadline, clock))
        .await
    {
        Some(Ok(found)) => Ok(found),
        Some(Err(cause)) => Err(Error::new(
            Code::ResolveFailed,
            format!("{host} has no address: {cause}"),
        )
        .with_hint(UNKNOWN_NAME)
        .with_source(cause)),
        None => {
            let waited = clock.now().boot_ms.saturating_sub(started.boot_ms);
            Err(late(host, waited))
        }
    }
}

/// The error of whoever waited so long for the addresses of `host`, by an own look-up or another caller's.
pub(crate) fn late(host: &str, waited_ms: u64) -> Error {
    Error::new(
        Code::ResolveTimeout,
        format!("the resolver gave no address for {host} within {waited_ms} ms"),
    )
    .with_hint(
        "Check that this machine's DNS server answers; a VPN that is half up often does this",
    )
}

async fn ask(
    ways: Ways<'_>,
    host: &str,
    deadline: Deadline,
    clock: &dyn Clock,
) -> io::Result<Found> {
    let system = answer(ways.system, host);
    let Some(direct) = ways.direct else {
        return system.await;
    };
    tokio::pin!(system);
    let head_start = HEAD_START.min(deadline.left(clock) / 3);
    let head_start = deadline.within(clock, head_start);
    let failed = match head_start.limit(clock, &mut system).await {
        Some(Ok(found)) => return Ok(found),
        Some(Err(error)) => Some(error),
        None => None,
    };
    tracing::debug!(
        host,
        error = failed.as_ref().map(tracing::field::display),
        "the system's resolver gives no address; asking the name servers"
    );
    let direct = answer(direct, host);
    let Some(failed) = failed else {
        tokio::pin!(direct);
        return tokio::select! {
            found = &mut system => match found {
                Ok(found) => Ok(found),
                Err(failed) => direct.await.map_err(|error| both(&failed, &error)),
            },
            found = &mut direct => match found {
                Ok(found) => Ok(found),
                Err(error) => system.await.map_err(|failed| both(&failed, &error)),
            },
        };
    };
    direct.await.map_err(|error| both(&failed, &error))
}

async fn answer(lookup: &dyn Lookup, host: &str) -> io::Result<Found> {
    let found = lookup.lookup(host).await?;
    if found.addresses.is_empty() {
        return Err(io::Error::other("the resolver's answer is empty"));
    }
    Ok(found)
}

fn both(system: &io::Error, direct: &io::Error) -> io::Error {
    io::Error::new(system.kind(), format!("{system}; asked directly, {direct}"))
}

const UNKNOWN_NAME: &str = "Check the host name and that this network's DNS knows it; with private link, the name must \
                            resolve inside of your network";

fn literal(host: &str) -> Option<IpAddr> {
    let bare = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    match bare {
        Some(bare) => bare.parse().ok().map(IpAddr::V6),
        None => host.parse().ok(),
    }
}

fn is_localhost(host: &str) -> bool {
    let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

/// Refuses what cannot be a name without repeating it: after a slip in a URI it is a piece of the password.
fn check_name(host: &str) -> Result<()> {
    let name = host.strip_suffix('.').unwrap_or(host);
    let refused = |what: &str, hint: &str| {
        Err(Error::new(Code::ResolveFailed, format!("the host name {what}")).with_hint(hint))
    };
    if name.is_empty() {
        return refused("is empty", "Give the name of the database host");
    }
    if name.starts_with('/') {
        return refused(
            "is a socket folder, which has no address",
            "Give the name of the database host",
        );
    }
    if name.len() > LONGEST_NAME {
        return refused(
            "is longer than the 253 characters that DNS allows",
            "Check where it was put together",
        );
    }
    let is_odd =
        |c: char| c.is_ascii() && !c.is_ascii_alphanumeric() && !matches!(c, '-' | '.' | '_');
    if name.contains(|c: char| is_odd(c) || c.is_control() || c.is_whitespace()) {
        return refused(
            "holds a character that no host name has",
            "Give the name alone, without user, port or path; in a URI, write the @ of a user or password as %40",
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::future::pending;
    use std::io;
    use std::net::IpAddr;
    use std::time::Duration;

    use super::{Found, Lookup, Ways, resolve};
    use crate::clock::{BoxFuture, Clock, Deadline, ManualClock};
    use crate::{Code, Result};

    const BUDGET: Duration = Duration::from_secs(9);

    /// Gives what it was made with: addresses, a failure, or nothing for ever.
    #[derive(Clone, Debug)]
    enum Scripted {
        Addresses(Vec<&'static str>),
        Fails(&'static str),
        Hangs,
    }

    impl Lookup for Scripted {
        fn lookup(&self, _: &str) -> BoxFuture<'static, io::Result<Found>> {
            let script = self.clone();
            Box::pin(async move {
                match script {
                    Scripted::Addresses(list) => {
                        Ok(Found::new(list.iter().map(|text| text.parse().unwrap())))
                    }
                    Scripted::Fails(why) => Err(io::Error::other(why)),
                    Scripted::Hangs => pending().await,
                }
            })
        }
    }

    async fn ask(script: Scripted, host: &str) -> Result<Vec<String>> {
        ask_both(script, None, host).await
    }

    async fn ask_both(
        system: Scripted,
        direct: Option<Scripted>,
        host: &str,
    ) -> Result<Vec<String>> {
        let clock = ManualClock::at(0);
        let found = ask_by(system, direct, host, &clock).await?;
        Ok(found.addresses.iter().map(IpAddr::to_string).collect())
    }

    async fn ask_by(
        system: Scripted,
        direct: Option<Scripted>,
        host: &str,
        clock: &ManualClock,
    ) -> Result<Found> {
        let ways = Ways {
            system: &system,
            direct: direct.as_ref().map(|direct| direct as &dyn Lookup),
        };
        resolve(ways, host, Deadline::after(clock, BUDGET), clock).await
    }

    /// Goes on with `asked`, moving the clock whenever all of it waits.
    async fn run_down(
        clock: &ManualClock,
        asked: impl Future<Output = Result<Found>>,
    ) -> Result<Found> {
        tokio::pin!(asked);
        loop {
            tokio::select! {
                biased;
                done = &mut asked => return done,
                () = tokio::task::yield_now() => {}
            }
            let due = clock.next_due().unwrap();
            clock.advance(Duration::from_millis(due - clock.now().boot_ms));
        }
    }

    #[tokio::test]
    async fn all_addresses_come_once_and_in_order() {
        let script = Scripted::Addresses(vec!["10.0.0.2", "fd00::1", "10.0.0.2", "10.0.0.1"]);
        assert_eq!(
            ask(script, "db.example.com").await.unwrap(),
            ["10.0.0.2", "fd00::1", "10.0.0.1"]
        );
    }

    #[tokio::test]
    async fn addresses_and_localhost_need_no_resolver() {
        for (host, wanted) in [
            ("192.0.2.1", vec!["192.0.2.1"]),
            ("::1", vec!["::1"]),
            ("[fd00::2]", vec!["fd00::2"]),
            ("localhost", vec!["127.0.0.1", "::1"]),
            ("ep-x.Database.LOCALHOST.", vec!["127.0.0.1", "::1"]),
        ] {
            assert_eq!(ask(Scripted::Hangs, host).await.unwrap(), wanted, "{host}");
        }
        assert!(ask(Scripted::Fails("no"), "notlocalhost").await.is_err());
    }

    #[tokio::test]
    async fn a_failure_names_host_and_cause() {
        let error = ask(Scripted::Fails("no such name"), "db.example.com")
            .await
            .unwrap_err();
        assert_eq!(error.code(), Code::ResolveFailed);
        assert_eq!(
            error.message(),
            "db.example.com has no address: no such name"
        );
        assert!(error.hint().is_some());
        let error = ask(Scripted::Addresses(vec![]), "db.example.com")
            .await
            .unwrap_err();
        assert_eq!(error.code(), Code::ResolveFailed);
    }

    #[tokio::test]
    async fn resolvers_that_hang_are_left_at_the_deadline() {
        for direct in [None, Some(Scripted::Hangs)] {
            let clock = ManualClock::at(0);
            let asked = ask_by(Scripted::Hangs, direct, "db.example.com", &clock);
            let error = run_down(&clock, asked).await.unwrap_err();
            assert_eq!(error.code(), Code::ResolveTimeout);
            assert_eq!(
                error.message(),
                "the resolver gave no address for db.example.com within 9000 ms"
            );
            assert_eq!(clock.now().boot_ms, 3_609_000);
        }
    }

    #[tokio::test]
    async fn the_name_servers_are_asked_when_the_system_fails_or_knows_nothing() {
        let direct = || Some(Scripted::Addresses(vec!["10.0.0.7"]));
        for system in [Scripted::Fails("no"), Scripted::Addresses(vec![])] {
            assert_eq!(
                ask_both(system, direct(), "db.example.com").await.unwrap(),
                ["10.0.0.7"]
            );
        }
        let system = Scripted::Addresses(vec!["10.0.0.1"]);
        assert_eq!(
            ask_both(system, direct(), "db.example.com").await.unwrap(),
            ["10.0.0.1"]
        );
    }

    #[tokio::test]
    async fn a_slow_system_has_the_name_servers_beside_it() {
        let clock = ManualClock::at(0);
        let direct = Some(Scripted::Addresses(vec!["10.0.0.7"]));
        let asked = ask_by(Scripted::Hangs, direct, "db.example.com", &clock);
        let found = run_down(&clock, asked).await.unwrap();
        assert_eq!(found.addresses, ["10.0.0.7".parse::<IpAddr>().unwrap()]);
        assert_eq!(clock.now().boot_ms, 3_602_000);
    }

    #[tokio::test]
    async fn both_failures_are_told() {
        let error = ask_both(
            Scripted::Fails("no such name"),
            Some(Scripted::Fails("the name servers said SERVFAIL")),
            "db.example.com",
        )
        .await
        .unwrap_err();
        assert_eq!(
            error.message(),
            "db.example.com has no address: no such name; asked directly, the name servers said SERVFAIL"
        );
    }

    #[test]
    fn an_answer_is_kept_for_its_time_to_live_and_not_long() {
        let kept = |ttl: Option<u64>| {
            let ttl = ttl.map(Duration::from_secs);
            let found = Found {
                ttl,
                ..Found::new([])
            };
            found.fresh_for().as_secs()
        };
        assert_eq!([kept(None), kept(Some(0)), kept(Some(7))], [5, 0, 7]);
        assert_eq!(kept(Some(86_400)), 30);
    }

    #[tokio::test]
    async fn what_cannot_be_a_name_is_refused_and_not_repeated() {
        for host in [
            "",
            ".",
            "/run/pg",
            "hunter2@h",
            "hunter2 x",
            "hunter2:5432",
            "[hunter2]",
            &"hunter2.".repeat(40),
        ] {
            let error = ask(Scripted::Hangs, host).await.unwrap_err();
            assert_eq!(error.code(), Code::ResolveFailed, "{host}");
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        }
    }
}
