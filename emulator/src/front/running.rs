//! The open front door: its listeners, its sessions and how they are ended by order.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use lakekey_gateway::{Gateway, Kill, Limits, PlainPolicy, Session, server_config};
use ring::rand::{SecureRandom, SystemRandom};
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinSet;
use tracing::{debug, warn};

use super::directory::{Endpoint, SharedDirectory};
use super::door::Door;
use crate::certs::{CertError, Certificates};
use crate::options::HostMode;
use crate::postgres::{Fleet, PostgresError};

/// How often another network below 127.0.0.0/8 is tried when somebody holds the address.
const NETWORK_TRIES: u32 = 32;
/// As the control plane has.
const BACKLOG: u32 = 1024;
/// The port that clients dial when they are given nothing but a host; some of them dial no other.
const USUAL_PORT: u16 = 5432;

/// How the door is opened.
#[derive(Clone, Copy, Debug)]
pub struct FrontOptions {
    /// The port of Postgres; 0: a free one, which on the addresses of [`HostMode::Ip`] is 5432 if possible.
    pub port: u16,
    /// How clients tell endpoints apart.
    pub host_mode: HostMode,
    /// Second and third byte of the loopback network of [`HostMode::Ip`], as [`Front::network`] gave them before;
    /// `None`: any.
    pub network: Option<[u8; 2]>,
    /// How long a connection may take to log in.
    pub limits: Limits,
}

impl Default for FrontOptions {
    fn default() -> Self {
        Self {
            port: 0,
            host_mode: HostMode::Name,
            network: None,
            limits: Limits::default(),
        }
    }
}

/// Why the door cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FrontError {
    /// An address is taken or does not exist.
    #[error(
        "cannot listen on {address} for Postgres: {source}; choose another port, or 0 for a free one"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The cause.
        source: io::Error,
    },
    /// No certificate for it.
    #[error(transparent)]
    Certificate(#[from] CertError),
    /// TLS cannot be set up.
    #[error("cannot set up TLS: {0}")]
    Tls(String),
}

/// How sessions are ended by order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KillHow {
    /// By Postgres itself, with 57P01.
    Terminate,
    /// By the gateway.
    Wire(Kill),
}

/// Which sessions; what is `None` matches all.
#[derive(Clone, Debug, Default)]
pub struct SessionFilter {
    /// Unique id of the endpoint.
    pub endpoint_uid: Option<String>,
    /// Who logged in.
    pub role: Option<String>,
    /// As given at the start of the session.
    pub application_name: Option<String>,
}

impl SessionFilter {
    fn takes(&self, session: &Session) -> bool {
        let fits =
            |wanted: &Option<String>, is: &str| wanted.as_deref().is_none_or(|wanted| wanted == is);
        fits(&self.endpoint_uid, &session.place)
            && fits(&self.role, &session.user)
            && fits(&self.application_name, &session.application_name)
    }
}

/// The open front door. Dropping it closes it with all sessions.
pub struct Front {
    gateway: Arc<Gateway<Door>>,
    door: Arc<Door>,
    certificates: Arc<Certificates>,
    options: FrontOptions,
    address: SocketAddr,
    network: Mutex<Option<[u8; 2]>>,
    listeners: Mutex<JoinSet<io::Result<()>>>,
    /// Where they listen.
    listening: Mutex<Vec<SocketAddr>>,
    /// These addresses while the door is shut, so that no other process takes them.
    held: Mutex<Vec<TcpSocket>>,
}

