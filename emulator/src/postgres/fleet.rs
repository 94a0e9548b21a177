//! All computes of one emulator, and what they share: account, binaries, directories.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::sync::RwLock;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::account::Account;
use super::binaries::{BinarySearch, user_cache};
use super::branching::sweep;
use super::compute::{Compute, Ready};
use super::error::PostgresError;
use super::files::unique;
use super::installation::Installation;
use super::point::Branch;
use super::time::Time;
use crate::front::directory::{ComputeState, Endpoint, MadeRole, SharedDirectory};

/// How long the end of the emulator waits for the files of a branch to be made.
const JOBS_TIME: Duration = Duration::from_secs(20);

/// What a fleet needs to know.
#[derive(Clone, Debug)]
pub struct FleetOptions {
    /// Where branches live. It is made if it is missing; the caller keeps other emulators out of it.
    pub state_dir: PathBuf,
    /// Where templates and prepared binaries are kept for the next run; `None`: the user's cache directory, or a
    /// directory for temporary files when this process is root.
    pub cache_dir: Option<PathBuf>,
    /// Where Postgres is looked for.
    pub binaries: BinarySearch,
    /// Refuse another major version than the project's.
    pub strict_version: bool,
    /// How much WAL a branch writes until it is copied, so that going back in it takes less time and room. Twice as much
    /// of its past is kept, and somewhat more.
    pub image_every_bytes: u64,
}

impl FleetOptions {
    /// What [`FleetOptions::image_every_bytes`] usually is.
    pub const IMAGE_EVERY_BYTES: u64 = 256 << 20;
}

/// What has happened so far, over all branches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FleetCounts {
    /// Servers started.
    pub starts: u64,
    /// Servers stopped because they were idle or were told to.
    pub suspends: u64,
    /// Servers that answer now.
    pub running: u64,
}

pub(crate) struct Shared {
    pub(crate) account: Account,
    pub(crate) cache_dir: PathBuf,
    pub(crate) directory: SharedDirectory,
    pub(crate) time: Arc<dyn Time>,
    pub(crate) branches_dir: PathBuf,
    snapshots_dir: PathBuf,
    sockets_dir: PathBuf,
    next_socket: AtomicUsize,
    pub(crate) image_every_bytes: u64,
    search: BinarySearch,
    strict_version: bool,
    installations: tokio::sync::Mutex<HashMap<u32, Installation>>,
    closing: AtomicBool,
    /// Shared by those who make or remove files of branches; the end of the emulator waits for them.
    pub(crate) jobs: RwLock<()>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.sockets_dir);
    }
}

impl Shared {
    /// The directory of a branch, whatever its id holds.
    pub(crate) fn branch_dir(&self, uid: &str) -> PathBuf {
        self.branches_dir.join(safe_name(uid))
    }

    pub(crate) fn snapshot_dir(&self, id: &str) -> PathBuf {
        self.snapshots_dir.join(safe_name(id))
    }

    pub(crate) fn snapshots_dir(&self) -> &Path {
        &self.snapshots_dir
    }

    /// A place for the sockets of one more server.
    pub(crate) fn socket_dir(&self) -> PathBuf {
        let number = self.next_socket.fetch_add(1, Ordering::Relaxed);
        self.sockets_dir.join(number.to_string())
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    pub(crate) async fn installation(&self, major: u32) -> Result<Installation, PostgresError> {
        let mut known = self.installations.lock().await;
        if let Some(installation) = known.get(&major) {
            return Ok(installation.clone());
        }
        let found = Installation::find(
            &self.search,
            major,
            self.strict_version,
            &self.cache_dir,
            &self.account,
        )
        .await?;
        known.insert(major, found.clone());
        Ok(found)
    }
}

/// All Postgres clusters of one emulator: one for each branch, and one for each read-only endpoint.
pub struct Fleet {
    pub(super) shared: Arc<Shared>,
    /// By unique id of the branch, or of the endpoint where that is read-only.
    pub(super) computes: Mutex<HashMap<String, Arc<Compute>>>,
    /// Where the compute of an endpoint is found.
    pub(super) compute_keys: Mutex<HashMap<String, String>>,
    /// Branches that are being made or have been removed: no login may bring them to life empty.
    pub(super) barred: Mutex<HashSet<String>>,
}

impl std::fmt::Debug for Fleet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fleet")
            .field("branches_dir", &self.shared.branches_dir)
            .finish_non_exhaustive()
    }
}

