//! Which process this is.
//!
//! After a fork only the forking thread goes on. Runtime threads are gone, and every lock that another thread held stays
//! locked for ever: an inherited tokio runtime hangs when it is used and even when it is dropped. So whatever has
//! threads or locks is tagged with the process that made it, and a call that finds another tag makes its own.
//!
//! The number of forks is counted by a handler that touches one atomic and nothing else, as a handler must. The process
//! id is compared besides, for children made without the C library's `fork`; it costs a system call, so only calls that
//! may wait ask for it.
#![allow(unsafe_code, reason = "pthread_atfork")]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

static FORKS: AtomicU64 = AtomicU64::new(0);

/// Names one process of a family of forks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag {
    pid: u32,
    forks: u64,
}

impl Tag {
    /// This process.
    pub fn current() -> Tag {
        watch();
        Tag {
            pid: std::process::id(),
            forks: FORKS.load(Ordering::Relaxed),
        }
    }

    /// Whether a fork is known to lie between the tag and now: one atomic read, no system call. `false` may be wrong in
    /// children made without the C library's `fork`.
    pub fn is_of_a_parent(self) -> bool {
        self.forks != FORKS.load(Ordering::Relaxed)
    }

    /// Whether this is still the process that the tag was made in.
    pub fn is_current(self) -> bool {
        self == Tag::current()
    }
}

#[cfg(unix)]
fn watch() {
    extern "C" fn in_child() {
        FORKS.fetch_add(1, Ordering::Relaxed);
    }

    // A flag and not a `Once`: a fork in the middle would leave a `Once` waiting for a thread that is gone. Whoever
    // comes second may go on before the handler is registered; the process id covers that moment.
    static WATCHING: AtomicBool = AtomicBool::new(false);
    if !WATCHING.swap(true, Ordering::Relaxed) {
        // SAFETY: the handler is a static function of this library, which is never unloaded, and only adds to an
        // atomic, which is allowed between fork and exec. A failure (no memory) leaves the process id as the guard.
        unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
    }
}

#[cfg(not(unix))]
fn watch() {}
