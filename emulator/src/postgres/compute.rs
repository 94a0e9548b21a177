//! The life of one branch's Postgres: suspended, starting, ready, stopping.
//!
//! All changes go through one async lock, which makes a wake single-flight: fifty clients that find the branch
//! suspended start one server and wait for it together.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tracing::{debug, info, warn};

use super::cluster::{Cluster, detached, socket_in};
use super::error::PostgresError;
use super::files::copy_tree;
use super::fleet::Shared;
use super::installation::blocking;
use super::provision::{Wanted, provision};
use super::template::template;
use crate::front::directory::{ComputeState, Endpoint, MadeRole};

/// The virtual clock may run faster than the real one, so nobody sleeps longer than this between two looks at it.
const LONGEST_NAP: Duration = Duration::from_secs(1);
/// The pause before a busy server is asked again whether it is idle.
const BUSY_PAUSE: Duration = Duration::from_millis(200);

/// A server that answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// Its unix socket, which trusts whoever reaches it.
    pub socket: PathBuf,
    /// Counts the starts of this branch.
    pub generation: u64,
}

/// What is remembered per endpoint.
#[derive(Debug, Default)]
struct Use {
    suspend_after_ms: Option<u64>,
    last_ms: Arc<AtomicU64>,
}

/// One branch.
pub(crate) struct Compute {
    shared: Arc<Shared>,
    pub(crate) branch_uid: String,
    pg_version: u32,
    dir: PathBuf,
    socket_dir: PathBuf,
    ready: watch::Sender<Option<Ready>>,
    state: watch::Sender<ComputeState>,
    cluster: tokio::sync::Mutex<Option<Cluster>>,
    endpoints: Mutex<HashMap<String, Use>>,
    wake_latency_ms: AtomicU64,
    failing_wakes: AtomicU32,
    pub(crate) starts: AtomicU64,
    pub(crate) suspends: AtomicU64,
}

