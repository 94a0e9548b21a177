//! From the first byte of a connection to its start-up packet.
//!
//! The order of the checks is that of the Envoy filters in front of Lakebase, because a client that fails two of them
//! must see the error of the first.

use tokio::io::{AsyncRead, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::downstream::Downstream;
use crate::packet::{
    BackendKey, CANCEL_REQUEST, GSS_ENC_REQUEST, SSL_REQUEST, Stop, read_cancel_key, read_preamble,
    skip,
};
use crate::refusal::Fault;
use crate::server::PlainPolicy;
use crate::startup::Startup;

/// Lakebase takes start-up packets that are shorter than this.
const STARTUP_LIMIT: u32 = 10_000;
const PROTOCOL_3_0: u32 = 3 << 16;

/// What a client wants.
pub(crate) enum Wish {
    Start(Startup),
    Cancel(BackendKey),
}

/// What the first packet of a TCP connection asks for.
pub(crate) enum First {
    Tls,
    Wish(Wish),
}

/// Reads the first packet.
pub(crate) async fn first_packet(
    tcp: &mut TcpStream,
    tls: bool,
    plain: PlainPolicy,
) -> Result<First, Stop> {
    let (mut length, mut code) = read_preamble(tcp).await?;
    if plain == PlainPolicy::Accept {
        // A polite "no", as Postgres gives, to whatever cannot be had here.
        while code == GSS_ENC_REQUEST || (code == SSL_REQUEST && !tls) {
            tcp.write_all(b"N").await?;
            (length, code) = read_preamble(tcp).await?;
        }
        if code != SSL_REQUEST {
            return inside(tcp, length, code).await.map(First::Wish);
        }
    }
    match code {
        SSL_REQUEST if length == 8 => Ok(First::Tls),
        CANCEL_REQUEST if length == 16 => {
            Ok(First::Wish(Wish::Cancel(read_cancel_key(tcp).await?)))
        }
        _ => {
            // The filter looks at a packet when it is there as a whole. A direct TLS handshake, read as a length, is
            // never whole: it ends with the handshake timeout.
            skip(tcp, u64::from(length).saturating_sub(8)).await?;
            Err(match code {
                SSL_REQUEST => Fault::SslRequestLength,
                CANCEL_REQUEST => Fault::CancelRequestLength,
                protocol => Fault::NotEncrypted { protocol },
            }
            .into())
        }
    }
}

/// Answers an `SSLRequest` with yes.
pub(crate) async fn agree_to_tls(tcp: &mut TcpStream) -> Result<(), Stop> {
    // Looked at before the answer is sent: what is here already cannot be a reaction to it, so it is not
    // encrypted. The answer goes out in any case, as from the real gateway.
    let early = tcp.try_read(&mut [0_u8; 1]);
    tcp.write_all(b"S").await?;
    match early {
        Ok(0) => Err(Stop::Gone),
        Ok(_) => Err(Fault::DataBeforeTls.into()),
        Err(_) => Ok(()),
    }
}

/// Reads the start-up packet behind TLS, or where TLS is not needed.
pub(crate) async fn wish<S: AsyncRead + Unpin>(stream: &mut S) -> Result<Wish, Stop> {
    let (length, code) = read_preamble(stream).await?;
    inside(stream, length, code).await
}

async fn inside<S: AsyncRead + Unpin>(
    stream: &mut S,
    length: u32,
    code: u32,
) -> Result<Wish, Stop> {
    if !(8..STARTUP_LIMIT).contains(&length) {
        return Err(Fault::StartupLength.into());
    }
    if code == CANCEL_REQUEST {
        if length != 16 {
            return Err(Fault::CancelRequestLength.into());
        }
        return Ok(Wish::Cancel(read_cancel_key(stream).await?));
    }
    if code != PROTOCOL_3_0 {
        skip(stream, u64::from(length - 8)).await?;
        let [a, b, c, d] = code.to_be_bytes();
        let (major, minor) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        return Err(Fault::ProtocolVersion { major, minor }.into());
    }
    Ok(Wish::Start(Startup::read(stream, length, code).await?))
}

/// Ends TLS and tells the host name that the client asked for.
pub(crate) async fn accept_tls(
    acceptor: &TlsAcceptor,
    tcp: TcpStream,
) -> Result<(Downstream, Option<String>), Stop> {
    let tls = acceptor.accept(tcp).await?;
    let sni = tls.get_ref().1.server_name().map(str::to_ascii_lowercase);
    Ok((Downstream::Tls(Box::new(tls)), sni))
}
