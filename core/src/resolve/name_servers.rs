//! DNS asked directly, past the system's resolver.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig,
    ResolverOpts,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RecordType};
use hickory_resolver::{Resolver, TokioResolver, system_conf};

use super::{Found, Lookup};
use crate::clock::BoxFuture;
use crate::{Code, Error, Result};

const PORT: u16 = 53;
/// How long one server may take for one answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often a server that says nothing is asked again.
const ATTEMPTS: usize = 1;

/// Asks name servers over UDP, and over TCP where an answer does not fit or does not come.
///
/// Nothing is kept between two look-ups: neither a socket that a fork would share, nor a list of servers that was right
/// in another network.
#[derive(Clone, Debug, Default)]
pub struct NameServers {
    /// Empty for the system's own.
    servers: Vec<SocketAddr>,
}

impl NameServers {
    /// These servers.
    pub fn at(servers: Vec<SocketAddr>) -> NameServers {
        NameServers { servers }
    }

    /// Reads a list such as `10.0.0.2, [fd00::53]:5353`.
    ///
    /// # Errors
    /// [`Code::ConfigInvalid`] for what is no address; `source` is where the list stands.
    pub fn parse(list: &str, source: &str) -> Result<NameServers> {
        let servers: Result<Vec<SocketAddr>> = list
            .split([',', ' '])
            .filter(|text| !text.is_empty())
            .map(|text| {
                let with_port = text.parse();
                with_port
                    .or_else(|_| text.parse().map(|ip: IpAddr| SocketAddr::new(ip, PORT)))
                    .map_err(|_| {
                        Error::new(
                            Code::ConfigInvalid,
                            format!("{source} holds '{text}', which is no address of a name server"),
                        )
                        .with_hint(
                            "Give IP addresses with or without a port, such as 10.0.0.2 or [fd00::53]:5353",
                        )
                    })
            })
            .collect();
        let servers = servers?;
        if servers.is_empty() {
            return Err(Error::new(
                Code::ConfigInvalid,
                format!("{source} names no name server"),
            )
            .with_hint("Unset it to ask the system's own name servers"));
        }
        Ok(NameServers { servers })
    }

    fn resolver(&self) -> io::Result<(TokioResolver, Vec<SocketAddr>)> {
        let (config, mut options) = if self.servers.is_empty() {
            let (config, options) = system_conf::read_system_conf().map_err(|error| {
                io::Error::other(format!("cannot find the name servers: {error}"))
            })?;
            // The name is whole: it is not looked for below the machine's own domains.
            let servers = config.name_servers().to_vec();
            (
                ResolverConfig::from_parts(None, Vec::new(), servers),
                options,
            )
        } else {
            let servers = self.servers.iter().map(|server| server_at(*server));
            let config = ResolverConfig::from_parts(None, Vec::new(), servers.collect());
            (config, ResolverOpts::default())
        };
        options.timeout = PATIENCE;
        options.attempts = ATTEMPTS;
        options.cache_size = 0;
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        options.try_tcp_on_error = true;
        // The system's resolver has read it already.
        options.use_hosts_file = ResolveHosts::Never;
        let asked = config.name_servers().iter().map(|server| {
            let port = server.connections.first().map_or(PORT, |first| first.port);
            SocketAddr::new(server.ip, port)
        });
        let asked = asked.collect();
        let resolver = Resolver::builder_with_config(config, TokioRuntimeProvider::default())
            .with_options(options)
            .build()
            .map_err(|error| io::Error::other(error.to_string()))?;
        Ok((resolver, asked))
    }
}

fn server_at(address: SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = address.port();
        connection
    });
    NameServerConfig::new(address.ip(), true, connections.into())
}

impl Lookup for NameServers {
    fn lookup(&self, host: &str) -> BoxFuture<'static, io::Result<Found>> {
        let made = self.resolver();
        let host = format!("{}.", host.strip_suffix('.').unwrap_or(host));
        Box::pin(async move {
            let (resolver, asked) = made?;
            let name = Name::from_ascii(&host).map_err(io::Error::other)?;
            let answer = resolver.lookup_ip(name).await;
            let answer = answer.map_err(|error| told(&asked, &error))?;
            let ttl = answer
                .as_lookup()
                .answers()
                .iter()
                .filter(|record| {
                    matches!(
                        record.record_type(),
                        RecordType::A | RecordType::AAAA | RecordType::CNAME
                    )
                })
                .map(|record| Duration::from_secs(record.ttl.into()))
                .min();
            Ok(Found {
                ttl,
                ..Found::new(answer.iter())
            })
        })
    }
}

/// The failure with the servers that were asked, in the words that `dig` and the like use.
fn told(asked: &[SocketAddr], error: &NetError) -> io::Error {
    let servers: Vec<String> = asked.iter().map(SocketAddr::to_string).collect();
    let servers = servers.join(", ");
    let (kind, what) = match error {
        NetError::Timeout => (io::ErrorKind::TimedOut, "did not answer in time".to_owned()),
        NetError::Dns(DnsError::NoRecordsFound(none)) => {
            let what = match none.response_code {
                ResponseCode::NXDomain => "said NXDOMAIN (no such name)",
                ResponseCode::NoError => "know the name, but no address of it",
                _ => "gave no address",
            };
            (io::ErrorKind::NotFound, what.to_owned())
        }
        NetError::Dns(DnsError::ResponseCode(ResponseCode::ServFail)) => {
            (io::ErrorKind::Other, "said SERVFAIL".to_owned())
        }
        NetError::Dns(DnsError::ResponseCode(ResponseCode::Refused)) => {
            (io::ErrorKind::Other, "said REFUSED".to_owned())
        }
        error => (io::ErrorKind::Other, format!("failed: {error}")),
    };
    io::Error::new(kind, format!("the name servers ({servers}) {what}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::NameServers;
    use crate::Code;

    #[test]
    fn a_list_takes_addresses_with_and_without_a_port() {
        let servers = NameServers::parse("10.0.0.2, [fd00::53]:5353 fd00::1", "HERE").unwrap();
        let servers: Vec<String> = servers.servers.iter().map(ToString::to_string).collect();
        assert_eq!(servers, ["10.0.0.2:53", "[fd00::53]:5353", "[fd00::1]:53"]);
    }

    #[test]
    fn a_list_with_a_name_or_with_nothing_says_where_it_stands() {
        for list in ["dns.example.com", "", " , ", "10.0.0.2:99999"] {
            let error = NameServers::parse(list, "LAKEKEY_NAMESERVERS").unwrap_err();
            assert_eq!(error.code(), Code::ConfigInvalid, "{list}");
            assert!(error.message().contains("LAKEKEY_NAMESERVERS"), "{error}");
        }
    }
}
