//! The threads of this process: the only place that builds a tokio runtime.
//!
//! The slot holds what belongs to one process: its runtime, its log ring and its registry of credentials. It is
//! tagged: a forked child that finds its parent's leaves it where it is, for ever, and makes its own. Dropping it would
//! hang (tokio joins threads that are gone) and using it would as well.
//!
//! Nobody waits for a flag here. Setting up an empty place is one compare-and-swap; the runtime is built inside a cell
//! that a panic or a failure leaves empty, and that a child never looks at.

use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use lakekey::Code;
use lakekey::credential::Store;
use once_cell::sync::OnceCell;
use tokio::runtime::{Builder, Handle, Runtime};

use crate::error::{FfiError, Result};
use crate::fork::Tag;
use crate::gate::Gate;
use crate::logs::Ring;

/// Requests are few and small; two threads keep one stalled task from holding up the rest.
const WORKERS: usize = 2;

/// What belongs to one process and must not be used by its children.
#[derive(Debug)]
pub struct Process {
    tag: Tag,
    runtime: OnceCell<Runtime>,
    ring: Ring,
    gate: Gate,
    store: Store,
}

static CURRENT: AtomicPtr<Process> = AtomicPtr::new(std::ptr::null_mut());

/// This process's place. Starts no thread.
#[allow(
    unsafe_code,
    reason = "the slot is read by every call and must not be locked"
)]
pub fn process() -> &'static Process {
    let tag = Tag::current();
    let mut seen = CURRENT.load(Ordering::Acquire);
    let mut made: Option<*mut Process> = None;
    loop {
        // SAFETY: the pointer is null or comes from `Box::into_raw` below and, once published, is never freed.
        if let Some(process) = unsafe { seen.as_ref() }
            && process.tag == tag
        {
            if let Some(unused) = made {
                // SAFETY: `unused` was made below and never published, so this is its only owner.
                drop(unsafe { Box::from_raw(unused) });
            }
            return process;
        }
        let mine = *made.get_or_insert_with(|| Box::into_raw(Box::new(Process::new(tag))));
        match CURRENT.compare_exchange(seen, mine, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => {
                // SAFETY: just published, so never freed again.
                return unsafe { &*mine };
            }
            Err(other) => seen = other,
        }
    }
}

impl Process {
    fn new(tag: Tag) -> Process {
        Process {
            tag,
            runtime: OnceCell::new(),
            ring: Ring::default(),
            gate: Gate::default(),
            store: Store::default(),
        }
    }

    /// Whether this is the process that the caller runs in.
    pub fn is_current(&self) -> bool {
        self.tag.is_current()
    }

    /// The runtime, built at its first use.
    pub fn runtime(&self) -> Result<&Handle> {
        self.runtime.get_or_try_init(build).map(Runtime::handle)
    }

    /// Whether a call has started threads.
    pub fn has_threads(&self) -> bool {
        self.runtime.get().is_some()
    }

    /// The credentials that all clients of this process share.
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// Who is inside the host's world.
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// This process's log records.
    pub fn ring(&self) -> &Ring {
        &self.ring
    }
}

fn build() -> Result<Runtime> {
    let next = AtomicUsize::new(1);
    Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .thread_name_fn(move || format!("lakekey-rt-{}", next.fetch_add(1, Ordering::Relaxed)))
        .enable_io()
        .enable_time()
        .build()
        .map_err(|error| {
            FfiError::new(
                Code::Internal,
                format!("cannot start lakekey's threads: {error}"),
            )
            .with_hint("Look at the limits on threads and open files of this process")
        })
}
