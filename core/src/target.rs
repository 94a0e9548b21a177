//! Which database is meant, when several sources may say so.
//!
//! Programs name the endpoint in a dozen variables, and some hold a bare id. The first source that speaks is taken, and
//! it is remembered, because "which variable did that come from" is the question of every failed first day.

use crate::code::Code;
use crate::config::Environment;
use crate::error::{Error, Result};
use crate::name::{Target, is_pooled_host};

/// Variables that hold an endpoint's resource name in the field, in the order in which they are believed.
const ENDPOINT: &[&str] = &[
    "LAKEBASE_ENDPOINT",
    "LAKEBASE_ENDPOINT_NAME",
    "LAKEBASE_ENDPOINT_PATH",
    "LAKEBASE_AUTOSCALING_ENDPOINT",
    "DATABRICKS_LAKEBASE_ENDPOINT",
    "PGENDPOINT",
    "ENDPOINT_NAME",
];
const PROJECT: &[&str] = &[
    "LAKEBASE_PROJECT",
    "LAKEBASE_PROJECT_ID",
    "LAKEBASE_AUTOSCALING_PROJECT",
];
const BRANCH: &[&str] = &[
    "LAKEBASE_BRANCH",
    "LAKEBASE_BRANCH_ID",
    "LAKEBASE_AUTOSCALING_BRANCH",
];
/// Set where a Provisioned instance was used before.
const PROVISIONED: &[&str] = &["LAKEBASE_INSTANCE_NAME", "LAKEBASE_INSTANCE"];

/// A target and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chosen {
    pub(crate) target: Target,
    pub(crate) source: String,
    /// The environment named it, so `PGHOST` beside it speaks of the same database.
    pub(crate) from_environment: bool,
}

/// Takes the argument of the call, else the client's own target, else what the environment says.
///
/// # Errors
/// [`Code::TargetMissing`] naming what to set, or what [`Target::parse`] says of the text that was found.
pub(crate) fn choose(
    argument: Option<&str>,
    of_client: Option<&str>,
    environment: &Environment,
) -> Result<Chosen> {
    for (text, source) in [
        (argument, "the argument target"),
        (of_client, "the client's target"),
    ] {
        if let Some(text) = text {
            let target = Target::parse(text, source)?;
            return Ok(Chosen {
                target,
                source: source.to_owned(),
                from_environment: false,
            });
        }
    }
    let project = environment.first(PROJECT);
    let branch = environment.first(BRANCH);
    let chosen = |target, source: String| Chosen {
        target,
        source,
        from_environment: true,
    };
    if let Some((variable, text)) = environment.first(ENDPOINT) {
        let target = Target::parse(text, variable)?;
        // A bare id, such as `primary`, means an endpoint of the project and branch that stand beside it.
        if let (Target::Project(id), Some((p, project)), Some((b, branch))) =
            (&target, project, branch)
        {
            let dotted = format!("{}.{}.{id}", last(project), last(branch));
            let source = format!("{p}, {b} and {variable}");
            return Ok(chosen(Target::parse(&dotted, &source)?, source));
        }
        return Ok(chosen(target, variable.to_owned()));
    }
    match (project, branch) {
        (_, Some((variable, branch))) if branch.contains('/') => {
            return Ok(chosen(
                Target::parse(branch, variable)?,
                variable.to_owned(),
            ));
        }
        (Some((p, project)), Some((b, branch))) => {
            let source = format!("{p} and {b}");
            return Ok(chosen(
                Target::parse(&format!("{}.{branch}", last(project)), &source)?,
                source,
            ));
        }
        (Some((variable, project)), None) => {
            return Ok(chosen(
                Target::parse(project, variable)?,
                variable.to_owned(),
            ));
        }
        _ => {}
    }
    if let Some(host) = environment.var("PGHOST")
        && let Ok(target @ Target::Host(_)) = Target::parse(host, "PGHOST")
    {
        return Ok(chosen(target, "PGHOST".to_owned()));
    }
    let missing = Error::new(
        Code::TargetMissing,
        "no Lakebase endpoint is named: no target was given, and none of LAKEBASE_ENDPOINT, PGENDPOINT, LAKEBASE_PROJECT with LAKEBASE_BRANCH and PGHOST says which",
    );
    Err(match environment.first(PROVISIONED) {
        Some((variable, _)) => missing.with_hint(format!(
            "{variable} names a Provisioned instance; lakekey connects to Lakebase Autoscaling: set LAKEBASE_ENDPOINT=projects/PROJECT/branches/BRANCH"
        )),
        None => missing.with_hint("Set LAKEBASE_ENDPOINT=projects/PROJECT/branches/BRANCH, or give the target in the call"),
    })
}

