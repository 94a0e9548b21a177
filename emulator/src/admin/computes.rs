//! The part of the admin API that is about endpoints, their computes and the sessions on them.

use std::sync::{Arc, Weak};
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use lakekey_gateway::Kill;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Desk;
use super::answers::read;
use super::handlers::{Answer, At};
use crate::Error;
use crate::behind::Behind;
use crate::certs::WrongCertificate;
use crate::front::directory::ComputeState;
use crate::front::{KillHow, SessionFilter};
use crate::state::{Located, View};

impl Desk {
    pub(super) fn behind(&self, purpose: &'static str) -> Result<Arc<Behind>, Error> {
        self.behind
            .as_ref()
            .and_then(Weak::upgrade)
            .ok_or(Error::NoPostgres(purpose))
    }
}

pub(super) async fn endpoint(State(desk): At, Path(id): Path<String>) -> Answer {
    let uid = desk.lakebase.endpoint_uid(&id)?;
    let view = desk.lakebase.view();
    Ok(Json(
        view.endpoint_by_uid(&uid)
            .map_or(Value::Null, |at| shown(&view, at)),
    ))
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Order {
    Disable,
    Enable,
    Suspend,
    Wake,
    Restart,
    Crash,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EndpointChange {
    wake_latency_ms: Option<u64>,
    wake_fail: Option<u32>,
    action: Option<Order>,
}

pub(super) async fn change_endpoint(
    State(desk): At,
    Path(id): Path<String>,
    body: Bytes,
) -> Answer {
    let uid = desk.lakebase.endpoint_uid(&id)?;
    let change: EndpointChange = read(&body)?;
    if let Some(ms) = change.wake_latency_ms {
        desk.behind("set the time of a wake")?
            .set_wake_latency(&uid, Duration::from_millis(ms))?;
    }
    if let Some(count) = change.wake_fail {
        desk.behind("let a wake fail")?.fail_wakes(&uid, count)?;
    }
    match change.action {
        Some(Order::Disable) => {
            desk.lakebase.set_disabled(&uid, true)?;
            if let Ok(behind) = desk.behind("suspend a compute") {
                behind.suspend(&uid).await?;
            }
        }
        Some(Order::Enable) => desk.lakebase.set_disabled(&uid, false)?,
        Some(Order::Suspend) => drop(desk.behind("suspend a compute")?.suspend(&uid).await?),
        Some(Order::Crash) => drop(desk.behind("crash a compute")?.crash(&uid).await?),
        Some(Order::Wake) => desk.behind("wake a compute")?.wake(&uid).await?,
        Some(Order::Restart) => desk.behind("restart a compute")?.restart(&uid).await?,
        None => {}
    }
    endpoint(State(desk), Path(uid)).await
}

pub(super) async fn connections(State(desk): At) -> Answer {
    let sessions = desk.behind("have sessions")?.sessions();
    let shown = |session: &lakekey_gateway::Session| {
        json!({
            "id": session.id,
            "endpoint": session.place,
            "role": session.user,
            "database": session.database,
            "application_name": session.application_name,
            "backend_pid": session.backend_pid,
        })
    };
    Ok(Json(sessions.iter().map(shown).collect()))
}

/// How sessions end.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum How {
    /// By Postgres, which says so.
    #[serde(rename = "57P01")]
    Terminate,
    Fin,
    Rst,
    Cut,
    HalfOpen,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KillOrder {
    endpoint: Option<String>,
    role: Option<String>,
    application_name: Option<String>,
    how: How,
}

pub(super) async fn kill(State(desk): At, body: Bytes) -> Answer {
    let order: KillOrder = read(&body)?;
    let endpoint_uid = order
        .endpoint
        .map(|asked| desk.lakebase.endpoint_uid(&asked))
        .transpose()?;
    let filter = SessionFilter {
        endpoint_uid,
        role: order.role,
        application_name: order.application_name,
    };
    let how = match order.how {
        How::Terminate => KillHow::Terminate,
        How::Fin => KillHow::Wire(Kill::Fin),
        How::Rst => KillHow::Wire(Kill::Reset),
        How::Cut => KillHow::Wire(Kill::Cut),
        How::HalfOpen => KillHow::Wire(Kill::HalfOpen),
    };
    let killed = desk.behind("end sessions")?.kill(&filter, how).await?;
    Ok(Json(json!({"killed": killed})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DoorChange {
    open: bool,
}

pub(super) async fn set_door(State(desk): At, body: Bytes) -> Answer {
    let DoorChange { open } = read(&body)?;
    desk.behind("have a front door")?.set_door(open).await?;
    Ok(Json(json!({"open": open})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TlsChange {
    /// What is wrong with the certificate from now on; nothing when it is absent.
    show: Option<WrongCertificate>,
    #[serde(default)]
    rotate: bool,
}

pub(super) async fn set_tls(State(desk): At, body: Bytes) -> Answer {
    let TlsChange { show, rotate } = read(&body)?;
    let behind = desk.behind("have a certificate")?;
    if rotate {
        behind.certificates().rotate().map_err(Error::from)?;
    }
    behind.certificates().show(show).map_err(Error::from)?;
    Ok(Json(json!({})))
}

/// An endpoint as the admin API shows it.
pub(super) fn shown(view: &View<'_>, at: Located<'_>) -> Value {
    let state = match view.compute(&at.endpoint.uid).state {
        ComputeState::Suspended => "suspended",
        ComputeState::Starting => "starting",
        ComputeState::Ready => "ready",
        ComputeState::Stopping => "stopping",
    };
    let (host, port) = view.host(&at.endpoint.uid);
    json!({
        "uid": at.endpoint.uid,
        "name": at.name(),
        "host": host,
        "port": port,
        "disabled": at.endpoint.spec.disabled,
        "suspend_after_s": at.endpoint.spec.suspend_after_s(),
        "compute": state,
    })
}
