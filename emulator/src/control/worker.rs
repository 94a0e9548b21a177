//! Does what takes time: operations as they come, syncs of tables, and whatever the virtual clock makes due.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::answer::ApiError;
use super::finish::{self, Outcome};
use super::{Plane, timers, work};
use crate::state::Job;
use crate::state::operation::Trouble;

/// Works until it is dropped; jobs in flight end with it, and are done by the next run.
pub(crate) async fn serve(plane: Arc<Plane>, mut jobs: mpsc::UnboundedReceiver<Job>) {
    let mut running = JoinSet::new();
    let syncing = Arc::new(Mutex::new(BTreeSet::new()));
    let mut changes = plane.lakebase.changes();
    let mut turns = plane.lakebase.clock.changes();
    loop {
        changes.borrow_and_update();
        turns.borrow_and_update();
        let next = timers::run(&plane);
        for table in timers::outdated(&plane.lakebase) {
            plane.lakebase.hand_over(Job::Sync(table));
        }
        let clock = plane.lakebase.clock.clone();
        let due = async move {
            match next {
                Some(moment) => clock.wait_until(moment).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            Some(job) = jobs.recv() => match job {
                Job::Operation(name) => _ = running.spawn(operation(plane.clone(), name)),
                Job::Sync(table) => _ = running.spawn(sync(plane.clone(), table, syncing.clone())),
            },
            Some(_) = running.join_next(), if !running.is_empty() => {}
            _ = changes.changed() => {}
            _ = turns.changed() => {}
            () = due => {}
        }
    }
}

async fn operation(plane: Arc<Plane>, name: String) {
    let lakebase = &plane.lakebase;
    let known = lakebase.view().operation(&name).cloned();
    let Some(operation) = known.filter(|operation| operation.end.is_none()) else {
        return;
    };
    lakebase.clock.wait_until(operation.due).await;
    if operation.fault == Some(Trouble::Stuck) {
        std::future::pending::<()>().await;
    }
    let fails = matches!(operation.fault, Some(Trouble::Fail { .. }));
    let behind = plane.behind();
    let outcome: Result<Outcome, ApiError> = match &behind {
        Some(behind) if !fails => work::carry_out(lakebase, behind, &operation).await,
        None if lakebase.has_postgres() => return,
        _ => Ok(Outcome::default()),
    };
    let done = outcome.is_ok() && !fails;
    if let Err(error) = finish::end(lakebase, &name, outcome) {
        tracing::error!(%error, name, "the end of an operation is not kept");
    }
    if let Some(behind) = behind.filter(|_| done) {
        work::afterwards(lakebase, &behind, &operation).await;
    }
}

/// Syncs a table once; while it is being synced, another order waits for nothing and does nothing.
async fn sync(plane: Arc<Plane>, id: String, syncing: Arc<Mutex<BTreeSet<String>>>) {
    let lakebase = &plane.lakebase;
    let mine = || syncing.lock().unwrap_or_else(PoisonError::into_inner);
    if !mine().insert(id.clone()) {
        return;
    }
    let outcome = match plane.behind() {
        Some(behind) => work::table(lakebase, &behind, &id).await,
        None => Ok(timers::pretended_sync(lakebase, &id)),
    };
    mine().remove(&id);
    let kept = lakebase.change(|all| {
        for table in all
            .synced_tables_mut(&id)
            .iter_mut()
            .filter(|it| it.id == id)
        {
            match &outcome {
                Ok(outcome) => {
                    table.last_sync = outcome.sync.or(table.last_sync);
                    table.failure = None;
                }
                Err(error) => table.failure = Some(error.to_string()),
            }
        }
        Ok::<_, crate::Error>(())
    });
    if let Err(error) = kept {
        tracing::error!(%error, id, "the sync of a table is not kept");
    }
}
