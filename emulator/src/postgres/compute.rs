//! The life of one Postgres, that of a branch or of a read-only endpoint: suspended, starting, ready, stopping.
//!
//! All changes go through one async lock, which makes a wake single-flight: fifty clients that find the branch
//! suspended start one server and wait for it together.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;
use tracing::{debug, info, warn};

use super::cluster::{Cluster, Launch, detached, socket_in};
use super::error::PostgresError;
use super::fleet::Shared;
use super::history::{History, wal_keep_size};
use super::point::Branch;
use super::provision::{Wanted, provision};
use super::standby;
use crate::front::directory::{ComputeState, Endpoint, MadeRole};

/// A server that answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// Its unix socket, which trusts whoever reaches it.
    pub socket: PathBuf,
    /// Counts the starts of this branch.
    pub generation: u64,
}

/// Stands among the endpoints for the emulator itself, which needs a server for a moment only.
const OWN_USE: &str = "";

/// What is remembered per endpoint.
#[derive(Debug, Default)]
pub(super) struct Use {
    pub(super) suspend_after_ms: Option<u64>,
    pub(super) last_ms: Arc<AtomicU64>,
}

/// Keeps a server from being suspended for idleness as long as it lives.
pub(crate) struct Hold(Arc<Compute>);

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.holds.fetch_sub(1, Ordering::AcqRel);
    }
}

/// One server: that of a branch, or of a read-only endpoint of it.
pub(crate) struct Compute {
    pub(crate) shared: Arc<Shared>,
    pub(crate) branch: Branch,
    /// The server of the branch, when this one only follows it.
    primary: Option<Arc<Compute>>,
    dir: PathBuf,
    socket_dir: PathBuf,
    pub(super) ready: watch::Sender<Option<Ready>>,
    state: watch::Sender<ComputeState>,
    pub(super) cluster: tokio::sync::Mutex<Option<Cluster>>,
    pub(super) endpoints: Mutex<HashMap<String, Use>>,
    /// Taken by who reads images of this branch and by who removes old ones.
    pub(super) images: tokio::sync::Mutex<()>,
    holds: AtomicUsize,
    /// Its files are gone, or are being made: it does not start.
    barred: AtomicBool,
    wake_latency_ms: AtomicU64,
    failing_wakes: AtomicU32,
    pub(crate) starts: AtomicU64,
    pub(crate) suspends: AtomicU64,
}

impl Compute {
    pub(crate) fn new(
        shared: Arc<Shared>,
        branch: Branch,
        primary: Option<Arc<Self>>,
        dir: PathBuf,
    ) -> Arc<Self> {
        let socket_dir = shared.socket_dir();
        Arc::new(Self {
            shared,
            branch,
            primary,
            dir,
            socket_dir,
            images: tokio::sync::Mutex::default(),
            holds: AtomicUsize::new(0),
            barred: AtomicBool::new(false),
            ready: watch::Sender::new(None),
            state: watch::Sender::new(ComputeState::Suspended),
            cluster: tokio::sync::Mutex::new(None),
            endpoints: Mutex::default(),
            wake_latency_ms: AtomicU64::new(0),
            failing_wakes: AtomicU32::new(0),
            starts: AtomicU64::new(0),
            suspends: AtomicU64::new(0),
        })
    }

    /// Its cluster's files.
    pub(crate) fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn socket_dir(&self) -> &Path {
        &self.socket_dir
    }

    pub(crate) fn history(&self) -> History {
        History::in_dir(&self.dir)
    }

    /// Keeps it from being suspended for idleness.
    pub(crate) fn hold(self: &Arc<Self>) -> Hold {
        self.holds.fetch_add(1, Ordering::AcqRel);
        Hold(Arc::clone(self))
    }

    pub(super) fn is_held(&self) -> bool {
        self.holds.load(Ordering::Acquire) > 0
    }

    pub(super) fn is_primary(&self) -> bool {
        self.primary.is_none()
    }

    pub(crate) fn state(&self) -> ComputeState {
        *self.state.borrow()
    }

    /// The way to the server if it runs, also while it is doubted.
    pub(crate) fn running_socket(&self) -> Option<PathBuf> {
        (self.state() == ComputeState::Ready).then(|| socket_in(&self.socket_dir))
    }

    pub(crate) fn set_wake_latency(&self, latency: Duration) {
        self.wake_latency_ms.store(
            u64::try_from(latency.as_millis()).unwrap_or(u64::MAX),
            Ordering::Relaxed,
        );
    }

    pub(crate) fn fail_wakes(&self, count: u32) {
        self.failing_wakes.store(count, Ordering::Relaxed);
    }

    /// Remembers how the endpoint is used, and gives the place where its last activity is noted.
    pub(crate) fn used_by(&self, endpoint: &Endpoint) -> Arc<AtomicU64> {
        let mut endpoints = self
            .endpoints
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let used = endpoints.entry(endpoint.uid.clone()).or_default();
        used.suspend_after_ms = endpoint.suspend_after_ms;
        Arc::clone(&used.last_ms)
    }

