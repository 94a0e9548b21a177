//! Images of one branch: the one it starts from, one of its present, one of its past.

use std::path::Path;
use std::sync::Arc;

use tracing::{debug, info};

use super::backup::{BackupError, backup};
use super::compute::{Compute, of_sql, set_provisioned};
use super::control_file::ControlFile;
use super::error::PostgresError;
use super::files::{copy_tree, unique};
use super::history::History;
use super::image::{About, Image, copy_stopped, lend_wal};
use super::installation::{Installation, blocking};
use super::point::{Lsn, Origin, Segment};
use super::recovery::{Target, recover};
use super::template::template;

/// A server that is stopped by order during a copy is copied again, this often at most.
const TRIES: u32 = 5;

impl Compute {
    /// Makes the cluster's files from the newest image, or from the empty template where there is none.
    pub(super) async fn lay_out(&self, installation: &Installation) -> Result<(), PostgresError> {
        let (account, cache) = (&self.shared.account, &self.shared.cache_dir);
        let (history, data) = (self.history(), self.data());
        if data.exists() {
            return Ok(());
        }
        account.make_passable_dir(self.dir())?;
        let image = match history.newest()? {
            Some((_, image)) if image.about.template.is_none() => image,
            // One empty cluster is as good as another, and that of an earlier run may be gone from the cache.
            _ => {
                let dir = history.image_dir(1);
                self.first_image(installation, &dir).await?
            }
        };
        set_provisioned(self.dir(), &image.about.provisioned)?;
        let tree = image.tree(cache);
        let (draft, owner) = (self.dir().join("draft"), account.clone());
        blocking(move || {
            // Left over from an emulator that was killed while copying.
            let _ = std::fs::remove_dir_all(&draft);
            copy_tree(&tree, &draft, &owner)?;
            std::fs::rename(&draft, &data).map_err(PostgresError::file("move to", &data))
        })
        .await
    }

    /// The image of a branch that begins with nothing.
    async fn first_image(
        &self,
        installation: &Installation,
        dir: &Path,
    ) -> Result<Image, PostgresError> {
        let (account, cache) = (&self.shared.account, &self.shared.cache_dir);
        let about = self.about_template(&template(installation, cache, account).await?)?;
        std::fs::create_dir_all(dir).map_err(PostgresError::file("create", dir))?;
        Image::seal(dir, &about)?;
        Image::load(dir)?.ok_or_else(|| PostgresError::NoSuchBranch(self.branch.uid.clone()))
    }

    fn about_template(&self, tree: &Path) -> Result<About, PostgresError> {
        let control = ControlFile::read(tree)?;
        let name = tree.file_name().unwrap_or_default();
        Ok(About {
            taken: None,
            end: control.checkpoint,
            first_segment: control.redo.file(),
            point_lsn: control.checkpoint,
            point_time: self.shared.time.now(),
            provisioned: std::collections::BTreeSet::new(),
            template: Some(name.to_string_lossy().into_owned()),
        })
    }

    /// Puts an image of the moment that `origin` names into the empty directory `to`.
    pub(super) async fn image_of(
        self: &Arc<Self>,
        origin: &Origin,
        to: &Path,
    ) -> Result<About, PostgresError> {
        let (target, asked) = match origin {
            Origin::Current => return self.image_now(to).await,
            Origin::Snapshot(id) => return self.repeat_snapshot(id, to).await,
            Origin::Time(shown) => {
                let now = self.shared.time.now();
                if *shown > now {
                    return Err(self.ahead(shown, now));
                }
                let Some(real) = self.shared.time.real_at(*shown) else {
                    return Err(self.gone(shown)?);
                };
                (Target::Time(real), shown.to_string())
            }
            Origin::Lsn(lsn) => (Target::Lsn(*lsn), lsn.to_string()),
        };
        if !self.data().exists() {
            return self.image_of_unborn(target, &asked, to).await;
        }
        let _hold = self.hold();
        self.settle().await?;
        self.mark(target).await?;
        let _images = self.images.lock().await;
        let Some(image) = self.history().before(target, &self.shared.cache_dir)? else {
            return Err(self.gone(&asked)?);
        };
        self.replay(&image, target, origin, to).await
    }

