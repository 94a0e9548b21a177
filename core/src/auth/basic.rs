//! `basic`: a user name and a password. Most workspaces have it switched off; it is here for those that have not.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::auth::chain::{Authorization, Chosen, Ground, Tokens};
use crate::error::Result;
use crate::secret::Secret;

pub(crate) fn make(ground: &Ground<'_>) -> Result<Chosen> {
    let user = ground.text("username").unwrap_or_default();
    let password = ground.need("basic", "password")?;
    let pair = Secret::new(STANDARD.encode(format!("{user}:{}", password.expose())));
    Ok(Chosen {
        auth_type: "basic",
        principal: format!("basic-{}", pair.fingerprint()),
        login_name: None,
        tokens: Tokens::Fixed(Authorization::Fixed {
            scheme: "Basic",
            token: pair,
        }),
        wire: ground.wire.clone(),
    })
}
