//! The emulator in the process of whoever starts it: a test, or the command `lakekey emulate`.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use lakekey_gateway::Session;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::admin;
use crate::behind::Behind;
use crate::certs::WrongCertificate;
use crate::control::{Plane, serve, worker};
use crate::dns::{Dns, DnsRule};
use crate::faults::{Fault, FaultReport};
use crate::front::{KillHow, SessionFilter};
use crate::journal::{Counters, Entry};
use crate::lock::StateLock;
use crate::options::{HostMode, Options};
use crate::state::identity::{TOKEN, USER};
use crate::state::{Lakebase, Seed, names, seed};
use crate::token::TokenSettings;
use crate::{Clock, Error};

/// A running emulator. It ends with [`Emulator::shutdown`]; dropping it ends it too, without waiting.
pub struct Emulator {
    lakebase: Arc<Lakebase>,
    urls: Urls,
    admin_token: String,
    stop: watch::Receiver<bool>,
    servers: JoinSet<()>,
    behind: Option<Arc<Behind>>,
    dns: Option<Dns>,
    _lock: StateLock,
    // Declared last: removed when nothing uses it any more.
    _temporary: Option<TempDir>,
}

/// Where a running emulator is found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Urls {
    /// The workspace's host: the control plane.
    pub control: String,
    /// The admin API.
    pub admin: String,
}

impl std::fmt::Debug for Emulator {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Emulator")
            .field("urls", &self.urls)
            .finish_non_exhaustive()
    }
}

impl Emulator {
    /// Starts an emulator; it answers when this returns. Needs a tokio runtime, and lives on it.
    pub async fn start(options: Options) -> Result<Self, Error> {
        let (root, temporary) = state_root(options.state_dir.as_deref())?;
        let lock = StateLock::take(&root)?;
        let clock = Arc::new(Clock::default());
        let seed = Seed {
            projects: options.projects.clone(),
            pg_version: options.pg_version,
            suspend_after: options.suspend_after,
            postgres: options.postgres,
        };
        let lakebase = Arc::new(Lakebase::open(&root, seed, clock)?);
        lakebase.set_operation_delay(options.operation_delay);
        lakebase.set_tokens(&TokenSettings {
            ttl_s: options.token_ttl_s,
            ..TokenSettings::default()
        })?;

        let (control, control_address) = listener(options.port, "the control plane")?;
        let (admin, admin_address) = listener(options.admin_port, "the admin API")?;
        let behind = if options.postgres {
            Some(Arc::new(Behind::start(lakebase.clone(), &options).await?))
        } else {
            None
        };
        let dns = match options.host_mode {
            HostMode::Dns => Some(Dns::start(lakebase.clone()).await?),
            _ => None,
        };
        let admin_token = format!("admin-{}", lakebase.tokens.random_id(false));
        let (ask_to_stop, stop) = watch::channel(false);
        let desk = admin::Desk::new(
            lakebase.clone(),
            behind.as_ref(),
            dns.as_ref(),
            &admin_token,
            ask_to_stop,
        );
        let mut servers = JoinSet::new();
        let plane = Arc::new(Plane {
            lakebase: lakebase.clone(),
            behind: behind.as_ref().map(Arc::downgrade),
        });
        let (workers, jobs) = mpsc::unbounded_channel();
        lakebase.set_workers(workers);
        servers.spawn(worker::serve(plane.clone(), jobs));
        servers.spawn(async move {
            let error = serve::serve(control, control_address, plane).await;
            tracing::error!(%error, "the control plane has ended");
        });
        servers.spawn(admin::serve(admin, desk));
        let urls = Urls {
            control: format!("http://{control_address}"),
            admin: format!("http://{admin_address}"),
        };
        Ok(Self {
            lakebase,
            urls,
            admin_token,
            stop,
            servers,
            behind,
            dns,
            _lock: lock,
            _temporary: temporary,
        })
    }

    /// Where it is found.
    pub fn urls(&self) -> &Urls {
        &self.urls
    }

    /// The bearer token of the admin API.
    pub fn admin_token(&self) -> &str {
        &self.admin_token
    }

    /// Resource name of the default endpoint.
    pub fn endpoint(&self) -> String {
        format!(
            "projects/{}/branches/production/endpoints/primary",
            seed::DEFAULT_PROJECT
        )
    }

    /// Uid of the default endpoint, the first label of its host.
    pub fn endpoint_uid(&self) -> String {
        names::uid("ep", &self.endpoint())
    }

    /// Host of the default endpoint: its name, or what stands for it in other host modes.
    pub fn pg_host(&self) -> String {
        self.lakebase.view().host(&self.endpoint_uid()).0
    }

    /// Port of the default endpoint, when Postgres runs.
    pub fn pg_port(&self) -> Option<u16> {
        self.lakebase.view().host(&self.endpoint_uid()).1
    }

