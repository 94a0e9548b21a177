//! A Postgres front door: it accepts connections, ends TLS, routes by SNI, asks for a password, opens the upstream
//! behind it and then moves bytes both ways.
//!
//! What a connection means is decided by the caller through [`FrontDoor`]; this crate owns the wire: the order of the
//! steps, the limits, what is sent when a step fails, cancel keys and the end of a session. Without it the emulator
//! and the local proxy would each carry a login state machine of their own, and the two would drift apart.
//!
//! Texts of errors are not here either: a [`Fault`] says what went wrong, and the caller's profile words it.

mod cancel;
mod disturbance;
mod door;
mod downstream;
mod greeting;
mod handshake;
mod packet;
mod refusal;
mod relay;
mod server;
mod session;
mod startup;
mod tls;

pub use disturbance::{Disturbance, End, Moment};
pub use door::{Arrival, FrontDoor, LoginEnd};
pub use packet::{BackendKey, Password};
pub use refusal::{Fault, Refusal};
pub use server::{Gateway, Limits, PlainPolicy};
pub use session::{Kill, Session, Sessions};
pub use startup::Startup;
pub use tls::{certified_key, crypto_provider, server_config};
