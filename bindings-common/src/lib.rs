//! What every language binding of lakekey needs once: runtime, fork, cancel, panic guard, plain structs.
//!
//! A binding parses arguments, makes one call here and converts the result. Everything that is hard to get right at a
//! language boundary lives in this crate, so that five bindings do not get it wrong in five ways:
//!
//! - threads: nothing starts one until the first call that has to wait ([`runtime`]);
//! - fork: a child never touches what its parent may have locked ([`fork`], [`client`]);
//! - waiting: one operation, three ways to wait for it ([`call`], [`blocking`]);
//! - panics: they end as an error with the code `INTERNAL_PANIC` ([`guard`]);
//! - the end: nobody is inside the host while it shuts down ([`gate`]);
//! - connecting: which address to dial next and whether to try again is asked step by step ([`plan`]);
//! - ownership: results are plain owned values ([`plain`]), shared credentials are counted ([`client::Lease`]), and a
//!   language without destructors holds numbers ([`slab`]).

pub mod blocking;
pub mod call;
pub mod cancel;
pub mod client;
pub mod error;
pub mod fork;
pub mod gate;
pub mod glance;
pub mod guard;
pub mod login;
pub mod logs;
pub mod management;
pub mod plain;
pub mod plan;
pub mod provider;
pub mod runtime;
pub mod slab;
pub mod stats;
pub mod version;

pub use call::Call;
pub use cancel::CancelHandle;
pub use client::{Handle, Lease};
pub use error::{FfiError, Result};
pub use lakekey::{Code, Secret};
