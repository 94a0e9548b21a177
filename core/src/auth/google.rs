//! What the Google types have in common: an ID token made for the workspace, beside it an access token for Google Cloud
//! if there can be one, and the key of a service account that signs the requests for both.
//!
//! The ID token says who we are. The access token lets the workspace act in Google Cloud, which Lakebase never needs, so
//! without it a login goes on with a warning.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderName, Method};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Map, Value, json};
use url::Url;

use crate::auth::chain::{Chosen, Ground, Tokens, missing, sensitive};
use crate::auth::file_oidc::text_of;
use crate::auth::token_cache::{Fetched, TokenSource};
use crate::auth::token_request::{ask_for_token, object, post_form, unusable};
use crate::clock::{BoxFuture, Deadline};
use crate::code::Code;
use crate::config::is_loopback;
use crate::error::{Error, Result};
use crate::http::transport::Response;
use crate::http::{Retry, Wire, date_ms};
use crate::jwt;
use crate::secret::Secret;

/// What the workspace may do with the access token.
pub(crate) const SCOPES: [&str; 2] = [
    "https://www.googleapis.com/auth/cloud-platform",
    "https://www.googleapis.com/auth/compute",
];
const ACCESS: HeaderName = HeaderName::from_static("x-databricks-gcp-sa-access-token");
const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// The access token is not worth waiting longer for.
const OPTIONAL_BUDGET: Duration = Duration::from_secs(5);

/// Where Google's services are; each ends in a slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoogleEndpoints {
    /// Gives tokens to users.
    pub oauth: String,
    /// Lets one identity speak as a service account.
    pub iam_credentials: String,
    /// Gives tokens to virtual machines.
    pub instance_metadata: String,
}

impl Default for GoogleEndpoints {
    fn default() -> GoogleEndpoints {
        GoogleEndpoints {
            oauth: "https://oauth2.googleapis.com/".to_owned(),
            iam_credentials: "https://iamcredentials.googleapis.com/".to_owned(),
            instance_metadata: "http://169.254.169.254/".to_owned(),
        }
    }
}

/// Makes tokens of Google's.
pub(crate) trait GoogleTokens: fmt::Debug + Send + Sync + 'static {
    /// A token for `audience`, which tells it who we are.
    fn id_token<'a>(
        &'a self,
        wire: &'a Wire,
        audience: &'a str,
        deadline: Deadline,
        retry: Retry,
    ) -> BoxFuture<'a, Result<Fetched>>;

    /// A token for Google Cloud itself.
    fn access_token<'a>(
        &'a self,
        wire: &'a Wire,
        deadline: Deadline,
        retry: Retry,
    ) -> BoxFuture<'a, Result<Fetched>>;
}

/// The workspace's host, which is whom the ID token is for; declines elsewhere than on Google Cloud.
pub(crate) fn audience(ground: &Ground<'_>, auth_type: &str) -> Result<String> {
    let host = ground.resolved.host().unwrap_or_default();
    let on_google = match ground.text("cloud") {
        Some(cloud) => cloud.eq_ignore_ascii_case("gcp"),
        None => host.ends_with(".gcp.databricks.com"),
    };
    if !on_google {
        return Err(missing(
            auth_type,
            "the host is no workspace on Google Cloud",
        ));
    }
    Ok(host.to_owned())
}

/// An identity that lives on `source`; `email` is who it is, `how` tells ways to be it apart.
pub(crate) fn identity(
    ground: &Ground<'_>,
    auth_type: &'static str,
    email: &str,
    how: &str,
    audience: String,
    source: impl GoogleTokens,
) -> Chosen {
    let who = Secret::new(format!("{email}\n{how}"));
    let tokens = OnGoogle {
        auth_type,
        audience,
        wire: ground.wire.clone(),
        source: Box::new(source),
    };
    Chosen {
        auth_type,
        principal: format!("{auth_type}-{}", who.fingerprint()),
        login_name: Some(email.to_owned()),
        tokens: Tokens::renewed(tokens, ground),
        wire: ground.wire.clone(),
    }
}

#[derive(Debug)]
struct OnGoogle {
    auth_type: &'static str,
    audience: String,
    wire: Wire,
    source: Box<dyn GoogleTokens>,
}

