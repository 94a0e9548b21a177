//! Database credentials: minting, caching, rotating.
//!
//! `policy` says when, `machine` says who, `flight` gets it, `slot` hands it out, `store` keeps one slot per identity and endpoint for the
//! whole process. Without these a pool either mints for each connection or logs in with an expired token.

mod flight;
pub(crate) mod machine;
pub(crate) mod mint;
pub mod policy;
pub(crate) mod slot;
pub(crate) mod store;
pub(crate) mod sync;

pub use mint::Credential;
pub use slot::Lease;
pub use store::Store;
