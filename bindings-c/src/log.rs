//! Log records on their way to the program's own log.
//!
//! Threads of lakekey never call into the program to log. What they had to say is handed over on the program's own
//! threads: when a call that waited comes back, and by `lk_log_flush`.

use std::ffi::{CString, c_char, c_void};
use std::mem::size_of;
use std::sync::atomic::{AtomicU64, Ordering};

use lakekey_ffi::FfiError;
use lakekey_ffi::logs::{Level, Record, set_level};
use lakekey_ffi::runtime::process;

use crate::boundary::{run, tell};
use crate::code::lk_status;
use crate::object::{self, NoHandle, Object, lk_error};
use crate::text::shown;

/// No records.
pub const LK_LOG_OFF: u32 = 0;
/// What failed for good.
pub const LK_LOG_ERROR: u32 = 1;
/// What failed and is being tried again.
pub const LK_LOG_WARN: u32 = 2;
/// What happened.
pub const LK_LOG_INFO: u32 = 3;
/// Why it happened.
pub const LK_LOG_DEBUG: u32 = 4;

/// One log record. Its texts are good until the callback returns.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct lk_log_record {
    /// Set it to sizeof the struct.
    pub struct_size: usize,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// LK_LOG_ERROR to LK_LOG_DEBUG.
    pub level: u32,
    /// Zero.
    pub reserved: u32,
    /// How many records were thrown away before this one because nobody fetched them in time.
    pub dropped: u64,
    /// Which part of lakekey says it: `lakekey::credential`.
    pub source: *const c_char,
    /// What it says.
    pub text: *const c_char,
}

/// Gets one record. Called on a thread of the program's, inside a function of lakekey's or lk_log_flush; it may call
/// lakekey.
// SAFETY: called with the data that it came with, as the header says.
pub type lk_log_callback =
    Option<unsafe extern "C" fn(data: *mut c_void, record: *const lk_log_record)>;

/// Who gets the records.
pub(crate) struct Sink {
    // SAFETY: as above.
    callback: unsafe extern "C" fn(*mut c_void, *const lk_log_record),
    data: *mut c_void,
}

// SAFETY: the header says that the function and its data are used from every thread that calls lakekey.
unsafe impl Send for Sink {}
// SAFETY: as above.
unsafe impl Sync for Sink {}

/// The handle of the present sink, or 0.
static SINK: AtomicU64 = AtomicU64::new(0);

/// Sends log records up to this level to a function, for the whole process; with NULL to nobody any more. They are handed
/// over on the threads that call lakekey. When this returns, other threads may be inside the former function for a
/// moment longer.
// SAFETY: the name is ours; the caller's part.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lk_log_sink(
    level: u32,
    callback: lk_log_callback,
    data: *mut c_void,
    err: *mut *mut lk_error,
) -> lk_status {
    let work = || {
        let wanted = match level {
            LK_LOG_OFF => Level::Off,
            LK_LOG_ERROR => Level::Error,
            LK_LOG_WARN => Level::Warn,
            LK_LOG_INFO => Level::Info,
            LK_LOG_DEBUG => Level::Debug,
            _ => {
                return Err(FfiError::argument(
                    "level",
                    format!("{level} is none of LK_LOG_OFF to LK_LOG_DEBUG"),
                ));
            }
        };
        let new = match callback {
            Some(callback) => object::number(object::put::<NoHandle>(Object::Sink(Sink {
                callback,
                data,
            }))?),
            None => 0,
        };
        set_level(if new == 0 { Level::Off } else { wanted });
        let old = SINK.swap(new, Ordering::AcqRel);
        object::free::<Sink>("sink", object::pointer(old))
    };
    // SAFETY: the caller's part.
    unsafe { run(err, work) }
}

/// Hands over the log records that have come since the last call that waited.
// SAFETY: the name is ours.
#[unsafe(no_mangle)]
pub extern "C" fn lk_log_flush() -> lk_status {
    tell(|| {
        hand_over();
        Ok(())
    })
}

/// As [`lk_log_flush`], for calls that have something else to say.
pub(crate) fn hand_over() {
    let handle = SINK.load(Ordering::Acquire);
    if handle == 0 {
        return;
    }
    // Replaced a moment ago: the records wait for the new one.
    let Ok(sink) = object::get::<Sink>("sink", object::pointer(handle)) else {
        return;
    };
    let batch = process().ring().drain();
    let mut dropped = batch.dropped;
    for record in batch.records {
        tell_one(&sink, record, std::mem::take(&mut dropped));
    }
}

fn tell_one(sink: &Sink, record: Record, dropped: u64) {
    let (source, text): (CString, CString) = (shown(record.source), shown(record.text));
    let told = lk_log_record {
        struct_size: size_of::<lk_log_record>(),
        at_ms: record.at_ms,
        level: record.level as u32,
        reserved: 0,
        dropped,
        source: source.as_ptr(),
        text: text.as_ptr(),
    };
    // SAFETY: the caller's part: the function may be called with this data on every thread that calls lakekey.
    unsafe { (sink.callback)(sink.data, &raw const told) };
}
