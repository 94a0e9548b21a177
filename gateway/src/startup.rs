//! The start-up packet: kept byte for byte for the upstream, and read for what the gateway must know.
//!
//! Were it re-encoded, a parameter that this crate does not know (`options=-c ...`) could get lost on the way.

use bytes::{BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::packet::Stop;
use crate::refusal::Fault;

/// What a client said when it started.
#[derive(Clone, Debug)]
pub struct Startup {
    raw: Bytes,
    parameters: Vec<(String, String)>,
}

impl Startup {
    /// The value of a parameter, such as `application_name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        // Postgres lets the last of two equal names win.
        self.parameters
            .iter()
            .rev()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The role that wants to log in.
    pub fn user(&self) -> &str {
        self.get("user").unwrap_or_default()
    }

    /// The database: as Postgres does, the user's name where none is given.
    pub fn database(&self) -> &str {
        self.get("database")
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| self.user())
    }

    /// The packet as it came.
    pub fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// Reads the rest of a packet whose length and protocol number have been read and checked.
    pub(crate) async fn read<S: AsyncRead + Unpin>(
        stream: &mut S,
        length: u32,
        protocol: u32,
    ) -> Result<Self, Stop> {
        let body = usize::try_from(length)
            .unwrap_or(usize::MAX)
            .saturating_sub(8);
        let mut raw = BytesMut::with_capacity(body + 8);
        raw.put_u32(length);
        raw.put_u32(protocol);
        raw.resize(body + 8, 0);
        stream.read_exact(&mut raw[8..]).await?;
        let raw = raw.freeze();
        let parameters = parse(&raw[8..])?;
        let startup = Self { raw, parameters };
        if startup.user().is_empty() {
            return Err(Fault::NoUser.into());
        }
        Ok(startup)
    }
}

fn parse(body: &[u8]) -> Result<Vec<(String, String)>, Fault> {
    let mut rest = body.strip_suffix(&[0]).ok_or(Fault::StartupLayout)?;
    let mut parameters = Vec::new();
    while !rest.is_empty() {
        let name = take_string(&mut rest)?;
        if name.is_empty() {
            return Err(Fault::StartupLayout);
        }
        parameters.push((name, take_string(&mut rest)?));
    }
    Ok(parameters)
}

fn take_string(rest: &mut &[u8]) -> Result<String, Fault> {
    let end = rest
        .iter()
        .position(|byte| *byte == 0)
        .ok_or(Fault::StartupLayout)?;
    let (text, tail) = rest.split_at(end);
    *rest = &tail[1..];
    Ok(String::from_utf8_lossy(text).into_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    async fn read(body: &[u8]) -> Result<Startup, Stop> {
        let mut stream = body;
        Startup::read(&mut stream, u32::try_from(body.len() + 8).unwrap(), 196_608).await
    }

    #[tokio::test]
    async fn keeps_every_byte_and_reads_parameters() {
        let body = b"user\0a@b.c\0options\0-c search_path=x\0application_name\0\0\0";
        let startup = read(body).await.unwrap();
        assert_eq!(&startup.raw()[8..], body);
        assert_eq!(startup.user(), "a@b.c");
        assert_eq!(startup.database(), "a@b.c");
        assert_eq!(startup.get("options"), Some("-c search_path=x"));
        assert_eq!(startup.get("application_name"), Some(""));
    }

    #[tokio::test]
    async fn refuses_broken_layouts() {
        for (body, fault) in [
            (&b""[..], Fault::StartupLayout),
            (b"\0", Fault::NoUser),
            (b"user\0x\0", Fault::StartupLayout),
            (b"user\0\0", Fault::StartupLayout),
            (b"user\0x", Fault::StartupLayout),
            (b"database\0x\0\0", Fault::NoUser),
            (b"user\0\0\0", Fault::NoUser),
        ] {
            assert!(
                matches!(read(body).await, Err(Stop::Fault(f)) if f == fault),
                "{body:?}"
            );
        }
    }
}
