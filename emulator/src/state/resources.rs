//! The resources in memory: where each is found, and which of them a change has touched.
//!
//! Whatever is handed out for writing is noted and written to the log with the change. A change that bypassed this
//! would be gone after a restart.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use jiff::Timestamp;

use super::model::{Branch, Catalog, Endpoint, Kept, Project, SyncedTable};
use super::names;
use super::operation::{Operation, REMEMBERED};
use super::source::Source;
use super::store::Entry;
use crate::front::directory::ComputeState;
use crate::options::HostMode;

/// What is known of a compute besides its specification.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Compute {
    pub(crate) state: ComputeState,
    pub(crate) last_active: Option<Timestamp>,
}

impl Compute {
    pub(crate) const UNSEEN: Self = Self {
        state: ComputeState::Suspended,
        last_active: None,
    };
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

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Touched {
    Project(String),
    Branch(String, String),
    Catalog(String),
    SyncedTable(String),
    Source(String),
    Operation(String),
    Network,
}

#[derive(Debug)]
pub(crate) struct Resources {
    kept: Kept,
    touched: BTreeSet<Touched>,
    pub(super) computes: BTreeMap<String, Compute>,
    /// What clients connect to instead of an endpoint's host name.
    pub(super) addresses: BTreeMap<String, (HostMode, SocketAddr)>,
}

impl Resources {
    pub(super) fn new(kept: Kept) -> Self {
        Self {
            kept,
            touched: BTreeSet::new(),
            computes: BTreeMap::new(),
            addresses: BTreeMap::new(),
        }
    }

    pub(crate) fn kept(&self) -> &Kept {
        &self.kept
    }

    pub(crate) fn projects(&self) -> &[Project] {
        &self.kept.projects
    }