impl std::fmt::Debug for Front {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Front")
            .field("address", &self.address)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl Front {
    /// Opens the door on 127.0.0.1, and on `::1` where that is possible with the same port.
    ///
    /// # Errors
    /// The port is taken, or TLS cannot be set up.
    pub async fn start(
        options: FrontOptions,
        directory: SharedDirectory,
        fleet: Arc<Fleet>,
        certificates: Arc<Certificates>,
    ) -> Result<Self, FrontError> {
        let door = Arc::new(Door {
            directory,
            fleet,
            by_address: std::sync::RwLock::default(),
            seats: Mutex::default(),
        });
        let tls = server_config(Arc::clone(&certificates) as _)
            .map_err(|error| FrontError::Tls(error.to_string()))?;
        let gateway = Gateway::new(
            Arc::clone(&door),
            Some(tls),
            PlainPolicy::Refuse,
            options.limits,
        );
        let v4 = bind(SocketAddr::from((Ipv4Addr::LOCALHOST, options.port))).await?;
        let address = v4.local_addr().map_err(|source| FrontError::Listen {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, options.port)),
            source,
        })?;
        let front = Self {
            gateway,
            door,
            certificates,
            options,
            address,
            network: Mutex::new(options.network),
            listeners: Mutex::default(),
            listening: Mutex::default(),
            held: Mutex::default(),
        };
        front.serve(v4);
        // Resolvers that answer for *.localhost give ::1 first; a machine without IPv6 has none to offer.
        match bind(SocketAddr::from((Ipv6Addr::LOCALHOST, address.port()))).await {
            Ok(v6) => front.serve(v6),
            Err(error) => debug!(%error, "no listener on ::1"),
        }
        Ok(front)
    }

    /// The address that serves all endpoints by host name.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The second and third byte of the loopback network that [`HostMode::Ip`] has taken.
    pub fn network(&self) -> Option<[u8; 2]> {
        *locked(&self.network)
    }

    /// The address by which clients reach this endpoint: an own one by [`HostMode::Ip`] and [`HostMode::Port`], else
    /// that of the door. Asking again gives the same.
    ///
    /// # Errors
    /// There is no free address, or no certificate for it.
    pub async fn expose(&self, endpoint: &Endpoint) -> Result<SocketAddr, FrontError> {
        if matches!(self.options.host_mode, HostMode::Name | HostMode::Dns) {
            return Ok(self.address);
        }
        if let Some(address) = self.exposed(&endpoint.uid) {
            return Ok(address);
        }
        let listener = match self.options.host_mode {
            HostMode::Ip => self.bind_own_ip().await?,
            _ => bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?,
        };
        let address = listener.local_addr().map_err(|source| FrontError::Listen {
            address: self.address,
            source,
        })?;
        self.certificates.add_address(address.ip())?;
        let mut by_address = self
            .door
            .by_address
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        by_address.insert(address, endpoint.uid.clone());
        drop(by_address);
        self.serve(listener);
        Ok(address)
    }

    fn exposed(&self, uid: &str) -> Option<SocketAddr> {
        let by_address = self
            .door
            .by_address
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        by_address
            .iter()
            .find(|(_, known)| known.as_str() == uid)
            .map(|(address, _)| *address)
    }

    async fn bind_own_ip(&self) -> Result<TcpListener, FrontError> {
        let common = self.address.port();
        if self.options.port != 0 {
            return self.bind_own_ip_at(common).await;
        }
        match self.bind_own_ip_at(USUAL_PORT).await {
            Ok(listener) => Ok(listener),
            Err(error) => {
                let listener = self.bind_own_ip_at(common).await?;
                warn!(
                    %error,
                    "port {USUAL_PORT} is not to be had on an address of the endpoint's own (a program that listens on \
                     all addresses holds it?), so it listens on port {common}: clients that dial port {USUAL_PORT} of a \
                     host and nothing else do not find it"
                );
                Ok(listener)
            }
        }
    }

    async fn bind_own_ip_at(&self, port: u16) -> Result<TcpListener, FrontError> {
        let taken = self
            .door
            .by_address
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .len();
        let host = u8::try_from(taken % 250 + 1).unwrap_or(1);
        let known = self.network();
        let mut failure = None;
        for _ in 0..NETWORK_TRIES {
            let [b, c] = known.unwrap_or_else(some_network);
            let address = SocketAddr::from((Ipv4Addr::new(127, b, c, host), port));
            match bind(address).await {
                Ok(listener) => {
                    *locked(&self.network) = Some([b, c]);
                    return Ok(listener);
                }
                Err(error) => failure = Some(error),
            }
            if known.is_some() {
                break;
            }
        }
        Err(failure.unwrap_or_else(|| FrontError::Tls("no address was tried".into())))
    }

    /// The running sessions, oldest first; `place` is the unique id of the endpoint.
    pub fn sessions(&self) -> Vec<Session> {
        self.gateway.sessions().list()
    }

    /// Ends the sessions that `filter` takes, and says how many there were.
    ///
    /// # Errors
    /// Postgres refuses to end one.
    pub async fn kill(&self, filter: &SessionFilter, how: KillHow) -> Result<usize, PostgresError> {
        let mut ended = 0;
        for session in self
            .sessions()
            .into_iter()
            .filter(|session| filter.takes(session))
        {
            let hit = match how {
                KillHow::Wire(kill) => self.gateway.sessions().kill(session.id, kill),
                KillHow::Terminate => {
                    self.door
                        .fleet
                        .terminate(&session.place, session.backend_pid)
                        .await?
                }
            };
            ended += usize::from(hit);
        }
        Ok(ended)
    }

    /// From now on nobody listens, and all sessions end without a word: connections are refused until
    /// [`Front::open`]. The ports stay taken meanwhile.
    ///
    /// # Errors
    /// An address cannot be kept; then nobody listens there until it can be taken again.
    pub async fn shut(&self) -> Result<(), FrontError> {
        if !locked(&self.held).is_empty() {
            return Ok(());
        }
        let mut listeners = std::mem::take(&mut *locked(&self.listeners));
        listeners.shutdown().await;
        let addresses = locked(&self.listening).clone();
        for address in addresses {
            let held = hold(address).map_err(|source| FrontError::Listen { address, source })?;
            locked(&self.held).push(held);
        }
        Ok(())
    }

    /// Listens again.
    ///
    /// # Errors
    /// An address cannot be listened on.
    pub fn open(&self) -> Result<(), FrontError> {
        for held in std::mem::take(&mut *locked(&self.held)) {
            let address = held.local_addr().unwrap_or(self.address);
            let listener = held
                .listen(BACKLOG)
                .map_err(|source| FrontError::Listen { address, source })?;
            locked(&self.listeners).spawn(Arc::clone(&self.gateway).serve(listener));
        }
        Ok(())
    }

    /// Closes the door, and all sessions without a word. Stop the fleet first for a goodbye with 57P01.
    pub async fn shutdown(self) {
        let mut listeners = std::mem::take(&mut *locked(&self.listeners));
        listeners.shutdown().await;
    }

    fn serve(&self, listener: TcpListener) {
        if let Ok(address) = listener.local_addr() {
            locked(&self.listening).push(address);
        }
        locked(&self.listeners).spawn(Arc::clone(&self.gateway).serve(listener));
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn bind(address: SocketAddr) -> Result<TcpListener, FrontError> {
    debug_assert!(matches!(address.ip(), IpAddr::V4(ip) if ip.is_loopback()) || address.is_ipv6());
    TcpListener::bind(address)
        .await
        .map_err(|source| FrontError::Listen { address, source })
}

fn hold(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

fn some_network() -> [u8; 2] {
    let mut bytes = [0_u8; 2];
    // Without random bytes the first network is as good as any.
    let _ = SystemRandom::new().fill(&mut bytes);
    [64 + bytes[0] % 128, bytes[1]]
}
