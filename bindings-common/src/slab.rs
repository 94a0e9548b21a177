//! Handles for languages without destructors.
//!
//! A C program frees a thing twice, or uses it afterwards, or hands over something else: with plain pointers that is
//! memory corruption inside somebody's process. Here a handle is a number. It names a place and the generation that the
//! place had when the thing was put there, so a handle that is over, or never was one, is told from a good one and
//! becomes an error.
//!
//! Nothing here locks: a child forked in the middle of another thread's call may go on using its handles. Things that are
//! in use are counted, and one that is removed meanwhile goes with its last user. Memory for places is never given back,
//! only reused.
#![allow(
    unsafe_code,
    reason = "places are shared without a lock; the count in their state says who may touch what"
)]

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::ops::Deref;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering, fence};

/// Places in the first chunk; each further chunk is twice as large as the one before.
const FIRST: u32 = 64;
/// So many chunks hold `2^27` places, give or take the first ones.
const CHUNKS: usize = 21;
const PLACES: u32 = FIRST * ((1 << CHUNKS) - 1);

/// In a state: the thing is there and was not removed. Below it stand its kind and how many use it, above it the generation.
const LIVE: u64 = 1 << 31;
const KIND: u32 = 26;
const USERS: u64 = (1 << KIND) - 1;
const GENERATION: u32 = 32;
/// In a handle the kind stands below the number of the place.
const KIND_BITS: u32 = 5;

/// What a thing is, so that a handle is told from one of something else before anybody looks at the thing. Odd, since no
/// address of an aligned thing is: `2 * number + 1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind(u64);

impl Kind {
    /// One of sixteen kinds, from 0 to 15.
    ///
    /// # Panics
    /// With a larger number, which is meant to happen when it is compiled.
    pub const fn new(number: u8) -> Kind {
        assert!(number < 16, "there are sixteen kinds");
        Kind(number as u64 * 2 + 1)
    }

    /// Whether the handle says that it is of this kind.
    pub const fn is_of(self, handle: u64) -> bool {
        handle & ((1 << KIND_BITS) - 1) == self.0
    }
}

/// Things, by handle.
#[derive(Debug)]
pub struct Slab<T> {
    chunks: [AtomicPtr<Place<T>>; CHUNKS],
    /// Places that were ever used.
    used: AtomicU32,
    /// The first free place by its number plus one, and above it a count of changes, so that a place that was taken and
    /// came back is told from one that stayed.
    free: AtomicU64,
}

struct Place<T> {
    state: AtomicU64,
    /// The next free place, by its number plus one.
    next: AtomicU32,
    thing: UnsafeCell<MaybeUninit<T>>,
}

/// A thing in use: it stays while this does, though somebody may remove it from the slab.
#[derive(Debug)]
pub struct Held<'a, T> {
    slab: &'a Slab<T>,
    place: &'a Place<T>,
    number: u32,
}

// SAFETY: things go from thread to thread and are seen by several at once, which the bound allows; places themselves are
// touched by the rules of their state only.
unsafe impl<T: Send + Sync> Sync for Slab<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Send for Slab<T> {}

impl<T> Slab<T> {
    /// An empty one. Takes no memory.
    pub const fn new() -> Slab<T> {
        Slab {
            chunks: [const { AtomicPtr::new(ptr::null_mut()) }; CHUNKS],
            used: AtomicU32::new(0),
            free: AtomicU64::new(0),
        }
    }

    /// Puts a thing in and gives its handle; gives the thing back when all places are taken.
    pub fn insert(&self, thing: T) -> Result<u64, T> {
        self.insert_as(Kind::new(0), thing)
    }

    /// The same where there are things of several kinds.
    pub fn insert_as(&self, kind: Kind, thing: T) -> Result<u64, T> {
        let Some(number) = self.take_free().or_else(|| self.take_new()) else {
            return Err(thing);
        };
        let place = self.place(number);
        let Some(place) = place else {
            return Err(thing);
        };
        let generation = place.state.load(Ordering::Relaxed) >> GENERATION;
        // SAFETY: the place was free and is now this call's alone: its state is not live, so nobody looks at it.
        unsafe { (*place.thing.get()).write(thing) };
        place.state.store(
            generation << GENERATION | LIVE | kind.0 << KIND,
            Ordering::Release,
        );
        Ok(generation << GENERATION | u64::from(number) << KIND_BITS | kind.0)
    }

