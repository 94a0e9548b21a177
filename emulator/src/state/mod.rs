//! The state of the local Lakebase, shared by the control plane, the admin API and the Postgres side.
//!
//! All of them ask one [`Lakebase`]; if each kept its own copy, an endpoint could be disabled for one and not for the
//! other.

pub(crate) mod identity;
pub(crate) mod kind;
pub(crate) mod model;
pub(crate) mod names;
pub(crate) mod operation;
pub(crate) mod resources;
pub(crate) mod seed;
pub(crate) mod source;
pub(crate) mod spec;
pub(crate) mod store;

mod directory;
mod minting;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{mpsc, watch};

use crate::faults::Faults;
use crate::front::directory::MadeRole;
use crate::journal::Journal;
use crate::options::{HostMode, SuspendAfter};
use crate::token::Tokens;
use crate::{Clock, Error};
use model::{Kept, LAYOUT, Project};
pub(crate) use resources::{Compute, Located, Resources};
use spec::{IdentityType, Seconds};
use store::Store;

/// What the emulator is asked to start with.
pub(crate) struct Seed {
    pub(crate) projects: Vec<String>,
    pub(crate) pg_version: u32,
    pub(crate) suspend_after: SuspendAfter,
    /// Whether operations have to do anything in Postgres.
    pub(crate) postgres: bool,
}

/// Everything that the parts of the emulator share.
pub(crate) struct Lakebase {
    pub(crate) clock: Arc<Clock>,
    pub(crate) tokens: Tokens,
    pub(crate) journal: Journal,
    pub(crate) faults: Arc<Faults>,
    seed: Seed,
    store: Store,
    resources: RwLock<Resources>,
    operation_delay: Mutex<Duration>,
    /// Who does what takes time; `None` before it is there.
    workers: Mutex<Option<mpsc::UnboundedSender<Job>>>,
    changed: watch::Sender<u64>,
}

/// Something that takes time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Job {
    /// The operation of this name.
    Operation(String),
    /// A sync of the synced table of this id.
    Sync(String),
}

/// A look at the resources; holds their lock, so it is never kept across an `await`.
pub(crate) struct View<'a>(RwLockReadGuard<'a, Resources>);

impl std::ops::Deref for View<'_> {
    type Target = Resources;

    fn deref(&self) -> &Resources {
        &self.0
    }
}

impl Lakebase {
    /// Reads the state directory, and adds what `seed` asks for and the directory does not hold yet.
    pub(crate) fn open(root: &Path, seed: Seed, clock: Arc<Clock>) -> Result<Self, Error> {
        let store = Store::open(root)?;
        let key = if let Some(key) = store.key()? {
            key
        } else {
            let key = Tokens::new_key()?;
            store.save_key(&key)?;
            key
        };
        let empty = || Kept {
            layout: LAYOUT,
            projects: Vec::new(),
            catalogs: Vec::new(),
            synced_tables: Vec::new(),
            sources: Vec::new(),
            operations: Vec::new(),
            network: None,
        };
        let mut kept = store.load()?.unwrap_or_else(empty);
        add_missing(&mut kept.projects, &seed, clock.now())?;
        store.checkpoint(&kept)?;
        Ok(Self {
            faults: Arc::new(Faults::new(clock.clone())),
            journal: Journal::new(clock.clone()),
            tokens: Tokens::with_key(&key)?,
            clock,
            seed,
            store,
            resources: RwLock::new(Resources::new(kept)),
            operation_delay: Mutex::default(),
            workers: Mutex::default(),
            changed: watch::Sender::new(0),
        })
    }

