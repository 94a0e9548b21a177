//! What must hold whatever bytes come in.
//!
//! Each module has one `check`, which panics if it does not hold. `cargo fuzz` calls it with bytes that a fuzzer thought
//! up (see the README beside this crate), and `tests/bounded.rs` with the seeds in `corpus/`, with random bytes and with
//! seeds that were damaged, in every run of the tests.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a check has no other way to say that something does not hold"
)]

pub mod answer;
pub mod conninfo;
pub mod control;
pub mod door;
pub mod profile;
#[cfg(unix)]
pub mod shared;
pub mod target;

/// A secret that is put in and must not come out again.
const PLANTED: &str = "dapi-planted-5a17";

/// The runtime of the checks that need one. One thread: a fuzzer wants the same order of things each time.
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

/// Splits bytes at the first zero byte: two inputs in one.
fn halves(data: &[u8]) -> (&[u8], &[u8]) {
    let at = data.iter().position(|byte| *byte == 0);
    at.map_or((data, &[]), |at| (&data[..at], &data[at + 1..]))
}
