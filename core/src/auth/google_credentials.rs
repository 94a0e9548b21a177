//! `google-credentials`: the key of a Google service account, as JSON or as the path of a file.

use crate::auth::chain::{Chosen, Ground};
use crate::auth::file_oidc::text_of;
use crate::auth::google::{
    AccountKey, GoogleTokens, SCOPES, audience, fields_of, identity, invalid,
};
use crate::auth::token_cache::Fetched;
use crate::clock::{BoxFuture, Deadline};
use crate::error::Result;
use crate::http::{Retry, Wire};

const NAME: &str = "google-credentials";

pub(crate) fn make(ground: &Ground<'_>) -> Result<Chosen> {
    let audience = audience(ground, NAME)?;
    let given = ground.need(NAME, "google_credentials")?.expose().trim();
    let from = ground.source("google_credentials");
    let fields = if given.starts_with('{') {
        fields_of(given).ok_or_else(|| invalid(&from, "it is no JSON object"))?
    } else {
        // What is neither may be a secret that was pasted wrongly, so it is not shown.
        let text = text_of(&ground.resolved.environment().expand(given));
        let text =
            text.map_err(|why| invalid(&from, &format!("it is no JSON, and as a file it {why}")))?;
        fields_of(&text)
            .ok_or_else(|| invalid(&from, "the file that it names is no JSON object"))?
    };
    let key = AccountKey::read(&fields, &from)?;
    let (email, id) = (key.email.clone(), key.key_id().to_owned());
    Ok(identity(ground, NAME, &email, &id, audience, Account(key)))
}

#[derive(Debug)]
struct Account(AccountKey);

impl GoogleTokens for Account {
    fn id_token<'a>(
        &'a self,
        wire: &'a Wire,
        audience: &'a str,
        deadline: Deadline,
        retry: Retry,
    ) -> BoxFuture<'a, Result<Fetched>> {
        Box::pin(self.0.id_token(wire, audience, deadline, retry))
    }

    fn access_token<'a>(
        &'a self,
        wire: &'a Wire,
        deadline: Deadline,
        retry: Retry,
    ) -> BoxFuture<'a, Result<Fetched>> {
        Box::pin(self.0.access_token(wire, &SCOPES, deadline, retry))
    }
}