impl Fleet {
    /// Prepares the directories and finds Postgres for `major`; starts nothing.
    ///
    /// # Errors
    /// No usable Postgres, no account to run it, a state directory that cannot be entered.
    pub async fn open(
        options: FleetOptions,
        major: u32,
        directory: SharedDirectory,
        time: Arc<dyn Time>,
    ) -> Result<Arc<Self>, PostgresError> {
        let account = Account::choose()?;
        let state_dir = &options.state_dir;
        let branches_dir = state_dir.join("branches");
        account.make_passable_dir(state_dir)?;
        account.make_passable_dir(&branches_dir)?;
        let branches_dir = branches_dir
            .canonicalize()
            .map_err(PostgresError::file("find", &branches_dir))?;
        if let Some(dir) = account.blocked_at(&branches_dir) {
            return Err(PostgresError::NotTraversable {
                dir,
                account: account.name,
            });
        }
        let cache_dir = match options.cache_dir {
            Some(dir) => dir,
            None => default_cache(&account)?,
        };
        for part in ["installations", "templates"] {
            account.make_passable_dir(&cache_dir.join(part))?;
        }
        let cache_dir = cache_dir
            .canonicalize()
            .map_err(PostgresError::file("find", &cache_dir))?;
        sweep(&branches_dir)?;
        let snapshots_dir = branches_dir.with_file_name("snapshots");
        account.make_passable_dir(&snapshots_dir)?;
        let shared = Arc::new(Shared {
            account,
            cache_dir,
            directory,
            time,
            branches_dir,
            snapshots_dir,
            sockets_dir: sockets_dir()?,
            next_socket: AtomicUsize::new(0),
            image_every_bytes: options.image_every_bytes,
            search: options.binaries,
            strict_version: options.strict_version,
            installations: tokio::sync::Mutex::default(),
            closing: AtomicBool::new(false),
            jobs: RwLock::default(),
        });
        shared.installation(major).await?;
        Ok(Arc::new(Self {
            shared,
            computes: Mutex::default(),
            compute_keys: Mutex::default(),
            barred: Mutex::default(),
        }))
    }

    /// The installation that serves `major`.
    ///
    /// # Errors
    /// There is none.
    pub async fn installation(&self, major: u32) -> Result<Installation, PostgresError> {
        self.shared.installation(major).await
    }

    /// Starts the endpoint's Postgres if it is not running, together with all who ask at the same time.
    ///
    /// # Errors
    /// It does not start, or the admin API ordered a failure.
    pub async fn wake(&self, endpoint: &Endpoint) -> Result<Ready, PostgresError> {
        self.compute_for(endpoint).wake(endpoint).await
    }

