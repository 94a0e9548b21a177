//! Clusters without a front door: the tests of branching talk to Postgres over its own socket.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lakekey_emulator::Clock;
use lakekey_emulator::front::directory::{
    ComputeState, Directory, Endpoint, LoginRefusal, MadeRole, Presented, Role, RoleLogin,
};
use lakekey_emulator::postgres::{Branch, BranchPoint, Fleet, FleetOptions, Origin, PostgresError};
use tokio_postgres::{Client, NoTls};

use crate::scratch::{fleet_options, state_dir};

const USER: &str = "ann@example.com";

/// A control plane that knows one role and lets every endpoint be.
#[derive(Default)]
struct Plane {
    states: Mutex<HashMap<String, ComputeState>>,
}

impl Directory for Plane {
    fn endpoint_by_host(&self, _: &str) -> Option<Endpoint> {
        None
    }

    fn endpoint_by_uid(&self, _: &str) -> Option<Endpoint> {
        None
    }

    fn external_refusal(&self, _: &Endpoint) -> Option<Option<String>> {
        None
    }

    fn check_login(
        &self,
        _: &Endpoint,
        _: &str,
        _: &str,
    ) -> Result<Option<Presented>, LoginRefusal> {
        Err(LoginRefusal::RoleMissing)
    }

    fn roles(&self, _: &str) -> Vec<Role> {
        vec![Role {
            name: USER.to_owned(),
            login: RoleLogin::Token,
            superuser: true,
        }]
    }

    fn adopt_roles(&self, _: &str, _: &[MadeRole]) {}

    fn databases(&self, _: &str) -> Vec<(String, String)> {
        vec![("databricks_postgres".into(), USER.into())]
    }

    fn compute_changed(&self, endpoint_uid: &str, state: ComputeState) {
        self.states
            .lock()
            .unwrap()
            .insert(endpoint_uid.to_owned(), state);
    }

    fn login_seen(&self, _: Option<&str>, _: &str, _: Result<Option<&Presented>, (&str, &str)>) {}
}

pub(crate) struct Stage {
    pub(crate) fleet: Arc<Fleet>,
    pub(crate) clock: Arc<Clock>,
    pub(crate) dir: PathBuf,
    pub(crate) pg_version: u32,
    temporary: Option<tempfile::TempDir>,
}

impl Stage {
    pub(crate) async fn open() -> Self {
        Self::of_version(17).await
    }

    pub(crate) async fn of_version(pg_version: u32) -> Self {
        Self::that_keeps(FleetOptions::IMAGE_EVERY_BYTES, pg_version).await
    }

    /// With so much WAL between two images.
    pub(crate) async fn that_keeps(image_every_bytes: u64, pg_version: u32) -> Self {
        let temporary = state_dir();
        let options = FleetOptions {
            image_every_bytes,
            ..fleet_options(temporary.path())
        };
        let mut stage = Self::of(options, pg_version).await;
        stage.temporary = Some(temporary);
        stage
    }

    /// In a directory that outlives the stage.
    pub(crate) async fn at(dir: &Path, pg_version: u32) -> Self {
        Self::of(fleet_options(dir), pg_version).await
    }

    async fn of(options: FleetOptions, pg_version: u32) -> Self {
        let clock = Arc::new(Clock::default());
        let dir = options.state_dir.clone();
        let plane = Arc::new(Plane::default());
        let fleet = Fleet::open(options, pg_version, plane, clock.clone()).await;
        Self {
            fleet: fleet.unwrap(),
            clock,
            dir,
            pg_version,
            temporary: None,
        }
    }

    pub(crate) fn branch(&self, name: &str) -> Branch {
        Branch {
            uid: format!("br-{name}"),
            pg_version: self.pg_version,
        }
    }

    /// The read-write endpoint of a branch.
    pub(crate) fn endpoint(&self, branch: &str) -> Endpoint {
        Endpoint {
            uid: format!("ep-{branch}"),
            name: format!("projects/p/branches/{branch}/endpoints/primary"),
            branch_uid: self.branch(branch).uid,
            pg_version: self.pg_version,
            disabled: false,
            read_only: false,
            pooled: false,
            suspend_after_ms: None,
        }
    }

    /// A read-only endpoint of a branch.
    pub(crate) fn reader(&self, branch: &str, name: &str) -> Endpoint {
        Endpoint {
            uid: format!("ep-{branch}-{name}"),
            read_only: true,
            ..self.endpoint(branch)
        }
    }

    pub(crate) async fn child(
        &self,
        parent: &str,
        child: &str,
        origin: Origin,
    ) -> Result<BranchPoint, PostgresError> {
        let (parent, child) = (self.branch(parent), self.branch(child));
        self.fleet.create_branch(&parent, &child, &origin).await
    }

    /// A session on the branch, which is woken for it.
    pub(crate) async fn session(&self, branch: &str) -> Client {
        self.session_at(&self.endpoint(branch)).await
    }

    pub(crate) async fn session_at(&self, endpoint: &Endpoint) -> Client {
        let ready = self.fleet.wake(endpoint).await.unwrap();
        let (client, connection) = tokio_postgres::Config::new()
            .host_path(ready.socket.parent().unwrap())
            .user(USER)
            .dbname("databricks_postgres")
            .connect(NoTls)
            .await
            .unwrap();
        tokio::spawn(connection);
        client
    }

    pub(crate) async fn rows(&self, branch: &str) -> Vec<String> {
        rows(&self.session(branch).await).await
    }

    pub(crate) async fn suspend(&self, branch: &str) {
        assert!(self.fleet.suspend(&format!("ep-{branch}")).await.unwrap());
    }

    pub(crate) async fn close(self) {
        self.fleet.shutdown().await;
        drop(self.temporary);
    }
}

pub(crate) async fn write(client: &Client, row: &str) {
    let insert =
        format!("CREATE TABLE IF NOT EXISTS kept (row text); INSERT INTO kept VALUES ('{row}')");
    client.batch_execute(&insert).await.unwrap();
}

pub(crate) async fn rows(client: &Client) -> Vec<String> {
    let rows = client.query("SELECT row FROM kept ORDER BY row", &[]).await;
    rows.unwrap().iter().map(|row| row.get(0)).collect()
}

pub(crate) async fn text(client: &Client, expression: &str) -> String {
    let query = format!("SELECT ({expression})::text");
    client.query_one(&query, &[]).await.unwrap().get(0)
}

/// Waits for something to become true, with a deadline instead of a fixed sleep.
pub(crate) async fn eventually(what: &str, mut check: impl AsyncFnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while !check().await {
        assert!(
            tokio::time::Instant::now() < deadline,
            "not in time: {what}"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
