//! What operations do in Postgres: branches, computes, roles, databases, snapshots, synced tables.
//!
//! Each piece is safe to do twice, because an operation whose emulator was killed in the middle is done again.

use jiff::Timestamp;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::answer::ApiError;
use super::finish::{Outcome, ids_of};
use crate::Error;
use crate::behind::Behind;
use crate::postgres::{Branch as Cluster, Lsn, Origin, PostgresError};
use crate::session::{failed, literal, quoted};
use crate::state::kind::Kind;
use crate::state::model::{Branch, Project, Role, Snapshot, Sync};
use crate::state::operation::{Operation, Work};
use crate::state::spec::{AuthMethod, RoleSpec};
use crate::state::{Lakebase, Resources};
use crate::synced;

/// What stands in the way of the one who asked, or of the emulator.
fn refusal(error: Error) -> ApiError {
    let Error::Postgres(error) = error else {
        return error.into();
    };
    match &error {
        PostgresError::PointAhead { .. } | PostgresError::HistoryGone { .. } => {
            ApiError::invalid(error.to_string())
        }
        PostgresError::Sql { source, .. } => match source.as_db_error() {
            Some(said) => ApiError::bad_request(said.message()),
            None => Error::Postgres(error).into(),
        },
        _ => Error::Postgres(error).into(),
    }
}

/// Does the part of the operation that is not state.
pub(super) async fn carry_out(
    lakebase: &Lakebase,
    behind: &Behind,
    operation: &Operation,
) -> Result<Outcome, ApiError> {
    let place = Place::of(&lakebase.view(), operation);
    in_postgres(lakebase, behind, operation, place)
        .await
        .map_err(refusal)
}

/// The resources that an operation is about, as they were when it began.
#[derive(Default)]
struct Place {
    ids: Vec<String>,
    project: Option<Project>,
    branch: Option<Branch>,
}

impl Place {
    fn of(all: &Resources, operation: &Operation) -> Self {
        let ids = ids_of(&operation.resource);
        let project = operation.project().and_then(|id| all.project(id));
        let branch = project.and_then(|project| project.branch(ids.get(1)?));
        Self {
            branch: branch.cloned(),
            project: project.cloned(),
            ids,
        }
    }

    fn id(&self, place: usize) -> &str {
        self.ids.get(place).map_or("", String::as_str)
    }
}

async fn in_postgres(
    lakebase: &Lakebase,
    behind: &Behind,
    operation: &Operation,
    place: Place,
) -> Result<Outcome, Error> {
    let none = Outcome::default();
    match operation.kind {
        Kind::Catalog => catalog(lakebase, behind, operation, place.id(0)).await,
        Kind::SyncedTable => match operation.work {
            Work::Create => table(lakebase, behind, place.id(0)).await,
            _ => Ok(none),
        },
        _ => match (&place.project, &place.branch) {
            (Some(project), _) if operation.kind == Kind::Project => {
                of_project(behind, operation, project).await
            }
            (Some(project), _) if operation.kind == Kind::Snapshot => {
                of_snapshot(behind, operation, project, place.id(1)).await
            }
            (Some(project), Some(branch)) => {
                on_branch(behind, operation, project, branch, place.id(2)).await
            }
            _ => Ok(none),
        },
    }
}

async fn of_project(
    behind: &Behind,
    operation: &Operation,
    project: &Project,
) -> Result<Outcome, Error> {
    match operation.work {
        Work::Create => {
            for branch in &project.branches {
                expose(behind, branch).await?;
            }
        }
        Work::Delete { purge: true, .. } => {
            for branch in &project.branches {
                behind.fleet().remove_branch(&branch.uid).await?;
            }
            for snapshot in &project.snapshots {
                behind.fleet().remove_snapshot(&snapshot.uid).await?;
            }
        }
        _ => {}
    }
    Ok(Outcome::default())
}

async fn expose(behind: &Behind, branch: &Branch) -> Result<(), Error> {
    for endpoint in &branch.endpoints {
        behind.expose(&endpoint.uid).await?;
    }
    Ok(())
}

