//! The accept loop, and one connection from its first byte to its last.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, BytesMut};
use rustls::ServerConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tracing::{debug, warn};

use crate::cancel::CancelMap;
use crate::disturbance::{End, Moment};
use crate::door::{Arrival, FrontDoor, LoginEnd};
use crate::downstream::Downstream;
use crate::greeting::{Greeting, Words, greet};
use crate::handshake::{First, Wish, accept_tls, agree_to_tls, first_packet, wish};
use crate::packet::{BackendKey, Password, Stop, read_password};
use crate::refusal::{Fault, Refusal};
use crate::relay::relay;
use crate::session::Sessions;
use crate::startup::Startup;

const ASK_CLEARTEXT_PASSWORD: [u8; 9] = [b'R', 0, 0, 0, 8, 0, 0, 0, 3];
const AUTHENTICATION_OK: [u8; 9] = [b'R', 0, 0, 0, 8, 0, 0, 0, 0];
/// A pause after a failed `accept`, which is nearly always a lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long a cancel request may wait for the upstream's acknowledgement.
const CANCEL_WAIT: Duration = Duration::from_secs(5);

/// How often in a row one running upstream may be lost before its greeting ends. A race with a stop or a crash is over
/// after one or two; more often it is the login itself that ends each time, as by a trigger that terminates its session.
const OPEN_TRIES: u32 = 20;
/// A pause between these attempts.
const OPEN_PAUSE: Duration = Duration::from_millis(5);

/// What happens to a connection that does not ask for TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlainPolicy {
    /// It is refused, as Lakebase does.
    Refuse,
    /// It is served: for a proxy on the loopback interface.
    Accept,
}

/// The times that a connection may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From the first byte to the start-up packet.
    pub handshake: Duration,
    /// From the question for the password to its answer.
    pub login: Duration,
    /// From a good login to the upstream's `ReadyForQuery`, with all attempts.
    pub upstream: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(15),
            login: Duration::from_mins(1),
            upstream: Duration::from_mins(2),
        }
    }
}

/// A front door on any number of listeners.
pub struct Gateway<D: FrontDoor> {
    door: Arc<D>,
    tls: Option<TlsAcceptor>,
    plain: PlainPolicy,
    limits: Limits,
    cancels: CancelMap<D::Place>,
    sessions: Sessions,
}

