//! What stands behind the endpoints: certificates, clusters and the front door, started and stopped together.
//!
//! The order of stopping matters: the clusters go first, so that running sessions hear 57P01 from their own Postgres
//! instead of losing the connection without a word.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use lakekey_gateway::Session;

use crate::certs::Certificates;
use crate::front::directory::{Directory, Endpoint};
use crate::front::{Front, FrontOptions, KillHow, SessionFilter};
use crate::options::{HostMode, Options};
use crate::postgres::{BinarySearch, Fleet, FleetOptions, PostgresError, Time};
use crate::state::Lakebase;
use crate::{Clock, Error, session};

/// The Postgres side of a running emulator.
pub(crate) struct Behind {
    lakebase: Arc<Lakebase>,
    certificates: Arc<Certificates>,
    fleet: Arc<Fleet>,
    front: Front,
    host_mode: HostMode,
    wake_latency: Duration,
}

impl Time for Clock {
    fn now_ms(&self) -> u64 {
        u64::try_from(self.now().as_millisecond()).unwrap_or(0)
    }

    fn now(&self) -> Timestamp {
        Self::now(self)
    }

    fn real_at(&self, shown: Timestamp) -> Option<Timestamp> {
        Self::real_at(self, shown)
    }

    fn shown_at(&self, real: Timestamp) -> Timestamp {
        Self::shown_at(self, real)
    }

    fn changed(&self) -> tokio::sync::watch::Receiver<u64> {
        self.changes()
    }
}

impl Behind {
    /// Finds Postgres and opens the front door; no cluster runs until somebody logs in.
    pub(crate) async fn start(lakebase: Arc<Lakebase>, options: &Options) -> Result<Self, Error> {
        let state_dir = lakebase.state_dir().to_owned();
        let fleet_options = FleetOptions {
            state_dir: state_dir.clone(),
            cache_dir: None,
            binaries: BinarySearch {
                explicit: options.pg_bin_dir.clone(),
                ..BinarySearch::from_environment()
            },
            strict_version: false,
            image_every_bytes: FleetOptions::IMAGE_EVERY_BYTES,
        };
        let clock = lakebase.clock.clone();
        let record = state_dir.join("clock.jsonl");
        clock.keep_record(&record).map_err(PostgresError::file(
            "keep the record of the clock in",
            &record,
        ))?;
        let fleet = Fleet::open(fleet_options, options.pg_version, lakebase.clone(), clock).await?;
        let certificates = Certificates::open(&state_dir)?;
        let front_options = FrontOptions {
            port: options.pg_port,
            host_mode: options.host_mode,
            network: lakebase.network(),
            ..FrontOptions::default()
        };
        let front = Front::start(
            front_options,
            lakebase.clone(),
            fleet.clone(),
            certificates.clone(),
        )
        .await?;
        let behind = Self {
            lakebase,
            certificates,
            fleet,
            front,
            host_mode: options.host_mode,
            wake_latency: options.wake_latency,
        };
        behind.forget_lost().await?;
        for uid in behind.endpoints() {
            behind.expose(&uid).await?;
        }
        if let Some(network) = behind.front.network() {
            behind.lakebase.keep_network(network)?;
        }
        Ok(behind)
    }

    /// The address that serves all endpoints by host name.
    pub(crate) fn address(&self) -> SocketAddr {
        self.front.address()
    }

    pub(crate) fn ca_file(&self) -> PathBuf {
        absolute(self.certificates.ca_file())
    }

    pub(crate) async fn suspend(&self, uid: &str) -> Result<bool, Error> {
        unless_unused(self.fleet.suspend(uid).await)
    }

    pub(crate) async fn crash(&self, uid: &str) -> Result<bool, Error> {
        unless_unused(self.fleet.crash(uid).await)
    }

    pub(crate) async fn wake(&self, uid: &str) -> Result<(), Error> {
        self.fleet.wake(&self.endpoint(uid)?).await?;
        Ok(())
    }

    pub(crate) async fn restart(&self, uid: &str) -> Result<(), Error> {
        self.fleet.restart(&self.endpoint(uid)?).await?;
        Ok(())
    }