    pub(crate) fn view(&self) -> View<'_> {
        View(
            self.resources
                .read()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    /// Changes resources and keeps what became of them; what `change` refuses must have changed nothing.
    pub(crate) fn change<T, E: From<Error>>(
        &self,
        change: impl FnOnce(&mut Resources) -> Result<T, E>,
    ) -> Result<T, E> {
        let done = {
            let mut resources = self
                .resources
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            let done = change(&mut resources);
            let entries = resources.changes();
            // A refused change may have looked at something for writing, which is no reason to write it.
            if done.is_ok() && !entries.is_empty() && self.store.append(&entries)? {
                self.store.checkpoint(resources.kept())?;
            }
            done
        };
        self.changed.send_modify(|changes| *changes += 1);
        done
    }

    /// Is told at every change of a resource.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// How long operations take at least, on the virtual clock.
    pub(crate) fn operation_delay(&self) -> Duration {
        *self
            .operation_delay
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_operation_delay(&self, delay: Duration) {
        *self
            .operation_delay
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = delay;
    }

    /// From now on jobs are handed to this worker; the operations that an earlier run left are sent at once.
    pub(crate) fn set_workers(&self, workers: mpsc::UnboundedSender<Job>) {
        for operation in self.view().running() {
            // Only a worker that has ended hears nothing.
            let _ = workers.send(Job::Operation(operation.name.clone()));
        }
        *self.workers.lock().unwrap_or_else(PoisonError::into_inner) = Some(workers);
    }

    pub(crate) fn hand_over(&self, job: Job) {
        let workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(workers) = &*workers {
            let _ = workers.send(job);
        }
    }

    /// Whether operations have anything to do but to change the state.
    pub(crate) fn has_postgres(&self) -> bool {
        self.seed.postgres
    }

    /// The major version of Postgres of projects that do not choose.
    pub(crate) fn pg_version(&self) -> u32 {
        self.seed.pg_version
    }

    pub(crate) fn state_dir(&self) -> &Path {
        self.store.root()
    }

    /// The uid of the endpoint that `asked` names, by uid or by resource name.
    pub(crate) fn endpoint_uid(&self, asked: &str) -> Result<String, Error> {
        let asked = asked.trim_matches('/');
        let view = self.view();
        view.endpoints()
            .find(|at| at.endpoint.uid == asked || at.name() == asked)
            .map(|at| at.endpoint.uid.clone())
            .ok_or_else(|| self.no_such_endpoint(asked))
    }

    /// The error for an endpoint that is not there, with those that are.
    pub(crate) fn no_such_endpoint(&self, asked: &str) -> Error {
        let known = self.view().endpoints().map(|at| at.name()).collect();
        Error::NoSuchEndpoint {
            asked: asked.to_owned(),
            known,
        }
    }

    /// The loopback network that an earlier run took for host mode `ip`.
    pub(crate) fn network(&self) -> Option<[u8; 2]> {
        self.view().kept().network
    }

    /// Keeps the loopback network, so that the next run has the same addresses.
    pub(crate) fn keep_network(&self, network: [u8; 2]) -> Result<(), Error> {
        self.change(|resources| {
            resources.set_network(network);
            Ok(())
        })
    }

    /// Notes where clients reach an endpoint.
    pub(crate) fn set_address(&self, endpoint_uid: &str, mode: HostMode, address: SocketAddr) {
        let mut resources = self
            .resources
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        resources
            .addresses
            .insert(endpoint_uid.to_owned(), (mode, address));
    }

    /// Notes what became of a compute.
    pub(crate) fn set_compute(&self, endpoint_uid: &str, change: impl FnOnce(&mut Compute)) {
        let mut resources = self
            .resources
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let computes = &mut resources.computes;
        change(
            computes
                .entry(endpoint_uid.to_owned())
                .or_insert(Compute::UNSEEN),
        );
    }

    /// Disables or enables an endpoint.
    pub(crate) fn set_disabled(&self, endpoint_uid: &str, disabled: bool) -> Result<(), Error> {
        let now = self.clock.now();
        let Some((project, branch)) = self.owner_of_endpoint(endpoint_uid) else {
            return Ok(());
        };
        self.change(|resources| {
            let branch = resources.branch_mut(&project, &branch);
            let endpoints = branch.into_iter().flat_map(|branch| &mut branch.endpoints);
            for endpoint in endpoints.filter(|endpoint| endpoint.uid == endpoint_uid) {
                endpoint.spec.disabled = disabled;
                endpoint.updated = now;
            }
            Ok(())
        })
    }

    fn owner_of_endpoint(&self, uid: &str) -> Option<(String, String)> {
        let view = self.view();
        let at = view.endpoint_by_uid(uid)?;
        Some((at.project.id.clone(), at.branch.id.clone()))
    }

    /// Adds roles that were made in SQL to their branch; those it has stay as they are.
    pub(crate) fn adopt(&self, branch_uid: &str, made: &[MadeRole]) {
        let now = self.clock.now();
        let Some((project, branch)) = self
            .view()
            .branch_by_uid(branch_uid)
            .map(|(project, branch)| (project.id.clone(), branch.id.clone()))
        else {
            return;
        };
        let adopted = self.change(|resources| {
            let Some(branch) = resources.branch_mut(&project, &branch) else {
                return Ok(());
            };
            for role in made {
                let identity = match role.identity_type.as_str() {
                    "SERVICE_PRINCIPAL" => IdentityType::ServicePrincipal,
                    "GROUP" => IdentityType::Group,
                    _ => IdentityType::User,
                };
                if branch.role_named(&role.name).is_none() {
                    let id = seed::free_id("role", |id| branch.role(id).is_none());
                    branch.roles.push(model::Role {
                        initial: false,
                        ..seed::role(&id, &role.name, identity, false, now)
                    });
                }
            }
            Ok::<_, Error>(())
        });
        if let Err(error) = adopted {
            tracing::warn!(%error, "the adopted roles are not kept");
        }
    }

    /// Puts the resources of the start back, and takes all that was added away.
    pub(crate) fn reset_resources(&self) -> Result<(), Error> {
        let mut projects = Vec::new();
        add_missing(&mut projects, &self.seed, self.clock.now())?;
        let mut resources = self
            .resources
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        resources.start_over(projects);
        self.store.checkpoint(resources.kept())
    }

    /// When something that starts now ends at the earliest, by the delay that operations have.
    pub(crate) fn due(&self, now: Timestamp) -> Timestamp {
        let delay = SignedDuration::try_from(self.operation_delay()).unwrap_or(SignedDuration::MAX);
        now.saturating_add(delay).unwrap_or(Timestamp::MAX)
    }
}

/// The audience of database credentials of this workspace.
pub(crate) const DATABASE_AUDIENCE: &str = "lakebase:1000000000000042";
/// The audience of access tokens of this workspace.
pub(crate) const WORKSPACE_AUDIENCE: &str = "workspace:1000000000000042";

fn add_missing(projects: &mut Vec<Project>, seed: &Seed, now: Timestamp) -> Result<(), Error> {
    if ![16, 17].contains(&seed.pg_version) {
        return Err(Error::invalid(
            "pg_version",
            seed.pg_version,
            "16 or 17, as in Lakebase",
        ));
    }
    let told = match seed.suspend_after {
        SuspendAfter::AsConfigured => None,
        SuspendAfter::Idle(idle) => Some(Some(idle.as_secs())),
        SuspendAfter::Never => Some(None),
    };
    let wanted =
        std::iter::once(seed::DEFAULT_PROJECT).chain(seed.projects.iter().map(String::as_str));
    for id in wanted {
        names::check_id("project", id)?;
        if !projects.iter().any(|project| project.id == id) {
            projects.push(seed::seeded(id, seed.pg_version, now));
        }
    }
    if let Some(suspend) = told {
        // What this run was told wins over what an earlier run kept, and holds for endpoints that are made later.
        let after = suspend.map(|s| Seconds(i64::try_from(s).unwrap_or(i64::MAX)));
        let never = after.is_none().then_some(true);
        for project in projects {
            let defaults = &mut project.spec.default_endpoint_settings;
            (defaults.suspend_timeout_duration, defaults.no_suspension) = (after, never);
            let branches = project.branches.iter_mut();
            for endpoint in branches.flat_map(|branch| &mut branch.endpoints) {
                let spec = &mut endpoint.spec;
                (spec.suspend_timeout_duration, spec.no_suspension) = (after, never);
            }
        }
    }
    Ok(())
}
