//! Branches made, restored, kept as snapshots and removed, by order of the control plane.
//!
//! What is made is made whole beside its place and then renamed, and what is removed is renamed first, so that a killed
//! emulator leaves nothing but rubbish that the next one sweeps away.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tracing::{info, warn};

use super::cluster::detached;
use super::compute::{Compute, of_sql};
use super::error::PostgresError;
use super::files::unique;
use super::fleet::{Fleet, locked, safe_name, standby_dir};
use super::history::{History, size_of};
use super::image::{About, Image, remove_wal_before};
use super::installation::blocking;
use super::point::{Branch, BranchPoint, Origin, Segment};

/// Begins the names of what is not complete yet, or not any more.
const RUBBISH: &str = ".draft-";
/// Begins the name of a branch's old files while new ones take their place.
const REPLACED: &str = ".replaced-";

/// A snapshot that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The moment that it holds.
    pub point: BranchPoint,
    /// Bytes of its files.
    pub size_bytes: u64,
}

impl Fleet {
    /// Makes the branch `child` from `parent`. Its Postgres starts with the first login; from now on neither sees what is
    /// written on the other, and the parent may be removed.
    ///
    /// Sessions on a running parent are not disturbed. A parent that is suspended stays so, and a login that would wake
    /// it waits for the end of the copy.
    ///
    /// Times are those of the emulator's clock, however it was moved: the child has what was committed when that clock
    /// last showed the time (see [`Origin::Time`]).
    ///
    /// # Errors
    /// The child has data already, the point lies in the future or before what is kept of the parent, there is no such
    /// snapshot, or files cannot be copied. Nothing of the child is left then, and nobody can wake it.
    pub async fn create_branch(
        self: &Arc<Self>,
        parent: &Branch,
        child: &Branch,
        origin: &Origin,
    ) -> Result<BranchPoint, PostgresError> {
        let target = self.shared.branch_dir(&child.uid);
        if target.exists() {
            return Err(PostgresError::BranchExists(child.uid.clone()));
        }
        let (fleet, parent, child, origin) = (
            Arc::clone(self),
            parent.clone(),
            child.clone(),
            origin.clone(),
        );
        self.whole(async move {
            fleet.bar(&child.uid);
            let (draft, about) = fleet.draft_of(&parent, &origin).await?;
            let place = target.clone();
            blocking(move || {
                fs::rename(&draft, &place).map_err(|error| {
                    let _ = fs::remove_dir_all(&draft);
                    PostgresError::file("move to", &place)(error)
                })
            })
            .await?;
            fleet.unbar(&child.uid);
            info!(parent = %parent.uid, child = %child.uid, lsn = %about.point_lsn, time = %about.point_time, "made a branch");
            Ok(about.point())
        })
        .await
    }

    /// Whether there are files of this branch. A branch without a parent has none before its first start.
    pub fn has_branch(&self, uid: &str) -> bool {
        self.shared.branch_dir(uid).exists()
    }

    /// Keeps the branch as it is at `origin` under the id `id`, which is one of the whole emulator.
    ///
    /// # Errors
    /// As [`Fleet::create_branch`], or there is a snapshot of this id.
    pub async fn snapshot(
        self: &Arc<Self>,
        branch: &Branch,
        id: &str,
        origin: &Origin,
    ) -> Result<Snapshot, PostgresError> {
        let target = self.shared.snapshot_dir(id);
        if target.exists() {
            return Err(PostgresError::SnapshotExists(id.to_owned()));
        }
        let (fleet, branch, origin) = (Arc::clone(self), branch.clone(), origin.clone());
        self.whole(async move {
            let draft = unique(&fleet.shared.branches_dir, RUBBISH)?;
            let compute = fleet.primary(&branch);
            let made = compute.image_of(&origin, &draft).await;
            blocking(move || {
                let done = made.and_then(|about| {
                    if let Some(first) = Segment::of_file(&about.first_segment) {
                        remove_wal_before(&Image::tree_in(&draft), first)?;
                    }
                    fs::rename(&draft, &target).map_err(PostgresError::file("move to", &target))?;
                    Ok(Snapshot {
                        point: about.point(),
                        size_bytes: size_of(&target),
                    })
                });
                let _ = fs::remove_dir_all(&draft);
                done
            })
            .await
        })
        .await
    }

    /// Removes a snapshot. Branches that were made from it stay as they are. `false`: there was none.
    ///
    /// # Errors
    /// Its files cannot be removed.
    pub async fn remove_snapshot(&self, id: &str) -> Result<bool, PostgresError> {
        self.discard(self.shared.snapshot_dir(id)).await
    }