    /// The thing of this handle, if it is one and is not over.
    pub fn get(&self, handle: u64) -> Option<Held<'_, T>> {
        let (number, place) = self.named(handle)?;
        let mut seen = place.state.load(Ordering::Relaxed);
        loop {
            if !is_live(seen, handle) {
                return None;
            }
            match place.state.compare_exchange_weak(
                seen,
                seen + 1,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => {
                    return Some(Held {
                        slab: self,
                        place,
                        number,
                    });
                }
                Err(now) => seen = now,
            }
        }
    }

    /// Ends a handle; `false` if it is none, was over, or is not of the kind that it says. The thing goes now, or with the last who uses it.
    pub fn remove(&self, handle: u64) -> bool {
        let Some((number, place)) = self.named(handle) else {
            return false;
        };
        let mut seen = place.state.load(Ordering::Relaxed);
        loop {
            if !is_live(seen, handle) {
                return false;
            }
            match place.state.compare_exchange_weak(
                seen,
                seen & !LIVE,
                Ordering::AcqRel,
                Ordering::Relaxed,
            ) {
                Ok(_) if seen & USERS == 0 => {
                    self.clear(number, place);
                    return true;
                }
                Ok(_) => return true,
                Err(now) => seen = now,
            }
        }
    }

    /// Drops the thing and frees its place. Called once per thing: by whoever saw it not live and without users.
    fn clear(&self, number: u32, place: &Place<T>) {
        // SAFETY: the thing was written before the state became live, is not live any more, and has no user; the state
        // changes to that once.
        unsafe { (*place.thing.get()).assume_init_drop() };
        let generation = (place.state.load(Ordering::Relaxed) >> GENERATION).wrapping_add(1);
        place
            .state
            .store(generation << GENERATION, Ordering::Release);
        if generation >> 32 != 0 {
            // All generations of this place were given out: used again, it could be taken for the first.
            return;
        }
        let mut head = self.free.load(Ordering::Relaxed);
        loop {
            place.next.store(low(head), Ordering::Relaxed);
            let changed = ((head >> 32).wrapping_add(1)) << 32 | u64::from(number + 1);
            match self.free.compare_exchange_weak(
                head,
                changed,
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }

    fn take_free(&self) -> Option<u32> {
        let mut head = self.free.load(Ordering::Acquire);
        loop {
            let number = low(head).checked_sub(1)?;
            let next = self.place(number)?.next.load(Ordering::Relaxed);
            let changed = ((head >> 32).wrapping_add(1)) << 32 | u64::from(next);
            match self.free.compare_exchange_weak(
                head,
                changed,
                Ordering::Acquire,
                Ordering::Acquire,
            ) {
                Ok(_) => return Some(number),
                Err(now) => head = now,
            }
        }
    }

    fn take_new(&self) -> Option<u32> {
        let number = self
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                (used < PLACES).then_some(used + 1)
            })
            .ok()?;
        let (chunk, _) = split(number);
        let cell = &self.chunks[chunk];
        if cell.load(Ordering::Acquire).is_null() {
            let made: Box<[Place<T>]> = (0..FIRST << chunk).map(|_| Place::free()).collect();
            let made = Box::into_raw(made);
            let first = made.cast::<Place<T>>();
            if cell
                .compare_exchange(ptr::null_mut(), first, Ordering::AcqRel, Ordering::Acquire)
                .is_err()
            {
                // SAFETY: made above and never published: somebody else was faster.
                drop(unsafe { Box::from_raw(made) });
            }
        }
        Some(number)
    }

    fn named(&self, handle: u64) -> Option<(u32, &Place<T>)> {
        let number = low(handle) >> KIND_BITS;
        Some((number, self.place(number)?))
    }

    fn place(&self, number: u32) -> Option<&Place<T>> {
        let (chunk, at) = split(number);
        let first = self.chunks.get(chunk)?.load(Ordering::Acquire);
        if first.is_null() {
            return None;
        }
        // SAFETY: a chunk has FIRST << chunk places, of which `at` is one, and is never freed once it is published.
        Some(unsafe { &*first.add(at) })
    }
}

impl<T> Default for Slab<T> {
    fn default() -> Slab<T> {
        Slab::new()
    }
}

impl<T> Drop for Slab<T> {
    fn drop(&mut self) {
        for (chunk, cell) in self.chunks.iter_mut().enumerate() {
            let first = *cell.get_mut();
            if first.is_null() {
                continue;
            }
            let length = (FIRST as usize) << chunk;
            // SAFETY: made as a boxed slice of this length; nobody else has the slab any more.
            let mut places = unsafe { Box::from_raw(ptr::slice_from_raw_parts_mut(first, length)) };
            for place in &mut places {
                if *place.state.get_mut() & LIVE != 0 {
                    // SAFETY: live, so it was written and not dropped.
                    unsafe { place.thing.get_mut().assume_init_drop() };
                }
            }
        }
    }
}

impl<T> Place<T> {
    fn free() -> Place<T> {
        Place {
            state: AtomicU64::new(1 << GENERATION),
            next: AtomicU32::new(0),
            thing: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }
}

impl<T> std::fmt::Debug for Place<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Place").finish_non_exhaustive()
    }
}

impl<T> Deref for Held<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: this is one of its users, so it was written and nobody drops it.
        unsafe { (*self.place.thing.get()).assume_init_ref() }
    }
}

impl<T> Drop for Held<'_, T> {
    fn drop(&mut self) {
        let before = self.place.state.fetch_sub(1, Ordering::Release);
        if before & (LIVE | USERS) == 1 {
            // What the other users did with it comes before its end.
            fence(Ordering::Acquire);
            self.slab.clear(self.number, self.place);
        }
    }
}

