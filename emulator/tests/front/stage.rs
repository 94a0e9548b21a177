//! A door with a control plane of a few lines behind it, so that these tests are about the door.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use lakekey_emulator::HostMode;
use lakekey_emulator::certs::Certificates;
use lakekey_emulator::front::directory::{
    ComputeState, Directory, Endpoint, LoginRefusal, MadeRole, Presented, Role, RoleLogin,
};
use lakekey_emulator::front::{Front, FrontOptions};
use lakekey_emulator::postgres::{Fleet, Time};
use lakekey_gateway::{Disturbance, End, Moment};
use rustix::process::Pid;
use tokio::sync::watch;

pub(crate) use crate::scratch::{fleet_options, state_dir};

pub(crate) const HOST: &str = "ep-one.database.localhost";
pub(crate) const USER: &str = "ann@example.com";
pub(crate) const TOKEN: &str = "good";

/// What an external refusal appends to its DETAIL.
type Reason = Option<String>;
/// Endpoint, role, and the SQLSTATE and text of a refusal.
type Login = (Option<String>, String, Option<(String, String)>);

/// Endpoints `ep-one` and `ep-two` of two branches; a password is the name of its outcome.
pub(crate) struct Plane {
    pub(crate) endpoints: Mutex<HashMap<String, Endpoint>>,
    pub(crate) external: Mutex<Option<Reason>>,
    pub(crate) disturbed: Mutex<Option<(Moment, End)>>,
    pub(crate) states: Mutex<Vec<(String, ComputeState)>>,
    pub(crate) logins: Mutex<Vec<Login>>,
}

fn endpoint(uid: &str) -> Endpoint {
    Endpoint {
        uid: uid.to_owned(),
        name: format!("projects/p/branches/{uid}/endpoints/primary"),
        branch_uid: format!("br-{uid}"),
        pg_version: 17,
        disabled: false,
        read_only: false,
        pooled: false,
        suspend_after_ms: None,
    }
}

impl Directory for Plane {
    fn endpoint_by_host(&self, host: &str) -> Option<Endpoint> {
        let uid = host.strip_suffix(".database.localhost")?;
        let found = self.endpoint_by_uid(uid.strip_suffix("-pooler").unwrap_or(uid))?;
        Some(Endpoint {
            pooled: uid.ends_with("-pooler"),
            ..found
        })
    }

    fn endpoint_by_uid(&self, uid: &str) -> Option<Endpoint> {
        self.endpoints.lock().unwrap().get(uid).cloned()
    }

    fn external_refusal(&self, _: &Endpoint) -> Option<Option<String>> {
        self.external.lock().unwrap().clone()
    }

    fn disturbance(&self, moment: Moment) -> Option<Disturbance> {
        let disturbed = self.disturbed.lock().unwrap().clone();
        let (_, end) = disturbed.filter(|(at, _)| *at == moment)?;
        Some(Disturbance {
            wait: Box::pin(std::future::ready(())),
            end: Some(end),
        })
    }

    fn check_login(
        &self,
        endpoint: &Endpoint,
        _: &str,
        password: &str,
    ) -> Result<Option<Presented>, LoginRefusal> {
        match password {
            _ if endpoint.pooled => Err(LoginRefusal::TokenOnPooler),
            TOKEN => Ok(None),
            "not-a-jwt" => Err(LoginRefusal::NotAJwt),
            "workspace" => Err(LoginRefusal::WorkspaceToken),
            "untrusted" => Err(LoginRefusal::Untrusted),
            "expired" => Err(LoginRefusal::Expired),
            "somebody-else" => Err(LoginRefusal::WrongIdentity),
            "role-missing" => Err(LoginRefusal::RoleMissing),
            "native-off" => Err(LoginRefusal::NativeLoginOff),
            _ => Err(LoginRefusal::WrongPassword),
        }
    }

    fn roles(&self, _: &str) -> Vec<Role> {
        let role = |name: &str, superuser| Role {
            name: name.to_owned(),
            login: RoleLogin::Token,
            superuser,
        };
        vec![role(USER, true), role("bob@example.com", false)]
    }

    fn adopt_roles(&self, _: &str, _: &[MadeRole]) {}

    fn databases(&self, _: &str) -> Vec<(String, String)> {
        vec![("databricks_postgres".into(), USER.into())]
    }

