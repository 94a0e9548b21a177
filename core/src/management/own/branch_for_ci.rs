//! `branch_for_ci`: a branch for one run of tests.
//!
//! Written by hand it leaks branches when a job dies, fails the second try of a job because the branch is there, and fails
//! the first login because the branch is not known everywhere. Here it has an end from the beginning, is found again by an
//! id that the job's name makes, and has taken a login when it is given away.

use serde_json::{Value, json};

use super::{Own, at, text};
use crate::code::Code;
use crate::config::Environment;
use crate::error::{Error, Result};
use crate::management::send::is_there_already;
use crate::management::{Object, bad_argument};
use crate::name::Target;

const TTL: &str = "7200s";
/// The longest id.
const LONGEST: usize = 63;

/// What tells a CI system, and what names a job of it: one branch for each try of each job.
const SYSTEMS: &[(&str, &[&str])] = &[
    (
        "GITHUB_ACTIONS",
        &["GITHUB_RUN_ID", "GITHUB_RUN_ATTEMPT", "GITHUB_JOB"],
    ),
    ("GITLAB_CI", &["CI_JOB_ID"]),
    ("CIRCLECI", &["CIRCLE_WORKFLOW_JOB_ID"]),
    ("BUILDKITE", &["BUILDKITE_JOB_ID"]),
    ("TF_BUILD", &["SYSTEM_JOBID", "SYSTEM_JOBATTEMPT"]),
    (
        "BITBUCKET_BUILD_NUMBER",
        &["BITBUCKET_BUILD_NUMBER", "BITBUCKET_STEP_UUID"],
    ),
    ("JENKINS_URL", &["BUILD_TAG"]),
    ("TRAVIS", &["TRAVIS_JOB_ID"]),
];

impl Own<'_> {
    pub(super) async fn branch_for_ci(&self, given: &Object) -> Result<Value> {
        let client = self.postgres.client();
        let chosen = client.choose(text(given, "target")?.as_deref())?;
        let (project, source) = match &chosen.target {
            Target::Project(_) => (chosen.target.to_string(), None),
            Target::Branch(project, _) => (
                format!("projects/{project}"),
                Some(chosen.target.to_string()),
            ),
            Target::Endpoint(name) => {
                let source = name.branch();
                let project = source.split("/branches/").next().unwrap_or_default();
                (project.to_owned(), Some(source))
            }
            Target::Host(_) => {
                return Err(
                    bad_argument("target", "a host says no project to branch from")
                        .with_hint("Give projects/PROJECT or projects/PROJECT/branches/BRANCH"),
                );
            }
        };
        let id = match text(given, "branch_id")? {
            Some(id) => id,
            None => id_of_job(client.environment())?,
        };
        let mut spec = json!({"ttl": given.get("ttl").cloned().unwrap_or_else(|| TTL.into())});
        if let Some(source) = source {
            spec["source_branch"] = source.into();
        }
        let asked = json!({"parent": project, "branch_id": id, "branch": {"spec": spec}});
        let name = format!("{project}/branches/{id}");
        let (branch, created) = match self.done("create_branch", asked).await {
            Ok(branch) => (branch, true),
            Err(error) if is_there_already(&error) => (self.found(&name).await?, false),
            Err(error) => return Err(explained(error, &project)),
        };
        let mut login = Object::new();
        login.insert("target".to_owned(), name.as_str().into());
        for option in ["database", "user"] {
            if let Some(value) = given.get(option) {
                login.insert(option.to_owned(), value.clone());
            }
        }
        let login = self
            .wait_for_login(&login)
            .await
            .map_err(|error| error.context(format_args!("logging in to the branch {name}")))?;
        Ok(json!({"branch": branch, "created": created, "login": login}))
    }

    /// What an earlier try of the same job made, or is about to make.
    async fn found(&self, name: &str) -> Result<Value> {
        let waiting = json!({"resource": name, "metadata": {}});
        let options = crate::management::WaitOptions::timeout(self.left());
        let branch = self
            .postgres
            .wait_operation(super::as_object(waiting), options)
            .await?;
        if at(&branch, "/status/delete_time").is_empty() {
            return Ok(branch);
        }
        Err(Error::new(
            Code::ApiConflict,
            format!("the branch {name} was deleted, and its id is not free before it is purged"),
        )
        .with_hint("Choose another branch_id, undelete it, or delete it with purge"))
    }
}

/// A refusal that is about room, with what makes room.
fn explained(error: Error, project: &str) -> Error {
    let full = matches!(
        error.api_code(),
        Some("RESOURCE_EXHAUSTED" | "QUOTA_EXCEEDED" | "RESOURCE_LIMIT_EXCEEDED")
    );
    if !full {
        return error;
    }
    error
        .context(format_args!("{project} has no room for another branch"))
        .with_hint("Delete branches that nobody needs, and give those of CI a ttl: a job that dies deletes nothing")
}

fn id_of_job(environment: &Environment) -> Result<String> {
    let known = SYSTEMS
        .iter()
        .find(|(told_by, _)| environment.var(told_by).is_some());
    let parts: Vec<&str> = known
        .map(|(_, names)| {
            names
                .iter()
                .filter_map(|name| environment.var(name))
                .collect()
        })
        .unwrap_or_default();
    if parts.is_empty() {
        return Err(bad_argument(
            "branch_id",
            "it is needed here: no variable of a CI system that lakekey knows names this job",
        )
        .with_hint("Give a branch_id that is the same for each try of the same job, and another one for each job"));
    }
    Ok(id_of(&format!("ci-{}", parts.join("-"))))
}

/// Lower-case letters, digits and dashes, 63 at most, beginning with a letter.
pub(super) fn id_of(text: &str) -> String {
    let mut id = String::new();
    for c in text.chars() {
        let c = c.to_ascii_lowercase();
        if c.is_ascii_lowercase() || c.is_ascii_digit() {
            id.push(c);
        } else if !id.ends_with('-') && !id.is_empty() {
            id.push('-');
        }
    }
    if !id.starts_with(|c: char| c.is_ascii_lowercase()) {
        id.insert_str(0, "r-");
    }
    id.truncate(LONGEST);
    id.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{id_of, id_of_job};
    use crate::config::Environment;

    fn id(pairs: &[(&'static str, &'static str)]) -> crate::Result<String> {
        id_of_job(&Environment::from_pairs(pairs.iter().copied()))
    }

    #[test]
    fn each_job_has_an_id_that_its_next_look_makes_again() {
        let github = [
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_RUN_ID", "1658821493"),
            ("GITHUB_RUN_ATTEMPT", "2"),
            ("GITHUB_JOB", "Test_on (Linux)"),
        ];
        assert_eq!(id(&github).unwrap(), "ci-1658821493-2-test-on-linux");
        assert_eq!(
            id(&[("GITLAB_CI", "true"), ("CI_JOB_ID", "77")]).unwrap(),
            "ci-77"
        );
        let error = id(&[("CI", "true")]).unwrap_err();
        assert!(error.hint().unwrap().contains("branch_id"), "{error}");
    }

    #[test]
    fn ids_are_what_the_service_takes() {
        for (text, expected) in [
            ("ann@Example.com", "ann-example-com"),
            ("00000000-1", "r-00000000-1"),
            ("--x--", "x"),
            ("é", "r"),
        ] {
            assert_eq!(id_of(text), expected, "{text}");
        }
        assert_eq!(id_of(&"a".repeat(90)).len(), 63);
    }
}
