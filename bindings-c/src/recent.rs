//! The token that was handed out last, ready for C: a kilobyte need not be copied for each login, nor two clocks be read
//! (`lakekey_ffi::glance`).

use std::cell::{Cell, RefCell};
use std::sync::Mutex;

use lakekey_ffi::{Handle, Lease, glance};

use crate::secret::{Glimpse, Text};

thread_local! {
    /// What this thread asked for last without a request: the client's handle, the stamp and the token. A handle is never
    /// given out again, and the end of a client changes the stamp.
    static MINE: RefCell<Option<(u64, u64, Glimpse)>> = const { RefCell::new(None) };
    /// How often it was given that again and nobody was told: threads that ask in a loop shall not write to one place.
    static REPEATS: Cell<u64> = const { Cell::new(0) };
}

/// The token of this client, if the same thread was told it a moment ago: what is asked for in a tight loop costs no look
/// at anything that threads share.
pub(crate) fn again(client: u64) -> Option<Text> {
    let stamp = glance::stamp()?;
    MINE.try_with(|mine| match &*mine.try_borrow().ok()? {
        Some((of, at, glimpse)) if *of == client && *at == stamp => {
            let text = glimpse.text()?;
            repeated();
            Some(text)
        }
        _ => None,
    })
    .ok()
    .flatten()
}

/// Remembers what [`again`] gives. `stamp` was taken before the token was asked for.
pub(crate) fn told(client: u64, stamp: Option<u64>, text: &Text) {
    let Some(stamp) = stamp else { return };
    // A thread that ends remembers nothing any more.
    let _ = MINE.try_with(|mine| {
        if let Ok(mut mine) = mine.try_borrow_mut() {
            *mine = Some((client, stamp, text.glimpse()));
        }
    });
}

fn repeated() {
    let _ = REPEATS.try_with(|repeats| repeats.set(repeats.get() + 1));
}

/// Counts what was given to this thread again since the last time.
pub(crate) fn count(handle: &Handle) {
    let repeats = REPEATS.try_with(Cell::take).unwrap_or_default();
    if repeats > 0 {
        handle.count_repeats(repeats);
    }
}

/// One per client.
#[derive(Debug, Default)]
pub(crate) struct Recent(Mutex<Option<Shown>>);

#[derive(Debug)]
struct Shown {
    lease: Lease,
    text: Text,
    target: Option<String>,
    /// Until when it may be handed out again without another look.
    stamp: Option<u64>,
}

impl Recent {
    /// The token, if it is here and nothing is to be done about it. Never waits: who finds this taken, as a child may
    /// that was forked at the wrong moment, makes a copy of its own.
    pub(crate) fn peek(&self, handle: &Handle, target: Option<&str>) -> Option<Text> {
        // Taken before the look, so that what happens meanwhile is not missed.
        let stamp = glance::stamp();
        let Ok(mut shown) = self.0.try_lock() else {
            return handle.peek(target).map(|lease| Text::new(lease.token()));
        };
        if let Some(shown) = &*shown
            && stamp.is_some()
            && shown.stamp == stamp
            && shown.target.as_deref() == target
        {
            repeated();
            return Some(shown.text.clone());
        }
        let Some(lease) = handle.peek(target) else {
            *shown = None;
            return None;
        };
        let text = match &*shown {
            Some(last) if last.lease.is(&lease) => last.text.clone(),
            _ => Text::new(lease.token()),
        };
        *shown = Some(Shown {
            lease,
            text: text.clone(),
            target: target.map(str::to_owned),
            stamp,
        });
        Some(text)
    }

    /// Forgets it.
    pub(crate) fn clear(&self) {
        if let Ok(mut shown) = self.0.try_lock() {
            *shown = None;
        }
    }
}
