//! `google-id`: speaking as a Google service account by the right of whoever is logged in here: Application Default
//! Credentials, which are a file, the login of `gcloud`, or the machine's own account.

use std::path::PathBuf;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Method};
use serde_json::json;
use url::Url;

use crate::auth::azure::parse;
use crate::auth::chain::{Chosen, Ground};
use crate::auth::google::{
    AccountKey, GoogleEndpoints, GoogleTokens, SCOPES, audience, fields_of_file, id_token_in,
    identity, invalid, post_json, text,
};
use crate::auth::token_cache::Fetched;
use crate::auth::token_request::{ask, ask_for_token, object, read_token, unusable};
use crate::clock::{BoxFuture, Deadline};
use crate::code::Code;
use crate::config::Environment;
use crate::error::{Error, Result};
use crate::http::{Retry, Wire};
use crate::secret::Secret;

const NAME: &str = "google-id";
const VARIABLE: &str = "GOOGLE_APPLICATION_CREDENTIALS";
const BUDGET: Duration = Duration::from_secs(10);

pub(crate) fn make(ground: &Ground<'_>) -> Result<Chosen> {
    let audience = audience(ground, NAME)?;
    let account = ground
        .need(NAME, "google_service_account")?
        .expose()
        .to_owned();
    let endpoints = ground.outside.google.clone().unwrap_or_default();
    let base = format!(
        "{}v1/projects/-/serviceAccounts/",
        endpoints.iam_credentials
    );
    let address = |method: &str| {
        let mut url = parse(&base)?;
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push(&format!("{account}:{method}"));
        }
        Ok::<Url, Error>(url)
    };
    let source = Impersonated {
        id_token: address("generateIdToken")?,
        access_token: address("generateAccessToken")?,
        own: Own::find(ground.resolved.environment())?,
        hint: format!(
            "Check google_service_account (from {}): whoever is logged in here needs the role Service Account Token Creator on it",
            ground.source("google_service_account")
        ),
        endpoints,
    };
    let how = source.own.which();
    Ok(identity(ground, NAME, &account, &how, audience, source))
}

/// Application Default Credentials.
#[derive(Debug)]
enum Own {
    Key(Box<AccountKey>),
    User {
        client_id: String,
        client_secret: Secret,
        refresh_token: Secret,
    },
    Machine,
}

impl Own {
    fn find(environment: &Environment) -> Result<Own> {
        let (path, from) = match environment.var(VARIABLE) {
            Some(path) => (
                environment.expand(path),
                format!("{VARIABLE} environment variable"),
            ),
            None => match of_gcloud(environment).filter(|path| path.is_file()) {
                Some(path) => (path, "the login of gcloud".to_owned()),
                None => return Ok(Own::Machine),
            },
        };
        let fields = fields_of_file(&path, &from)?;
        match text(&fields, "type", &from)? {
            "service_account" => {
                AccountKey::read(&fields, &from).map(|key| Own::Key(Box::new(key)))
            }
            "authorized_user" => Ok(Own::User {
                client_id: text(&fields, "client_id", &from)?.to_owned(),
                client_secret: Secret::new(text(&fields, "client_secret", &from)?),
                refresh_token: Secret::new(text(&fields, "refresh_token", &from)?),
            }),
            _ => Err(invalid(
                &from,
                "only the types service_account and authorized_user can be used",
            )),
        }
    }

    /// Tells logins apart, without saying them.
    fn which(&self) -> String {
        match self {
            Own::Key(key) => format!("{} {}", key.email, key.key_id()),
            Own::User { refresh_token, .. } => refresh_token.fingerprint(),
            Own::Machine => "machine".to_owned(),
        }
    }
}

/// Where `gcloud auth application-default login` leaves its credentials.
fn of_gcloud(environment: &Environment) -> Option<PathBuf> {
    let folder = match environment.var("CLOUDSDK_CONFIG") {
        Some(folder) => environment.expand(folder),
        None if cfg!(windows) => PathBuf::from(environment.var("APPDATA")?).join("gcloud"),
        None => environment.home()?.join(".config").join("gcloud"),
    };
    Some(folder.join("application_default_credentials.json"))
}

#[derive(Debug)]
struct Impersonated {
    endpoints: GoogleEndpoints,
    id_token: Url,
    access_token: Url,
    own: Own,
    hint: String,
}