/// Variables for an id hold the resource name at some sites.
fn last(id: &str) -> &str {
    id.rsplit('/').next().unwrap_or(id)
}

/// A pooled host takes no token, and a caller who named it wants its pool: the direct host is not taken in its place.
pub(crate) fn refuse_pooled(host: &str) -> Result<()> {
    if !is_pooled_host(host) {
        return Ok(());
    }
    Err(Error::new(
        Code::PoolerRefused,
        format!("{host} is the pooled host, which takes native Postgres passwords and no tokens"),
    )
    .with_hint("Use the direct host (without -pooler), and a pool in the application"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn choose_from(pairs: &[(&str, &str)]) -> Result<String> {
        let environment = Environment::from_pairs(pairs.iter().copied());
        choose(None, None, &environment)
            .map(|chosen| format!("{} from {}", chosen.target, chosen.source))
    }

    #[test]
    fn the_environment_is_read_by_shape() {
        const PATH: &str = "projects/shop/branches/production/endpoints/primary";
        for (pairs, expected) in [
            (
                vec![("LAKEBASE_ENDPOINT", PATH), ("PGENDPOINT", "x.y")],
                format!("{PATH} from LAKEBASE_ENDPOINT"),
            ),
            (
                vec![("PGENDPOINT", "shop.production")],
                "projects/shop/branches/production from PGENDPOINT".to_owned(),
            ),
            (
                vec![
                    ("LAKEBASE_ENDPOINT", "primary"),
                    ("LAKEBASE_PROJECT", "shop"),
                    ("LAKEBASE_BRANCH_ID", "production"),
                ],
                format!("{PATH} from LAKEBASE_PROJECT, LAKEBASE_BRANCH_ID and LAKEBASE_ENDPOINT"),
            ),
            (
                vec![
                    ("LAKEBASE_PROJECT", "projects/shop"),
                    ("LAKEBASE_BRANCH", "production"),
                ],
                "projects/shop/branches/production from LAKEBASE_PROJECT and LAKEBASE_BRANCH"
                    .to_owned(),
            ),
            (
                vec![("LAKEBASE_BRANCH", "projects/shop/branches/production")],
                "projects/shop/branches/production from LAKEBASE_BRANCH".to_owned(),
            ),
            (
                vec![("PGHOST", "ep-calm-river-d1a2b3c4.database.localhost")],
                "ep-calm-river-d1a2b3c4.database.localhost from PGHOST".to_owned(),
            ),
        ] {
            assert_eq!(choose_from(&pairs).unwrap(), expected, "{pairs:?}");
        }
    }

    #[test]
    fn nothing_named_says_what_to_set() {
        for pairs in [
            &[][..],
            &[("PGHOST", "db.example.com")],
            &[("PGHOST", "/run/postgresql")],
        ] {
            assert_eq!(choose_from(pairs).unwrap_err().code(), Code::TargetMissing);
        }
        let error = choose_from(&[("LAKEBASE_INSTANCE_NAME", "old")]).unwrap_err();
        assert!(error.hint().unwrap().contains("Provisioned"), "{error}");
    }

    #[test]
    fn an_argument_beats_the_client_and_the_environment() {
        let environment = Environment::from_pairs([("LAKEBASE_ENDPOINT", "a.b.c")]);
        let chosen = choose(Some("shop.production"), Some("x.y"), &environment).unwrap();
        assert_eq!(
            chosen.target.to_string(),
            "projects/shop/branches/production"
        );
        assert!(!chosen.from_environment);
    }
}