    /// The image that a branch has which was never started.
    async fn image_of_unborn(
        self: &Arc<Self>,
        target: Target,
        asked: &str,
        to: &Path,
    ) -> Result<About, PostgresError> {
        let has_it = match self.history().newest()? {
            None => true,
            Some((_, image)) => match target {
                Target::Time(real) => image.about.taken.is_none_or(|taken| taken <= real),
                Target::Lsn(lsn) if lsn > image.about.end => {
                    return Err(self.ahead(lsn, image.about.end));
                }
                Target::Lsn(lsn) => lsn == image.about.end,
            },
        };
        if !has_it {
            return Err(self.gone(asked)?);
        }
        self.image_now(to).await
    }

    /// An image of what is committed now.
    pub(super) async fn image_now(self: &Arc<Self>, to: &Path) -> Result<About, PostgresError> {
        if !self.data().exists() {
            if let Some((_, image)) = self.history().newest()? {
                let (owner, to) = (self.shared.account.clone(), to.to_owned());
                return blocking(move || image.repeat(&to, &owner).map(|()| image.about)).await;
            }
            let (account, cache) = (&self.shared.account, &self.shared.cache_dir);
            let installation = self.shared.installation(self.branch.pg_version).await?;
            let about = self.about_template(&template(&installation, cache, account).await?)?;
            return Image::seal(to, &about).map(|()| about);
        }
        self.image_of_data(to).await
    }

