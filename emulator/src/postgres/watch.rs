//! What happens to a running server by itself: it is suspended when idle, an image of it is made now and then, and its
//! end is noticed.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use super::cluster::Cluster;
use super::compute::Compute;
use super::standby::STANDBY;
use crate::front::directory::ComputeState;

/// The virtual clock may run faster than the real one, so nobody sleeps longer than this between two looks at it.
const LONGEST_NAP: Duration = Duration::from_secs(1);
/// The pause before a busy server is asked again whether it is idle.
const BUSY_PAUSE: Duration = Duration::from_millis(200);

impl Compute {
    /// Suspends the server when it is idle, and notices when it ends by itself.
    pub(super) async fn watch(self: Arc<Self>, mut ended: watch::Receiver<bool>, generation: u64) {
        let mut moved = self.shared.time.changed();
        loop {
            let nap = match self.idle_in() {
                Some(Duration::ZERO) if self.suspend_if_idle(generation).await => return,
                Some(Duration::ZERO) => BUSY_PAUSE,
                Some(left) => left.min(LONGEST_NAP),
                None => LONGEST_NAP,
            };
            let fell = tokio::select! {
                _ = ended.wait_for(|ended| *ended) => true,
                () = sleep(nap) => false,
                Ok(()) = moved.changed() => false,
            };
            if fell {
                return self.fell(generation).await;
            }
            if let Err(error) = self.keep_history().await {
                warn!(branch = %self.branch.uid, %error, "the branch cannot be taken back to this time");
            }
        }
    }

    /// How long until all endpoints have been idle for their time; `None`: one of them never suspends.
    fn idle_in(&self) -> Option<Duration> {
        let now = self.shared.time.now_ms();
        let endpoints = self
            .endpoints
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let left = endpoints.values().map(|used| {
            let end = used
                .last_ms
                .load(Ordering::Relaxed)
                .saturating_add(used.suspend_after_ms?);
            Some(end.saturating_sub(now))
        });
        left.collect::<Option<Vec<_>>>()?
            .into_iter()
            .max()
            .map(Duration::from_millis)
    }

    async fn suspend_if_idle(&self, generation: u64) -> bool {
        let mut slot = self.cluster.lock().await;
        if self.starts.load(Ordering::Relaxed) != generation {
            return true;
        }
        let Some(cluster) = slot.as_ref() else {
            return true;
        };
        if self.is_held() {
            return false;
        }
        let busy = timeout(Duration::from_secs(5), busy(cluster)).await;
        // A server that does not answer is left alone; it is looked at again soon.
        if !matches!(busy, Ok(Ok(false))) || self.idle_in() != Some(Duration::ZERO) {
            return false;
        }
        info!(branch = %self.branch.uid, "idle: suspending Postgres");
        self.stop(&mut slot, false).await
    }

    /// The server ended without having been told to.
    async fn fell(&self, generation: u64) {
        let mut slot = self.cluster.lock().await;
        if self.starts.load(Ordering::Relaxed) == generation
            && slot.as_ref().is_some_and(Cluster::has_ended)
        {
            warn!(branch = %self.branch.uid, "Postgres ended by itself");
            self.ready.send_replace(None);
            if let Some(cluster) = slot.take() {
                cluster.crash().await;
            }
            self.set_state(ComputeState::Suspended);
        }
    }
}

/// The rule of Lakebase's compute: whoever is not `idle` keeps it awake, and that includes `idle in transaction`. The
/// branch's own standbys do not: they have a life of their own.
async fn busy(cluster: &Cluster) -> Result<bool, tokio_postgres::Error> {
    let client = cluster.connect("postgres").await?;
    client
        .query_one(
            "SELECT count(*) > 0 FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND (
                 (backend_type = 'client backend' AND state IS DISTINCT FROM 'idle')
                 OR backend_type = 'autovacuum worker'
                 OR (backend_type = 'walsender' AND application_name <> $1))",
            &[&STANDBY],
        )
        .await?
        .try_get(0)
}
