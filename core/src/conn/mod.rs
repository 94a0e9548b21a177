//! Connection settings: one model, and the ways to write it that drivers read.
//!
//! The parsers follow libpq 18 to the letter, since what psql takes a team expects everywhere; libpq itself is the
//! oracle in the tests. Unlike libpq, no error repeats text of the string: a slip in a URI puts pieces of the password
//! where a host or port is expected, and messages end up in logs.

mod check;
mod env;
mod jdbc;
mod keyword;
mod params;
mod sqlalchemy;
mod table;
mod tls_root;
mod uri;

pub use env::EnvStyle;
pub use params::{Params, WithPassword};
pub use sqlalchemy::SqlAlchemyDriver;
pub use table::Keyword;
pub use tls_root::{SYSTEM_ROOTS, default_root};
