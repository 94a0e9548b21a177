//! What goes wrong at the door ([`Fault`]) and what the client is told ([`Refusal`]).
//!
//! Both are kept apart so that one place can word all errors, with the source of each text beside it; otherwise the
//! SQLSTATEs that drivers branch on would be scattered over the state machine.

use bytes::{BufMut, BytesMut};

/// A connection that the gateway itself turns away.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The first packet is neither a TLS nor a cancel request, but this protocol number: no TLS, or a GSS request.
    NotEncrypted {
        /// The number that stood where the request code belongs; 196608 for a plain start-up packet.
        protocol: u32,
    },
    /// An `SSLRequest` whose length is not 8.
    SslRequestLength,
    /// A `CancelRequest` whose length is not 16.
    CancelRequestLength,
    /// Plain bytes followed the `SSLRequest`.
    DataBeforeTls,
    /// The start-up packet is shorter than 8 or not shorter than the limit.
    StartupLength,
    /// The start-up packet asks for another protocol than 3.0.
    ProtocolVersion {
        /// Asked-for major number.
        major: u16,
        /// Asked-for minor number.
        minor: u16,
    },
    /// The parameters of the start-up packet are not pairs of strings that end with a zero byte.
    StartupLayout,
    /// The start-up packet names no user.
    NoUser,
    /// The client did not get as far as a start-up packet in time.
    HandshakeTimeout,
    /// The client did not send its password in time.
    LoginTimeout,
    /// A message of another type came where the password belongs.
    PasswordExpected {
        /// Its type byte.
        tag: u8,
    },
    /// The password message is malformed or longer than the limit.
    PasswordMalformed,
    /// The password is empty.
    PasswordEmpty,
    /// The upstream said something that does not belong into its greeting.
    UpstreamState,
    /// The upstream ends each connection during its greeting without a word.
    UpstreamEnds,
}

/// What a client that is turned away gets to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// An `ErrorResponse`, then the end of the connection.
    Message {
        /// `FATAL` at the door of Lakebase.
        severity: String,
        /// The five characters of the SQLSTATE.
        code: String,
        /// The primary text.
        message: String,
        /// The DETAIL field.
        detail: Option<String>,
    },
    /// The end of the connection without a word.
    Silent,
}

impl Refusal {
    /// The `ErrorResponse` in bytes; nothing for [`Refusal::Silent`].
    pub fn encode(&self) -> BytesMut {
        let mut packet = BytesMut::new();
        let Self::Message {
            severity,
            code,
            message,
            detail,
        } = self
        else {
            return packet;
        };
        let mut fields = BytesMut::new();
        let mut field = |kind: u8, text: &str| {
            fields.put_u8(kind);
            // A zero byte would end the field early and shift all that follows.
            fields.extend(text.bytes().filter(|byte| *byte != 0));
            fields.put_u8(0);
        };
        field(b'S', severity);
        field(b'V', severity);
        field(b'C', code);
        field(b'M', message);
        if let Some(detail) = detail {
            field(b'D', detail);
        }
        packet.put_u8(b'E');
        packet.put_u32(u32::try_from(fields.len() + 5).unwrap_or(u32::MAX));
        packet.extend_from_slice(&fields);
        packet.put_u8(0);
        packet
    }

    /// SQLSTATE and primary text, for a journal.
    pub fn summary(&self) -> (&str, &str) {
        match self {
            Self::Message { code, message, .. } => (code, message),
            Self::Silent => ("", "closed without a message"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_the_length_that_the_real_gateway_sends() {
        let no_sni = Refusal::Message {
            severity: "FATAL".into(),
            code: "08006".into(),
            message: "Connection does not have SNI.".into(),
            detail: Some("Please upgrade your client to support SNI.".into()),
        };
        // The number is asserted by a test of the Envoy filter that Lakebase runs.
        assert_eq!(no_sni.encode().len(), 102);
    }

    #[test]
    fn silent_is_no_bytes() {
        assert!(Refusal::Silent.encode().is_empty());
    }
}