    /// The address that serves all endpoints by the host name of the TLS handshake, when Postgres runs.
    pub fn pg_address(&self) -> Option<SocketAddr> {
        self.behind.as_ref().map(|behind| behind.address())
    }

    /// The emulator's own name server, with [`HostMode::Dns`].
    pub fn name_server(&self) -> Option<SocketAddr> {
        self.dns.as_ref().map(Dns::address)
    }

    /// Lets the name server answer as this rule says.
    ///
    /// # Errors
    /// There is no name server: [`HostMode::Dns`] was not asked for.
    pub fn dns_rule(&self, rule: DnsRule) -> Result<(), Error> {
        let dns = self.dns.as_ref().ok_or(Error::NoNameServer)?;
        dns.rules().add(rule);
        Ok(())
    }

    /// The certificate authority to trust, in PEM, when Postgres runs.
    pub fn ca_file(&self) -> Option<PathBuf> {
        self.behind.as_ref().map(|behind| behind.ca_file())
    }

    /// What to put into the environment of a program that is to use this emulator, in the order to print it.
    pub fn environment(&self) -> Vec<(String, String)> {
        let mut environment = vec![
            ("DATABRICKS_HOST", self.urls.control.clone()),
            ("DATABRICKS_TOKEN", TOKEN.to_owned()),
            ("LAKEBASE_ENDPOINT", self.endpoint()),
        ];
        if let (Some(port), Some(ca_file)) = (self.pg_port(), self.ca_file()) {
            let host = self.pg_host();
            // Most resolvers know no names below localhost.
            let by_name = host == names::host(&self.endpoint_uid());
            let ca_file = ca_file.display().to_string();
            if let Some(dns) = &self.dns {
                environment.push(("LAKEKEY_NAMESERVERS", dns.address().to_string()));
            }
            environment.push(("PGHOST", host));
            environment.extend(by_name.then(|| ("PGHOSTADDR", Ipv4Addr::LOCALHOST.to_string())));
            environment.extend([
                ("PGPORT", port.to_string()),
                ("PGDATABASE", "databricks_postgres".to_owned()),
                ("PGUSER", USER.to_owned()),
                ("PGSSLMODE", "verify-full".to_owned()),
                ("PGSSLROOTCERT", ca_file.clone()),
                ("NODE_EXTRA_CA_CERTS", ca_file),
            ]);
        }
        environment
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }

    /// The clock of everything in the emulator.
    pub fn clock(&self) -> &Clock {
        &self.lakebase.clock
    }

    /// Where its state lies.
    pub fn state_dir(&self) -> &Path {
        self.lakebase.state_dir()
    }

    /// Lifetime of the database credentials minted from now on; lifts the limits on what may be asked for.
    pub fn set_ttl(&self, ttl_s: i64) -> Result<(), Error> {
        self.set_tokens(&TokenSettings {
            ttl_s: Some(ttl_s),
            ..TokenSettings::default()
        })
    }

    /// Sets the knobs on tokens.
    pub fn set_tokens(&self, settings: &TokenSettings) -> Result<(), Error> {
        self.lakebase.set_tokens(settings).map(drop)
    }

    /// From now on operations of the control plane take at least this long, on the virtual clock.
    pub fn set_operation_delay(&self, delay: Duration) {
        self.lakebase.set_operation_delay(delay);
    }

    /// Sets a fault; its number.
    pub fn fault(&self, fault: Fault) -> Result<u64, Error> {
        self.lakebase.faults.add(fault)
    }

    /// The faults in force and those that are over, and how often each was applied.
    pub fn faults(&self) -> Vec<FaultReport> {
        self.lakebase.faults.list()
    }

    /// Takes one fault away; whether there was one of this number.
    pub fn remove_fault(&self, id: u64) -> bool {
        self.lakebase.faults.remove(id)
    }

    /// Takes all faults away.
    pub fn clear_faults(&self) {
        self.lakebase.faults.clear();
    }

    /// How often things happened.
    pub fn counters(&self) -> Counters {
        self.lakebase.journal.counters()
    }

    /// What happened after number `since` (0: from the start), oldest first.
    pub fn journal(&self, since: u64) -> Vec<Entry> {
        self.lakebase.journal.since(since)
    }

    /// Waits until the counters are as `wanted` says; whether they became so within `patience` of real time.
    pub async fn until(
        &self,
        patience: Duration,
        mut wanted: impl FnMut(&Counters) -> bool,
    ) -> bool {
        let mut changes = self.lakebase.journal.changes();
        let wait = async {
            loop {
                changes.borrow_and_update();
                if wanted(&self.counters()) || changes.changed().await.is_err() {
                    return;
                }
            }
        };
        tokio::time::timeout(patience, wait).await.is_ok()
    }

    /// Disables an endpoint, by uid or resource name: its compute is suspended, it refuses logins, and none of them
    /// wakes it.
    pub async fn disable(&self, endpoint: &str) -> Result<(), Error> {
        let uid = self.lakebase.endpoint_uid(endpoint)?;
        self.lakebase.set_disabled(&uid, true)?;
        if let Some(behind) = &self.behind {
            behind.suspend(&uid).await?;
        }
        Ok(())
    }