impl TokenSource for OnGoogle {
    fn trouble(&self) -> Option<Arc<Error>> {
        self.wire.trouble.load_full()
    }

    fn fetch(&self, deadline: Deadline, retry: Retry) -> BoxFuture<'_, Result<Fetched>> {
        Box::pin(async move {
            let wire = &self.wire;
            let deadline = wire.bounded(deadline);
            let short = deadline.within(&*wire.clock, OPTIONAL_BUDGET);
            let (own, access) = tokio::join!(
                self.source.id_token(wire, &self.audience, deadline, retry),
                self.source.access_token(wire, short, retry)
            );
            let mut fetched = own.map_err(|error| error.context(self.auth_type))?;
            match access {
                Ok(access) => {
                    let token = sensitive(access.token.expose())?;
                    fetched.headers.insert(ACCESS, token);
                    fetched.lifetime = match (fetched.lifetime, access.lifetime) {
                        (Some(one), Some(other)) => Some(one.min(other)),
                        (one, other) => one.or(other),
                    };
                }
                Err(error) => tracing::warn!(
                    "{}: no access token for Google Cloud goes along: {error}",
                    self.auth_type
                ),
            }
            Ok(fetched)
        })
    }
}

/// The key of a service account, as Google gives it out.
pub(crate) struct AccountKey {
    pub(crate) email: String,
    key_id: Option<String>,
    token_uri: Url,
    pair: RsaKeyPair,
}

impl fmt::Debug for AccountKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccountKey")
            .field("email", &self.email)
            .finish_non_exhaustive()
    }
}

impl AccountKey {
    /// Reads the key; `from` names where it stands, for messages.
    pub(crate) fn read(fields: &Map<String, Value>, from: &str) -> Result<AccountKey> {
        let token_uri = text(fields, "token_uri", from)?;
        let token_uri = Url::parse(token_uri)
            .ok()
            .filter(|url| url.scheme() == "https" || is_loopback(url))
            .ok_or_else(|| invalid(from, "its token_uri is no https address"))?;
        let pem = text(fields, "private_key", from)?;
        let broken = || invalid(from, "its private_key is no RSA key in PEM");
        let pair = match PrivateKeyDer::from_pem_slice(pem.as_bytes()) {
            Ok(PrivateKeyDer::Pkcs8(der)) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
            Ok(PrivateKeyDer::Pkcs1(der)) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
            _ => return Err(broken()),
        };
        Ok(AccountKey {
            email: text(fields, "client_email", from)?.to_owned(),
            key_id: fields
                .get("private_key_id")
                .and_then(|id| id.as_str())
                .map(str::to_owned),
            token_uri,
            pair: pair.map_err(|_| broken())?,
        })
    }

    /// Which key of the account it is.
    pub(crate) fn key_id(&self) -> &str {
        self.key_id.as_deref().unwrap_or_default()
    }

    pub(crate) async fn id_token(
        &self,
        wire: &Wire,
        audience: &str,
        deadline: Deadline,
        retry: Retry,
    ) -> Result<Fetched> {
        let assertion = self.assertion(wire, "target_audience", audience)?;
        let wire = wire.hiding(&assertion);
        let form = [("grant_type", GRANT), ("assertion", assertion.expose())];
        let response = post_form(&wire, &self.token_uri, &form, None, deadline, retry)
            .await
            .map_err(|error| self.hinted(error))?;
        id_token_in(&wire, &self.token_uri, &response, "id_token")
    }

    pub(crate) async fn access_token(
        &self,
        wire: &Wire,
        scopes: &[&str],
        deadline: Deadline,
        retry: Retry,
    ) -> Result<Fetched> {
        let assertion = self.assertion(wire, "scope", &scopes.join(" "))?;
        let wire = wire.hiding(&assertion);
        let form = [("grant_type", GRANT), ("assertion", assertion.expose())];
        ask_for_token(&wire, &self.token_uri, &form, None, deadline, retry)
            .await
            .map_err(|error| self.hinted(error))
    }

    fn hinted(&self, error: Error) -> Error {
        match error.code() {
            Code::AuthDenied => error.with_hint(format!(
                "Check that the key {} of {} was not deleted, and that the clock of this machine is right",
                self.key_id(),
                self.email
            )),
            _ => error,
        }
    }

