//! Host names to addresses: all of them, within a deadline.
//!
//! Drivers get the addresses beside the name, so that a driver's own look-up cannot hang past the caller's budget, and
//! a name with several addresses can be tried on each of them. The system's resolver is asked in a thread of its own:
//! `getaddrinfo` takes no time limit, and one that hangs must hold up neither the caller nor the end of the runtime.

mod system;

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub use system::{FamilyOrder, SystemLookup};

use crate::clock::{BoxFuture, Clock, Deadline};
use crate::{Code, Error, Result};

/// The longest name that DNS can carry, without the final dot.
const LONGEST_NAME: usize = 253;

/// A way to look names up; the system's is [`SystemLookup`].
pub trait Lookup: fmt::Debug + Send + Sync + 'static {
    /// Every address of `host`, the preferred first.
    fn lookup(&self, host: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;
}

/// Every address of `host`, each once, the preferred first. An address stands for itself; `localhost` and names below
/// it are this machine, as RFC 6761 says and many system resolvers do not.
pub async fn resolve(
    lookup: &dyn Lookup,
    host: &str,
    deadline: Deadline,
    clock: &dyn Clock,
) -> Result<Vec<IpAddr>> {
    if let Some(address) = literal(host) {
        return Ok(vec![address]);
    }
    check_name(host)?;
    if is_localhost(host) {
        return Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
    }
    let started = clock.now();
    let Some(found) = deadline.limit(clock, lookup.lookup(host)).await else {
        let waited = clock.now().boot_ms.saturating_sub(started.boot_ms);
        return Err(Error::new(
            Code::ResolveTimeout,
            format!("the resolver gave no address for {host} within {waited} ms"),
        )
        .with_hint(
            "Check that this machine's DNS server answers; a VPN that is half up often does this",
        ));
    };
    let found = found.map_err(|cause| {
        let error = Error::new(
            Code::ResolveFailed,
            format!("{host} has no address: {cause}"),
        );
        error.with_hint(UNKNOWN_NAME).with_source(cause)
    })?;
    let mut addresses = Vec::with_capacity(found.len());
    for address in found {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() {
        return Err(Error::new(
            Code::ResolveFailed,
            format!("{host} has no address: the resolver's answer is empty"),
        )
        .with_hint(UNKNOWN_NAME));
    }
    Ok(addresses)
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
    use std::sync::Arc;
    use std::time::Duration;

    use super::{Lookup, resolve};
    use crate::clock::{BoxFuture, Clock, Deadline, ManualClock};
    use crate::{Code, Result};

    /// Gives what it was made with: addresses, a failure, or nothing for ever.
    #[derive(Clone, Debug)]
    enum Scripted {
        Addresses(Vec<&'static str>),
        Fails(&'static str),
        Hangs,
    }

    impl Lookup for Scripted {
        fn lookup(&self, _: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
            let script = self.clone();
            Box::pin(async move {
                match script {
                    Scripted::Addresses(list) => {
                        Ok(list.iter().map(|text| text.parse().unwrap()).collect())
                    }
                    Scripted::Fails(why) => Err(io::Error::other(why)),
                    Scripted::Hangs => pending().await,
                }
            })
        }
    }

    async fn ask(script: Scripted, host: &str) -> Result<Vec<String>> {
        let clock = ManualClock::at(0);
        let deadline = Deadline::after(&clock, Duration::from_secs(3));
        let found = resolve(&script, host, deadline, &clock).await?;
        Ok(found.iter().map(IpAddr::to_string).collect())
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
    async fn a_resolver_that_hangs_is_left_at_the_deadline() {
        let clock = Arc::new(ManualClock::at(0));
        let deadline = Deadline::after(&*clock, Duration::from_secs(3));
        let asked = tokio::spawn({
            let clock = Arc::clone(&clock);
            async move { resolve(&Scripted::Hangs, "db.example.com", deadline, &*clock).await }
        });
        while clock.next_due().is_none() {
            tokio::task::yield_now().await;
        }
        clock.advance(Duration::from_secs(3));
        let error = asked.await.unwrap().unwrap_err();
        assert_eq!(error.code(), Code::ResolveTimeout);
        assert_eq!(
            error.message(),
            "the resolver gave no address for db.example.com within 3000 ms"
        );
        assert_eq!(clock.now().boot_ms, 3_603_000);
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
