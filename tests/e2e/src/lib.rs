//! The Rust client, the emulator and a real Postgres together. The tests are in `tests/`.
//!
//! With the feature `readme` the Rust of the README is run as well; it reads the environment, as a newcomer's would, so it
//! is run below `lakekey emulate`.
#![cfg_attr(feature = "readme", doc = include_str!("../../../README.md"))]