impl Compute {
    pub(crate) fn new(
        shared: Arc<Shared>,
        endpoint: &Endpoint,
        dir: PathBuf,
        socket_dir: PathBuf,
    ) -> Arc<Self> {
        Arc::new(Self {
            shared,
            branch_uid: endpoint.branch_uid.clone(),
            pg_version: endpoint.pg_version,
            dir,
            socket_dir,
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

    async fn wake_alone(self: Arc<Self>, endpoint: &str) -> Result<Ready, PostgresError> {
        let mut slot = self.cluster.lock().await;
        if let Some(ready) = self.ready.borrow().clone() {
            return Ok(ready);
        }
        if self.shared.is_closing() {
            return Err(PostgresError::ShuttingDown);
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
                warn!(branch = %self.branch_uid, %error, "cannot start Postgres");
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
        let (account, cache) = (&self.shared.account, &self.shared.cache_dir);
        let installation = self.shared.installation(self.pg_version).await?;
        let data = self.dir.join("data");
        if !data.exists() {
            account.make_passable_dir(&self.dir)?;
            let template = template(&installation, cache, account).await?;
            let (draft, target, owner) = (self.dir.join("draft"), data.clone(), account.clone());
            blocking(move || {
                // Left over from an emulator that was killed while copying.
                let _ = std::fs::remove_dir_all(&draft);
                copy_tree(&template, &draft, &owner)?;
                std::fs::rename(&draft, &target).map_err(PostgresError::file("move to", &target))
            })
            .await?;
        }
        account.make_private_dir(&self.socket_dir)?;
        let mut cluster = Cluster::spawn(
            &self.branch_uid,
            &installation,
            account,
            &data,
            &self.socket_dir,
        )
        .await?;
        let started = async {
            cluster.await_ready().await?;
            self.provision(&cluster).await
        };
        if let Err(error) = started.await {
            cluster.crash().await;
            return Err(error);
        }
        info!(branch = %self.branch_uid, ms = began.elapsed().as_millis(), "Postgres is ready");
        Ok(cluster)
    }

    async fn provision(&self, cluster: &Cluster) -> Result<(), PostgresError> {
        let list = self.dir.join("provisioned.json");
        let mut done: BTreeSet<String> = std::fs::read(&list)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default();
        let before = done.len();
        let directory = &self.shared.directory;
        let wanted = Wanted {
            roles: directory.roles(&self.branch_uid),
            databases: directory.databases(&self.branch_uid),
        };
        provision(&self.branch_uid, cluster, &wanted, &mut done).await?;
        if done.len() != before {
            let text = serde_json::to_vec(&done).unwrap_or_default();
            std::fs::write(&list, text).map_err(PostgresError::file("write", &list))?;
        }
        Ok(())
    }

    /// Creates roles and databases that the control plane has got since the start; nothing to do while suspended.
    pub(crate) async fn sync(&self) -> Result<(), PostgresError> {
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

    async fn stop(&self, slot: &mut Option<Cluster>, crash: bool) -> bool {
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
        debug!(branch = %self.branch_uid, crash, "Postgres has stopped");
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
        ask.await.map_err(self.of_sql("look for roles"))
    }

    fn of_sql(&self, what: &str) -> impl FnOnce(tokio_postgres::Error) -> PostgresError {
        let (what, branch) = (what.to_owned(), self.branch_uid.clone());
        move |source| PostgresError::Sql {
            what,
            branch,
            source,
        }
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
        ask.await.map_err(self.of_sql("end a session"))
    }

    /// Suspends the server when it is idle, and notices when it ends by itself.
    async fn watch(self: Arc<Self>, mut ended: watch::Receiver<bool>, generation: u64) {
        let mut moved = self.shared.time.changed();
        loop {
            let nap = match self.idle_in() {
                Some(Duration::ZERO) if self.suspend_if_idle(generation).await => return,
                Some(Duration::ZERO) => BUSY_PAUSE,
                Some(left) => left.min(LONGEST_NAP),
                None => LONGEST_NAP,
            };
            let fell = tokio::select! {
                _ = ended.wait_for(|ended| *ended) => true,
                () = sleep(nap) => false,
                Ok(()) = moved.changed() => false,
            };
            if fell {
                return self.fell(generation).await;
            }
        }
    }

    /// How long until all endpoints have been idle for their time; `None`: one of them never suspends.
    fn idle_in(&self) -> Option<Duration> {
        let now = self.shared.time.now_ms();
        let endpoints = self
            .endpoints
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let left = endpoints.values().map(|used| {
            let end = used
                .last_ms
                .load(Ordering::Relaxed)
                .saturating_add(used.suspend_after_ms?);
            Some(end.saturating_sub(now))
        });
        left.collect::<Option<Vec<_>>>()?
            .into_iter()
            .max()
            .map(Duration::from_millis)
    }

    async fn suspend_if_idle(&self, generation: u64) -> bool {
        let mut slot = self.cluster.lock().await;
        if self.starts.load(Ordering::Relaxed) != generation {
            return true;
        }
        let Some(cluster) = slot.as_ref() else {
            return true;
        };
        let busy = timeout(Duration::from_secs(5), busy(cluster)).await;
        // A server that does not answer is left alone; it is looked at again soon.
        if !matches!(busy, Ok(Ok(false))) || self.idle_in() != Some(Duration::ZERO) {
            return false;
        }
        info!(branch = %self.branch_uid, "idle: suspending Postgres");
        self.stop(&mut slot, false).await
    }

    /// The server ended without having been told to.
    async fn fell(&self, generation: u64) {
        let mut slot = self.cluster.lock().await;
        if self.starts.load(Ordering::Relaxed) == generation
            && slot.as_ref().is_some_and(Cluster::has_ended)
        {
            warn!(branch = %self.branch_uid, "Postgres ended by itself");
            self.ready.send_replace(None);
            if let Some(cluster) = slot.take() {
                cluster.crash().await;
            }
            self.set_state(ComputeState::Suspended);
        }
    }

    fn set_state(&self, state: ComputeState) {
        if self.state.send_replace(state) != state {
            let endpoints: Vec<_> = self
                .endpoints
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .keys()
                .cloned()
                .collect();
            for uid in endpoints {
                self.shared.directory.compute_changed(&uid, state);
            }
        }
    }
}

/// The rule of Lakebase's compute: whoever is not `idle` keeps it awake, and that includes `idle in transaction`.
async fn busy(cluster: &Cluster) -> Result<bool, tokio_postgres::Error> {
    let client = cluster.connect("postgres").await?;
    client
        .query_one(
            "SELECT count(*) > 0 FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND (
                 (backend_type = 'client backend' AND state IS DISTINCT FROM 'idle')
                 OR backend_type IN ('walsender', 'autovacuum worker'))",
            &[],
        )
        .await?
        .try_get(0)
}
