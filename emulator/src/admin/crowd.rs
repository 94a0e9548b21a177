//! Branches by the thousand, for whoever measures or pages through lists. They are known to the control plane alone: no
//! endpoint, no cluster, no data, since ten thousand copies of a database would tell nobody more about a list.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use serde::Deserialize;
use serde_json::json;

use super::answers::read;
use super::handlers::{Answer, At};
use crate::Error;
use crate::state::seed;
use crate::state::spec::BranchSpec;

/// More is a slip of the pen.
const MOST: usize = 100_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Crowd {
    project: String,
    branches: usize,
}

pub(super) async fn add(State(desk): At, body: Bytes) -> Answer {
    let Crowd { project, branches } = read(&body)?;
    if branches > MOST {
        return Err(Error::invalid("branches", branches, format!("{MOST} at most")).into());
    }
    let now = desk.lakebase.clock.now();
    desk.lakebase.change(|all| {
        let known = all.project(&project).is_some();
        if !known {
            let expected = "the id of a project";
            return Err(Error::invalid("project", format!("{project:?}"), expected));
        }
        for number in 1..=branches {
            let id = format!("crowd-{number:06}");
            let name = format!("projects/{project}/branches/{id}");
            if all
                .project(&project)
                .and_then(|it| it.branch(&id))
                .is_some()
            {
                continue;
            }
            let spec = BranchSpec {
                no_expiry: Some(true),
                ..BranchSpec::default()
            };
            all.add_branch(&project, seed::empty_branch(&id, &name, spec, "", now));
        }
        Ok::<_, Error>(())
    })?;
    Ok(Json(json!({"project": project, "branches": branches})))
}
