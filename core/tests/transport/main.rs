//! The real transport against real sockets on loopback: what goes wrong on a network, and what people read then.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod network;
mod proxy;
mod server;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method};
use lakekey::config::{Environment, Settings, resolve};
use lakekey::http::ReqwestTransport;
use lakekey::http::transport::{Request, Response, Transport};

fn transport(settings: &[(&str, &str)], env: &[(&str, &str)]) -> ReqwestTransport {
    let settings: Settings = settings.iter().copied().collect();
    let environment = Arc::new(Environment::from_pairs(env.iter().copied()));
    ReqwestTransport::new(&resolve(&settings, &environment).unwrap()).unwrap()
}

fn get(url: &str) -> Request {
    Request {
        method: Method::GET,
        url: url.parse().unwrap(),
        headers: HeaderMap::new(),
        body: Vec::new(),
        follow_redirects: false,
    }
}

async fn fetch(transport: &ReqwestTransport, url: &str) -> lakekey::Result<Response> {
    transport.send(get(url), Duration::from_secs(20)).await
}
