//! The seam between the wire and whoever decides what a connection may do.

use std::future::Future;
use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::disturbance::{Disturbance, Moment};
use crate::packet::Password;
use crate::refusal::{Fault, Refusal};
use crate::startup::Startup;

/// How a connection came in.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The client's address.
    pub peer: SocketAddr,
    /// The address that it connected to.
    pub local: SocketAddr,
    /// The host name of the TLS handshake in lower case, if it named one.
    pub sni: Option<String>,
}

/// How a login ended, for a journal.
#[derive(Clone, Copy, Debug)]
pub enum LoginEnd<'a> {
    /// The session runs.
    Accepted,
    /// The client was turned away, by the gateway, the front door or the upstream.
    Refused {
        /// SQLSTATE; empty when the connection ended without a message.
        code: &'a str,
        /// The primary text.
        message: &'a str,
    },
}

/// Decides who comes in and where they go. All methods are called from many connections at once.
pub trait FrontDoor: Send + Sync + 'static {
    /// Where an admitted connection goes: an endpoint.
    type Place: Clone + Send + Sync + 'static;
    /// A fresh connection to a Postgres that trusts the gateway.
    type Upstream: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    /// Words a fault of the wire.
    fn refusal(&self, fault: &Fault) -> Refusal;

    /// What goes wrong on purpose with a login that has come so far.
    fn disturbance(&self, _moment: Moment) -> Option<Disturbance> {
        None
    }

    /// Finds the place by how the connection came in, before any password.
    fn authorize(
        &self,
        arrival: &Arrival,
        startup: &Startup,
    ) -> impl Future<Output = Result<Self::Place, Refusal>> + Send;

    /// Checks the password of `startup.user()`.
    fn authenticate(
        &self,
        place: &Self::Place,
        startup: &Startup,
        password: &Password,
    ) -> impl Future<Output = Result<(), Refusal>> + Send;

    /// Makes the place ready and connects to it. It is called again when the upstream turned out to be gone.
    fn open(
        &self,
        place: &Self::Place,
    ) -> impl Future<Output = Result<Self::Upstream, Refusal>> + Send;

    /// The upstream that [`FrontDoor::open`] gave was not ready after all or went away before its greeting ended.
    /// Gives a number that another start of the upstream changes: one that goes on running and loses connection after
    /// connection is given up, while any number of stops may come in between.
    fn not_ready(&self, place: &Self::Place) -> u64;

    /// Connects for a cancel request. It wakes nothing: without a running upstream there is nothing to cancel.
    fn open_for_cancel(
        &self,
        place: &Self::Place,
    ) -> impl Future<Output = Option<Self::Upstream>> + Send;

    /// The name of the place in the list of sessions.
    fn place_name<'a>(&self, place: &'a Self::Place) -> &'a str;

    /// Bytes moved in a session of this place. It is called for every piece: keep it cheap.
    fn touch(&self, place: &Self::Place);

    /// A login ended. `place` is missing when it ended before [`FrontDoor::authorize`], `startup` before it was read.
    fn login_ended(
        &self,
        place: Option<&Self::Place>,
        startup: Option<&Startup>,
        end: LoginEnd<'_>,
    );
}