    pub(crate) fn set_wake_latency(&self, uid: &str, latency: Duration) -> Result<(), Error> {
        self.fleet.set_wake_latency(&self.endpoint(uid)?, latency);
        Ok(())
    }

    pub(crate) fn fail_wakes(&self, uid: &str, count: u32) -> Result<(), Error> {
        self.fleet.fail_wakes(&self.endpoint(uid)?, count);
        Ok(())
    }

    /// Shuts the front door, or opens it again.
    pub(crate) async fn set_door(&self, open: bool) -> Result<(), Error> {
        if open {
            self.front.open()?;
        } else {
            self.front.shut().await?;
        }
        Ok(())
    }

    pub(crate) fn certificates(&self) -> &Certificates {
        &self.certificates
    }

    pub(crate) fn sessions(&self) -> Vec<Session> {
        self.front.sessions()
    }

    pub(crate) async fn kill(&self, filter: &SessionFilter, how: KillHow) -> Result<usize, Error> {
        Ok(self.front.kill(filter, how).await?)
    }

    /// Stops the clusters in any case, and the front door at once unless somebody is still busy with it.
    pub(crate) async fn shutdown(self: Arc<Self>) {
        self.fleet.shutdown().await;
        if let Some(last) = Arc::into_inner(self) {
            last.front.shutdown().await;
        }
    }

    pub(crate) fn fleet(&self) -> &Arc<Fleet> {
        &self.fleet
    }

    /// A superuser's session on the branch's Postgres.
    pub(crate) async fn superuser(
        &self,
        branch_uid: &str,
        database: &str,
    ) -> Result<tokio_postgres::Client, Error> {
        let primary = {
            let all = self.lakebase.view();
            let found = all.branch_by_uid(branch_uid);
            found.and_then(|(_, branch)| Some(branch.primary()?.uid.clone()))
        };
        let endpoint = self.endpoint(primary.as_deref().unwrap_or(branch_uid))?;
        Ok(session::superuser(&self.fleet, &endpoint, database).await?)
    }

    /// Gives an endpoint that is new an address of its own, where endpoints have one.
    pub(crate) async fn expose(&self, uid: &str) -> Result<(), Error> {
        let endpoint = self
            .lakebase
            .any_endpoint(uid)
            .ok_or_else(|| self.lakebase.no_such_endpoint(uid))?;
        let address = self.front.expose(&endpoint).await?;
        self.lakebase.set_address(uid, self.host_mode, address);
        self.fleet.set_wake_latency(&endpoint, self.wake_latency);
        Ok(())
    }

    /// Removes the data of branches and snapshots that the state knows no longer.
    pub(crate) async fn forget_lost(&self) -> Result<(), Error> {
        let (mut branches, mut snapshots) = (Vec::new(), Vec::new());
        for project in self.lakebase.view().projects() {
            branches.extend(project.branches.iter().map(|branch| branch.uid.clone()));
            snapshots.extend(
                project
                    .snapshots
                    .iter()
                    .map(|snapshot| snapshot.uid.clone()),
            );
        }
        Ok(self.fleet.keep_only(&branches, &snapshots).await?)
    }

    /// Tells the compute of an endpoint what has become of its specification.
    pub(crate) async fn apply(&self, uid: &str) -> Result<(), Error> {
        let endpoint = self.endpoint(uid)?;
        if endpoint.disabled {
            self.suspend(uid).await?;
        } else {
            // Whoever looks at the activity also learns after which pause the compute is suspended.
            self.fleet.activity(&endpoint);
        }
        Ok(())
    }

    fn endpoint(&self, uid: &str) -> Result<Endpoint, Error> {
        let found = self.lakebase.endpoint_by_uid(uid);
        found.ok_or_else(|| self.lakebase.no_such_endpoint(uid))
    }

    fn endpoints(&self) -> Vec<String> {
        let all = self.lakebase.view();
        all.endpoints().map(|at| at.endpoint.uid.clone()).collect()
    }
}

/// A compute that nobody has used yet is not running.
fn unless_unused(done: Result<bool, PostgresError>) -> Result<bool, Error> {
    match done {
        Err(PostgresError::UnknownEndpoint(_)) => Ok(false),
        done => Ok(done?),
    }
}

/// A path that also holds in another working directory: it goes into the environment of other programs.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
