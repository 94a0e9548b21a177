//! Rules that every crate and every file keeps: who may use whom, what may stand where, what may never be said. Each is
//! cheap to break by accident and dear to find later. Each scanner is also run on a bad sample, so that a rule which
//! finds nothing because it looks at nothing is itself found.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod bindings;
mod codes;
mod deps;
mod files;
mod promises;
mod readme;
mod rooms;
mod secrets;
mod sources;
mod unsafe_code;

/// Fails with one line per violation.
fn none(violations: &[String]) {
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}