    /// Enables an endpoint again.
    pub fn enable(&self, endpoint: &str) -> Result<(), Error> {
        self.lakebase
            .set_disabled(&self.lakebase.endpoint_uid(endpoint)?, false)
    }

    /// Suspends an endpoint's compute: its sessions end with 57P01. `false`: it was not running.
    pub async fn suspend(&self, endpoint: &str) -> Result<bool, Error> {
        let uid = self.lakebase.endpoint_uid(endpoint)?;
        self.behind("suspend a compute")?.suspend(&uid).await
    }

    /// Starts an endpoint's compute, as the next login would.
    pub async fn wake(&self, endpoint: &str) -> Result<(), Error> {
        let uid = self.lakebase.endpoint_uid(endpoint)?;
        self.behind("wake a compute")?.wake(&uid).await
    }

    /// Suspends and wakes an endpoint's compute.
    pub async fn restart(&self, endpoint: &str) -> Result<(), Error> {
        let uid = self.lakebase.endpoint_uid(endpoint)?;
        self.behind("restart a compute")?.restart(&uid).await
    }

    /// Ends an endpoint's compute without a word to its sessions. `false`: it was not running.
    pub async fn crash(&self, endpoint: &str) -> Result<bool, Error> {
        let uid = self.lakebase.endpoint_uid(endpoint)?;
        self.behind("crash a compute")?.crash(&uid).await
    }

    /// From now on each wake of this endpoint takes at least this long.
    pub fn set_wake_latency(&self, endpoint: &str, latency: Duration) -> Result<(), Error> {
        let uid = self.lakebase.endpoint_uid(endpoint)?;
        self.behind("set the time of a wake")?
            .set_wake_latency(&uid, latency)
    }

    /// The next `count` wakes of this endpoint fail.
    pub fn fail_wakes(&self, endpoint: &str, count: u32) -> Result<(), Error> {
        let uid = self.lakebase.endpoint_uid(endpoint)?;
        self.behind("let a wake fail")?.fail_wakes(&uid, count)
    }

    /// Shuts the front door, so that every connection to it is refused, or opens it again.
    pub async fn set_door(&self, open: bool) -> Result<(), Error> {
        self.behind("have a front door")?.set_door(open).await
    }

    /// Shows everybody who logs in a certificate that is wrong in this way; `None`: the right one.
    pub fn show_certificate(&self, wrong: Option<WrongCertificate>) -> Result<(), Error> {
        let behind = self.behind("have a certificate")?;
        Ok(behind.certificates().show(wrong)?)
    }

    /// Replaces the certificate authority; [`Emulator::ca_file`] has the new one.
    pub fn rotate_authority(&self) -> Result<(), Error> {
        Ok(self.behind("have a certificate")?.certificates().rotate()?)
    }

    /// The running sessions, oldest first; their `place` is the endpoint's uid.
    pub fn sessions(&self) -> Vec<Session> {
        self.behind
            .as_ref()
            .map(|behind| behind.sessions())
            .unwrap_or_default()
    }

    /// Ends the sessions that `filter` takes; how many there were.
    pub async fn kill(&self, filter: &SessionFilter, how: KillHow) -> Result<usize, Error> {
        self.behind("end sessions")?.kill(filter, how).await
    }

    fn behind(&self, purpose: &'static str) -> Result<&Behind, Error> {
        self.behind.as_deref().ok_or(Error::NoPostgres(purpose))
    }

    /// Returns when somebody asked the admin API to end the emulator.
    pub async fn stop_asked(&self) {
        let mut stop = self.stop.clone();
        // The sender lives in the admin server; without it nobody can ask any more.
        if stop.wait_for(|asked| *asked).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Ends everything, and returns when it has ended.
    pub async fn shutdown(mut self) {
        self.servers.shutdown().await;
        if let Some(behind) = self.behind.take() {
            behind.shutdown().await;
        }
    }
}

/// The state directory, and its guard when it is a temporary one.
fn state_root(kept: Option<&Path>) -> Result<(PathBuf, Option<TempDir>), Error> {
    if let Some(kept) = kept {
        return Ok((kept.to_owned(), None));
    }
    let temporary = tempfile::Builder::new()
        .prefix("lakekey-emulator-")
        .tempdir()
        .map_err(|source| Error::StateFile {
            doing: "create a temporary directory in",
            path: std::env::temp_dir(),
            source,
        })?;
    Ok((temporary.path().to_owned(), Some(temporary)))
}

fn listener(port: u16, what: &'static str) -> Result<(TcpListener, SocketAddr), Error> {
    let asked = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let listener = serve::listen(asked, what)?;
    let address = listener.local_addr().map_err(|source| Error::Listen {
        what,
        address: asked,
        source,
    })?;
    Ok((listener, address))
}
