//! One mint for all processes of one user on one host: credentials in files that only that user can read.
//!
//! Thirty-two workers that start together would mint thirty-two times, and a worker that starts while the workspace is
//! away could not log in although its neighbours hold a good credential. Somebody has to ask for it: a token in a file,
//! even a private one, outlives the process that minted it.
//!
//! `directory` opens nothing that others could have put there, `record` believes nothing that is damaged, old or from
//! another boot, and `exchange` decides who mints. Whatever goes wrong here costs a mint and never a login, unless the
//! program says that the directory is required.

#[cfg_attr(unix, path = "directory.rs")]
#[cfg_attr(not(unix), path = "nowhere.rs")]
mod directory;
mod exchange;
mod fact;
mod option;
mod record;

pub(crate) use exchange::{Exchange, Turn};
pub(crate) use fact::Fact;
pub use option::SharedCredentials;
pub(crate) use record::Kept;
