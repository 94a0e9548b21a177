//! The management API: projects, branches, endpoints, roles, databases and the rest, typed.
//!
//! ```no_run
//! # async fn example(client: lakekey::Client) -> lakekey::Result<()> {
//! use std::time::Duration;
//! use lakekey::management::{Branch, BranchSpec, WaitOptions};
//!
//! let postgres = client.postgres();
//! let spec = BranchSpec { ttl: Some(Duration::from_secs(3600)), ..Default::default() };
//! let branch = Branch { spec: Some(spec), ..Default::default() };
//! let mut creating = postgres.create_branch("projects/shop", &branch, "ci-42").await?;
//! let branch = creating.wait(WaitOptions::default()).await?;
//!
//! let mut branches = postgres.list_branches("projects/shop");
//! while let Some(branch) = branches.next().await? {
//!     println!("{:?}", branch.name);
//! }
//! # Ok(()) }
//! ```
//!
//! Methods, messages and enums are generated from `core/api`. A few are lakekey's own ([`own`]): they do by calls of the others
//! what people write by hand. What is hard about calling them is written here, once for
//! all languages: which requests may be sent twice ([`send`]), how to wait for an operation ([`operation`]), how to fetch
//! pages ahead ([`page`]) and what an update changes (`mask`). A binding sends names and JSON through
//! [`Postgres::call`] and has all of it.

mod argument;
mod generated;
mod limits;
mod mask;
mod message;
mod method;
mod operation;
mod own;
mod page;
mod polling;
mod prelude;
mod request;
mod send;
mod wire;

#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::client::Client;
use crate::code::Code;
use crate::error::{Error, Result};

pub use generated::*;
pub use message::Message;
pub use operation::{Operation, Progress, Tell, WaitOptions};
pub(crate) use page::Ahead;
pub use page::Pager;
pub use request::Request;
pub use wire::Timestamp;

use generated::METHODS;
use method::Method;

/// A JSON object.
pub type Object = Map<String, Value>;

/// The management API of a client's workspace. Cheap to clone.
#[derive(Clone)]
pub struct Postgres(Client);

impl Client {
    /// The management API. No I/O.
    pub fn postgres(&self) -> Postgres {
        Postgres(self.clone())
    }
}

impl Postgres {
    /// Calls a method by its name in the API, such as `create_branch`, with its arguments as one JSON object; gives the
    /// JSON of the answer. `timeout` is the client's own unless given.
    ///
    /// Arguments have their API names: the path's parameter (`parent`, `name`), the query's, and the resource under its
    /// own name (`branch`). An `update_mask` that is not given follows from what the resource sets. A list method gives
    /// one page; with `"prefetch": true` the next one is fetched meanwhile, for a call with its `page_token`.
    ///
    /// # Errors
    /// [`Code::ApiArgument`] for a name or an argument that does not exist, and what the service answered.
    pub async fn call(
        &self,
        method: &str,
        arguments: Object,
        timeout: Option<Duration>,
    ) -> Result<Value> {
        let method = Method::named(method)?;
        if method.is_list() {
            return self.page(method, arguments, timeout).await;
        }
        Ok(self.send(method, arguments, timeout).await?.body)
    }

    /// How long a method may take where the caller does not say, if that is longer than the client's own limit: lakekey's
    /// own methods wait for operations and logins.
    pub fn patience(method: &str) -> Option<Duration> {
        Method::named(method).ok()?.patience
    }

    /// The names of all methods.
    pub fn methods() -> impl Iterator<Item = &'static str> {
        METHODS.iter().map(|method| method.name)
    }

    pub(crate) fn client(&self) -> &Client {
        &self.0
    }
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Postgres")
    }
}

/// A span of time as the API has it: `5400s`.
pub fn duration_text(span: Duration) -> String {
    wire::seconds(span)
}

fn bad_argument(name: &str, problem: impl fmt::Display) -> Error {
    Error::new(Code::ApiArgument, format!("argument `{name}`: {problem}"))
}
