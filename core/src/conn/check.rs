//! What libpq finds out only when it connects: ports, counts, and words with a fixed meaning.
//!
//! Apart from the parser, since a string with such a fault still parses, and psql's `\conninfo` or a linter may want to
//! see it. No message repeats a value: after a slip in a URI, "the port" is the rest of the password.

use std::net::IpAddr;

use super::params::Params;
use super::table::Keyword;
use super::tls_root::SYSTEM_ROOTS;
use crate::{Code, Error, Result};

const SSLMODES: &[&str] = &[
    "disable",
    "allow",
    "prefer",
    "require",
    "verify-ca",
    "verify-full",
];

/// Keywords whose values are words of a fixed list, and whether capitals matter.
const WORDS: &[(Keyword, &[&str])] = &[
    (Keyword::Sslmode, SSLMODES),
    (Keyword::Sslnegotiation, &["postgres", "direct"]),
    (Keyword::Sslcertmode, &["disable", "allow", "require"]),
    (Keyword::ChannelBinding, &["disable", "prefer", "require"]),
    (Keyword::Gssencmode, &["disable", "prefer", "require"]),
    (Keyword::LoadBalanceHosts, &["disable", "random"]),
    (
        Keyword::TargetSessionAttrs,
        &[
            "any",
            "read-write",
            "read-only",
            "primary",
            "standby",
            "prefer-standby",
        ],
    ),
    (Keyword::SslMinProtocolVersion, TLS_VERSIONS),
    (Keyword::SslMaxProtocolVersion, TLS_VERSIONS),
    (Keyword::MinProtocolVersion, &["3.0", "3.2", "latest"]),
    (Keyword::MaxProtocolVersion, &["3.0", "3.2", "latest"]),
];

const TLS_VERSIONS: &[&str] = &["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"];

impl Params {
    /// Refuses what a connection attempt would refuse: a host that holds an `@`, ports outside of 1 to 65535, lists of
    /// different lengths, an address that is none, words that libpq does not know.
    pub fn check(&self) -> Result<()> {
        self.check_servers()?;
        for (keyword, words) in WORDS {
            let capitals_count = !matches!(
                keyword,
                Keyword::SslMinProtocolVersion | Keyword::SslMaxProtocolVersion
            );
            let known = |value: &str| {
                value.is_empty()
                    || words.iter().any(|word| {
                        *word == value || (!capitals_count && word.eq_ignore_ascii_case(value))
                    })
            };
            if !self.get(*keyword).is_none_or(known) {
                return Err(invalid(*keyword, "is none of the words it may be")
                    .with_hint(format!("Write one of: {}", words.join(", "))));
            }
        }
        if self
            .get(Keyword::ConnectTimeout)
            .is_some_and(|seconds| integer(seconds).is_none())
        {
            return Err(invalid(Keyword::ConnectTimeout, "is no whole number")
                .with_hint("Write the seconds, such as connect_timeout=10"));
        }
        self.check_tls()
    }

    fn check_servers(&self) -> Result<()> {
        for keyword in [Keyword::Host, Keyword::Port] {
            if self.get(keyword).is_some_and(|list| list.contains('@')) {
                return Err(invalid(keyword, "holds an \"@\"").with_hint(
                    "In a URI the user ends at the first @: write the @ of an e-mail address or password as %40",
                ));
            }
        }
        let list = |keyword| {
            self.get(keyword)
                .filter(|list| !list.is_empty())
                .map(|list| list.split(',').collect::<Vec<_>>())
        };
        let (hosts, addresses, ports) = (
            list(Keyword::Host),
            list(Keyword::Hostaddr),
            list(Keyword::Port),
        );
        if let (Some(hosts), Some(addresses)) = (&hosts, &addresses)
            && hosts.len() != addresses.len()
        {
            return Err(invalid(
                Keyword::Hostaddr,
                &format!(
                    "lists {} for {} in \"host\"",
                    count(addresses.len(), "address"),
                    count(hosts.len(), "name")
                ),
            )
            .with_hint("Give one address for each host; an entry may be empty"));
        }
        let servers = addresses.as_ref().or(hosts.as_ref()).map_or(1, Vec::len);
        if let Some(ports) = &ports {
            if ports.len() != 1 && ports.len() != servers {
                return Err(invalid(
                    Keyword::Port,
                    &format!(
                        "lists {} for {}",
                        count(ports.len(), "port"),
                        count(servers, "host")
                    ),
                )
                .with_hint("Give one port for all hosts, or one for each"));
            }
            let is_port = |port: &&str| {
                port.is_empty() || integer(port).is_some_and(|port| (1..=65535).contains(&port))
            };
            if !ports.iter().all(is_port) {
                return Err(
                    invalid(Keyword::Port, "is no number from 1 to 65535").with_hint(
                        "In a URI, write : / ? # and @ of a password as %3A %2F %3F %23 and %40",
                    ),
                );
            }
        }
        let is_address = |text: &&str| {
            let bare = text.split('%').next().unwrap_or_default();
            text.is_empty() || bare.parse::<IpAddr>().is_ok()
        };
        if !addresses.iter().flatten().all(is_address) {
            return Err(invalid(Keyword::Hostaddr, "is no IP address").with_hint(
                "Names go into \"host\"; \"hostaddr\" takes IPv4 and IPv6 addresses only",
            ));
        }
        Ok(())
    }

