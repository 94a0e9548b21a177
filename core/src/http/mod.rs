//! HTTP: one transport, one retry policy, one way to read errors.

mod api;
mod error_body;
mod proxy;
mod reqwest_transport;
mod retry;
#[cfg(test)]
pub(crate) mod scripted;
#[cfg(test)]
mod tests;
pub(crate) mod tls;
pub mod transport;
mod wire;

pub use api::{Answer, Api, Call};
pub use reqwest_transport::ReqwestTransport;
pub use retry::Retry;

pub(crate) use error_body::{Asked, refusal, tidied, tidy};
pub(crate) use retry::date_ms;
pub(crate) use wire::Wire;