    /// Gives the running server, starting it if need be.
    pub(crate) async fn wake(
        self: &Arc<Self>,
        endpoint: &Endpoint,
    ) -> Result<Ready, PostgresError> {
        self.used_by(endpoint)
            .store(self.shared.time.now_ms(), Ordering::Relaxed);
        if let Some(ready) = self.ready.borrow().clone() {
            return Ok(ready);
        }
        let compute = Arc::clone(self);
        let name = endpoint.name.clone();
        detached(async move { compute.wake_alone(&name).await })
            .await
            .unwrap_or(Err(PostgresError::ShuttingDown))
    }

    /// Starts it for the emulator's own need; it is suspended again as soon as nobody else uses it.
    ///
    /// Boxed, because the start of a standby may need that of its primary.
    pub(crate) fn wake_for_itself(
        self: &Arc<Self>,
    ) -> Pin<Box<dyn Future<Output = Result<(), PostgresError>> + Send>> {
        {
            let mut endpoints = self
                .endpoints
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let used = endpoints.entry(OWN_USE.to_owned()).or_default();
            used.suspend_after_ms = Some(0);
        }
        let compute = Arc::clone(self);
        Box::pin(async move {
            detached(async move { compute.wake_alone("the emulator itself").await })
                .await
                .unwrap_or(Err(PostgresError::ShuttingDown))
                .map(drop)
        })
    }

