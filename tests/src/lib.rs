//! Hygiene, oracle and end-to-end tests of lakekey.
//!
//! The Rust of the README is compiled here, so that it cannot name what does not exist:
#![doc = include_str!("../../README.md")]