    /// A connection to the endpoint's Postgres, which trusts it; wakes it if need be.
    ///
    /// # Errors
    /// As [`Fleet::wake`].
    pub(crate) async fn connect(&self, endpoint: &Endpoint) -> Result<UnixStream, PostgresError> {
        let compute = self.compute_for(endpoint);
        loop {
            let ready = compute.wake(endpoint).await?;
            match UnixStream::connect(&ready.socket).await {
                Ok(stream) => return Ok(stream),
                Err(_) => _ = compute.doubt(),
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// A connection to the endpoint's Postgres if it runs. This starts nothing and is no activity.
    pub(crate) async fn connect_if_running(&self, endpoint: &Endpoint) -> Option<UnixStream> {
        let socket = self.compute_of(&endpoint.uid).ok()?.running_socket()?;
        UnixStream::connect(socket).await.ok()
    }

    /// Where the last activity of the endpoint is noted, in milliseconds of the virtual clock.
    pub(crate) fn activity(&self, endpoint: &Endpoint) -> Arc<AtomicU64> {
        self.compute_for(endpoint).used_by(endpoint)
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.shared.time.now_ms()
    }

    /// A connection to the endpoint's Postgres did not lead to a session: the next wake probes it first.
    /// Gives the number of its starts so far.
    pub fn doubt(&self, endpoint: &Endpoint) -> u64 {
        self.compute_for(endpoint).doubt()
    }

    /// Suspends the endpoint's branch: its sessions end with 57P01. `false`: it was not running.
    ///
    /// # Errors
    /// The endpoint has never been used.
    pub async fn suspend(&self, endpoint_uid: &str) -> Result<bool, PostgresError> {
        Ok(self.compute_of(endpoint_uid)?.suspend().await)
    }

    /// Stops the endpoint's Postgres without a word to its sessions. `false`: it was not running.
    ///
    /// # Errors
    /// The endpoint has never been used.
    pub async fn crash(&self, endpoint_uid: &str) -> Result<bool, PostgresError> {
        Ok(self.compute_of(endpoint_uid)?.crash().await)
    }

    /// Stops and starts the endpoint's Postgres.
    ///
    /// # Errors
    /// It does not start again.
    pub async fn restart(&self, endpoint: &Endpoint) -> Result<Ready, PostgresError> {
        let compute = self.compute_for(endpoint);
        compute.suspend().await;
        compute.wake(endpoint).await
    }

    /// Creates the roles and databases that the branch has got since its start. While it is suspended this waits for
    /// its next start.
    ///
    /// # Errors
    /// Postgres refuses.
    pub async fn sync_branch(&self, branch_uid: &str) -> Result<(), PostgresError> {
        let compute = locked(&self.computes).get(branch_uid).cloned();
        match compute {
            Some(compute) => compute.sync().await,
            None => Ok(()),
        }
    }

    /// The roles of the endpoint's branch that were made in SQL with `databricks_create_role`. Wakes its Postgres.
    pub(crate) async fn made_roles(
        &self,
        endpoint: &Endpoint,
    ) -> Result<Vec<MadeRole>, PostgresError> {
        let compute = self.compute_for(endpoint);
        compute.wake(endpoint).await?;
        compute.made_roles().await
    }

    /// Ends one session with 57P01, by the process id of its backend. `false`: there is none.
    ///
    /// # Errors
    /// The endpoint has never been used, or Postgres refuses.
    pub async fn terminate(
        &self,
        endpoint_uid: &str,
        backend_pid: i32,
    ) -> Result<bool, PostgresError> {
        self.compute_of(endpoint_uid)?.terminate(backend_pid).await
    }

    /// The state of an endpoint's compute.
    pub fn state(&self, endpoint_uid: &str) -> ComputeState {
        self.compute_of(endpoint_uid)
            .map_or(ComputeState::Suspended, |compute| compute.state())
    }

    /// From now on each wake of this endpoint takes at least this long.
    pub fn set_wake_latency(&self, endpoint: &Endpoint, latency: Duration) {
        self.compute_for(endpoint).set_wake_latency(latency);
    }

    /// The next `count` wakes of this endpoint fail.
    pub fn fail_wakes(&self, endpoint: &Endpoint, count: u32) {
        self.compute_for(endpoint).fail_wakes(count);
    }

    /// What has happened so far.
    pub fn counts(&self) -> FleetCounts {
        locked(&self.computes)
            .values()
            .fold(FleetCounts::default(), |sum, compute| FleetCounts {
                starts: sum.starts + compute.starts.load(Ordering::Relaxed),
                suspends: sum.suspends + compute.suspends.load(Ordering::Relaxed),
                running: sum.running + u64::from(compute.state() == ComputeState::Ready),
            })
    }

    /// Stops all servers and starts none any more. Branches that are being made fail, or are made.
    pub async fn shutdown(&self) {
        self.shared.closing.store(true, Ordering::Release);
        let mut stops = JoinSet::new();
        for compute in locked(&self.computes).values() {
            let compute = Arc::clone(compute);
            stops.spawn(async move { compute.suspend().await });
        }
        while stops.join_next().await.is_some() {}
        // Whoever removes the state directory next must not be disturbed by a copy that is still being written.
        if timeout(JOBS_TIME, self.shared.jobs.write()).await.is_err() {
            tracing::warn!(
                "a branch is still being made; its files are removed by the next emulator"
            );
        }
    }

    fn compute_for(&self, endpoint: &Endpoint) -> Arc<Compute> {
        let branch = Branch {
            uid: endpoint.branch_uid.clone(),
            pg_version: endpoint.pg_version,
        };
        let key = if endpoint.read_only {
            &endpoint.uid
        } else {
            &endpoint.branch_uid
        };
        locked(&self.compute_keys).insert(endpoint.uid.clone(), key.clone());
        let primary = self.primary(&branch);
        if !endpoint.read_only {
            return primary;
        }
        let make = || {
            let dir = standby_dir(primary.dir(), &endpoint.uid);
            Compute::new(
                Arc::clone(&self.shared),
                branch,
                Some(Arc::clone(&primary)),
                dir,
            )
        };
        Arc::clone(
            locked(&self.computes)
                .entry(key.clone())
                .or_insert_with(make),
        )
    }

    /// The compute of a branch itself.
    pub(super) fn primary(&self, branch: &Branch) -> Arc<Compute> {
        let is_barred = locked(&self.barred).contains(&branch.uid);
        let make = || {
            let dir = self.shared.branch_dir(&branch.uid);
            let shared = Arc::clone(&self.shared);
            let compute = Compute::new(shared, branch.clone(), None, dir);
            compute.bar(is_barred);
            compute
        };
        let mut computes = locked(&self.computes);
        Arc::clone(computes.entry(branch.uid.clone()).or_insert_with(make))
    }

    fn compute_of(&self, endpoint_uid: &str) -> Result<Arc<Compute>, PostgresError> {
        let unknown = || PostgresError::UnknownEndpoint(endpoint_uid.to_owned());
        let key = locked(&self.compute_keys)
            .get(endpoint_uid)
            .cloned()
            .ok_or_else(unknown)?;
        locked(&self.computes)
            .get(&key)
            .cloned()
            .ok_or_else(unknown)
    }
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where the cluster of a read-only endpoint lives.
pub(super) fn standby_dir(branch_dir: &Path, endpoint_uid: &str) -> PathBuf {
    branch_dir.join("standbys").join(safe_name(endpoint_uid))
}

/// An id as a file name, whatever it holds.
pub(super) fn safe_name(uid: &str) -> String {
    uid.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '-' {
                c
            } else {
                '_'
            }
        })
        .collect()
}

fn default_cache(account: &Account) -> Result<PathBuf, PostgresError> {
    use std::os::unix::fs::{DirBuilderExt, MetadataExt};
    if let Some(dir) = std::env::var_os("LAKEKEY_CACHE_DIR").filter(|dir| !dir.is_empty()) {
        let dir = PathBuf::from(dir);
        std::fs::create_dir_all(&dir).map_err(PostgresError::file("create", &dir))?;
        // A directory below root's home, say, is closed to the account that runs Postgres.
        if account.blocked_at(&dir).is_none() {
            return Ok(dir);
        }
    } else if account.other.is_none()
        && let Some(cache) = user_cache()
    {
        return Ok(cache);
    }
    // Root's own cache is closed to the account that runs Postgres.
    let me = rustix::process::geteuid().as_raw();
    let dir = std::env::temp_dir().join(format!("lakekey-cache-{me}"));
    let _ = std::fs::DirBuilder::new().mode(0o755).create(&dir);
    let meta = std::fs::symlink_metadata(&dir).map_err(PostgresError::file("read", &dir))?;
    // In a directory that all may write to, the name may have been taken by somebody else.
    if !meta.is_dir() || meta.uid() != me || meta.mode() & 0o022 != 0 {
        let error =
            std::io::Error::other("it belongs to somebody else or is open to others; remove it");
        return Err(PostgresError::file("trust", &dir)(error));
    }
    Ok(dir)
}

/// The path of a unix socket holds about a hundred bytes, so sockets live apart from the (maybe deep) state directory.
fn sockets_dir() -> Result<PathBuf, PostgresError> {
    let temp = std::env::temp_dir();
    let short = if temp.as_os_str().len() <= 60 {
        temp
    } else {
        PathBuf::from("/tmp")
    };
    unique(&short, "lk-")
}