    pub(crate) fn endpoints(&self) -> impl Iterator<Item = Located<'_>> {
        self.projects().iter().flat_map(|project| {
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

    pub(crate) fn branch_by_uid(&self, uid: &str) -> Option<(&Project, &Branch)> {
        self.projects().iter().find_map(|project| {
            let mut branches = project.branches.iter();
            Some((project, branches.find(|branch| branch.uid == uid)?))
        })
    }

    /// The host that clients of an endpoint are told, and its port when Postgres runs.
    pub(crate) fn host(&self, endpoint_uid: &str) -> (String, Option<u16>) {
        let address = self.addresses.get(endpoint_uid);
        let host = match address {
            Some((HostMode::Ip, address)) => address.ip().to_string(),
            Some((HostMode::Port, _)) => "localhost".to_owned(),
            Some((HostMode::Dns, _)) => names::dns_host(endpoint_uid),
            Some((HostMode::Name, _)) | None => names::host(endpoint_uid),
        };
        (host, address.map(|(_, address)| address.port()))
    }

    pub(crate) fn compute(&self, endpoint_uid: &str) -> Compute {
        let known = self.computes.get(endpoint_uid);
        known.copied().unwrap_or(Compute::UNSEEN)
    }
    pub(crate) fn project(&self, id: &str) -> Option<&Project> {
        self.kept.projects.iter().find(|project| project.id == id)
    }

    pub(crate) fn project_mut(&mut self, id: &str) -> Option<&mut Project> {
        self.touched.insert(Touched::Project(id.to_owned()));
        self.kept.projects.iter_mut().find(|it| it.id == id)
    }

    pub(crate) fn branch_mut(&mut self, project: &str, id: &str) -> Option<&mut Branch> {
        self.touched
            .insert(Touched::Branch(project.to_owned(), id.to_owned()));
        let project = self.kept.projects.iter_mut().find(|it| it.id == project)?;
        project.branches.iter_mut().find(|it| it.id == id)
    }

    pub(crate) fn add_project(&mut self, project: Project) {
        self.touched.insert(Touched::Project(project.id.clone()));
        for branch in &project.branches {
            self.touched
                .insert(Touched::Branch(project.id.clone(), branch.id.clone()));
        }
        self.kept.projects.push(project);
    }

    pub(crate) fn add_branch(&mut self, project: &str, branch: Branch) {
        self.touched
            .insert(Touched::Branch(project.to_owned(), branch.id.clone()));
        let mut projects = self.kept.projects.iter_mut();
        if let Some(project) = projects.find(|it| it.id == project) {
            project.branches.push(branch);
        }
    }

    pub(crate) fn remove_project(&mut self, id: &str) -> Option<Project> {
        let place = self.kept.projects.iter().position(|it| it.id == id)?;
        self.touched.insert(Touched::Project(id.to_owned()));
        Some(self.kept.projects.remove(place))
    }

    pub(crate) fn remove_branch(&mut self, project: &str, id: &str) -> Option<Branch> {
        let owner = self.kept.projects.iter_mut().find(|it| it.id == project)?;
        let place = owner.branches.iter().position(|it| it.id == id)?;
        self.touched
            .insert(Touched::Branch(project.to_owned(), id.to_owned()));
        Some(owner.branches.remove(place))
    }

    pub(crate) fn catalog(&self, id: &str) -> Option<&Catalog> {
        self.kept.catalogs.iter().find(|catalog| catalog.id == id)
    }

    /// All catalogs, of which the one with this id is changed.
    pub(crate) fn catalogs_mut(&mut self, id: &str) -> &mut Vec<Catalog> {
        self.touched.insert(Touched::Catalog(id.to_owned()));
        &mut self.kept.catalogs
    }

    pub(crate) fn synced_table(&self, id: &str) -> Option<&SyncedTable> {
        self.kept.synced_tables.iter().find(|table| table.id == id)
    }

    /// All synced tables, of which the one with this id is changed.
    pub(crate) fn synced_tables_mut(&mut self, id: &str) -> &mut Vec<SyncedTable> {
        self.touched.insert(Touched::SyncedTable(id.to_owned()));
        &mut self.kept.synced_tables
    }

    pub(crate) fn source(&self, name: &str) -> Option<&Source> {
        self.kept.sources.iter().find(|source| source.name == name)
    }

    /// All sources, of which the one with this name is changed.
    pub(crate) fn sources_mut(&mut self, name: &str) -> &mut Vec<Source> {
        self.touched.insert(Touched::Source(name.to_owned()));
        &mut self.kept.sources
    }

    pub(crate) fn operation(&self, name: &str) -> Option<&Operation> {
        self.kept.operations.iter().rfind(|it| it.name == name)
    }

    pub(crate) fn operation_mut(&mut self, name: &str) -> Option<&mut Operation> {
        self.touched.insert(Touched::Operation(name.to_owned()));
        self.kept.operations.iter_mut().rfind(|it| it.name == name)
    }

    pub(crate) fn add_operation(&mut self, operation: Operation) {
        let operations = &mut self.kept.operations;
        if operations.len() >= REMEMBERED
            && let Some(oldest) = operations.iter().position(|it| it.end.is_some())
        {
            let oldest = operations.remove(oldest);
            self.touched.insert(Touched::Operation(oldest.name));
        }
        self.touched
            .insert(Touched::Operation(operation.name.clone()));
        self.kept.operations.push(operation);
    }

    pub(crate) fn running(&self) -> impl Iterator<Item = &Operation> {
        self.kept.operations.iter().filter(|it| it.end.is_none())
    }

    pub(super) fn set_network(&mut self, network: [u8; 2]) {
        self.touched.insert(Touched::Network);
        self.kept.network = Some(network);
    }

    /// Puts these in the place of all projects, and forgets what belonged to the old ones.
    pub(super) fn start_over(&mut self, projects: Vec<Project>) {
        self.kept.projects = projects;
        self.kept.catalogs.clear();
        self.kept.synced_tables.clear();
        self.kept.sources.clear();
        self.kept.operations.clear();
        self.touched.clear();
    }

    /// What has been touched since the last time, as lines of the log.
    pub(super) fn changes(&mut self) -> Vec<Entry> {
        let touched = std::mem::take(&mut self.touched);
        touched.into_iter().map(|it| self.entry(it)).collect()
    }

    fn entry(&self, touched: Touched) -> Entry {
        match touched {
            Touched::Project(id) => {
                let project = self.project(&id).map(|project| {
                    Box::new(Project {
                        id: project.id.clone(),
                        uid: project.uid.clone(),
                        created: project.created,
                        updated: project.updated,
                        owner: project.owner.clone(),
                        spec: project.spec.clone(),
                        deleted: project.deleted,
                        snapshots: project.snapshots.clone(),
                        grants: project.grants.clone(),
                        branches: Vec::new(),
                    })
                });
                Entry::Project(id, project)
            }
            Touched::Branch(project, id) => {
                let found = self.project(&project).and_then(|it| it.branch(&id));
                let branch = found.cloned().map(Box::new);
                Entry::Branch(project, id, branch)
            }
            Touched::Catalog(id) => {
                let catalog = self.catalog(&id).cloned();
                Entry::Catalog(id, catalog)
            }
            Touched::SyncedTable(id) => {
                let table = self.synced_table(&id).cloned().map(Box::new);
                Entry::SyncedTable(id, table)
            }
            Touched::Source(name) => {
                let source = self.source(&name).cloned();
                Entry::Source(name, source)
            }
            Touched::Operation(name) => {
                let operation = self.operation(&name).cloned().map(Box::new);
                Entry::Operation(name, operation)
            }
            Touched::Network => Entry::Network(self.kept.network),
        }
    }
}
