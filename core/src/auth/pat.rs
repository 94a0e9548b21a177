//! `pat`: a personal access token, or any other workspace token that somebody else takes care of.

use std::sync::Arc;

use crate::auth::chain::{Authorization, Chosen, Tokens};
use crate::code::Code;
use crate::config::Resolved;
use crate::error::{Error, Result};
use crate::http::Wire;

pub(crate) fn make(resolved: &Arc<Resolved>, _wire: Wire) -> Result<Chosen> {
    let Some(value) = resolved.value("token") else {
        return Err(Error::new(
            Code::AuthNotConfigured,
            "default auth: pat: no token",
        ));
    };
    let token = value.secret();
    // A line break at the end, as from a file, would fail much later and say less.
    if !token.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Error::new(
            Code::ConfigInvalid,
            format!(
                "default auth: pat: the token from {} holds a blank, a line break or another character that no token has",
                value.source
            ),
        )
        .with_hint("Set it again without what surrounds it"));
    }
    Ok(Chosen {
        auth_type: "pat",
        principal: format!("pat-{}", token.fingerprint()),
        login_name: None,
        tokens: Tokens::Fixed(Authorization::Fixed(token.clone())),
    })
}