async fn on_branch(
    behind: &Behind,
    operation: &Operation,
    project: &Project,
    branch: &Branch,
    id: &str,
) -> Result<Outcome, Error> {
    match (operation.kind, &operation.work) {
        (Kind::Branch, Work::Create) => return make_branch(behind, project, branch).await,
        (Kind::Branch, Work::Delete { purge: true, .. }) => {
            behind.fleet().remove_branch(&branch.uid).await?;
        }
        (Kind::Endpoint, work) => {
            let endpoint = branch.endpoints.iter().find(|endpoint| endpoint.id == id);
            if let Some(endpoint) = endpoint {
                match work {
                    Work::Create => behind.expose(&endpoint.uid).await?,
                    Work::Delete { .. } => {
                        let fleet = behind.fleet();
                        fleet.remove_endpoint(&branch.uid, &endpoint.uid).await?;
                    }
                    _ => {}
                }
            }
        }
        (Kind::Role, work) => {
            if let Some(role) = branch.role(id) {
                of_role(behind, branch, role, work).await?;
            }
        }
        (Kind::Database, work) => of_database(behind, branch, id, work).await?,
        _ => {}
    }
    Ok(Outcome::default())
}

fn cluster(project: &Project, branch_uid: &str) -> Cluster {
    Cluster {
        uid: branch_uid.to_owned(),
        pg_version: project.spec.pg_version,
    }
}

fn origin(lsn: Option<&str>, time: Option<Timestamp>) -> Origin {
    match (lsn.and_then(|lsn| lsn.parse::<Lsn>().ok()), time) {
        (Some(lsn), _) => Origin::Lsn(lsn),
        (None, Some(time)) => Origin::Time(time),
        (None, None) => Origin::Current,
    }
}

async fn make_branch(
    behind: &Behind,
    project: &Project,
    branch: &Branch,
) -> Result<Outcome, Error> {
    let spec = &branch.spec;
    let child = cluster(project, &branch.uid);
    let by_name = |name: &str| {
        let id = name.rsplit('/').next()?;
        project.branch(id)
    };
    let (parent, origin) = if let Some(name) = &spec.source_snapshot {
        let id = name.rsplit('/').next().unwrap_or_default();
        let snapshot = project.snapshots.iter().find(|snapshot| snapshot.id == id);
        let uid = snapshot.map_or_else(|| id.to_owned(), |snapshot| snapshot.uid.clone());
        (child.clone(), Origin::Snapshot(uid))
    } else {
        let source = spec.source_branch.as_deref().and_then(by_name);
        let source = source.map_or(&branch.uid, |source| &source.uid);
        let point = origin(spec.source_branch_lsn.as_deref(), spec.source_branch_time);
        (cluster(project, source), point)
    };
    let fleet = behind.fleet();
    let made = fleet.create_branch(&parent, &child, &origin).await;
    let point = match made {
        Ok(point) => Some((point.lsn.to_string(), point.time)),
        // Made before its emulator was killed.
        Err(PostgresError::BranchExists(_)) => None,
        Err(error) => return Err(error.into()),
    };
    expose(behind, branch).await?;
    Ok(Outcome {
        point,
        size_bytes: fleet.logical_size(&branch.uid).await.ok(),
        sync: None,
    })
}

async fn of_snapshot(
    behind: &Behind,
    operation: &Operation,
    project: &Project,
    id: &str,
) -> Result<Outcome, Error> {
    let snapshot: Option<&Snapshot> = project.snapshots.iter().find(|it| it.id == id);
    let Some(snapshot) = snapshot else {
        return Ok(Outcome::default());
    };
    let fleet = behind.fleet();
    if matches!(operation.work, Work::Delete { .. }) {
        fleet.remove_snapshot(&snapshot.uid).await?;
        return Ok(Outcome::default());
    }
    let spec = &snapshot.spec;
    let source = spec.source_branch.rsplit('/').next();
    let Some(source) = source.and_then(|id| project.branch(id)) else {
        return Err(PostgresError::NoSuchBranch(spec.source_branch.clone()).into());
    };
    let point = origin(spec.source_branch_lsn.as_deref(), spec.source_branch_time);
    let source = cluster(project, &source.uid);
    let size_bytes = match fleet.snapshot(&source, &snapshot.uid, &point).await {
        Ok(taken) => Some(taken.size_bytes),
        Err(PostgresError::SnapshotExists(_)) => None,
        Err(error) => return Err(error.into()),
    };
    Ok(Outcome {
        size_bytes,
        ..Outcome::default()
    })
}

