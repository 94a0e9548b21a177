//! lakekey's own login: to see whether one works where no driver is at hand.
//!
//! It goes as far as a driver's login goes, and no further: TLS, the credential as a clear text password inside of it, until
//! Postgres is ready for a query. The certificate is verified whatever `sslmode` says: nobody waits for a login in order to
//! hand a token to a stranger.

use std::io::{Error as IoError, ErrorKind};
use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::{Attempt, Failure, Plan, PlanRequest};
use crate::client::Client;
use crate::clock::Deadline;
use crate::code::Code;
use crate::conn::{Params, SYSTEM_ROOTS};
use crate::error::{Error, Result};
use crate::http::tls;

const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
const PROTOCOL: i32 = 196_608;
const TERMINATE: [u8; 5] = [b'X', 0, 0, 0, 4];
const CLEAR_TEXT: i32 = 3;
/// No message of a login is longer.
const LONGEST: usize = 1 << 20;

/// Why a dial failed, as a driver would report it.
struct Refused {
    code: Option<String>,
    text: String,
}

impl From<IoError> for Refused {
    fn from(error: IoError) -> Refused {
        let code = match error.kind() {
            ErrorKind::ConnectionRefused => Some("ECONNREFUSED"),
            ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => Some("ECONNRESET"),
            ErrorKind::TimedOut => Some("ETIMEDOUT"),
            _ => None,
        };
        let text = match error.kind() {
            ErrorKind::UnexpectedEof => "server closed the connection unexpectedly".to_owned(),
            _ => error.to_string(),
        };
        Refused {
            code: code.map(str::to_owned),
            text,
        }
    }
}

impl Client {
    /// Logs in and out again, with all the patience of a connect: waits while a compute wakes or a branch becomes known.
    /// Gives the attempt that worked.
    ///
    /// # Errors
    /// Those of [`Plan::next`]; [`Code::ConfigInvalid`] for `sslmode=disable`, [`Code::HttpTls`] for roots that cannot be read.
    pub async fn log_in(&self, request: PlanRequest) -> Result<Attempt> {
        let mut plan: Plan = self.plan(request);
        let mut attempt = plan.next(None).await?;
        loop {
            let connector = connector(self, &attempt.params).await?;
            let clock = self.clock();
            let limit = Deadline::after(clock, attempt.timeout);
            let outcome = limit.limit(clock, dial(&attempt, connector)).await;
            let refused = match outcome {
                Some(Ok(())) => {
                    plan.connected();
                    return Ok(attempt);
                }
                Some(Err(refused)) => refused,
                None => IoError::new(ErrorKind::TimedOut, "connection timed out").into(),
            };
            let failure = Failure {
                code: refused.code.as_deref(),
                text: &refused.text,
            };
            attempt = plan.next(Some(&failure)).await?;
        }
    }
}

async fn connector(client: &Client, params: &Params) -> Result<TlsConnector> {
    if params.sslmode() == Some("disable") {
        return Err(Error::new(
            Code::ConfigInvalid,
            "sslmode=disable: a token is sent over TLS only",
        )
        .with_hint("Leave sslmode out, or set it to verify-full"));
    }
    let root = params.sslrootcert().filter(|root| *root != SYSTEM_ROOTS);
    let roots = tls::Roots::of_database(client.environment(), root.map(PathBuf::from));
    let config = tls::client_config(roots.read().await?)?;
    Ok(TlsConnector::from(Arc::new(config)))
}

async fn dial(attempt: &Attempt, connector: TlsConnector) -> Result<(), Refused> {
    let params = &attempt.params;
    let host = params.host().unwrap_or_default();
    let port = params.port().unwrap_or(5432);
    let mut stream = match attempt.address {
        Some(address) => TcpStream::connect((address, port)).await?,
        None => TcpStream::connect((host, port)).await?,
    };
    stream.set_nodelay(true)?;
    stream.write_all(&SSL_REQUEST).await?;
    let mut answer = [0];
    stream.read_exact(&mut answer).await?;
    if answer != *b"S" {
        return Err(said("server does not support SSL, but SSL was required"));
    }
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| said("the host is no name that a certificate could have"))?;
    let mut stream = connector.connect(name, stream).await?;
    log_in(&mut stream, attempt).await?;
    // It has worked; how it ends changes nothing about that.
    let _ = stream.write_all(&TERMINATE).await;
    let _ = stream.shutdown().await;
    Ok(())
}

async fn log_in(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    attempt: &Attempt,
) -> Result<(), Refused> {
    let params = &attempt.params;
    let mut start = PROTOCOL.to_be_bytes().to_vec();
    let named = [
        ("user", params.user()),
        ("database", params.dbname()),
        ("application_name", Some("lakekey")),
    ];
    for (name, value) in named {
        for text in [name, value.unwrap_or_default()] {
            start.extend_from_slice(text.as_bytes());
            start.push(0);
        }
    }
    start.push(0);
    stream.write_all(&framed(None, &start)).await?;
    loop {
        let kind = stream.read_u8().await?;
        let length = usize::try_from(stream.read_u32().await?).unwrap_or(usize::MAX);
        if !(4..=LONGEST).contains(&length) {
            return Err(said("the server's answer is none of Postgres"));
        }
        let mut body = vec![0; length - 4];
        stream.read_exact(&mut body).await?;
        match kind {
            b'R' => match body.first_chunk().map(|code| i32::from_be_bytes(*code)) {
                Some(0) => {}
                Some(CLEAR_TEXT) => {
                    let password = params.password();
                    let mut secret = password
                        .map(|password| password.expose().as_bytes().to_vec())
                        .unwrap_or_default();
                    secret.push(0);
                    stream.write_all(&framed(Some(b'p'), &secret)).await?;
                }
                _ => {
                    return Err(said(
                        "the server asks for a Postgres password, and a token is none",
                    ));
                }
            },
            b'E' => return Err(refused(&body)),
            b'Z' => return Ok(()),
            _ => {}
        }
    }
}

fn framed(kind: Option<u8>, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap_or(u32::MAX);
    let mut message: Vec<u8> = kind.into_iter().collect();
    message.extend_from_slice(&length.to_be_bytes());
    message.extend_from_slice(body);
    message
}

/// An error of Postgres: fields of a letter and a text, each ended by a zero.
fn refused(body: &[u8]) -> Refused {
    let field = |letter: u8| {
        body.split(|byte| *byte == 0)
            .find(|field| field.first() == Some(&letter))
            .map(|field| String::from_utf8_lossy(&field[1..]).into_owned())
    };
    let mut text = format!(
        "{}: {}",
        field(b'S').as_deref().unwrap_or("FATAL"),
        field(b'M').unwrap_or_default()
    );
    if let Some(detail) = field(b'D') {
        text.push_str("\nDETAIL: ");
        text.push_str(&detail);
    }
    Refused {
        code: field(b'C'),
        text,
    }
}

fn said(text: &str) -> Refused {
    Refused {
        code: None,
        text: text.to_owned(),
    }
}
