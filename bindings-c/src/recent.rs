//! The token that was handed out last, ready for C: a kilobyte need not be copied for each login, nor two clocks be read
//! (`lakekey_ffi::glance`).

use std::sync::Mutex;

use lakekey_ffi::{Handle, Lease, glance};

use crate::secret::Text;

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