    async fn wake_alone(self: Arc<Self>, endpoint: &str) -> Result<Ready, PostgresError> {
        let mut slot = self.cluster.lock().await;
        if let Some(ready) = self.ready.borrow().clone() {
            return Ok(ready);
        }
        if self.shared.is_closing() {
            return Err(PostgresError::ShuttingDown);
        }
        if self.barred.load(Ordering::Acquire) {
            return Err(PostgresError::NoSuchBranch(self.branch.uid.clone()));
        }
        if let Some(cluster) = slot.as_mut().filter(|cluster| !cluster.has_ended()) {
            // Somebody saw it not ready; it may be starting again after the crash of a backend.
            if cluster.await_ready().await.is_ok() {
                return Ok(self.announce(cluster));
            }
        }
        if self
            .failing_wakes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(1)
            })
            .is_ok()
        {
            return Err(PostgresError::Ordered {
                endpoint: endpoint.to_owned(),
            });
        }
        if let Some(broken) = slot.take() {
            broken.crash().await;
        }
        self.set_state(ComputeState::Starting);
        match self.start().await {
            Ok(cluster) => {
                self.starts.fetch_add(1, Ordering::Relaxed);
                let cluster = slot.insert(cluster);
                let ready = self.announce(cluster);
                tokio::spawn(Arc::clone(&self).watch(cluster.ended(), ready.generation));
                Ok(ready)
            }
            Err(error) => {
                warn!(branch = %self.branch.uid, %error, "cannot start Postgres");
                self.set_state(ComputeState::Suspended);
                Err(error)
            }
        }
    }

    fn announce(&self, cluster: &Cluster) -> Ready {
        let ready = Ready {
            socket: cluster.socket(),
            generation: self.starts.load(Ordering::Relaxed),
        };
        self.ready.send_replace(Some(ready.clone()));
        self.set_state(ComputeState::Ready);
        ready
    }

    async fn start(&self) -> Result<Cluster, PostgresError> {
        let began = std::time::Instant::now();
        sleep(Duration::from_millis(
            self.wake_latency_ms.load(Ordering::Relaxed),
        ))
        .await;
        let (account, data) = (&self.shared.account, self.data());
        let installation = self.shared.installation(self.branch.pg_version).await?;
        let mut settings = vec![wal_keep_size(self.shared.image_every_bytes)];
        if let Some(primary) = &self.primary {
            standby::prepare(primary, &self.dir).await?;
            settings.extend(standby::settings(primary));
        } else {
            self.lay_out(&installation).await?;
        }
        account.make_private_dir(&self.socket_dir)?;
        let launch = Launch {
            branch: &self.branch.uid,
            installation: &installation,
            account,
            data: &data,
            socket_dir: &self.socket_dir,
            settings,
        };
        let mut cluster = Cluster::spawn(launch).await?;
        let started = async {
            cluster.await_ready().await?;
            match &self.primary {
                Some(primary) => standby::await_caught_up(primary, &cluster).await,
                None => self.provision(&cluster).await,
            }
        };
        if let Err(error) = started.await {
            cluster.crash().await;
            return Err(error);
        }
        info!(branch = %self.branch.uid, ms = began.elapsed().as_millis(), "Postgres is ready");
        Ok(cluster)
    }

    async fn provision(&self, cluster: &Cluster) -> Result<(), PostgresError> {
        let mut done = self.provisioned();
        let before = done.len();
        let directory = &self.shared.directory;
        let wanted = Wanted {
            roles: directory.roles(&self.branch.uid),
            databases: directory.databases(&self.branch.uid),
        };
        provision(&self.branch.uid, cluster, &wanted, &mut done).await?;
        if done.len() != before {
            set_provisioned(&self.dir, &done)?;
        }
        Ok(())
    }

    /// The roles and databases that were made in it by order of the control plane.
    pub(super) fn provisioned(&self) -> BTreeSet<String> {
        std::fs::read(self.dir.join("provisioned.json"))
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default()
    }

    /// Creates roles and databases that the control plane has got since the start; nothing to do while suspended.
    pub(crate) async fn sync(&self) -> Result<(), PostgresError> {
        if self.primary.is_some() {
            // It gets them from its primary.
            return Ok(());
        }
        match self
            .cluster
            .lock()
            .await
            .as_ref()
            .filter(|cluster| !cluster.has_ended())
        {
            Some(cluster) => self.provision(cluster).await,
            None => Ok(()),
        }
    }

    /// A connection that should have worked did not: the next wake looks for itself. Gives the number of starts so far.
    pub(crate) fn doubt(&self) -> u64 {
        self.ready.send_replace(None);
        self.starts.load(Ordering::Relaxed)
    }

    /// Stops the server. `false`: it was not running.
    pub(crate) async fn suspend(self: &Arc<Self>) -> bool {
        let compute = Arc::clone(self);
        detached(async move {
            let mut slot = compute.cluster.lock().await;
            compute.stop(&mut slot, false).await
        })
        .await
        .unwrap_or(false)
    }

    /// Stops the server at once, without a word to its sessions. `false`: it was not running.
    pub(crate) async fn crash(self: &Arc<Self>) -> bool {
        let compute = Arc::clone(self);
        detached(async move {
            let mut slot = compute.cluster.lock().await;
            compute.stop(&mut slot, true).await
        })
        .await
        .unwrap_or(false)
    }

    /// Lets no start succeed, or lets them again.
    pub(crate) fn bar(&self, barred: bool) {
        self.barred.store(barred, Ordering::Release);
    }

    /// Stops the server for good.
    pub(crate) async fn retire(self: &Arc<Self>) {
        self.bar(true);
        self.suspend().await;
    }

    pub(super) async fn stop(&self, slot: &mut Option<Cluster>, crash: bool) -> bool {
        let Some(cluster) = slot.take() else {
            return false;
        };
        // First of all, so that nobody is sent to a server that is going down.
        self.ready.send_replace(None);
        self.set_state(ComputeState::Stopping);
        if crash {
            cluster.crash().await;
        } else {
            cluster.stop().await;
            self.suspends.fetch_add(1, Ordering::Relaxed);
        }
        self.set_state(ComputeState::Suspended);
        debug!(branch = %self.branch.uid, crash, "Postgres has stopped");
        true
    }

    /// The roles that the extension `databricks_auth` has made; it leaves its mark in their comments.
    pub(crate) async fn made_roles(&self) -> Result<Vec<MadeRole>, PostgresError> {
        const MADE: &str = "SELECT rolname::text, substring(note FROM '^databricks_auth: (.*)$') \
             FROM pg_roles, shobj_description(oid, 'pg_authid') AS note \
             WHERE rolcanlogin AND note LIKE 'databricks_auth: %'";
        let slot = self.cluster.lock().await;
        let Some(cluster) = slot.as_ref() else {
            return Ok(Vec::new());
        };
        let ask = async {
            let rows = cluster.connect("postgres").await?.query(MADE, &[]).await?;
            rows.iter()
                .map(|row| {
                    Ok(MadeRole {
                        name: row.try_get(0)?,
                        identity_type: row.try_get(1)?,
                    })
                })
                .collect::<Result<_, _>>()
        };
        ask.await
            .map_err(of_sql("look for roles", &self.branch.uid))
    }

    /// Asks the server to end one session with 57P01.
    pub(crate) async fn terminate(&self, backend_pid: i32) -> Result<bool, PostgresError> {
        let slot = self.cluster.lock().await;
        let Some(cluster) = slot.as_ref() else {
            return Ok(false);
        };
        let ask = async {
            let client = cluster.connect("postgres").await?;
            client
                .query_one("SELECT pg_terminate_backend($1)", &[&backend_pid])
                .await?
                .try_get(0)
        };
        ask.await.map_err(of_sql("end a session", &self.branch.uid))
    }

    pub(super) fn set_state(&self, state: ComputeState) {
        if self.state.send_replace(state) != state {
            let endpoints: Vec<_> = self
                .endpoints
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .keys()
                .cloned()
                .collect();
            for uid in endpoints.iter().filter(|uid| *uid != OWN_USE) {
                self.shared.directory.compute_changed(uid, state);
            }
        }
    }
}

pub(crate) fn of_sql(
    what: &str,
    branch: &str,
) -> impl FnOnce(tokio_postgres::Error) -> PostgresError {
    let (what, branch) = (what.to_owned(), branch.to_owned());
    move |source| PostgresError::Sql {
        what,
        branch,
        source,
    }
}

/// Notes what was made in the branch of this directory by order of the control plane.
pub(super) fn set_provisioned(dir: &Path, done: &BTreeSet<String>) -> Result<(), PostgresError> {
    let list = dir.join("provisioned.json");
    let text = serde_json::to_vec(done).unwrap_or_default();
    std::fs::write(&list, text).map_err(PostgresError::file("write", &list))
}
