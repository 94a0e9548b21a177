//! Two clients: one that speaks the protocol by hand, and tokio-postgres behind TLS that was opened by hand.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, BytesMut};
use rustls::ClientConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_postgres::NoTls;
use tokio_postgres::error::SqlState;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::stage::{HOST, Stage, TOKEN, USER};

pub(crate) const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
const PATIENCE: Duration = Duration::from_secs(30);

/// The fields of an `ErrorResponse`, in the order in which they came.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused(pub(crate) Vec<(char, String)>);

impl Refused {
    pub(crate) fn get(&self, kind: char) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| *known == kind)
            .map(|(_, text)| text.as_str())
    }

    /// Checks all that a client can see.
    #[track_caller]
    pub(crate) fn assert(&self, code: &str, text: &str, detail: Option<&str>) {
        assert_eq!(self.get('S'), Some("FATAL"), "{self:?}");
        assert_eq!(self.get('V'), Some("FATAL"), "{self:?}");
        assert_eq!(self.get('C'), Some(code), "{self:?}");
        assert_eq!(self.get('M'), Some(text), "{self:?}");
        assert_eq!(self.get('D'), detail, "{self:?}");
    }
}

pub(crate) async fn tcp(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.unwrap()
}

/// TLS to the door; without `host` no SNI is sent.
pub(crate) async fn tls(
    stage: &Stage,
    address: SocketAddr,
    host: Option<&str>,
) -> TlsStream<TcpStream> {
    let mut tcp = tcp(address).await;
    tcp.write_all(&SSL_REQUEST).await.unwrap();
    assert_eq!(tcp.read_u8().await.unwrap(), b'S');
    let mut config = trusting(stage);
    config.enable_sni = host.is_some();
    let name = match host {
        Some(host) => ServerName::try_from(host.to_owned()).unwrap(),
        None => ServerName::IpAddress(address.ip().into()),
    };
    TlsConnector::from(Arc::new(config))
        .connect(name, tcp)
        .await
        .unwrap()
}

/// Full verification against the emulator's authority.
pub(crate) fn trusting(stage: &Stage) -> ClientConfig {
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(stage.certificates.ca_file()).unwrap())
        .unwrap();
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

pub(crate) fn startup(parameters: &[(&str, &str)]) -> BytesMut {
    let mut body = BytesMut::new();
    for (name, value) in parameters {
        for text in [name, value] {
            body.put_slice(text.as_bytes());
            body.put_u8(0);
        }
    }
    body.put_u8(0);
    packet(3 << 16, &body)
}

pub(crate) fn packet(code: u32, body: &[u8]) -> BytesMut {
    let mut packet = BytesMut::new();
    packet.put_u32(u32::try_from(body.len() + 8).unwrap());
    packet.put_u32(code);
    packet.put_slice(body);
    packet
}

pub(crate) fn password(text: &str) -> BytesMut {
    let mut packet = BytesMut::new();
    packet.put_u8(b'p');
    packet.put_u32(u32::try_from(text.len() + 5).unwrap());
    packet.put_slice(text.as_bytes());
    packet.put_u8(0);
    packet
}

/// Reads one message of the server.
pub(crate) async fn message<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<(u8, Vec<u8>)> {
    let read = async {
        let tag = stream.read_u8().await?;
        let length = stream.read_u32().await?;
        let mut body = vec![0; usize::try_from(length).unwrap() - 4];
        stream.read_exact(&mut body).await?;
        Ok((tag, body))
    };
    tokio::time::timeout(PATIENCE, read)
        .await
        .expect("the server says nothing")
}

/// The `ErrorResponse` that is due now, after which the connection must end.
pub(crate) async fn refused<S: AsyncRead + Unpin>(stream: &mut S) -> Refused {
    let (tag, body) = message(stream).await.unwrap();
    assert_eq!(tag, b'E', "{body:?}");
    let fields = body
        .split(|byte| *byte == 0)
        .filter(|field| !field.is_empty())
        .map(|field| {
            (
                char::from(field[0]),
                String::from_utf8_lossy(&field[1..]).into_owned(),
            )
        })
        .collect();
    ended(stream).await;
    Refused(fields)
}

/// The connection ends now, without another byte and without an error of TLS.
pub(crate) async fn ended<S: AsyncRead + Unpin>(stream: &mut S) {
    let mut rest = Vec::new();
    let end = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest));
    end.await
        .expect("the connection stays open")
        .expect("an orderly end");
    assert!(rest.is_empty(), "{rest:?}");
}

/// Sends a start-up packet with `parameters` on top of user and database, and the password if one is asked for.
pub(crate) async fn log_in<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    user: &str,
    secret: &str,
) {
    let parameters = [
        ("user", user),
        ("database", "databricks_postgres"),
        ("application_name", "raw"),
    ];
    stream.write_all(&startup(&parameters)).await.unwrap();
    assert_eq!(message(stream).await.unwrap(), (b'R', vec![0, 0, 0, 3]));
    stream.write_all(&password(secret)).await.unwrap();
    stream.flush().await.unwrap();
}

/// Reads until `ReadyForQuery` and gives the messages before it.
pub(crate) async fn until_ready<S: AsyncRead + Unpin>(stream: &mut S) -> Vec<(u8, Vec<u8>)> {
    let mut seen = Vec::new();
    loop {
        let (tag, body) = message(stream).await.unwrap();
        if tag == b'Z' {
            return seen;
        }
        seen.push((tag, body));
    }
}

/// A stock client; its connection task tells why the session ended.
pub(crate) struct Session {
    pub(crate) client: tokio_postgres::Client,
    pub(crate) end: JoinHandle<Result<(), tokio_postgres::Error>>,
}

pub(crate) async fn connect(stage: &Stage) -> Result<Session, tokio_postgres::Error> {
    connect_as(stage, HOST, "stock").await
}

pub(crate) async fn connect_as(
    stage: &Stage,
    host: &str,
    application: &str,
) -> Result<Session, tokio_postgres::Error> {
    let stream = tls(stage, stage.front.address(), Some(host)).await;
    let (client, connection) = tokio_postgres::Config::new()
        .user(USER)
        .password(TOKEN)
        .dbname("databricks_postgres")
        .application_name(application)
        .connect_raw(stream, NoTls)
        .await?;
    Ok(Session {
        client,
        end: tokio::spawn(connection),
    })
}

impl Session {
    pub(crate) async fn one(&self, query: &str) -> String {
        let rows = self.client.simple_query(query).await.unwrap();
        let row = rows.iter().find_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        });
        row.unwrap()
    }

    /// Why the server ended the session: its SQLSTATE, if it said one.
    pub(crate) async fn end_code(self) -> Option<SqlState> {
        let end = tokio::time::timeout(PATIENCE, self.end)
            .await
            .expect("the session goes on")
            .unwrap();
        end.err().and_then(|error| error.code().cloned())
    }
}
