//! `metadata-service`: a local service, such as that of the VS Code extension, that hands out tokens.

use std::sync::Arc;

use http::{HeaderName, HeaderValue, Method};
use std::time::Duration;
use url::Url;

use crate::auth::chain::{Chosen, Ground, Tokens};
use crate::auth::token_cache::{Fetched, TokenSource};
use crate::auth::token_request::{ask, read_token};
use crate::clock::{BoxFuture, Deadline};
use crate::code::Code;
use crate::config::is_loopback;
use crate::error::{Error, Result};
use crate::http::{Retry, Wire};
use crate::secret::Secret;

const NAME: &str = "metadata-service";
const BUDGET: Duration = Duration::from_secs(10);

pub(crate) fn make(ground: &Ground<'_>) -> Result<Chosen> {
    // The address may hold a secret, so messages name its source only.
    let text = ground.need(NAME, "metadata_service_url")?;
    let from = ground.source("metadata_service_url");
    let refuse = |why: &str| {
        Error::new(
            Code::ConfigInvalid,
            format!("default auth: {NAME}: {why} (metadata_service_url from {from})"),
        )
    };
    let url = Url::parse(text.expose()).map_err(|_| refuse("invalid auth server URL"))?;
    if url.scheme() != "http" || !is_loopback(&url) {
        return Err(refuse("only localhost URLs are allowed"));
    }
    let host = ground.resolved.host().unwrap_or_default().to_owned();
    let source = Service {
        url,
        host: host
            .parse()
            .map_err(|_| refuse("the workspace host is no header"))?,
        wire: ground.wire.clone(),
    };
    Ok(Chosen {
        auth_type: NAME,
        principal: format!("{NAME}-{}", text.fingerprint()),
        login_name: None,
        tokens: Tokens::renewed(source, ground),
        wire: ground.wire.clone(),
    })
}

#[derive(Debug)]
struct Service {
    url: Url,
    host: HeaderValue,
    wire: Wire,
}

impl TokenSource for Service {
    fn trouble(&self) -> Option<Arc<Error>> {
        self.wire.trouble.load_full()
    }

    fn fetch(&self, deadline: Deadline, retry: Retry) -> BoxFuture<'_, Result<Fetched>> {
        Box::pin(async move {
            let headers = vec![
                (
                    HeaderName::from_static("x-databricks-metadata-version"),
                    HeaderValue::from_static("1"),
                ),
                (
                    HeaderName::from_static("x-databricks-host"),
                    self.host.clone(),
                ),
            ];
            let deadline = deadline.within(&*self.wire.clock, BUDGET);
            let path = Secret::new(self.url.path());
            let wire = if path.expose() == "/" {
                self.wire.clone()
            } else {
                self.wire.hiding(&path)
            };
            let asked = ask(
                &wire,
                Method::GET,
                self.url.clone(),
                headers,
                deadline,
                retry,
            );
            let answer = match asked.await {
                Ok(response) => read_token(&wire, &self.url, &response),
                Err(error) => Err(error),
            };
            answer.map_err(|error| {
                // Without the path, which may be what keeps strangers out.
                let text = error.message().replace(self.url.path().trim_end_matches('/'), "");
                let text = if self.url.path() == "/" { error.message().to_owned() } else { text };
                let code = match error.code() {
                    // Nobody listens: the program that ran the service has ended.
                    Code::HttpConnect => Code::AuthFailed,
                    other => other,
                };
                Error::new(code, format!("{NAME}: {text}")).with_hint(
                    "Start the program that set DATABRICKS_METADATA_SERVICE_URL again, or unset the variable",
                )
            })
        })
    }
}
