//! The C library as C programs use it. Without these tests it would be believed on the word of a Rust compiler, which
//! knows nothing of headers, symbols, sanitizers and two libraries in one program.
//!
//! `LAKEKEY_C` and `LAKEKEY_LIBPQ` say where both are installed; `cargo xtask test c` sets them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod abi;
mod build;
mod example;
mod management;
mod programs;
mod readme;
mod world;
