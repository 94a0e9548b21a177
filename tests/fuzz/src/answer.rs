//! What a server answers: error bodies, credentials, JWTs, times.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use lakekey::clock::{BoxFuture, ManualClock};
use lakekey::config::Settings;
use lakekey::credential::Store;
use lakekey::http::transport::{Request, Response, Transport};
use lakekey::jitter::FixedDice;
use lakekey::resolve::{Found, Lookup};
use lakekey::{Client, ClientOptions, ConnectRequest, Result};

use crate::{PLANTED, halves, runtime};

const STATUSES: [u16; 8] = [200, 200, 200, 400, 401, 404, 429, 503];

/// Answers everything with the same bytes, and echoes the token into them as careless servers do.
#[derive(Debug)]
struct Parrot(Response);

impl Transport for Parrot {
    fn send(&self, _: Request, _: Duration) -> BoxFuture<'_, Result<Response>> {
        Box::pin(async { Ok(self.0.clone()) })
    }
}

impl Lookup for Parrot {
    fn lookup(&self, _: &str) -> BoxFuture<'static, std::io::Result<Found>> {
        Box::pin(async { Ok(Found::new([IpAddr::from([192, 0, 2, 1])])) })
    }
}

/// The first byte chooses the status; lines up to a zero byte are headers, the rest is the body. Whatever it is, a login's
/// settings come out or an error, in no time, and neither shows the workspace's token.
pub fn check(data: &[u8]) {
    let Some((choice, data)) = data.split_first() else {
        return;
    };
    let (headers, body) = halves(data);
    let response = Response {
        status: STATUSES[usize::from(*choice) % STATUSES.len()],
        headers: read(headers),
        body: body.to_vec(),
    };
    let parrot = Arc::new(Parrot(response));
    let client = Client::new(ClientOptions {
        settings: Settings::new()
            .with("host", "https://workspace.example.com")
            .with("token", PLANTED),
        target: Some("projects/p/branches/b/endpoints/e".to_owned()),
        store: Store::new(
            Arc::new(ManualClock::at(1_700_000_000_000)),
            Arc::new(FixedDice(0.5)),
        ),
        transport: Some(parrot.clone()),
        lookup: parrot,
        direct_lookup: None,
        timeout: Duration::ZERO,
        ..ClientOptions::default()
    })
    .expect("a client");
    let login = runtime().block_on(client.connect_params(&ConnectRequest::default()));
    let shown = match login {
        Ok(login) => {
            let password = login
                .params
                .password()
                .map(|password| password.expose().to_owned());
            // What the server calls a credential is one, unless it is the workspace's own token.
            assert_ne!(password.as_deref(), Some(PLANTED));
            format!("{:?}", login.params)
        }
        Err(error) => format!("{error} {error:?} {:?} {:?}", error.hint(), error.causes()),
    };
    assert!(!shown.contains(PLANTED), "{shown}");
}

fn read(lines: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines.split(|byte| *byte == b'\n') {
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let (name, value) = (
            parts.next().unwrap_or_default(),
            parts.next().unwrap_or_default(),
        );
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name), HeaderValue::from_bytes(value))
        {
            headers.append(name, value);
        }
    }
    headers
}
