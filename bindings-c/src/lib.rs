//! The C library: `liblakekey`, with `include/lakekey.h` made from these files.
//!
//! A function here reads its arguments, makes one call into `lakekey-ffi` and hands out the result. It trusts nobody:
//! texts are checked for UTF-8, pointers for NULL, handles for being of the right kind and not over, and a panic ends as
//! a code. What only the caller can keep is one rule, which each `SAFETY` line below refers to as *the caller's part*:
//! a pointer is NULL or points to what its name says, for as long as the function says.
#![allow(unsafe_code, reason = "this is where C's pointers come in and go out")]
#![allow(
    clippy::missing_safety_doc,
    reason = "the caller's part stands once above, and for C at the head of the header"
)]
#![allow(
    clippy::doc_markdown,
    reason = "the documentation becomes comments of a C header"
)]
#![allow(
    non_camel_case_types,
    reason = "the types have the names that C programs see"
)]

mod boundary;
mod cancel;
mod client;
mod code;
mod connect;
mod credential;
mod error;
mod log;
mod login;
mod manage;
mod object;
mod options;
mod plan;
mod provider;
mod recent;
mod secret;
mod stats;
mod text;
mod version;

pub use cancel::*;
pub use client::*;
pub use code::*;
pub use connect::*;
pub use credential::*;
pub use error::*;
pub use log::*;
pub use login::*;
pub use manage::*;
pub use object::{
    lk_cancel, lk_client, lk_connect, lk_credential, lk_error, lk_explanation, lk_plan, lk_secret,
    lk_stats, lk_token_answer,
};
pub use options::*;
pub use plan::*;
pub use provider::*;
pub use secret::*;
pub use stats::*;
pub use text::LK_NUL_TERMINATED;
pub use version::*;
