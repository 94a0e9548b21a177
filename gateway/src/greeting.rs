//! The upstream's first words, from the start-up packet to `ReadyForQuery`.
//!
//! They are read whole before the client gets any of them. So an upstream that is not ready yet or goes away in the
//! middle (a race with suspension) can be replaced without the client noticing.

use std::io;

use bytes::{Buf, BytesMut};
use postgres_protocol::message::backend::{
    AUTHENTICATION_TAG, BACKEND_KEY_DATA_TAG, ERROR_RESPONSE_TAG, ErrorFields, Header, Message,
    READY_FOR_QUERY_TAG,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::packet::BackendKey;

/// More than any greeting holds.
const MAX_MESSAGE: usize = 1 << 20;

pub(crate) enum Greeting {
    /// The upstream is ready: its messages without authentication and key, and the key.
    Ready {
        before_key: BytesMut,
        key: BackendKey,
        after_key: BytesMut,
    },
    /// It refuses, in its own words.
    Refused(Words),
    /// It is starting, recovering or stopping, and let nobody in.
    NotYet(Words),
    /// It let us in and went away; maybe with a word about it.
    Lost(Option<Words>),
    /// It asks for a password or says what does not belong here.
    Unexpected,
}

/// An `ErrorResponse` of the upstream.
pub(crate) struct Words {
    /// As it came.
    pub(crate) raw: BytesMut,
    pub(crate) code: String,
    pub(crate) message: String,
}

/// Sends `startup` and reads what comes back.
pub(crate) async fn greet<U>(upstream: &mut U, startup: &[u8]) -> Greeting
where
    U: AsyncRead + AsyncWrite + Unpin,
{
    match exchange(upstream, startup).await {
        Ok(greeting) => greeting,
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Greeting::Unexpected,
        Err(_) => Greeting::Lost(None),
    }
}

async fn exchange<U>(upstream: &mut U, startup: &[u8]) -> io::Result<Greeting>
where
    U: AsyncRead + AsyncWrite + Unpin,
{
    upstream.write_all(startup).await?;
    upstream.flush().await?;
    let mut input = BytesMut::with_capacity(4096);
    let mut before_key = BytesMut::new();
    let mut key: Option<BackendKey> = None;
    loop {
        let Some(message) = next_message(&mut input)? else {
            if upstream.read_buf(&mut input).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            continue;
        };
        match message.first().copied() {
            Some(AUTHENTICATION_TAG) => {
                if !matches!(parse(&message)?, Message::AuthenticationOk) {
                    return Ok(Greeting::Unexpected);
                }
            }
            Some(BACKEND_KEY_DATA_TAG) => {
                let Message::BackendKeyData(body) = parse(&message)? else {
                    return Ok(Greeting::Unexpected);
                };
                key = Some(BackendKey {
                    process_id: body.process_id(),
                    secret: body.secret_key(),
                });
            }
            Some(ERROR_RESPONSE_TAG) => return refused(message),
            Some(READY_FOR_QUERY_TAG) => {
                let Some(key) = key else {
                    return Ok(Greeting::Unexpected);
                };
                let mut after_key = message;
                after_key.extend_from_slice(&input);
                return Ok(Greeting::Ready {
                    before_key,
                    key,
                    after_key,
                });
            }
            _ => before_key.extend_from_slice(&message),
        }
    }
}

/// Takes one whole message off the front, as raw bytes.
fn next_message(input: &mut BytesMut) -> io::Result<Option<BytesMut>> {
    let Some(header) = Header::parse(input)? else {
        return Ok(None);
    };
    let length = usize::try_from(header.len())
        .unwrap_or(usize::MAX)
        .saturating_add(1);
    if length > MAX_MESSAGE {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok((input.remaining() >= length).then(|| input.split_to(length)))
}

fn parse(message: &BytesMut) -> io::Result<Message> {
    Message::parse(&mut message.clone())?.ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn refused(raw: BytesMut) -> io::Result<Greeting> {
    let Message::ErrorResponse(body) = parse(&raw)? else {
        return Ok(Greeting::Unexpected);
    };
    let (code, message) = code_and_message(body.fields())?;
    let words = Words { raw, code, message };
    Ok(match words.code.as_str() {
        // cannot_connect_now.
        "57P03" => Greeting::NotYet(words),
        // admin_shutdown, after it let us in.
        "57P01" => Greeting::Lost(Some(words)),
        _ => Greeting::Refused(words),
    })
}

fn code_and_message(mut fields: ErrorFields<'_>) -> io::Result<(String, String)> {
    use fallible_iterator::FallibleIterator;
    let (mut code, mut message) = (String::new(), String::new());
    while let Some(field) = fields.next()? {
        let target = match field.type_() {
            b'C' => &mut code,
            b'M' => &mut message,
            _ => continue,
        };
        *target = String::from_utf8_lossy(field.value_bytes()).into_owned();
    }
    Ok((code, message))
}