async fn of_role(behind: &Behind, branch: &Branch, role: &Role, work: &Work) -> Result<(), Error> {
    let client = behind.superuser(&branch.uid, "postgres").await?;
    let name = quoted(&role.spec.postgres_role);
    let step = |what: &str| failed(what, &branch.uid);
    match work {
        Work::Create => {
            let made = client
                .batch_execute(&format!("CREATE ROLE {name} PASSWORD NULL"))
                .await;
            if let Err(error) = made
                && error.code() != Some(&SqlState::DUPLICATE_OBJECT)
            {
                return Err(step("create a role")(error).into());
            }
            let password = role.password.as_ref().map(|password| {
                let password = literal(password.expose());
                format!("; ALTER ROLE {name} PASSWORD {password}")
            });
            let change = attributes(&role.spec) + &password.unwrap_or_default();
            let done = client.batch_execute(&change).await;
            done.map_err(step("set up a role"))?;
        }
        Work::Update(spec) => {
            let spec: RoleSpec = serde_json::from_value(spec.clone()).unwrap_or_default();
            let done = client.batch_execute(&attributes(&spec)).await;
            done.map_err(step("change a role"))?;
        }
        Work::Delete { reassign_to, .. } => {
            let heir = reassign_to
                .as_deref()
                .and_then(|name| name.rsplit('/').next());
            let heir = heir.and_then(|id| branch.role(id));
            if let Some(heir) = heir {
                hand_down(
                    behind,
                    branch,
                    &client,
                    &name,
                    &quoted(&heir.spec.postgres_role),
                )
                .await?;
            }
            let dropped = client
                .batch_execute(&format!("DROP ROLE IF EXISTS {name}"))
                .await;
            dropped.map_err(step("drop a role"))?;
        }
        Work::Undelete => {}
    }
    Ok(())
}

/// SQL that gives a role what its specification says.
fn attributes(spec: &RoleSpec) -> String {
    let name = quoted(&spec.postgres_role);
    let on = |wanted: bool, word: &str| {
        let no = if wanted { "" } else { "NO" };
        format!("{no}{word}")
    };
    let member = if spec.superuser() {
        format!("GRANT databricks_superuser TO {name} WITH ADMIN OPTION")
    } else {
        format!("REVOKE databricks_superuser FROM {name}")
    };
    format!(
        "ALTER ROLE {name} {} {} {} {}; {member}",
        on(spec.auth() != AuthMethod::NoLogin, "LOGIN"),
        on(spec.attributes.createdb, "CREATEDB"),
        on(spec.attributes.createrole, "CREATEROLE"),
        on(spec.attributes.bypassrls, "BYPASSRLS"),
    )
}

/// Gives what a role owns in any database to another.
async fn hand_down(
    behind: &Behind,
    branch: &Branch,
    client: &Client,
    from: &str,
    to: &str,
) -> Result<(), Error> {
    let rows = client
        .query(
            "SELECT datname::text FROM pg_database WHERE datallowconn AND NOT datistemplate",
            &[],
        )
        .await
        .map_err(failed("list the databases", &branch.uid))?;
    for row in rows {
        let database: String = row.get(0);
        let inside = behind.superuser(&branch.uid, &database).await?;
        inside
            .batch_execute(&format!(
                "REASSIGN OWNED BY {from} TO {to}; DROP OWNED BY {from}"
            ))
            .await
            .map_err(failed("reassign what a role owns", &branch.uid))?;
    }
    Ok(())
}

async fn of_database(behind: &Behind, branch: &Branch, id: &str, work: &Work) -> Result<(), Error> {
    let Some(database) = branch.database(id) else {
        return Ok(());
    };
    let old = &database.spec.postgres_database;
    let owner = |role: &str| {
        let id = role.rsplit('/').next().unwrap_or_default();
        branch.role(id).map(|role| quoted(&role.spec.postgres_role))
    };
    let client = behind.superuser(&branch.uid, "postgres").await?;
    let step = |what: &str| failed(what, &branch.uid);
    match work {
        Work::Create => {
            make_database(behind, branch, old, owner(&database.spec.role)).await?;
        }
        Work::Update(spec) => {
            let new = spec["postgres_database"].as_str().unwrap_or(old);
            if new != old {
                let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1::text";
                client
                    .execute(end, &[old])
                    .await
                    .map_err(step("end the sessions of a database"))?;
                let rename = format!("ALTER DATABASE {} RENAME TO {}", quoted(old), quoted(new));
                let renamed = client.batch_execute(&rename).await;
                renamed.map_err(step("rename a database"))?;
            }
            if let Some(owner) = spec["role"].as_str().and_then(owner) {
                let change = format!("ALTER DATABASE {} OWNER TO {owner}", quoted(new));
                let changed = client.batch_execute(&change).await;
                changed.map_err(step("change the owner of a database"))?;
            }
        }
        Work::Delete { .. } => {
            let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", quoted(old));
            let dropped = client.batch_execute(&drop).await;
            dropped.map_err(step("drop a database"))?;
        }
        Work::Undelete => {}
    }
    Ok(())
}

