//! HTTP: one transport, one retry policy, one way to read errors.

pub mod transport;
