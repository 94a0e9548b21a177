//! The native library of the jar `io.lakekey:lakekey`: private, thin, and the only native part of it.
//!
//! A function here is a static native method of the class `io.lakekey.Native`. It takes its arguments, makes one call
//! into `lakekey-ffi` and converts the result. What users see, and every wait, is Java's business.
//!
//! - Nothing waits here. What is not at hand is begun, and an [`answer`] is called back; so a virtual thread that waits
//!   gives its carrier back.
//! - Nothing here holds a class, nor an object for longer than a call: with one in a global reference the class loader of
//!   a redeployed application could never be unloaded. For the same reason no thread stays attached to the JVM.
//! - Java holds numbers and not pointers: one that was freed, or made up, is an error.

pub mod about;
pub mod answer;
pub mod client;
mod credential;
mod entry;
mod failure;
pub mod login;
pub mod logs;
pub mod management;
mod number;
pub mod plan;
pub mod provider;
pub mod stats;
mod text;
