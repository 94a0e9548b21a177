//! What was counted in this process, and its last events, as arrays that a C program can walk or log.

use std::ffi::{CString, c_char};
use std::mem::size_of;

use lakekey_ffi::FfiError;
use lakekey_ffi::stats::Stats;

use crate::boundary::{Out, run, tell};
use crate::client::Client;
use crate::code::lk_status;
use crate::object::{self, Object, lk_client, lk_error, lk_stats};
use crate::options::{self, SizeFirst};
use crate::recent;
use crate::text::{optional, required, shown};

/// One count.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct lk_count {
    /// What was counted: `mints`, `cache_hits`, `waits`, `logins`, ...; with a label `failures` and `mint_failures` by the
    /// slug of the error, `login_failures` by the kind of trouble.
    pub name: *const c_char,
    /// Which of them, or NULL. What never happened has no count.
    pub label: *const c_char,
    /// How often.
    pub value: u64,
}

/// A distribution of durations or ages.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct lk_histogram {
    /// Its name, ending with the unit: `mint_ms`, `wait_ms`, `connect_ms`, `token_age_s`.
    pub name: *const c_char,
    /// The upper bound of each bucket but the last, itself included.
    pub bounds: *const u64,
    /// How many values are in each bucket.
    pub counts: *const u64,
    /// How many buckets there are.
    pub buckets: usize,
    /// How many values there are.
    pub count: u64,
    /// What they add up to.
    pub sum: u64,
}

/// What was counted. The texts and arrays belong to the lk_stats.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct lk_stats_info {
    /// Set it to sizeof the struct.
    pub struct_size: usize,
    /// The counts.
    pub counts: *const lk_count,
    /// How many there are.
    pub counts_count: usize,
    /// The distributions.
    pub histograms: *const lk_histogram,
    /// How many there are.
    pub histograms_count: usize,
    /// The last events of this process, oldest first, each with its time.
    pub events: *const *const c_char,
    /// How many there are.
    pub events_count: usize,
    /// The workspace's clock minus this machine's, if `clock_skew_known` is 1.
    pub clock_skew_ms: i64,
    /// 1 once an answer of the workspace told its time, else 0.
    pub clock_skew_known: u32,
    /// Zero.
    pub reserved: u32,
}

// SAFETY: the size comes first, then pointers and numbers.
unsafe impl SizeFirst for lk_stats_info {
    const NAME: &'static str = "lk_stats_info";
}

/// Counts with their texts as C needs them.
pub(crate) struct Counted {
    shown: Stats,
    _texts: Vec<CString>,
    counts: Vec<lk_count>,
    histograms: Vec<lk_histogram>,
    events: Vec<*const c_char>,
}

// SAFETY: the pointers point into texts and lists that are this value's own and never change.
unsafe impl Send for Counted {}
// SAFETY: as above.
unsafe impl Sync for Counted {}

impl Counted {
    fn new(stats: Stats, events: Vec<String>) -> Box<Counted> {
        let mut texts = Vec::new();
        // The characters of a CString stay where they are when the CString is moved.
        let mut keep = |text: String| {
            let text = shown(text);
            let at = text.as_ptr();
            texts.push(text);
            at
        };
        let mut counts = Vec::new();
        for &(name, value) in &stats.counters {
            counts.push(lk_count {
                name: keep(name.to_owned()),
                label: std::ptr::null(),
                value,
            });
        }
        for (name, by_label) in &stats.labelled {
            let name = keep((*name).to_owned());
            for &(label, value) in by_label {
                counts.push(lk_count {
                    name,
                    label: keep(label.to_owned()),
                    value,
                });
            }
        }
        let histograms = stats.histograms.iter().map(|one| lk_histogram {
            name: keep(one.name.to_owned()),
            bounds: one.bounds.as_ptr(),
            counts: one.counts.as_ptr(),
            buckets: one.counts.len(),
            count: one.count,
            sum: one.sum,
        });
        let histograms = histograms.collect();
        let events = events.into_iter().map(keep).collect();
        Box::new(Counted {
            _texts: texts,
            counts,
            histograms,
            events,
            shown: stats,
        })
    }

    fn info(&self) -> lk_stats_info {
        lk_stats_info {
            struct_size: size_of::<lk_stats_info>(),
            counts: self.counts.as_ptr(),
            counts_count: self.counts.len(),
            histograms: self.histograms.as_ptr(),
            histograms_count: self.histograms.len(),
            events: self.events.as_ptr(),
            events_count: self.events.len(),
            clock_skew_ms: self.shown.clock_skew_ms.unwrap_or_default(),
            clock_skew_known: self.shown.clock_skew_ms.is_some().into(),
            reserved: 0,
        }
    }
}

/// What was counted in this process since it began, or since its fork, over all its clients, and the last events. No
/// secrets. No request.
// SAFETY: the name is ours; the caller's part.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lk_client_stats(
    client: *const lk_client,
    out: *mut *mut lk_stats,
    err: *mut *mut lk_error,
) -> lk_status {
    let work = || {
        // SAFETY: the caller's part.
        let out = unsafe { Out::new("out", out) }?;
        let client = object::get::<Client>("client", client)?;
        recent::count(&client.handle);
        let counted = Counted::new(client.handle.stats()?, client.handle.recent_events()?);
        out.put(object::put(Object::Stats(counted))?);
        Ok(())
    };
    // SAFETY: the caller's part.
    unsafe { run(err, work) }
}

/// What was counted, as arrays.
// SAFETY: the name is ours; the caller's part.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lk_stats_get(
    stats: *const lk_stats,
    info: *mut lk_stats_info,
) -> lk_status {
    tell(|| {
        let held = object::get::<Counted>("stats", stats)?;
        // SAFETY: the caller's part.
        unsafe { options::write(info, &held.info()) }
    })
}

/// One count by its name, and by its label where it has one, else NULL. What never happened is 0; a name that is not
/// counted is refused with LK_CONFIG_INVALID.
// SAFETY: the name is ours; the caller's part.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lk_stats_count(
    stats: *const lk_stats,
    name: *const c_char,
    name_len: usize,
    label: *const c_char,
    label_len: usize,
    value: *mut u64,
) -> lk_status {
    tell(|| {
        // SAFETY: the caller's part, three times.
        let (value, name, label) = unsafe {
            (
                Out::new("value", value)?,
                required("name", name, name_len)?,
                optional("label", label, label_len)?,
            )
        };
        let held = object::get::<Counted>("stats", stats)?;
        let found = held.shown.count(name, label);
        let found = found.ok_or_else(|| {
            FfiError::argument("name", format!("nothing is counted as '{name}' like that"))
        })?;
        value.put(found);
        Ok(())
    })
}

/// Frees what was counted.
// SAFETY: the name is ours; the caller's part.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lk_stats_free(stats: *mut lk_stats) -> lk_status {
    tell(|| object::free::<Counted>("stats", stats))
}
