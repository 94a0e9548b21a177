//! What a client was configured with and who it is: for `lakekey auth describe` and for whoever has to find out why a
//! login used that host.

use crate::auth::Tried;
use crate::client::Client;
use crate::config::Value;
use crate::error::Result;

/// Configuration and identity. Debug output masks secrets.
#[derive(Clone, Debug)]
pub struct Description {
    /// The authentication type in use; where several have all they need and none was asked yet, the first.
    pub auth_type: String,
    /// The workspace's origin; `None` while only the cloud knows it.
    pub host: Option<String>,
    /// Every attribute that is set, with its source.
    pub attributes: Vec<Value>,
    /// Types that come before it in the chain or after it and are not in use, each with the reason.
    pub tried: Vec<Tried>,
    /// What is legal but looks like a mistake.
    pub notes: Vec<String>,
}

impl Client {
    /// Resolves the configuration and says what came of it. Reads the configuration file; no request, no process.
    pub fn describe(&self) -> Result<Description> {
        let api = &self.door()?.api;
        let resolved = api.resolved();
        Ok(Description {
            auth_type: api.auth_type().to_owned(),
            host: Some(api.host().to_owned()).filter(|host| !host.is_empty()),
            attributes: resolved.values().to_vec(),
            tried: api.tried(),
            notes: resolved.notes().to_vec(),
        })
    }

    /// Who asks for its credentials, for messages; `None` before the first request.
    pub(crate) fn identity(&self) -> Option<String> {
        self.door().ok()?.api.identity()
    }

    /// Gets a workspace token, or says why none can be got. What it settles on, [`Client::describe`] then shows.
    pub async fn check_identity(&self) -> Result<()> {
        let door = self.door()?;
        door.api.check(self.deadline(None)).await
    }
}
