//! A branch put back in place to a moment of its past, as the workspace's own pages do it. The public API has no route for
//! this, so it is here.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::answers::read;
use super::handlers::{Answer, At};
use crate::Error;
use crate::postgres::{Branch, Lsn, Origin};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    branch: String,
    time: Option<Timestamp>,
    lsn: Option<Lsn>,
    /// The name of a snapshot.
    snapshot: Option<String>,
}

pub(super) async fn restore(State(desk): At, body: Bytes) -> Answer {
    let Order {
        branch: name,
        time,
        lsn,
        snapshot,
    } = read(&body)?;
    let (branch, origin) = {
        let view = desk.lakebase.view();
        let found = view.projects().iter().find_map(|project| {
            let mut branches = project.branches.iter();
            let branch = branches.find(|it| it.name(project) == name && it.deleted.is_none())?;
            Some((project, branch))
        });
        let (project, branch) = found.ok_or_else(|| {
            let expected = "the name of a branch, projects/PROJECT/branches/BRANCH";
            Error::invalid("branch", format!("{name:?}"), expected)
        })?;
        let origin = match (time, lsn, snapshot) {
            (Some(time), None, None) => Origin::Time(time),
            (None, Some(lsn), None) => Origin::Lsn(lsn),
            (None, None, Some(asked)) => {
                let id = asked.rsplit('/').next().unwrap_or_default();
                let known = project.snapshots.iter().find(|it| it.id == id);
                let known = known.ok_or_else(|| {
                    let expected = format!("the name of a snapshot of {}", project.name());
                    Error::invalid("snapshot", format!("{asked:?}"), expected)
                })?;
                Origin::Snapshot(known.uid.clone())
            }
            _ => {
                let expected = "with exactly one of time, lsn and snapshot";
                return Err(Error::invalid("restore", format!("{name:?}"), expected).into());
            }
        };
        let branch = Branch {
            uid: branch.uid.clone(),
            pg_version: project.spec.pg_version,
        };
        (branch, origin)
    };
    let behind = desk.behind("restore a branch")?;
    let point = behind.fleet().restore(&branch, &origin).await;
    let point = point.map_err(Error::from)?;
    Ok(Json(
        json!({"branch": name, "lsn": point.lsn.to_string(), "time": point.time}),
    ))
}