impl Impersonated {
    /// A token of whoever is logged in here.
    async fn login(&self, wire: &Wire, deadline: Deadline, retry: Retry) -> Result<Secret> {
        let fetched = match &self.own {
            Own::Key(key) => {
                key.access_token(wire, &SCOPES[..1], deadline, retry)
                    .await?
            }
            Own::User {
                client_id,
                client_secret,
                refresh_token,
            } => {
                let url = parse(&format!("{}token", self.endpoints.oauth))?;
                let form = [
                    ("grant_type", "refresh_token"),
                    ("client_id", client_id),
                    ("client_secret", client_secret.expose()),
                    ("refresh_token", refresh_token.expose()),
                ];
                let wire = wire.hiding(client_secret).hiding(refresh_token);
                ask_for_token(&wire, &url, &form, None, deadline, retry)
                    .await
                    .map_err(|error| match error.code() {
                        Code::AuthDenied => {
                            error.with_hint("Run `gcloud auth application-default login` again")
                        }
                        _ => error,
                    })?
            }
            Own::Machine => self.of_machine(wire, deadline, retry).await?,
        };
        Ok(fetched.token)
    }

    async fn of_machine(&self, wire: &Wire, deadline: Deadline, retry: Retry) -> Result<Fetched> {
        let mut url = parse(&format!(
            "{}computeMetadata/v1/instance/service-accounts/default/token",
            self.endpoints.instance_metadata
        ))?;
        url.query_pairs_mut().append_pair("scopes", SCOPES[0]);
        let headers = vec![(
            HeaderName::from_static("metadata-flavor"),
            HeaderValue::from_static("Google"),
        )];
        let deadline = deadline.within(&*wire.clock, BUDGET);
        let response = ask(wire, Method::GET, url.clone(), headers, deadline, retry)
            .await
            .map_err(|error| {
                let code = match error.code() {
                    // There is no such address outside of Google Cloud, and no use to ask it again.
                    Code::HttpConnect | Code::HttpTimeout => Code::AuthFailed,
                    other => other,
                };
                Error::new(code, format!("no Application Default Credentials: {}", error.message())).with_hint(format!(
                    "Run `gcloud auth application-default login`, or set {VARIABLE} to the path of a service account's key"
                ))
            })?;
        read_token(wire, &url, &response)
    }

    async fn ask(
        &self,
        wire: &Wire,
        url: &Url,
        body: &serde_json::Value,
        deadline: Deadline,
        retry: Retry,
    ) -> Result<crate::http::transport::Response> {
        let login = self.login(wire, deadline, retry).await?;
        let wire = wire.hiding(&login);
        post_json(&wire, url, &login, body, deadline, retry)
            .await
            .map_err(|error| match error.http_status() {
                Some(400..=404) => error.with_hint(&*self.hint),
                _ => error,
            })
    }
}

impl GoogleTokens for Impersonated {
    fn id_token<'a>(
        &'a self,
        wire: &'a Wire,
        audience: &'a str,
        deadline: Deadline,
        retry: Retry,
    ) -> BoxFuture<'a, Result<Fetched>> {
        Box::pin(async move {
            let body = json!({"audience": audience, "includeEmail": true});
            let response = self
                .ask(wire, &self.id_token, &body, deadline, retry)
                .await?;
            id_token_in(wire, &self.id_token, &response, "token")
        })
    }

    fn access_token<'a>(
        &'a self,
        wire: &'a Wire,
        deadline: Deadline,
        retry: Retry,
    ) -> BoxFuture<'a, Result<Fetched>> {
        Box::pin(async move {
            let url = &self.access_token;
            let body = json!({"scope": SCOPES, "lifetime": "3600s"});
            let response = self.ask(wire, url, &body, deadline, retry).await?;
            let body = object(url, &response)?;
            let field = |name: &str| body.get(name).and_then(|value| value.as_str());
            let token = field("accessToken")
                .filter(|token| !token.is_empty())
                .ok_or_else(|| unusable(url, "the answer holds no accessToken"))?;
            let end: jiff::Timestamp = field("expireTime")
                .and_then(|end| end.parse().ok())
                .ok_or_else(|| unusable(url, "the answer does not say when the token ends"))?;
            let now = wire.clock.now().wall_ms;
            let end = u64::try_from(end.as_millisecond()).unwrap_or_default();
            let lifetime = Duration::from_millis(end.saturating_sub(now));
            Ok(Fetched::bearer(Secret::new(token), Some(lifetime)))
        })
    }
}