    /// A JWT by which the account asks for a token, signed with its key.
    fn assertion(&self, wire: &Wire, claim: &str, wanted: &str) -> Result<Secret> {
        let now = wire.clock.now().wall_ms / 1000;
        let mut header = json!({"alg": "RS256", "typ": "JWT"});
        if let Some(id) = &self.key_id {
            header["kid"] = json!(id);
        }
        let mut claims = json!({
            "iss": self.email,
            "sub": self.email,
            "aud": self.token_uri.as_str(),
            // A clock that runs a little ahead must not make a token of the future.
            "iat": now.saturating_sub(10),
            "exp": now + 3600,
        });
        claims[claim] = json!(wanted);
        let [header, claims] =
            [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let signed = format!("{header}.{claims}");
        let mut signature = vec![0; self.pair.public().modulus_len()];
        self.pair
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                signed.as_bytes(),
                &mut signature,
            )
            .map_err(|_| {
                Error::new(
                    Code::Internal,
                    "the service account's key could not sign a request for a token",
                )
            })?;
        Ok(Secret::new(format!(
            "{signed}.{}",
            URL_SAFE_NO_PAD.encode(signature)
        )))
    }
}

/// The ID token in a field of an answer, and how long it lives.
pub(crate) fn id_token_in(
    wire: &Wire,
    url: &Url,
    response: &Response,
    field: &str,
) -> Result<Fetched> {
    let body = object(url, response)?;
    let token = body
        .get(field)
        .and_then(|token| token.as_str())
        .filter(|token| !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()))
        .ok_or_else(|| unusable(url, &format!("the answer holds no {field}")))?;
    let now = date_ms(&response.headers).unwrap_or_else(|| wire.clock.now().wall_ms);
    let end = jwt::expires_at_ms(token)
        .ok_or_else(|| unusable(url, "the ID token does not say when it ends"))?;
    let lifetime = Duration::from_millis(end.saturating_sub(now));
    Ok(Fetched::bearer(Secret::new(token), Some(lifetime)))
}

/// The fields of a file of credentials.
pub(crate) fn fields_of_file(path: &Path, from: &str) -> Result<Map<String, Value>> {
    let text = text_of(path)
        .map_err(|why| invalid(from, &format!("the file {} {why}", path.display())))?;
    fields_of(&text).ok_or_else(|| {
        invalid(
            from,
            &format!("the file {} is no JSON object", path.display()),
        )
    })
}

/// The fields of a JSON object.
pub(crate) fn fields_of(text: &str) -> Option<Map<String, Value>> {
    serde_json::from_str(text).ok()
}

/// A field of text that credentials cannot do without.
pub(crate) fn text<'a>(fields: &'a Map<String, Value>, name: &str, from: &str) -> Result<&'a str> {
    fields
        .get(name)
        .and_then(|value| value.as_str())
        .filter(|text| !text.is_empty())
        .ok_or_else(|| invalid(from, &format!("it has no {name}")))
}

/// Credentials of Google's that cannot be used.
pub(crate) fn invalid(from: &str, why: &str) -> Error {
    Error::new(
        Code::ConfigInvalid,
        format!("default auth: the Google credentials from {from} cannot be used: {why}"),
    )
    .with_hint(
        "Give the JSON of a service account's key, as Google Cloud gives it out, or its path",
    )
}

/// A POST of JSON with a bearer token, as Google's APIs want it.
pub(crate) async fn post_json(
    wire: &Wire,
    url: &Url,
    bearer: &Secret,
    body: &Value,
    deadline: Deadline,
    retry: Retry,
) -> Result<Response> {
    use crate::auth::token_request::{refused, request};
    use http::header::{AUTHORIZATION, CONTENT_TYPE};

    let mut asked = request(wire, Method::POST, url.clone());
    asked.headers.insert(
        CONTENT_TYPE,
        http::HeaderValue::from_static("application/json"),
    );
    asked.headers.insert(
        AUTHORIZATION,
        sensitive(&format!("Bearer {}", bearer.expose()))?,
    );
    asked.body = body.to_string().into_bytes();
    let response = wire.exchange(&asked, deadline, retry).await?;
    if !(200..300).contains(&response.status) {
        return Err(refused(wire, &asked, &response));
    }
    Ok(response)
}
