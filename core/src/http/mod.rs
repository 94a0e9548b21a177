//! HTTP: one transport, one retry policy, one way to read errors.

mod api;
pub mod transport;

pub use api::{Answer, Api, Call, Retry};