/// Makes a database, with the rights that every database of Lakebase has; one that is there stays as it is.
async fn make_database(
    behind: &Behind,
    branch: &Branch,
    name: &str,
    owner: Option<String>,
) -> Result<(), Error> {
    let client = behind.superuser(&branch.uid, "postgres").await?;
    let owner = owner.unwrap_or_else(|| "databricks_superuser".to_owned());
    let create = format!(
        "CREATE DATABASE {} OWNER {owner} STRATEGY FILE_COPY",
        quoted(name)
    );
    if let Err(error) = client.batch_execute(&create).await
        && error.code() != Some(&SqlState::DUPLICATE_DATABASE)
    {
        return Err(failed("create a database", &branch.uid)(error).into());
    }
    let inside = behind.superuser(&branch.uid, name).await?;
    inside
        .batch_execute("GRANT ALL ON SCHEMA public TO databricks_superuser WITH GRANT OPTION")
        .await
        .map_err(failed("grant the schema public", &branch.uid))?;
    Ok(())
}

/// The branch of this name, and the owner of its database of this name.
fn target(
    all: &Resources,
    branch_name: &str,
    postgres_database: &str,
) -> Option<(Branch, Option<String>)> {
    let ids = ids_of(branch_name);
    let branch = all.project(ids.first()?)?.branch(ids.get(1)?)?;
    let mut databases = branch.databases.iter();
    let database = databases.find(|it| it.spec.postgres_database == postgres_database);
    let owner = database.and_then(|database| branch.role(database.spec.role.rsplit('/').next()?));
    Some((
        branch.clone(),
        owner.map(|role| quoted(&role.spec.postgres_role)),
    ))
}

async fn catalog(
    lakebase: &Lakebase,
    behind: &Behind,
    operation: &Operation,
    id: &str,
) -> Result<Outcome, Error> {
    let spec = lakebase.view().catalog(id).map(|it| it.spec.clone());
    let Some(spec) = spec.filter(|it| it.create_database_if_missing) else {
        return Ok(Outcome::default());
    };
    let target = target(&lakebase.view(), &spec.branch, &spec.postgres_database);
    if let (Work::Create, Some((branch, owner))) = (&operation.work, target) {
        make_database(behind, &branch, &spec.postgres_database, owner).await?;
    }
    Ok(Outcome::default())
}

/// Copies the source of a synced table.
pub(super) async fn table(
    lakebase: &Lakebase,
    behind: &Behind,
    id: &str,
) -> Result<Outcome, Error> {
    let started = lakebase.clock.now();
    let (spec, source, target) = {
        let all = lakebase.view();
        let Some(table) = all.synced_table(id) else {
            return Ok(Outcome::default());
        };
        let spec = table.spec.clone();
        let source = all.source(&spec.source_table_full_name).cloned();
        let target = target(&all, &spec.branch, &spec.postgres_database);
        (spec, source, target)
    };
    let (Some(source), Some((branch, owner))) = (source, target) else {
        return Err(PostgresError::NoSuchBranch(spec.branch).into());
    };
    make_database(behind, &branch, &spec.postgres_database, owner).await?;
    let mut client = behind
        .superuser(&branch.uid, &spec.postgres_database)
        .await?;
    synced::sync(&mut client, id, &spec, &source)
        .await
        .map_err(failed("copy the rows of a source", &branch.uid))?;
    Ok(Outcome {
        sync: Some(Sync {
            started,
            ended: lakebase.clock.now(),
            version: source.version,
            version_at: source.changed,
            rows: source.rows.len() as u64,
        }),
        ..Outcome::default()
    })
}

/// What follows when an operation has ended and the state shows it.
pub(super) async fn afterwards(lakebase: &Lakebase, behind: &Behind, operation: &Operation) {
    let place = Place::of(&lakebase.view(), operation);
    let done = match (operation.kind, &operation.work) {
        (Kind::Project | Kind::Branch, Work::Delete { purge: false, .. }) => {
            let one = place.branch.filter(|_| operation.kind == Kind::Branch);
            let all = place.project.into_iter().flat_map(|it| it.branches);
            let branches: Vec<Branch> = match one {
                Some(branch) => vec![branch],
                None => all.collect(),
            };
            for branch in &branches {
                behind.fleet().stop_branch(&branch.uid).await;
            }
            Ok(())
        }
        (Kind::Endpoint, Work::Update(_)) => {
            let id = place.id(2);
            let branch = place.branch.as_ref();
            let endpoint = branch.and_then(|it| it.endpoints.iter().find(|it| it.id == id));
            match endpoint {
                Some(endpoint) => behind.apply(&endpoint.uid).await,
                None => Ok(()),
            }
        }
        _ => Ok(()),
    };
    if let Err(error) = done {
        tracing::warn!(%error, operation = operation.name, "what follows the operation failed");
    }
}
