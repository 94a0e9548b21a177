//! Loom's synchronisation under the names that the machine uses.

pub(crate) use loom::sync::atomic::{AtomicU64, Ordering};
pub(crate) use loom::sync::{Arc, Mutex};

use loom::sync::{MutexGuard, RwLock};

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}

/// Stands for the lock-free cell: loom cannot look into another crate, but it can order loads and stores.
pub(crate) struct Slotted<T>(RwLock<Option<Arc<T>>>);

impl<T> Slotted<T> {
    pub(crate) fn new(value: Option<Arc<T>>) -> Self {
        Slotted(RwLock::new(value))
    }

    pub(crate) fn load(&self) -> Option<Arc<T>> {
        self.0.read().unwrap().clone()
    }

    pub(crate) fn with<R>(&self, read: impl FnOnce(Option<&Arc<T>>) -> R) -> R {
        read(self.0.read().unwrap().as_ref())
    }

    pub(crate) fn store(&self, value: Option<Arc<T>>) {
        *self.0.write().unwrap() = value;
    }
}