impl<D: FrontDoor> std::fmt::Debug for Gateway<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway")
            .field("plain", &self.plain)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl<D: FrontDoor> Gateway<D> {
    /// A gateway that asks `door`. Without `tls` it answers a TLS request with "no", which needs [`PlainPolicy::Accept`].
    pub fn new(
        door: Arc<D>,
        tls: Option<Arc<ServerConfig>>,
        plain: PlainPolicy,
        limits: Limits,
    ) -> Arc<Self> {
        Arc::new(Self {
            door,
            tls: tls.map(TlsAcceptor::from),
            plain,
            limits,
            cancels: CancelMap::new(),
            sessions: Sessions::default(),
        })
    }

    /// The running sessions.
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// Accepts connections until the future is dropped, which also ends all of them.
    ///
    /// # Errors
    /// The listener is not on a loopback address.
    pub async fn serve(self: Arc<Self>, listener: TcpListener) -> io::Result<()> {
        if !listener.local_addr()?.ip().is_loopback() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the gateway listens on loopback addresses only: it asks for passwords on behalf of a local program",
            ));
        }
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((tcp, peer)) => {
                        connections.spawn(Arc::clone(&self).connection(tcp, peer));
                    }
                    Err(error) => {
                        warn!(%error, "cannot accept a connection");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
                Some(_) = connections.join_next(), if !connections.is_empty() => {}
            }
        }
    }

    async fn connection(self: Arc<Self>, tcp: TcpStream, peer: SocketAddr) {
        if tcp.set_nodelay(true).is_err() {
            return;
        }
        let Ok(local) = tcp.local_addr() else { return };
        let arrival = Arrival {
            peer,
            local,
            sni: None,
        };
        let Some((client, arrival, wish)) = self.handshake(tcp, arrival).await else {
            return;
        };
        match wish {
            Wish::Cancel(key) => {
                self.cancel(key).await;
                // Only now: libpq takes the end of the connection for "the backend has been signalled", and over TLS
                // it takes an end without close_notify for an error.
                client.finish(&[]).await;
            }
            Wish::Start(startup) => self.login(client, &arrival, &startup).await,
        }
    }

    async fn handshake(
        &self,
        mut tcp: TcpStream,
        mut arrival: Arrival,
    ) -> Option<(Downstream, Arrival, Wish)> {
        if let Some(end) = self.disturbed(Moment::Connected).await {
            self.end(Downstream::Plain(tcp), None, None, end).await;
            return None;
        }
        let deadline = tokio::time::Instant::now() + self.limits.handshake;
        let first = tokio::time::timeout_at(
            deadline,
            first_packet(&mut tcp, self.tls.is_some(), self.plain),
        )
        .await;
        let mut client = match first.unwrap_or(Err(Fault::HandshakeTimeout.into())) {
            Ok(First::Wish(wish)) => return Some((Downstream::Plain(tcp), arrival, wish)),
            Ok(First::Tls) => {
                let acceptor = self.tls.as_ref()?;
                if let Some(end) = self.disturbed(Moment::TlsAsked).await {
                    self.end(Downstream::Plain(tcp), None, None, end).await;
                    return None;
                }
                let agreed = tokio::time::timeout_at(deadline, agree_to_tls(&mut tcp)).await;
                if let Err(stop) = agreed.unwrap_or(Err(Fault::HandshakeTimeout.into())) {
                    self.stopped(Downstream::Plain(tcp), stop).await;
                    return None;
                }
                if let Some(end) = self.disturbed(Moment::Tls).await {
                    self.end(Downstream::Plain(tcp), None, None, end).await;
                    return None;
                }
                // In the middle of a TLS handshake there is no way to say anything: such a client is just dropped.
                let accepted = tokio::time::timeout_at(deadline, accept_tls(acceptor, tcp))
                    .await
                    .ok()?;
                let (client, sni) = accepted.ok()?;
                arrival.sni = sni;
                client
            }
            Err(stop) => {
                self.stopped(Downstream::Plain(tcp), stop).await;
                return None;
            }
        };
        let wished = tokio::time::timeout_at(deadline, wish(&mut client)).await;
        match wished.unwrap_or(Err(Fault::HandshakeTimeout.into())) {
            Ok(wish) => Some((client, arrival, wish)),
            Err(stop) => {
                self.stopped(client, stop).await;
                None
            }
        }
    }

    /// Lets go wrong what is to go wrong here, and says how the connection is to end, if it is.
    async fn disturbed(&self, moment: Moment) -> Option<End> {
        let disturbance = self.door.disturbance(moment)?;
        disturbance.wait.await;
        disturbance.end
    }

    async fn end(
        &self,
        client: Downstream,
        place: Option<&D::Place>,
        startup: Option<&Startup>,
        end: End,
    ) {
        if let End::Refuse(refusal) = &end {
            return self.refuse(client, place, startup, refusal).await;
        }
        let (code, message) = ("", "");
        self.door
            .login_ended(place, startup, LoginEnd::Refused { code, message });
        if end == End::Reset {
            client.reset();
        } else {
            client.finish(&[]).await;
        }
    }

    async fn stopped(&self, client: Downstream, stop: Stop) {
        if let Stop::Fault(fault) = stop {
            let refusal = self.door.refusal(&fault);
            self.refuse(client, None, None, &refusal).await;
        }
    }

    async fn refuse(
        &self,
        client: Downstream,
        place: Option<&D::Place>,
        startup: Option<&Startup>,
        refusal: &Refusal,
    ) {
        let (code, message) = refusal.summary();
        debug!(code, message, "refused");
        self.door
            .login_ended(place, startup, LoginEnd::Refused { code, message });
        client.finish(&refusal.encode()).await;
    }

    async fn login(&self, mut client: Downstream, arrival: &Arrival, startup: &Startup) {
        if let Some(end) = self.disturbed(Moment::Startup).await {
            return self.end(client, None, Some(startup), end).await;
        }
        let place = match self.door.authorize(arrival, startup).await {
            Ok(place) => place,
            Err(refusal) => return self.refuse(client, None, Some(startup), &refusal).await,
        };
        let password = match self.password(&mut client).await {
            Ok(password) => password,
            Err(Stop::Gone) => return,
            Err(Stop::Fault(fault)) => {
                let refusal = self.door.refusal(&fault);
                return self
                    .refuse(client, Some(&place), Some(startup), &refusal)
                    .await;
            }
        };
        if let Some(end) = self.disturbed(Moment::Password).await {
            return self.end(client, Some(&place), Some(startup), end).await;
        }
        let checked = self.door.authenticate(&place, startup, &password).await;
        drop(password);
        if let Err(refusal) = checked {
            return self
                .refuse(client, Some(&place), Some(startup), &refusal)
                .await;
        }
        let mut last_words = None;
        let opening = self.open(&place, startup, &mut last_words);
        let opened = timeout(self.limits.upstream, opening).await;
        let opened = opened.unwrap_or_else(|_| {
            last_words.map_or(Opened::Fault(Fault::UpstreamState), Opened::UpstreamRefused)
        });
        match opened {
            Opened::Ready {
                upstream,
                before_key,
                key,
                after_key,
            } => {
                self.session(
                    client,
                    &place,
                    startup,
                    upstream,
                    &before_key,
                    key,
                    &after_key,
                )
                .await;
            }
            Opened::Refused(refusal) => {
                self.refuse(client, Some(&place), Some(startup), &refusal)
                    .await;
            }
            Opened::Fault(fault) => {
                let refusal = self.door.refusal(&fault);
                self.refuse(client, Some(&place), Some(startup), &refusal)
                    .await;
            }
            Opened::UpstreamRefused(Words { raw, code, message }) => {
                let end = LoginEnd::Refused {
                    code: &code,
                    message: &message,
                };
                self.door.login_ended(Some(&place), Some(startup), end);
                client
                    .finish(&[&AUTHENTICATION_OK, &raw[..]].concat())
                    .await;
            }
        }
    }

    /// Asks for the password.
    async fn password(&self, client: &mut Downstream) -> Result<Password, Stop> {
        let asked = async {
            client.write_all(&ASK_CLEARTEXT_PASSWORD).await?;
            client.flush().await?;
            read_password(client).await
        };
        timeout(self.limits.login, asked)
            .await
            .unwrap_or(Err(Fault::LoginTimeout.into()))
    }

    /// Opens the upstream until one greets, because it may be gone between its wake and its greeting.
    /// [`FrontDoor::open`] waits for readiness each time, so one that lets nobody in yet is asked again until the
    /// caller's time is up. `last_words` is what the last attempt heard.
    async fn open(
        &self,
        place: &D::Place,
        startup: &Startup,
        last_words: &mut Option<Words>,
    ) -> Opened<D::Upstream> {
        let (mut life, mut lost) = (None, 0);
        while lost < OPEN_TRIES {
            let mut upstream = match self.door.open(place).await {
                Ok(upstream) => upstream,
                Err(refusal) => return Opened::Refused(refusal),
            };
            match greet(&mut upstream, startup.raw()).await {
                Greeting::Ready {
                    before_key,
                    key,
                    after_key,
                } => {
                    return Opened::Ready {
                        upstream,
                        before_key,
                        key,
                        after_key,
                    };
                }
                Greeting::Refused(words) => return Opened::UpstreamRefused(words),
                Greeting::Unexpected => return Opened::Fault(Fault::UpstreamState),
                Greeting::NotYet(words) => {
                    self.door.not_ready(place);
                    *last_words = Some(words);
                }
                Greeting::Lost(words) => {
                    let this_life = Some(self.door.not_ready(place));
                    lost = if this_life == life { lost + 1 } else { 1 };
                    life = this_life;
                    *last_words = words;
                }
            }
            tokio::time::sleep(OPEN_PAUSE).await;
        }
        last_words
            .take()
            .map_or(Opened::Fault(Fault::UpstreamEnds), Opened::UpstreamRefused)
    }

    #[allow(
        clippy::too_many_arguments,
        reason = "the parts of one greeting, used once"
    )]
    async fn session(
        &self,
        mut client: Downstream,
        place: &D::Place,
        startup: &Startup,
        upstream: D::Upstream,
        before_key: &[u8],
        key: BackendKey,
        after_key: &[u8],
    ) {
        let mut welcome = BytesMut::with_capacity(before_key.len() + after_key.len() + 32);
        welcome.put_slice(&AUTHENTICATION_OK);
        if let Some(disturbance) = self.door.disturbance(Moment::Authenticated) {
            if !told(&mut client, &mut welcome).await {
                return;
            }
            disturbance.wait.await;
            if let Some(end) = disturbance.end {
                return self.end(client, Some(place), Some(startup), end).await;
            }
        }
        let Ok(lent) = self.cancels.lend(place.clone(), key) else {
            let refusal = self.door.refusal(&Fault::UpstreamState);
            return self
                .refuse(client, Some(place), Some(startup), &refusal)
                .await;
        };
        welcome.put_slice(before_key);
        welcome.put_slice(&[b'K', 0, 0, 0, 12]);
        welcome.put_i32(lent.key.process_id);
        welcome.put_i32(lent.key.secret);
        if let Some(disturbance) = self.door.disturbance(Moment::Ready) {
            if !told(&mut client, &mut welcome).await {
                return;
            }
            disturbance.wait.await;
            if let Some(end) = disturbance.end {
                return self.end(client, Some(place), Some(startup), end).await;
            }
        }
        welcome.put_slice(after_key);
        let mut entered = self
            .sessions
            .enter(self.door.place_name(place), startup, key);
        self.door.touch(place);
        self.door
            .login_ended(Some(place), Some(startup), LoginEnd::Accepted);
        if told(&mut client, &mut welcome).await {
            relay(client, upstream, &mut entered.kills, || {
                self.door.touch(place);
            })
            .await;
        }
    }

    async fn cancel(&self, key: BackendKey) {
        let Some((place, real)) = self.cancels.find(key) else {
            return;
        };
        let signalled = async {
            let Some(mut upstream) = self.door.open_for_cancel(&place).await else {
                return;
            };
            if upstream.write_all(&real.cancel_request()).await.is_ok() {
                // Postgres signals the backend, then closes.
                let _ = upstream.read(&mut [0_u8; 1]).await;
            }
        };
        let _ = timeout(CANCEL_WAIT, signalled).await;
    }
}

/// Sends what is in `words` and empties it; whether the client took it.
async fn told(client: &mut Downstream, words: &mut BytesMut) -> bool {
    let sent = async {
        client.write_all(&words.split()).await?;
        client.flush().await
    };
    sent.await.is_ok()
}

enum Opened<U> {
    Ready {
        upstream: U,
        before_key: BytesMut,
        key: BackendKey,
        after_key: BytesMut,
    },
    Refused(Refusal),
    UpstreamRefused(Words),
    Fault(Fault),
}
