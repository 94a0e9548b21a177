//! All slots of a process.
//!
//! Every pool and every client of one identity shares one slot per endpoint, so a process with three pools mints once.
//! The map is read without a lock: after a fork the child reads its parent's credentials from it whatever the parent's
//! threads were doing.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;

use super::mint::Credential;
use super::policy::Phase;
use super::slot::Slot;
use super::sync::lock;
use crate::clock::{Clock, SystemClock};
use crate::jitter::{Dice, SystemDice};
use crate::skew::Skew;
use crate::stats::{Events, Stats};

const SHARDS: usize = 64;
/// How often a slot that nobody holds is counted while a shard is replaced: once in the old map, once in the new.
const IN_MAPS: usize = 2;
/// Mints that may start at once, and how many more each second: far above what rotation needs, far below what hurts.
const BURST: f64 = 50.0;
const PER_SECOND: f64 = 10.0;

/// What makes two credentials interchangeable.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SlotKey {
    pub(crate) host: String,
    pub(crate) principal: String,
    pub(crate) endpoint: String,
    pub(crate) claims: Option<String>,
    pub(crate) ttl: Option<Duration>,
}

/// The credentials of a process, by workspace, identity, endpoint, claims and ttl. Cheap to clone: clones are the same
/// store.
#[derive(Clone)]
pub struct Store {
    slots: Arc<Sharded<SlotKey, Arc<Slot>>>,
    shared: Arc<Shared>,
}

/// What all slots of a store use. It knows no slot, so that a store which nobody holds any more goes away with its slots.
pub(crate) struct Shared {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) dice: Arc<dyn Dice>,
    bucket: Mutex<Bucket>,
    pub(crate) stats: Stats,
    pub(crate) events: Events,
    pub(crate) skew: Arc<Skew>,
}

impl Store {
    /// An empty store on the given clock and dice.
    pub fn new(clock: Arc<dyn Clock>, dice: Arc<dyn Dice>) -> Store {
        let bucket = Mutex::new(Bucket {
            tokens: BURST,
            at_ms: clock.now().boot_ms,
        });
        Store {
            slots: Arc::default(),
            shared: Arc::new(Shared {
                clock,
                dice,
                bucket,
                stats: Stats::default(),
                events: Events::default(),
                skew: Arc::default(),
            }),
        }
    }

    /// The one store of this process, on the system's clocks.
    pub fn of_process() -> Store {
        static STORE: OnceLock<Store> = OnceLock::new();
        STORE.get_or_init(Store::default).clone()
    }

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.shared.clock
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    pub(crate) fn dice(&self) -> &Arc<dyn Dice> {
        &self.shared.dice
    }

    pub(crate) fn slot(&self, key: &SlotKey) -> Arc<Slot> {
        if let Some(slot) = self.slots.get(key) {
            return slot;
        }
        let slot = Arc::new(Slot::new(key.clone(), Arc::clone(&self.shared), None));
        // Identities come and go, such as users with forwarded tokens: what has ended and nobody holds makes room.
        let now = self.shared.clock.now();
        self.slots.prune(key, |slot| {
            let over = |credential: Arc<_>| Credential::phase(&credential, now) == Phase::Expired;
            Arc::strong_count(slot) > IN_MAPS || !slot.current().is_none_or(over)
        });
        self.slots.get_or_insert(key, &slot)
    }

    /// Takes over the credentials of another store: after a fork, the parent's. Takes no lock of the other store.
    pub fn inherit(&self, parent: &Store) {
        self.shared.skew.inherit(&parent.shared.skew);
        parent.slots.for_each(|key, slot| {
            if let Some(credential) = slot.current() {
                let heir = Arc::new(Slot::new(
                    key.clone(),
                    Arc::clone(&self.shared),
                    Some(credential),
                ));
                self.slots.get_or_insert(key, &heir);
            }
        });
    }
}

impl Default for Store {
    fn default() -> Store {
        Store::new(Arc::new(SystemClock), Arc::new(SystemDice))
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Store")
    }
}

impl Shared {
    /// Keeps an event: fixed words, slugs, resource names and numbers.
    pub(crate) fn note(&self, line: String) {
        self.events.note(self.clock.now().wall_ms, line);
    }

    /// Waits until one more mint may start.
    pub(crate) async fn admit(&self) {
        let wait = lock(&self.bucket).reserve(self.clock.now().boot_ms);
        if !wait.is_zero() {
            self.clock.sleep(wait).await;
        }
    }
}

