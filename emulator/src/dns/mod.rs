//! A name server of our own: the names of the endpoints, and every way in which DNS goes wrong.
//!
//! With [`HostMode::Dns`](crate::HostMode::Dns) endpoints have hosts that no other name server knows, so a client gets
//! through only if it asks this one. That is how a client's own resolver is tested without touching the machine's.

mod rule;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, CNAME};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;

pub(crate) use rule::Rules;
pub use rule::{DnsAnswer, DnsRule};

use crate::Error;
use crate::front::directory::Directory;
use crate::state::{Lakebase, names};

/// How long our own answers may be kept.
const TTL_S: u32 = 30;
/// How many aliases lead to an address at most.
const LONGEST_CHAIN: usize = 8;
/// How often a port is looked for that is free for both UDP and TCP.
const PORT_TRIES: u32 = 32;

/// The name server; dropping it ends it.
pub(crate) struct Dns {
    address: SocketAddr,
    rules: Arc<Rules>,
    _servers: JoinSet<()>,
}

impl Dns {
    pub(crate) async fn start(lakebase: Arc<Lakebase>) -> Result<Self, Error> {
        let (udp, tcp) = sockets().await.map_err(|source| Error::Listen {
            what: "the name server",
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            source,
        })?;
        let address = udp.local_addr().map_err(|source| Error::Listen {
            what: "the name server",
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            source,
        })?;
        let rules = Arc::new(Rules::default());
        let desk = Desk {
            lakebase,
            rules: rules.clone(),
        };
        let mut servers = JoinSet::new();
        servers.spawn(serve_udp(udp, desk.clone()));
        servers.spawn(serve_tcp(tcp, desk));
        Ok(Self {
            address,
            rules,
            _servers: servers,
        })
    }

    /// Its address, for UDP and TCP.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn rules(&self) -> &Arc<Rules> {
        &self.rules
    }
}

/// UDP and TCP on one free port.
async fn sockets() -> io::Result<(UdpSocket, TcpListener)> {
    let mut tries = 0;
    loop {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        match UdpSocket::bind(tcp.local_addr()?).await {
            Ok(udp) => return Ok((udp, tcp)),
            Err(error) if tries == PORT_TRIES => return Err(error),
            Err(_) => tries += 1,
        }
    }
}

#[derive(Clone)]
struct Desk {
    lakebase: Arc<Lakebase>,
    rules: Arc<Rules>,
}

/// By which way a question came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Carrier {
    Udp,
    Tcp,
}

impl Desk {
    /// The answer to a packet; `None`: silence.
    fn answer(&self, packet: &[u8], carrier: Carrier) -> Option<Vec<u8>> {
        let question = Message::from_vec(packet).ok()?;
        let id = question.metadata.id;
        let [query] = question.queries.as_slice() else {
            return Message::error_msg(id, OpCode::Query, ResponseCode::FormErr)
                .to_vec()
                .ok();
        };
        let name = query.name().to_ascii().to_ascii_lowercase();
        let name = name.strip_suffix('.').unwrap_or(&name);
        let mut answer = Message::new(id, MessageType::Response, OpCode::Query);
        answer.metadata.recursion_desired = question.metadata.recursion_desired;
        answer.metadata.recursion_available = true;
        answer.add_query(query.clone());
        self.fill(&mut answer, query, name, carrier)?;
        answer.to_vec().ok()
    }

    /// Writes what is known of `name` into `answer`; `None`: nothing is to be said.
    fn fill(
        &self,
        answer: &mut Message,
        query: &Query,
        name: &str,
        carrier: Carrier,
    ) -> Option<()> {
        match self.rules.strike(name) {
            Some((DnsAnswer::Addresses(addresses), ttl_s)) => {
                add(answer, query, &addresses, ttl_s);
            }
            // An alias that leads back to itself is followed for as long as an answer may be.
            Some((DnsAnswer::Alias(_), _)) if answer.answers.len() >= LONGEST_CHAIN => {}
            Some((DnsAnswer::Alias(to), ttl_s)) => {
                let target = Name::from_ascii(format!("{to}.")).ok()?;
                let alias = RData::CNAME(CNAME(target.clone()));
                answer.add_answer(Record::from_rdata(query.name().clone(), ttl_s, alias));
                let behind = Query::query(target, query.query_type());
                self.fill(answer, &behind, &to, carrier)?;
            }
            Some((DnsAnswer::Nxdomain, _)) => {
                answer.metadata.response_code = ResponseCode::NXDomain;
            }
            Some((DnsAnswer::Servfail, _)) => {
                answer.metadata.response_code = ResponseCode::ServFail;
            }
            Some((DnsAnswer::Refused, _)) => answer.metadata.response_code = ResponseCode::Refused,
            Some((DnsAnswer::Timeout, _)) => return None,
            Some((DnsAnswer::Truncate, _)) if carrier == Carrier::Udp => {
                answer.metadata.truncation = true;
            }
            None | Some((DnsAnswer::Truncate, _)) => self.know(answer, query, name),
        }
        Some(())
    }

    /// What is true: an endpoint's host is this machine, and nothing else exists.
    fn know(&self, answer: &mut Message, query: &Query, name: &str) {
        let uid = names::split_host(name).map(|(uid, _)| uid);
        if uid.is_some_and(|uid| self.lakebase.endpoint_by_uid(uid).is_some()) {
            add(answer, query, &[Ipv4Addr::LOCALHOST.into()], TTL_S);
        } else {
            answer.metadata.response_code = ResponseCode::NXDomain;
        }
    }
}

/// Adds those of `addresses` that `query` asks for.
fn add(answer: &mut Message, query: &Query, addresses: &[IpAddr], ttl_s: u32) {
    for address in addresses {
        let data = match (query.query_type(), address) {
            (RecordType::A, IpAddr::V4(v4)) => RData::A(A(*v4)),
            (RecordType::AAAA, IpAddr::V6(v6)) => RData::AAAA(AAAA(*v6)),
            _ => continue,
        };
        answer.add_answer(Record::from_rdata(query.name().clone(), ttl_s, data));
    }
}

async fn serve_udp(socket: UdpSocket, desk: Desk) {
    let mut packet = [0_u8; 4096];
    loop {
        // An error here is a port of a client that is closed already.
        let Ok((length, from)) = socket.recv_from(&mut packet).await else {
            continue;
        };
        if let Some(answer) = desk.answer(&packet[..length], Carrier::Udp) {
            let _ = socket.send_to(&answer, from).await;
        }
    }
}

async fn serve_tcp(listener: TcpListener, desk: Desk) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                let desk = desk.clone();
                // What ends one connection concerns no other.
                connections.spawn(async move {
                    let _ = converse(stream, &desk).await;
                });
            }
        }
    }
}

async fn converse(mut stream: TcpStream, desk: &Desk) -> io::Result<()> {
    loop {
        let length = stream.read_u16().await?;
        let mut packet = vec![0; length.into()];
        stream.read_exact(&mut packet).await?;
        if let Some(answer) = desk.answer(&packet, Carrier::Tcp) {
            let length = u16::try_from(answer.len()).map_err(io::Error::other)?;
            stream.write_u16(length).await?;
            stream.write_all(&answer).await?;
        }
    }
}