    fn compute_changed(&self, endpoint_uid: &str, state: ComputeState) {
        self.states
            .lock()
            .unwrap()
            .push((endpoint_uid.to_owned(), state));
    }

    fn login_seen(
        &self,
        endpoint_uid: Option<&str>,
        role: &str,
        end: Result<Option<&Presented>, (&str, &str)>,
    ) {
        let refusal = end
            .err()
            .map(|(code, text)| (code.to_owned(), text.to_owned()));
        let seen = (endpoint_uid.map(str::to_owned), role.to_owned(), refusal);
        self.logins.lock().unwrap().push(seen);
    }
}

/// A clock that stands still until it is moved.
pub(crate) struct StillTime {
    now: AtomicU64,
    moved: watch::Sender<u64>,
}

impl StillTime {
    pub(crate) fn advance(&self, time: Duration) {
        let ms = u64::try_from(time.as_millis()).unwrap();
        self.now.fetch_add(ms, Ordering::SeqCst);
        self.moved.send_modify(|count| *count += 1);
    }
}

impl Time for StillTime {
    fn now_ms(&self) -> u64 {
        self.now.load(Ordering::SeqCst)
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.now_ms().cast_signed()).unwrap()
    }

    fn real_at(&self, _: Timestamp) -> Option<Timestamp> {
        None
    }

    fn shown_at(&self, _: Timestamp) -> Timestamp {
        self.now()
    }

    fn changed(&self) -> watch::Receiver<u64> {
        self.moved.subscribe()
    }
}

pub(crate) struct Stage {
    pub(crate) plane: Arc<Plane>,
    pub(crate) time: Arc<StillTime>,
    pub(crate) fleet: Arc<Fleet>,
    pub(crate) certificates: Arc<Certificates>,
    pub(crate) front: Front,
    _state: tempfile::TempDir,
}

impl Stage {
    pub(crate) async fn open() -> Self {
        Self::with(FrontOptions::default(), None).await
    }

    pub(crate) async fn with(options: FrontOptions, suspend_after: Option<Duration>) -> Self {
        let endpoints = ["ep-one", "ep-two"].map(|uid| {
            let suspend_after_ms =
                suspend_after.map(|time| u64::try_from(time.as_millis()).unwrap());
            (
                uid.to_owned(),
                Endpoint {
                    suspend_after_ms,
                    ..endpoint(uid)
                },
            )
        });
        let plane = Arc::new(Plane {
            endpoints: Mutex::new(endpoints.into_iter().collect()),
            external: Mutex::default(),
            disturbed: Mutex::default(),
            states: Mutex::default(),
            logins: Mutex::default(),
        });
        let time = Arc::new(StillTime {
            now: AtomicU64::new(1_000_000),
            moved: watch::Sender::new(0),
        });
        let state = state_dir();
        let fleet = Fleet::open(fleet_options(state.path()), 17, plane.clone(), time.clone())
            .await
            .unwrap();
        let certificates = Certificates::open(state.path()).unwrap();
        let front = Front::start(options, plane.clone(), fleet.clone(), certificates.clone())
            .await
            .unwrap();
        Self {
            plane,
            time,
            fleet,
            certificates,
            front,
            _state: state,
        }
    }

    pub(crate) fn endpoint(&self, uid: &str) -> Endpoint {
        self.plane.endpoint_by_uid(uid).unwrap()
    }

    /// The process id of the endpoint's server, as the server itself writes it beside its socket.
    pub(crate) async fn postmaster(&self, uid: &str) -> Pid {
        let ready = self.fleet.wake(&self.endpoint(uid)).await.unwrap();
        let lock =
            std::fs::read_to_string(ready.socket.with_file_name(".s.PGSQL.5432.lock")).unwrap();
        Pid::from_raw(lock.lines().next().unwrap().parse().unwrap()).unwrap()
    }

    /// Ends everything. Without it the clusters end with the process.
    pub(crate) async fn close(self) {
        self.fleet.shutdown().await;
        self.front.shutdown().await;
    }
}

pub(crate) fn host_mode(host_mode: HostMode) -> FrontOptions {
    FrontOptions {
        host_mode,
        ..FrontOptions::default()
    }
}

/// Waits for something to become true, with a deadline instead of a fixed sleep.
pub(crate) async fn eventually(what: &str, mut check: impl FnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while !check() {
        assert!(
            tokio::time::Instant::now() < deadline,
            "not in time: {what}"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