struct Bucket {
    tokens: f64,
    at_ms: u64,
}

impl Bucket {
    /// Takes one token, going into debt if need be: the answer is how long to wait for it.
    #[allow(
        clippy::cast_precision_loss,
        reason = "milliseconds between two mints are few"
    )]
    fn reserve(&mut self, now_ms: u64) -> Duration {
        let passed = now_ms.saturating_sub(self.at_ms) as f64 / 1000.0;
        self.at_ms = now_ms;
        self.tokens = (self.tokens + passed * PER_SECOND).min(BURST) - 1.0;
        if self.tokens >= 0.0 {
            Duration::ZERO
        } else {
            Duration::from_secs_f64(-self.tokens / PER_SECOND)
        }
    }
}

/// A map whose readers never wait and whose writers copy one shard.
pub(crate) struct Sharded<K, V> {
    shards: Vec<ArcSwap<HashMap<K, V>>>,
    hasher: RandomState,
}

impl<K, V> Default for Sharded<K, V> {
    fn default() -> Self {
        Sharded {
            shards: (0..SHARDS).map(|_| ArcSwap::default()).collect(),
            hasher: RandomState::new(),
        }
    }
}

impl<K: Clone + Eq + std::hash::Hash, V: Clone> Sharded<K, V> {
    fn shard<Q: std::hash::Hash + ?Sized>(&self, key: &Q) -> &ArcSwap<HashMap<K, V>> {
        #[allow(
            clippy::cast_possible_truncation,
            reason = "only the low bits are used"
        )]
        let hash = self.hasher.hash_one(key) as usize;
        &self.shards[hash % SHARDS]
    }

    pub(crate) fn get<Q>(&self, key: &Q) -> Option<V>
    where
        K: std::borrow::Borrow<Q>,
        Q: std::hash::Hash + Eq + ?Sized,
    {
        self.shard(key).load().get(key).cloned()
    }

    /// The value there is, or else `value`: whoever comes first.
    pub(crate) fn get_or_insert(&self, key: &K, value: &V) -> V {
        let shard = self.shard(key);
        shard.rcu(|map| {
            let mut map = HashMap::clone(map);
            map.entry(key.clone()).or_insert_with(|| value.clone());
            map
        });
        shard
            .load()
            .get(key)
            .cloned()
            .unwrap_or_else(|| value.clone())
    }

    /// Takes a value out.
    pub(crate) fn remove<Q>(&self, key: &Q)
    where
        K: std::borrow::Borrow<Q>,
        Q: std::hash::Hash + Eq + ?Sized,
    {
        self.shard(key).rcu(|map| {
            let mut map = HashMap::clone(map);
            map.remove(key);
            map
        });
    }

    /// Drops the neighbours of `key` that are not worth keeping.
    fn prune(&self, key: &K, keep: impl Fn(&V) -> bool) {
        let shard = self.shard(key);
        if shard.load().values().all(&keep) {
            return;
        }
        shard.rcu(|map| {
            let mut map = HashMap::clone(map);
            map.retain(|_, value| keep(value));
            map
        });
    }

    pub(crate) fn for_each(&self, mut visit: impl FnMut(&K, &V)) {
        for shard in &self.shards {
            shard
                .load()
                .iter()
                .for_each(|(key, value)| visit(key, value));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::{BURST, Bucket, SlotKey, Store};

    #[test]
    fn a_store_that_nobody_holds_goes_away_with_its_slots() {
        let store = Store::default();
        let slot = store.slot(&SlotKey {
            host: String::new(),
            principal: String::new(),
            endpoint: String::new(),
            claims: None,
            ttl: None,
        });
        let slot = {
            let weak = Arc::downgrade(&slot);
            drop((slot, store));
            weak
        };
        assert!(slot.upgrade().is_none());
    }

    #[test]
    fn the_bucket_lets_a_burst_through_and_then_a_steady_stream() {
        let mut bucket = Bucket {
            tokens: BURST,
            at_ms: 0,
        };
        assert!((0..50).all(|_| bucket.reserve(0).is_zero()));
        assert_eq!(bucket.reserve(0), Duration::from_millis(100));
        assert_eq!(bucket.reserve(0), Duration::from_millis(200));
        assert!(bucket.reserve(60_000).is_zero());
    }
}
