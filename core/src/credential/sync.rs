//! The synchronisation that [`super::machine`] is written in: the standard library's here, loom's in `tests/loom`.

pub(crate) use std::sync::atomic::{AtomicU64, Ordering};
pub(crate) use std::sync::{Arc, Mutex};

use std::sync::{MutexGuard, PoisonError};

use arc_swap::ArcSwapOption;

/// Locks, going on after a panic elsewhere: every change under these locks is whole before anything can panic.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A shared value that is read without a lock.
pub(crate) struct Slotted<T>(ArcSwapOption<T>);

impl<T> Slotted<T> {
    pub(crate) fn new(value: Option<Arc<T>>) -> Self {
        Slotted(ArcSwapOption::new(value))
    }

    pub(crate) fn load(&self) -> Option<Arc<T>> {
        self.0.load_full()
    }

    pub(crate) fn with<R>(&self, read: impl FnOnce(Option<&Arc<T>>) -> R) -> R {
        read(self.0.load().as_ref())
    }

    pub(crate) fn store(&self, value: Option<Arc<T>>) {
        self.0.store(value);
    }
}
