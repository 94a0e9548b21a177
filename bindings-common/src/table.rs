//! Numbers for things that a language without destructors holds.
//!
//! A pointer that such a language keeps may be used after its end, freed twice or made up. A number that was given out
//! once and never again can only be unknown, and a thing that is in use lives until its user is done with it, whoever
//! removes it meanwhile.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

/// Things by number. Meant to be a static.
#[derive(Debug)]
pub struct Table<T> {
    last: AtomicU64,
    things: OnceLock<RwLock<HashMap<u64, Arc<T>>>>,
}

impl<T> Table<T> {
    /// A table with nothing in it.
    pub const fn new() -> Table<T> {
        Table {
            last: AtomicU64::new(0),
            things: OnceLock::new(),
        }
    }

    /// Keeps a thing and gives its number, which is never zero.
    pub fn put(&self, thing: T) -> u64 {
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        self.things()
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(number, Arc::new(thing));
        number
    }

    /// The thing with this number, if it was not removed.
    pub fn get(&self, number: u64) -> Option<Arc<T>> {
        self.things()
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&number)
            .cloned()
    }

    /// Removes a thing. `None` if there is none, or no longer.
    pub fn take(&self, number: u64) -> Option<Arc<T>> {
        self.things()
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&number)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.things()
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn things(&self) -> &RwLock<HashMap<u64, Arc<T>>> {
        self.things.get_or_init(RwLock::default)
    }
}

impl<T> Default for Table<T> {
    fn default() -> Table<T> {
        Table::new()
    }
}

#[cfg(test)]
mod tests {
    use super::Table;

    #[test]
    fn a_number_is_good_until_its_thing_is_removed_and_never_again() {
        let table = Table::new();
        assert!(table.get(0).is_none() && table.get(1).is_none());
        let first = table.put("first");
        let held = table.get(first);
        assert_eq!(table.take(first).as_deref(), Some(&"first"));
        assert_eq!(held.as_deref(), Some(&"first"), "its user still has it");
        assert!(table.get(first).is_none() && table.take(first).is_none());
        assert_ne!(table.put("second"), first);
        assert_eq!((table.len(), table.is_empty()), (1, false));
    }
}
