//! `pat`: a personal access token, or any other workspace token that somebody else takes care of.

use crate::auth::chain::{Authorization, Chosen, Ground, Tokens};
use crate::code::Code;
use crate::error::{Error, Result};

pub(crate) fn make(ground: &Ground<'_>) -> Result<Chosen> {
    let token = ground.need("pat", "token")?;
    // A line break at the end, as from a file, would fail much later and say less.
    if !token.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Error::new(
            Code::ConfigInvalid,
            format!(
                "default auth: pat: the token from {} holds a blank, a line break or another character that no token has",
                ground.source("token")
            ),
        )
        .with_hint("Set it again without what surrounds it"));
    }
    Ok(Chosen {
        auth_type: "pat",
        principal: format!("pat-{}", token.fingerprint()),
        login_name: None,
        tokens: Tokens::Fixed(Authorization::Fixed {
            scheme: "Bearer",
            token: token.clone(),
        }),
        wire: ground.wire.clone(),
    })
}
