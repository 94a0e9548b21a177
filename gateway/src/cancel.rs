//! Which random key stands for which backend.
//!
//! The key that a client sees is not the real one, so that nobody can cancel by guessing process ids; without this
//! map a cancel request would reach no backend.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::packet::BackendKey;

#[derive(Debug)]
pub(crate) struct CancelMap<P>(Mutex<HashMap<BackendKey, (P, BackendKey)>>);

impl<P: Clone> CancelMap<P> {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(HashMap::new()))
    }

    /// Gives out a random key for `real`, until the returned value is dropped.
    pub(crate) fn lend(&self, place: P, real: BackendKey) -> std::io::Result<LentKey<'_, P>> {
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut key = BackendKey::random()?;
        while map.contains_key(&key) {
            key = BackendKey::random()?;
        }
        map.insert(key, (place, real));
        Ok(LentKey { map: self, key })
    }

    pub(crate) fn find(&self, key: BackendKey) -> Option<(P, BackendKey)> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&key)
            .cloned()
    }
}

pub(crate) struct LentKey<'a, P: Clone> {
    map: &'a CancelMap<P>,
    pub(crate) key: BackendKey,
}

impl<P: Clone> Drop for LentKey<'_, P> {
    fn drop(&mut self) {
        self.map
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.key);
    }
}