    fn check_tls(&self) -> Result<()> {
        let mode = self.sslmode().filter(|mode| !mode.is_empty());
        let weak = |weakest: &str| {
            let rank = |word: &str| SSLMODES.iter().position(|mode| *mode == word);
            mode.is_some_and(|mode| rank(mode) < rank(weakest))
        };
        if self.sslrootcert() == Some(SYSTEM_ROOTS) && weak("verify-full") {
            return Err(
                invalid(Keyword::Sslmode, "is too weak for sslrootcert=system")
                    .with_hint("Write sslmode=verify-full, or name a file of root certificates"),
            );
        }
        if self.get(Keyword::Sslnegotiation) == Some("direct")
            && (mode.is_none() || weak("require"))
        {
            return Err(
                invalid(Keyword::Sslmode, "is too weak for sslnegotiation=direct")
                    .with_hint("Write sslmode=verify-full"),
            );
        }
        Ok(())
    }
}

fn invalid(keyword: Keyword, what: &str) -> Error {
    Error::new(
        Code::ConninfoInvalid,
        format!("the value of {:?} {what}", keyword.name()),
    )
}

fn count(number: usize, noun: &str) -> String {
    let plural = match noun {
        _ if number == 1 => "",
        "address" => "es",
        _ => "s",
    };
    format!("{number} {noun}{plural}")
}

/// As libpq reads numbers: blanks around and a sign are fine.
fn integer(text: &str) -> Option<i32> {
    text.trim_matches([' ', '\t', '\n', '\x0b', '\x0c', '\r'])
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::params::Params;
    use crate::Code;

    fn fault(text: &str) -> Option<String> {
        let error = Params::parse(text).unwrap().check().err()?;
        assert_eq!(error.code(), Code::ConninfoInvalid);
        assert!(error.hint().is_some());
        Some(error.message().to_owned())
    }

    #[test]
    fn what_connects_passes() {
        for text in [
            "",
            "host=a,b port=1",
            "host=a,b port=1,",
            "host=a port=+5432",
            "host=a port=' 05432 '",
            "hostaddr=10.0.0.1,::1",
            "host=a,b hostaddr=10.0.0.1,fe80::1%eth0",
            "host=a, hostaddr=,10.0.0.1",
            "port=''",
            "sslmode=''",
            "sslrootcert=system",
            "sslrootcert=system sslmode=verify-full sslnegotiation=direct",
            "ssl_min_protocol_version=tlsv1.3",
            "connect_timeout=-1",
        ] {
            assert_eq!(fault(text), None, "{text}");
        }
    }

    #[test]
    fn what_cannot_connect_is_named_by_keyword_and_never_by_value() {
        for (text, wanted) in [
            (
                "postgresql://ada@hunter2@h",
                "the value of \"host\" holds an \"@\"",
            ),
            (
                "postgresql://ada@mail.com:hunter2@h",
                "the value of \"port\" holds an \"@\"",
            ),
            (
                "postgresql://ada:hunter2/x@h",
                "the value of \"port\" is no number from 1 to 65535",
            ),
            (
                "host=a port=0",
                "the value of \"port\" is no number from 1 to 65535",
            ),
            (
                "host=a port=65536",
                "the value of \"port\" is no number from 1 to 65535",
            ),
            (
                "host=a port=1,2",
                "the value of \"port\" lists 2 ports for 1 host",
            ),
            (
                "host=a,b,c port=1,2",
                "the value of \"port\" lists 2 ports for 3 hosts",
            ),
            (
                "host=a,b hostaddr=::1",
                "the value of \"hostaddr\" lists 1 address for 2 names in \"host\"",
            ),
            (
                "hostaddr=localhost",
                "the value of \"hostaddr\" is no IP address",
            ),
            (
                "sslmode=Require",
                "the value of \"sslmode\" is none of the words it may be",
            ),
            (
                "sslrootcert=system sslmode=require",
                "the value of \"sslmode\" is too weak for sslrootcert=system",
            ),
            (
                "sslnegotiation=direct",
                "the value of \"sslmode\" is too weak for sslnegotiation=direct",
            ),
            (
                "connect_timeout=1s",
                "the value of \"connect_timeout\" is no whole number",
            ),
        ] {
            assert_eq!(fault(text).as_deref(), Some(wanted), "{text}");
        }
    }
}