    /// An image of the cluster's files, without disturbing those who use it.
    pub(super) async fn image_of_data(self: &Arc<Self>, to: &Path) -> Result<About, PostgresError> {
        let _hold = self.hold();
        let tree = Image::tree_in(to);
        let began = std::time::Instant::now();
        for _ in 0..TRIES {
            if self.shared.is_closing() {
                return Err(PostgresError::ShuttingDown);
            }
            self.settle().await?;
            let mut about = match self.try_image(&tree).await {
                Ok(about) => about,
                Err(BackupError::Other(error)) => return Err(error),
                Err(BackupError::Lost(error)) => {
                    info!(branch = %self.branch.uid, %error, "the branch was stopped during a copy; copying it again");
                    let tree = tree.clone();
                    blocking(move || match std::fs::remove_dir_all(&tree) {
                        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                            Err(PostgresError::file("remove", &tree)(error))
                        }
                        _ => Ok(()),
                    })
                    .await?;
                    continue;
                }
            };
            about.point_time = about
                .taken
                .map_or(about.point_time, |taken| self.shared.time.shown_at(taken));
            Image::seal(to, &about)?;
            debug!(branch = %self.branch.uid, ms = began.elapsed().as_millis(), "copied");
            return Ok(about);
        }
        Err(PostgresError::Restless {
            branch: self.branch.uid.clone(),
        })
    }

    async fn try_image(&self, tree: &Path) -> Result<About, BackupError> {
        let (data, owner) = (self.data(), self.shared.account.clone());
        // Before the copy: what it lacks then is looked for in the copy and found there.
        let provisioned = self.provisioned();
        let about = |end: Lsn, first: Segment, taken| About {
            taken: Some(taken),
            end,
            first_segment: first.file(),
            point_lsn: end,
            point_time: taken,
            provisioned,
            template: None,
        };
        let slot = self.cluster.lock().await;
        if let Some(cluster) = slot.as_ref().filter(|cluster| !cluster.has_ended()) {
            let client = cluster.connect("postgres").await?;
            // The copy takes its time, and nobody has to wait for it.
            drop(slot);
            let done = backup(&client, &data, tree, &owner).await?;
            return Ok(about(done.end, done.first_segment, done.taken));
        }
        // Nobody may start it during the copy, so the lock is kept.
        let tree = tree.to_owned();
        let control = blocking(move || copy_stopped(&data, &tree, &owner)).await?;
        drop(slot);
        Ok(about(
            control.checkpoint,
            control.redo,
            jiff::Timestamp::now(),
        ))
    }

    /// A cluster that was not stopped in order is started, so that it mends itself; one that has no files, to get them.
    async fn settle(self: &Arc<Self>) -> Result<(), PostgresError> {
        {
            let slot = self.cluster.lock().await;
            let runs = slot.as_ref().is_some_and(|cluster| !cluster.has_ended());
            let data = self.data();
            if runs || (data.exists() && ControlFile::read(&data)?.is_clean) {
                return Ok(());
            }
        }
        self.wake_for_itself().await
    }

    /// The end of what is committed; `None`: no server runs.
    pub(super) async fn flushed(&self) -> Result<Option<Lsn>, PostgresError> {
        self.ask_position("pg_current_wal_flush_lsn()::text").await
    }

    /// Sees that the branch has come to `target`, and lets it commit something after that, so that a replay knows where
    /// to end.
    async fn mark(&self, target: Target) -> Result<(), PostgresError> {
        // The position is taken before the commit that the second column makes.
        let end = match self
            .ask_position("pg_current_wal_insert_lsn()::text, pg_current_xact_id()::text")
            .await?
        {
            Some(end) => end,
            None => ControlFile::read(&self.data())?.checkpoint,
        };
        match target {
            Target::Lsn(lsn) if lsn > end => Err(self.ahead(lsn, end)),
            _ => Ok(()),
        }
    }

    /// What a running server says of its WAL. Nobody waits for the answer.
    async fn ask_position(&self, columns: &str) -> Result<Option<Lsn>, PostgresError> {
        let ask = async {
            let Some(client) = self.client().await? else {
                return Ok(None);
            };
            let row = client.query_one(&format!("SELECT {columns}"), &[]).await?;
            row.try_get::<_, String>(0).map(Some)
        };
        let lsn = ask
            .await
            .map_err(of_sql("ask for the end of the WAL", &self.branch.uid))?;
        Ok(lsn.and_then(|lsn| lsn.parse().ok()))
    }

    /// A connection to the server; `None`: none runs.
    pub(super) async fn client(
        &self,
    ) -> Result<Option<tokio_postgres::Client>, tokio_postgres::Error> {
        let slot = self.cluster.lock().await;
        match slot.as_ref().filter(|cluster| !cluster.has_ended()) {
            Some(cluster) => cluster.connect("postgres").await.map(Some),
            None => Ok(None),
        }
    }

    async fn replay(
        &self,
        image: &Image,
        target: Target,
        origin: &Origin,
        to: &Path,
    ) -> Result<About, PostgresError> {
        let tree = Image::tree_in(to);
        let (from, data) = (image.tree(&self.shared.cache_dir), self.data());
        let (copy, owner) = (tree.clone(), self.shared.account.clone());
        let first = Segment::of_file(&image.about.first_segment);
        blocking(move || {
            copy_tree(&from, &copy, &owner)?;
            lend_wal(&data, &copy, &owner, |segment| {
                first.is_none_or(|first| segment.number >= first.number)
            })
        })
        .await?;
        let version = self.branch.pg_version;
        let reached = recover(&self.branch.uid, &self.shared, version, &tree, target).await?;
        let control = ControlFile::read(&tree)?;
        let time = &self.shared.time;
        let about = About {
            taken: Some(jiff::Timestamp::now()),
            end: control.checkpoint,
            first_segment: control.redo.file(),
            point_lsn: match origin {
                Origin::Lsn(lsn) => *lsn,
                _ => reached.lsn,
            },
            point_time: match (origin, reached.last_commit) {
                (Origin::Time(shown), _) => *shown,
                (_, Some(real)) => time.shown_at(real),
                (_, None) => time.now(),
            },
            // Which of them had been made by then nobody knows; they are looked for at the first start.
            provisioned: std::collections::BTreeSet::new(),
            template: None,
        };
        Image::seal(to, &about)?;
        Ok(about)
    }

    /// Makes a branch of a fresh image of this one in `draft`: its tree becomes the branch's data, and the past of this
    /// branch up to there becomes the past of that one. The two share it, so no file is copied twice.
    pub(super) async fn inherit(&self, draft: &Path, about: &About) -> Result<(), PostgresError> {
        let history = History::in_dir(draft);
        let (dir, data) = (history.image_dir(1), self.data());
        if about.template.is_some() || !data.exists() {
            // It was never started, so the image itself is its whole past.
            return Ok(());
        }
        let _images = self.images.lock().await;
        let Some(past) = self
            .history()
            .before(Target::Lsn(about.point_lsn), &self.shared.cache_dir)?
        else {
            return Ok(());
        };
        let first = Segment::of_file(&past.about.first_segment);
        let upto = Segment::of_file(&about.first_segment);
        let (owner, about, draft) = (self.shared.account.clone(), about.clone(), draft.to_owned());
        blocking(move || {
            let tree = history.data();
            std::fs::rename(Image::tree_in(&dir), &tree)
                .map_err(PostgresError::file("move to", &tree))?;
            lend_wal(&data, &tree, &owner, |segment| {
                let is_lent = first.is_none_or(|first| segment.number >= first.number)
                    && upto.is_none_or(|upto| segment.number < upto.number);
                is_lent && !tree.join("pg_wal").join(segment.file()).exists()
            })?;
            set_provisioned(&draft, &about.provisioned)?;
            past.repeat(&dir, &owner)
        })
        .await
    }

    async fn repeat_snapshot(&self, id: &str, to: &Path) -> Result<About, PostgresError> {
        let dir = self.shared.snapshot_dir(id);
        let image =
            Image::load(&dir)?.ok_or_else(|| PostgresError::NoSuchSnapshot(id.to_owned()))?;
        let (owner, to) = (self.shared.account.clone(), to.to_owned());
        blocking(move || image.repeat(&to, &owner).map(|()| image.about)).await
    }

    /// Makes a new image when much has happened since the last one.
    pub(super) async fn keep_history(self: &Arc<Self>) -> Result<(), PostgresError> {
        if !self.is_primary() {
            return Ok(());
        }
        let history = self.history();
        let every = self.shared.image_every_bytes;
        let cache = self.shared.cache_dir.clone();
        let Some(number) = blocking(move || history.due(every, &cache)).await? else {
            return Ok(());
        };
        let _job = self.shared.jobs.read().await;
        let draft = unique(&self.shared.branches_dir, ".draft-")?;
        let made = self.image_of_data(&draft).await;
        let _images = self.images.lock().await;
        let (history, target) = (self.history(), self.history().image_dir(number));
        blocking(move || {
            if made.is_ok() {
                let images = target.parent().unwrap_or(&target);
                std::fs::create_dir_all(images).map_err(PostgresError::file("create", images))?;
                std::fs::rename(&draft, &target)
                    .map_err(PostgresError::file("move to", &target))?;
            } else {
                let _ = std::fs::remove_dir_all(&draft);
            }
            made?;
            history.prune()
        })
        .await
    }

    fn ahead(&self, asked: impl std::fmt::Display, now: impl std::fmt::Display) -> PostgresError {
        PostgresError::PointAhead {
            branch: self.branch.uid.clone(),
            asked: asked.to_string(),
            now: now.to_string(),
        }
    }

    /// The error for a point before all that is kept; looking for what is kept may fail too.
    fn gone(&self, asked: impl std::fmt::Display) -> Result<PostgresError, PostgresError> {
        let earliest = self.history().earliest(&self.shared.cache_dir)?;
        Ok(PostgresError::HistoryGone {
            branch: self.branch.uid.clone(),
            asked: asked.to_string(),
            from: earliest
                .and_then(|(_, taken)| taken)
                .map(|taken| self.shared.time.shown_at(taken)),
            from_lsn: earliest.map(|(lsn, _)| lsn),
        })
    }
}
