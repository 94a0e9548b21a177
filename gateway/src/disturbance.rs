//! What goes wrong on purpose while somebody logs in: a server that resets, closes, says nothing, or is late, at a certain
//! step. Clients are proved against it; a front door that does not want it has none.

use std::pin::Pin;

use crate::refusal::Refusal;

/// How far a login has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The connection is there, and nothing was read.
    Connected,
    /// The client asked for TLS and has no answer yet.
    TlsAsked,
    /// The client was told to begin with TLS.
    Tls,
    /// The start-up packet came.
    Startup,
    /// The password came, and was not looked at.
    Password,
    /// The client was told that it is in, and nothing else.
    Authenticated,
    /// The client was told everything but that the session is ready.
    Ready,
}

/// What goes wrong.
pub struct Disturbance {
    /// Nothing happens for so long.
    pub wait: Pin<Box<dyn Future<Output = ()> + Send>>,
    /// Then the connection ends like this; `None`: the login goes on.
    pub end: Option<End>,
}

/// How a connection ends early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// With a TCP reset.
    Reset,
    /// In an orderly way, without a word.
    Close,
    /// With an error.
    Refuse(Refusal),
}

impl std::fmt::Debug for Disturbance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Disturbance")
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}
