//! The state of the local Lakebase, shared by the control plane, the admin API and the Postgres side.
//!
//! All of them ask one [`Lakebase`]; if each kept its own copy, an endpoint could be disabled for one and not for the
//! other.

pub(crate) mod identity;
pub(crate) mod model;
pub(crate) mod names;
pub(crate) mod seed;
pub(crate) mod store;

mod directory;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::faults::Faults;
use crate::front::directory::{ComputeState, MadeRole};
use crate::journal::Journal;
use crate::options::{HostMode, SuspendAfter};
use crate::token::{Claims, Knobs, TokenSettings, Tokens};
use crate::{Clock, Error};
use model::{Branch, Endpoint, IdentityType, Kept, LAYOUT, Project};
use store::Store;

/// What the emulator is asked to start with.
pub(crate) struct Seed {
    pub(crate) projects: Vec<String>,
    pub(crate) pg_version: u32,
    pub(crate) suspend_after: SuspendAfter,
}

/// Everything that the parts of the emulator share.
pub(crate) struct Lakebase {
    pub(crate) clock: Arc<Clock>,
    pub(crate) tokens: Tokens,
    pub(crate) journal: Journal,
    pub(crate) faults: Faults,
    seed: Seed,
    store: Store,
    resources: RwLock<Resources>,
}

#[derive(Debug)]
struct Resources {
    kept: Kept,
    computes: BTreeMap<String, Compute>,
    /// What clients connect to instead of an endpoint's host name.
    addresses: BTreeMap<String, (HostMode, SocketAddr)>,
}

/// What is known of a compute besides its specification.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Compute {
    pub(crate) state: ComputeState,
    pub(crate) last_active: Option<Timestamp>,
}

/// An endpoint together with what it belongs to.
#[derive(Clone, Copy)]
pub(crate) struct Located<'a> {
    pub(crate) project: &'a Project,
    pub(crate) branch: &'a Branch,
    pub(crate) endpoint: &'a Endpoint,
}

impl Located<'_> {
    pub(crate) fn name(&self) -> String {
        self.endpoint.name(self.project, self.branch)
    }
}

/// A look at the resources; holds their lock, so it is never kept across an `await`.
pub(crate) struct View<'a>(RwLockReadGuard<'a, Resources>);

