//! The admin API: how a test in any language moves the clock, sets faults and reads what happened.
//!
//! It has a listener and a token of its own, so that an outage of the control plane does not lock the test out that
//! caused it, and so that no client of the control plane ends up here by mistake.

mod answers;
mod computes;
mod crowd;
mod handlers;
mod lakehouse;
mod restore;

use std::sync::{Arc, Weak};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{delete, get, post};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use ring::digest::{Digest, SHA256, digest};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::behind::Behind;
use crate::control::serve::accept;
use crate::dns::{Dns, Rules};
use crate::state::Lakebase;
use answers::Refused;

/// What the handlers share.
pub(crate) struct Desk {
    lakebase: Arc<Lakebase>,
    /// Weak, so that a call in flight does not keep Postgres up when the emulator ends.
    behind: Option<Weak<Behind>>,
    dns: Option<Arc<Rules>>,
    token: Digest,
    stop: watch::Sender<bool>,
}

impl Desk {
    pub(crate) fn new(
        lakebase: Arc<Lakebase>,
        behind: Option<&Arc<Behind>>,
        dns: Option<&Dns>,
        token: &str,
        stop: watch::Sender<bool>,
    ) -> Self {
        Self {
            lakebase,
            behind: behind.map(Arc::downgrade),
            dns: dns.map(|dns| dns.rules().clone()),
            token: digest(&SHA256, token.as_bytes()),
            stop,
        }
    }
}

/// Serves until it is dropped.
pub(crate) async fn serve(listener: TcpListener, desk: Desk) {
    let desk = Arc::new(desk);
    let guarded = Router::new()
        .route("/_emulator/state", get(handlers::state))
        .route("/_emulator/requests", get(handlers::requests))
        .route("/_emulator/reset", post(handlers::reset))
        .route(
            "/_emulator/clock",
            get(handlers::clock).post(handlers::set_clock),
        )
        .route(
            "/_emulator/tokens",
            get(handlers::tokens).post(handlers::set_tokens),
        )
        .route(
            "/_emulator/faults",
            get(handlers::faults)
                .post(handlers::set_fault)
                .delete(handlers::clear_faults),
        )
        .route(
            "/_emulator/dns",
            get(handlers::dns)
                .post(handlers::set_dns)
                .delete(handlers::clear_dns),
        )
        .route("/_emulator/faults/{id}", delete(handlers::remove_fault))
        .route(
            "/_emulator/endpoints/{*id}",
            get(computes::endpoint).post(computes::change_endpoint),
        )
        .route(
            "/_emulator/operations",
            get(lakehouse::operations).post(lakehouse::set_operations),
        )
        .route(
            "/_emulator/sources",
            get(lakehouse::sources).post(lakehouse::set_source),
        )
        .route("/_emulator/crowd", post(crowd::add))
        .route("/_emulator/connections", get(computes::connections))
        .route("/_emulator/connections/kill", post(computes::kill))
        .route("/_emulator/door", post(computes::set_door))
        .route("/_emulator/restore", post(restore::restore))
        .route("/_emulator/tls", post(computes::set_tls))
        .route("/_emulator/shutdown", post(handlers::shutdown))
        .route("/shutdown", post(handlers::shutdown))
        .fallback(handlers::no_route)
        .layer(middleware::from_fn_with_state(desk.clone(), guard));
    let router = Router::new()
        .route("/_emulator/health", get(handlers::health))
        .route("/_emulator/ready", get(handlers::health))
        .merge(guarded)
        .with_state(desk);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            stream = accept(&listener) => {
                let service = TowerToHyperService::new(router.clone());
                // What ends one connection concerns no other.
                connections.spawn(async move {
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        }
    }
}

/// Lets nobody in who does not hold the token.
async fn guard(
    State(desk): State<Arc<Desk>>,
    request: Request,
    next: Next,
) -> Result<Response, Refused> {
    let header = request
        .headers()
        .get("authorization")
        .and_then(|value| value.to_str().ok());
    let token = header
        .and_then(|header| header.strip_prefix("Bearer "))
        .unwrap_or_default();
    // Digests are compared, so that the time it takes says nothing of the token.
    if digest(&SHA256, token.as_bytes()).as_ref() != desk.token.as_ref() {
        let text = "the admin API needs `Authorization: Bearer <admin_token>`; the ready line of the emulator names it";
        return Err(Refused::new(StatusCode::UNAUTHORIZED, text));
    }
    Ok(next.run(request).await)
}