/// Whether the state is of a thing that is there, of the handle's generation and kind.
fn is_live(state: u64, handle: u64) -> bool {
    let kind = handle & ((1 << KIND_BITS) - 1);
    (state ^ (handle >> GENERATION << GENERATION | LIVE | kind << KIND)) & !USERS == 0
}

/// The chunk of a place and where it is in there.
fn split(number: u32) -> (usize, usize) {
    let chunk = (number / FIRST + 1).ilog2();
    let before = FIRST * ((1 << chunk) - 1);
    (chunk as usize, (number - before) as usize)
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "the lower half is what is wanted"
)]
fn low(word: u64) -> u32 {
    word as u32
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;

    use super::*;

    const A: Kind = Kind::new(0);
    const B: Kind = Kind::new(15);

    #[test]
    fn a_handle_that_is_over_or_never_was_one_is_told_from_a_good_one() {
        let slab = Slab::new();
        let first = slab.insert("a").unwrap();
        assert_eq!(*slab.get(first).unwrap(), "a");
        assert!(slab.remove(first));
        assert!(!slab.remove(first), "freed twice");
        assert!(slab.get(first).is_none(), "used after the end");
        let second = slab.insert_as(B, "b").unwrap();
        assert_ne!(first, second, "the same place, another generation");
        assert!(slab.get(first).is_none());
        let local = 0_u64;
        let address = ptr::from_ref(&local) as u64;
        for wrong in [
            0,
            1,
            u64::MAX,
            second + 1,
            second ^ A.0 ^ B.0,
            second + (1 << 20),
            address,
        ] {
            assert!(slab.get(wrong).is_none(), "{wrong:#x}");
            assert!(!slab.remove(wrong), "{wrong:#x}");
        }
        assert_eq!(*slab.get(second).unwrap(), "b");
        assert!(B.is_of(second) && !A.is_of(second));
    }

    #[test]
    fn a_thing_that_is_removed_in_use_goes_with_its_last_user() {
        let slab = Slab::new();
        let thing = Arc::new(());
        let handle = slab.insert(Arc::clone(&thing)).unwrap();
        let (one, two) = (slab.get(handle).unwrap(), slab.get(handle).unwrap());
        assert!(slab.remove(handle));
        assert!(slab.get(handle).is_none());
        drop(one);
        assert_eq!(Arc::strong_count(&thing), 2);
        drop(two);
        assert_eq!(Arc::strong_count(&thing), 1);
    }

    #[test]
    fn places_are_reused_and_the_chunks_grow() {
        let slab = Slab::new();
        let many: Vec<u64> = (0..1000).map(|n| slab.insert(n).unwrap()).collect();
        for (n, handle) in many.iter().enumerate() {
            assert_eq!(*slab.get(*handle).unwrap(), n);
        }
        assert!(many.iter().all(|handle| slab.remove(*handle)));
        for n in 0..100_000 {
            assert!(slab.remove(slab.insert(n).unwrap()));
        }
        assert_eq!(slab.used.load(Ordering::Relaxed), 1000);
    }

    #[test]
    fn the_last_place_is_in_the_last_chunk() {
        assert_eq!(split(0), (0, 0));
        assert_eq!(split(FIRST), (1, 0));
        let last = ((FIRST as usize) << (CHUNKS - 1)) - 1;
        assert_eq!(split(PLACES - 1), (CHUNKS - 1, last));
        assert!(u64::from(PLACES) << KIND_BITS <= 1 << GENERATION);
    }

    #[test]
    fn threads_that_insert_use_and_remove_the_same_handles_drop_each_thing_once() {
        #[derive(Debug)]
        struct Counted(Arc<AtomicUsize>);
        impl Drop for Counted {
            fn drop(&mut self) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let (slab, dropped) = (Slab::new(), Arc::new(AtomicUsize::new(0)));
        let (rounds, removed) = (20_000_usize, AtomicUsize::new(0));
        let shared: Vec<AtomicU64> = (0..4).map(|_| AtomicU64::new(0)).collect();
        std::thread::scope(|scope| {
            for thread in 0..4_usize {
                let (slab, dropped, removed, shared) = (&slab, &dropped, &removed, &shared);
                scope.spawn(move || {
                    for round in 0..rounds {
                        let mine = slab.insert_as(B, Counted(Arc::clone(dropped))).unwrap();
                        let other = shared[(thread + round) % 4].swap(mine, Ordering::AcqRel);
                        let _held = (slab.get(mine), slab.get(other));
                        removed.fetch_add(usize::from(slab.remove(other)), Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(
            dropped.load(Ordering::Relaxed),
            removed.load(Ordering::Relaxed)
        );
        assert!(slab.used.load(Ordering::Relaxed) < 100);
        drop(slab);
        assert_eq!(dropped.load(Ordering::Relaxed), 4 * rounds);
    }
}
