//! The tokens of the workspace: database credentials and access tokens, and the knobs on them.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{DATABASE_AUDIENCE, Lakebase, WORKSPACE_AUDIENCE, identity};
use crate::Error;
use crate::token::{Claims, Knobs, TokenSettings, Tokens};

impl Lakebase {
    /// Applies the knobs on tokens.
    pub(crate) fn set_tokens(&self, settings: &TokenSettings) -> Result<Knobs, Error> {
        self.tokens.set(settings)?;
        if settings.rotate_key {
            let key = Tokens::new_key()?;
            self.store.save_key(&key)?;
            self.tokens.use_key(&key)?;
        }
        Ok(self.tokens.knobs())
    }

    /// A database credential of `sub`, good for `ttl_s` seconds from the second that the clock shows, and its end.
    pub(crate) fn mint(
        &self,
        sub: &str,
        endpoint: &str,
        ttl_s: i64,
        claims: &Value,
    ) -> Result<(String, Timestamp), Error> {
        let knobs = self.tokens.knobs();
        let (endpoint_uid, branch_uid, project_uid) = {
            let view = self.view();
            let found = view.endpoints().find(|at| at.name() == endpoint);
            found
                .map(|at| {
                    (
                        at.endpoint.uid.clone(),
                        at.branch.uid.clone(),
                        at.project.uid.clone(),
                    )
                })
                .unwrap_or_default()
        };
        let mut rest = Map::new();
        rest.insert("workspace_id".to_owned(), json!(identity::WORKSPACE_ID));
        rest.insert("account_id".to_owned(), json!(identity::ACCOUNT_ID));
        rest.insert("endpointId".to_owned(), json!(endpoint_uid));
        rest.insert("branchId".to_owned(), json!(branch_uid));
        rest.insert("projectId".to_owned(), json!(project_uid));
        rest.insert("endpoint".to_owned(), json!(endpoint));
        rest.insert("scope".to_owned(), json!("lakebase.login"));
        rest.insert("claims".to_owned(), claims.clone());
        let audience = if knobs.wrong_audience {
            "lakebase:0"
        } else {
            DATABASE_AUDIENCE
        };
        let claims = self.claims(sub, audience, ttl_s, knobs.not_before_s, rest);
        let end = Timestamp::from_second(claims.exp)
            .map_err(|_| Error::invalid("ttl", ttl_s, "a length that ends before the year 9999"))?;
        let token = self.tokens.sign(claims, knobs.size_bytes)?;
        self.journal.minted(&endpoint_uid);
        Ok((token, end))
    }

    /// A workspace access token of `sub`, and its lifetime in seconds.
    pub(crate) fn workspace_token(&self, sub: &str, scope: &str) -> Result<(String, i64), Error> {
        let ttl_s = self.tokens.knobs().workspace_ttl_s;
        let mut rest = Map::new();
        rest.insert("client_id".to_owned(), json!(sub));
        rest.insert("scope".to_owned(), json!(scope));
        rest.insert("org_id".to_owned(), json!(identity::WORKSPACE_ID));
        let claims = self.claims(sub, WORKSPACE_AUDIENCE, ttl_s, 0, rest);
        let token = self.tokens.sign(claims, 0)?;
        self.journal.workspace_token_issued();
        Ok((token, ttl_s))
    }

    pub(super) fn claims(
        &self,
        sub: &str,
        audience: &str,
        ttl_s: i64,
        not_before_s: i64,
        rest: Map<String, Value>,
    ) -> Claims {
        let now = self.clock.now().as_second();
        Claims {
            sub: sub.to_owned(),
            iss: "lakekey-emulator".to_owned(),
            aud: audience.to_owned(),
            iat: now,
            nbf: now.saturating_add(not_before_s),
            exp: now.saturating_add(ttl_s),
            jti: self.tokens.random_id(true),
            rest,
        }
    }
}