impl View<'_> {
    pub(crate) fn projects(&self) -> &[Project] {
        &self.0.kept.projects
    }

    pub(crate) fn endpoints(&self) -> impl Iterator<Item = Located<'_>> {
        self.0.kept.projects.iter().flat_map(|project| {
            project.branches.iter().flat_map(move |branch| {
                branch.endpoints.iter().map(move |endpoint| Located {
                    project,
                    branch,
                    endpoint,
                })
            })
        })
    }

    pub(crate) fn endpoint_by_uid(&self, uid: &str) -> Option<Located<'_>> {
        self.endpoints().find(|at| at.endpoint.uid == uid)
    }

    pub(crate) fn branch_by_uid(&self, uid: &str) -> Option<&Branch> {
        self.0
            .kept
            .projects
            .iter()
            .flat_map(|project| &project.branches)
            .find(|branch| branch.uid == uid)
    }

    /// The host that clients of an endpoint are told, and its port when Postgres runs.
    pub(crate) fn host(&self, endpoint_uid: &str) -> (String, Option<u16>) {
        let address = self.0.addresses.get(endpoint_uid);
        let host = match address {
            Some((HostMode::Ip, address)) => address.ip().to_string(),
            Some((HostMode::Port, _)) => "localhost".to_owned(),
            Some((HostMode::Dns, _)) => names::dns_host(endpoint_uid),
            Some((HostMode::Name, _)) | None => names::host(endpoint_uid),
        };
        (host, address.map(|(_, address)| address.port()))
    }

    pub(crate) fn compute(&self, endpoint_uid: &str) -> Compute {
        let unseen = Compute {
            state: ComputeState::Suspended,
            last_active: None,
        };
        self.0.computes.get(endpoint_uid).copied().unwrap_or(unseen)
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
            network: None,
        };
        let mut kept = store.load()?.unwrap_or_else(empty);
        add_missing(&mut kept.projects, &seed, clock.now())?;
        store.save(&kept)?;
        Ok(Self {
            faults: Faults::new(clock.clone()),
            journal: Journal::new(clock.clone()),
            tokens: Tokens::with_key(&key)?,
            clock,
            seed,
            store,
            resources: RwLock::new(Resources {
                kept,
                computes: BTreeMap::new(),
                addresses: BTreeMap::new(),
            }),
        })
    }

    pub(crate) fn view(&self) -> View<'_> {
        View(
            self.resources
                .read()
                .unwrap_or_else(PoisonError::into_inner),
        )
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
        self.view().0.kept.network
    }

    /// Keeps the loopback network, so that the next run has the same addresses.
    pub(crate) fn keep_network(&self, network: [u8; 2]) -> Result<(), Error> {
        let mut resources = self.write();
        resources.kept.network = Some(network);
        self.store.save(&resources.kept)
    }

    /// Notes where clients reach an endpoint.
    pub(crate) fn set_address(&self, endpoint_uid: &str, mode: HostMode, address: SocketAddr) {
        self.write()
            .addresses
            .insert(endpoint_uid.to_owned(), (mode, address));
    }

    /// Disables or enables an endpoint.
    pub(crate) fn set_disabled(&self, endpoint_uid: &str, disabled: bool) -> Result<(), Error> {
        let now = self.clock.now();
        let mut resources = self.write();
        for endpoint in resources
            .kept
            .projects
            .iter_mut()
            .flat_map(|project| &mut project.branches)
            .flat_map(|branch| &mut branch.endpoints)
            .filter(|endpoint| endpoint.uid == endpoint_uid)
        {
            endpoint.spec.disabled = disabled;
            endpoint.updated = now;
        }
        self.store.save(&resources.kept)
    }

    /// Adds roles that were made in SQL to their branch; those it has stay as they are.
    pub(crate) fn adopt(&self, branch_uid: &str, made: &[MadeRole]) {
        let now = self.clock.now();
        let mut resources = self.write();
        let mut branches = resources.kept.projects.iter_mut();
        let Some(branch) = branches.find_map(|project| {
            project
                .branches
                .iter_mut()
                .find(|branch| branch.uid == branch_uid)
        }) else {
            return;
        };
        for role in made {
            let identity = match role.identity_type.as_str() {
                "SERVICE_PRINCIPAL" => IdentityType::ServicePrincipal,
                "GROUP" => IdentityType::Group,
                _ => IdentityType::User,
            };
            if branch.role_named(&role.name).is_none() {
                let id = format!("role-{}", branch.roles.len() + 1);
                branch
                    .roles
                    .push(seed::role(&id, &role.name, identity, false, now));
            }
        }
        if let Err(error) = self.store.save(&resources.kept) {
            tracing::warn!(%error, "the adopted roles are not kept");
        }
    }

    /// Puts the resources of the start back, and takes all that was added away.
    pub(crate) fn reset_resources(&self) -> Result<(), Error> {
        let mut projects = Vec::new();
        add_missing(&mut projects, &self.seed, self.clock.now())?;
        let mut resources = self.write();
        resources.kept.projects = projects;
        self.store.save(&resources.kept)
    }

    /// Applies the knobs on tokens.
    pub(crate) fn set_tokens(&self, settings: &TokenSettings) -> Result<Knobs, Error> {
        self.tokens.set(settings)?;
        if settings.rotate_key {
            let key = Tokens::new_key()?;
            self.store.save_key(&key)?;
            self.tokens.use_key(&key)?;
        }
        Ok(self.tokens.knobs())
    }

    /// A database credential of `sub`, good for `ttl_s` seconds from the second that the clock shows, and its end.
    pub(crate) fn mint(
        &self,
        sub: &str,
        endpoint: &str,
        ttl_s: i64,
        claims: &Value,
    ) -> Result<(String, Timestamp), Error> {
        let knobs = self.tokens.knobs();
        let (endpoint_uid, branch_uid, project_uid) = {
            let view = self.view();
            let found = view.endpoints().find(|at| at.name() == endpoint);
            found
                .map(|at| {
                    (
                        at.endpoint.uid.clone(),
                        at.branch.uid.clone(),
                        at.project.uid.clone(),
                    )
                })
                .unwrap_or_default()
        };
        let mut rest = Map::new();
        rest.insert("workspace_id".to_owned(), json!(identity::WORKSPACE_ID));
        rest.insert("account_id".to_owned(), json!(identity::ACCOUNT_ID));
        rest.insert("endpointId".to_owned(), json!(endpoint_uid));
        rest.insert("branchId".to_owned(), json!(branch_uid));
        rest.insert("projectId".to_owned(), json!(project_uid));
        rest.insert("endpoint".to_owned(), json!(endpoint));
        rest.insert("scope".to_owned(), json!("lakebase.login"));
        rest.insert("claims".to_owned(), claims.clone());
        let audience = if knobs.wrong_audience {
            "lakebase:0"
        } else {
            DATABASE_AUDIENCE
        };
        let claims = self.claims(sub, audience, ttl_s, knobs.not_before_s, rest);
        let end = Timestamp::from_second(claims.exp)
            .map_err(|_| Error::invalid("ttl", ttl_s, "a length that ends before the year 9999"))?;
        let token = self.tokens.sign(claims, knobs.size_bytes)?;
        self.journal.minted(&endpoint_uid);
        Ok((token, end))
    }

    /// A workspace access token of `sub`, and its lifetime in seconds.
    pub(crate) fn workspace_token(&self, sub: &str, scope: &str) -> Result<(String, i64), Error> {
        let ttl_s = self.tokens.knobs().workspace_ttl_s;
        let mut rest = Map::new();
        rest.insert("client_id".to_owned(), json!(sub));
        rest.insert("scope".to_owned(), json!(scope));
        rest.insert("org_id".to_owned(), json!(identity::WORKSPACE_ID));
        let claims = self.claims(sub, WORKSPACE_AUDIENCE, ttl_s, 0, rest);
        let token = self.tokens.sign(claims, 0)?;
        self.journal.workspace_token_issued();
        Ok((token, ttl_s))
    }

    fn claims(
        &self,
        sub: &str,
        audience: &str,
        ttl_s: i64,
        not_before_s: i64,
        rest: Map<String, Value>,
    ) -> Claims {
        let now = self.clock.now().as_second();
        Claims {
            sub: sub.to_owned(),
            iss: "lakekey-emulator".to_owned(),
            aud: audience.to_owned(),
            iat: now,
            nbf: now.saturating_add(not_before_s),
            exp: now.saturating_add(ttl_s),
            jti: self.tokens.random_id(true),
            rest,
        }
    }

    fn write(&self) -> RwLockWriteGuard<'_, Resources> {
        self.resources
            .write()
            .unwrap_or_else(PoisonError::into_inner)
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
    let suspend = told.unwrap_or(Some(seed::DEFAULT_SUSPEND_AFTER_S));
    let wanted =
        std::iter::once(seed::DEFAULT_PROJECT).chain(seed.projects.iter().map(String::as_str));
    for id in wanted {
        names::check_id("project", id)?;
        if !projects.iter().any(|project| project.id == id) {
            projects.push(seed::project(id, seed.pg_version, suspend, now));
        }
    }
    if let Some(suspend) = told {
        // What this run was told wins over what an earlier run kept.
        for endpoint in projects
            .iter_mut()
            .flat_map(|p| &mut p.branches)
            .flat_map(|b| &mut b.endpoints)
        {
            endpoint.spec.suspend_after_s = suspend;
        }
    }
    Ok(())
}