    /// Puts the branch back to `origin`, of its own past or a snapshot: its sessions end with 57P01, and its read-only
    /// endpoints follow the restored branch from their next start on. What it was in between is gone.
    ///
    /// # Errors
    /// As [`Fleet::create_branch`]; the branch is unchanged then.
    pub async fn restore(
        self: &Arc<Self>,
        branch: &Branch,
        origin: &Origin,
    ) -> Result<BranchPoint, PostgresError> {
        let (fleet, branch, origin) = (Arc::clone(self), branch.clone(), origin.clone());
        self.whole(async move {
            let (draft, about) = fleet.draft_of(&branch, &origin).await?;
            let standbys = fleet.standbys_of(&branch.uid);
            for standby in &standbys {
                standby.suspend().await;
            }
            let primary = fleet.primary(&branch);
            let place = fleet.shared.branch_dir(&branch.uid);
            let old = place.with_file_name(format!("{REPLACED}{}", safe_name(&branch.uid)));
            let aside = old.clone();
            // Under their locks, so that none of them starts in between.
            let mut locks = Vec::new();
            for compute in standbys.iter().chain([&primary]) {
                let mut slot = compute.cluster.lock().await;
                compute.stop(&mut slot, false).await;
                locks.push(slot);
            }
            blocking(move || {
                match fs::rename(&place, &aside) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    moved => moved.map_err(PostgresError::file("move away", &place))?,
                }
                fs::rename(&draft, &place).map_err(|error| {
                    let _ = fs::rename(&aside, &place);
                    let _ = fs::remove_dir_all(&draft);
                    PostgresError::file("move to", &place)(error)
                })
            })
            .await?;
            drop(locks);
            fleet.discard(old).await?;
            info!(branch = %branch.uid, lsn = %about.point_lsn, time = %about.point_time, "restored a branch");
            Ok(about.point())
        })
        .await
    }

    /// Stops all computes of the branch and keeps its files: what a soft delete does. A login wakes it again, so the
    /// directory must no longer name its endpoints.
    pub async fn stop_branch(&self, uid: &str) {
        let primary = locked(&self.computes).get(uid).cloned();
        for compute in self.standbys_of(uid).into_iter().chain(primary) {
            compute.suspend().await;
        }
    }

    /// Stops all computes of the branch and removes its files for good. Branches and snapshots that were made from it stay
    /// as they are. `false`: it had no files.
    ///
    /// # Errors
    /// Its files cannot be removed.
    pub async fn remove_branch(&self, uid: &str) -> Result<bool, PostgresError> {
        self.bar(uid);
        let standbys = self.standbys_of(uid);
        let primary = locked(&self.computes).get(uid).cloned();
        for compute in standbys.into_iter().chain(primary) {
            compute.retire().await;
        }
        locked(&self.computes).retain(|_, compute| compute.branch.uid != uid);
        self.discard(self.shared.branch_dir(uid)).await
    }

    /// Stops the compute of a read-only endpoint and removes its files. The computes of other endpoints go on.
    ///
    /// # Errors
    /// Its files cannot be removed.
    pub async fn remove_endpoint(
        &self,
        branch_uid: &str,
        endpoint_uid: &str,
    ) -> Result<bool, PostgresError> {
        locked(&self.compute_keys).remove(endpoint_uid);
        let compute = locked(&self.computes).remove(endpoint_uid);
        if let Some(compute) = compute {
            compute.retire().await;
        }
        let branch_dir = self.shared.branch_dir(branch_uid);
        self.discard(standby_dir(&branch_dir, endpoint_uid)).await
    }

    /// Removes all branches and snapshots but those that are named: what an emulator that was killed in the middle of a
    /// delete left behind, or what a reset of the control plane no longer knows.
    ///
    /// # Errors
    /// Files cannot be removed.
    pub async fn keep_only(
        &self,
        branches: &[String],
        snapshots: &[String],
    ) -> Result<(), PostgresError> {
        let names =
            |ids: &[String]| -> Vec<String> { ids.iter().map(|id| safe_name(id)).collect() };
        let is_lost =
            |name: &String, known: &[String]| !name.starts_with('.') && !known.contains(name);
        let known = names(branches);
        let mut running: Vec<String> = locked(&self.computes)
            .values()
            .map(|compute| compute.branch.uid.clone())
            .collect();
        running.retain(|uid| is_lost(&safe_name(uid), &known));
        for uid in running {
            self.remove_branch(&uid).await?;
        }
        let branches_dir = self.shared.branches_dir.as_path();
        let snapshots_dir = self.shared.snapshots_dir();
        for (dir, known) in [(branches_dir, known), (snapshots_dir, names(snapshots))] {
            let mut lost = names_in(dir)?;
            lost.retain(|name| is_lost(name, &known));
            for name in lost {
                warn!(dir = %dir.display(), name, "removing files that belong to nothing");
                self.discard(dir.join(&name)).await?;
            }
        }
        Ok(())
    }

    /// The bytes of all databases of a branch, as Postgres counts them; those of its files while it does not run.
    ///
    /// # Errors
    /// Postgres refuses.
    pub async fn logical_size(&self, uid: &str) -> Result<u64, PostgresError> {
        let compute = locked(&self.computes).get(uid).cloned();
        if let Some(compute) = compute {
            let ask = async {
                let Some(client) = compute.client().await? else {
                    return Ok(None);
                };
                client
                    .query_one(
                        "SELECT sum(pg_database_size(oid))::bigint FROM pg_database WHERE NOT datistemplate",
                        &[],
                    )
                    .await?
                    .try_get::<_, i64>(0)
                    .map(Some)
            };
            if let Some(size) = ask.await.map_err(of_sql("ask for the size", uid))? {
                return Ok(size.unsigned_abs());
            }
        }
        let history = History::in_dir(&self.shared.branch_dir(uid));
        let (data, newest) = (history.data(), history.newest()?);
        let tree = newest.map(|(_, image)| image.tree(&self.shared.cache_dir));
        blocking(move || {
            let files = if data.exists() { Some(data) } else { tree };
            Ok(files.map_or(0, |files| size_of(&files.join("base"))))
        })
        .await
    }

    /// The complete files of a branch that begins with `origin`, beside their place.
    async fn draft_of(
        &self,
        parent: &Branch,
        origin: &Origin,
    ) -> Result<(PathBuf, About), PostgresError> {
        let draft = unique(&self.shared.branches_dir, RUBBISH)?;
        let image = History::in_dir(&draft).image_dir(1);
        let made = async {
            for dir in image.ancestors().take(2) {
                self.shared.account.make_passable_dir(dir)?;
            }
            let parent = self.primary(parent);
            let about = parent.image_of(origin, &image).await?;
            if !matches!(origin, Origin::Snapshot(_)) {
                parent.inherit(&draft, &about).await?;
            }
            Ok(about)
        };
        match made.await {
            Ok(about) => Ok((draft, about)),
            Err(error) => {
                blocking(move || {
                    let _ = fs::remove_dir_all(&draft);
                    Ok(())
                })
                .await?;
                Err(error)
            }
        }
    }

    /// Lets nobody start a branch that is being made or removed: from no files, its cluster would be an empty one.
    fn bar(&self, uid: &str) {
        locked(&self.barred).insert(uid.to_owned());
        self.set_bars(uid, true);
    }

    fn unbar(&self, uid: &str) {
        locked(&self.barred).remove(uid);
        self.set_bars(uid, false);
    }

    fn set_bars(&self, uid: &str, barred: bool) {
        let computes = locked(&self.computes);
        for compute in computes
            .values()
            .filter(|compute| compute.branch.uid == uid)
        {
            compute.bar(barred);
        }
    }

    fn standbys_of(&self, uid: &str) -> Vec<Arc<Compute>> {
        let computes = locked(&self.computes);
        let standbys = computes
            .values()
            .filter(|compute| compute.branch.uid == uid && !compute.is_primary());
        standbys.cloned().collect()
    }

    async fn discard(&self, dir: PathBuf) -> Result<bool, PostgresError> {
        let rubbish = unique(&self.shared.branches_dir, RUBBISH)?;
        blocking(move || {
            let moved = fs::rename(&dir, rubbish.join("removed"));
            let removed = fs::remove_dir_all(&rubbish);
            match moved {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
                Err(error) => Err(PostgresError::file("remove", &dir)(error)),
                Ok(()) => removed
                    .map(|()| true)
                    .map_err(PostgresError::file("remove", &rubbish)),
            }
        })
        .await
    }

    /// Runs to its end even if the caller goes away: half of it would be worse than all.
    async fn whole<T: Send + 'static>(
        &self,
        job: impl Future<Output = Result<T, PostgresError>> + Send + 'static,
    ) -> Result<T, PostgresError> {
        let shared = Arc::clone(&self.shared);
        let job = async move {
            let _job = shared.jobs.read().await;
            if shared.is_closing() {
                return Err(PostgresError::ShuttingDown);
            }
            job.await
        };
        detached(job)
            .await
            .unwrap_or(Err(PostgresError::ShuttingDown))
    }
}

fn names_in(dir: &Path) -> Result<Vec<String>, PostgresError> {
    let entries = fs::read_dir(dir).map_err(PostgresError::file("read", dir))?;
    entries
        .map(|entry| {
            let entry = entry.map_err(PostgresError::file("read", dir))?;
            Ok(entry.file_name().to_string_lossy().into_owned())
        })
        .collect()
}

/// Removes what a killed emulator left unfinished, and puts back what it had moved away without a successor.
pub(super) fn sweep(branches_dir: &Path) -> Result<(), PostgresError> {
    for name in names_in(branches_dir)? {
        let path = branches_dir.join(&name);
        if let Some(branch) = name.strip_prefix(REPLACED) {
            let place = branches_dir.join(branch);
            if !place.exists() {
                fs::rename(&path, &place).map_err(PostgresError::file("put back", &place))?;
                continue;
            }
        } else if !name.starts_with(RUBBISH) {
            continue;
        }
        fs::remove_dir_all(&path).map_err(PostgresError::file("remove", &path))?;
    }
    Ok(())
}
