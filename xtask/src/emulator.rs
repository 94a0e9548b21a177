//! A running `lakekey emulate` and its admin API, as demo, soak and bench use it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
#[cfg(unix)]
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;

use crate::child::Running;

/// The first start also makes the template of the clusters.
const READY_WITHIN: Duration = Duration::from_secs(90);

/// One emulator; it ends with this value.
pub(crate) struct Emulator {
    env: BTreeMap<String, String>,
    admin_url: String,
    admin_token: String,
    process: Running,
}

impl Emulator {
    /// Starts the command with these arguments after `emulate` and waits for its ready line.
    pub(crate) fn start(lakekey: &Path, arguments: &[&str], home: &Path) -> Result<Emulator> {
        let log = home.join("emulator.log");
        let mut command = Command::new(lakekey);
        // Ctrl-C is for us to deal with; and it ends when we are gone, by `--parent-pid`.
        #[cfg(unix)]
        command.process_group(0);
        let mut process = Running(
            clean(&mut command)
                .args(["emulate", "--parent-pid", &std::process::id().to_string()])
                .args(arguments)
                .current_dir(home)
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(fs::File::create(&log)?)
                .spawn()
                .with_context(|| format!("{} cannot be started", lakekey.display()))?,
        );
        let stdout = process
            .0
            .stdout
            .take()
            .context("the emulator has no output")?;
        let (sender, lines) = mpsc::channel();
        // Reads to the end, so that the emulator never waits for a full pipe.
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let ready = loop {
            let line = lines.recv_timeout(READY_WITHIN).map_err(|_| {
                let said = fs::read_to_string(&log).unwrap_or_default();
                anyhow!(
                    "`lakekey emulate` ended or gave no ready line within {} s
{said}",
                    READY_WITHIN.as_secs()
                )
            })?;
            if line.trim_start().starts_with('{') {
                break serde_json::from_str::<Value>(&line).context("the ready line is no JSON")?;
            }
        };
        let text = |name: &str| {
            ready[name]
                .as_str()
                .map(str::to_owned)
                .with_context(|| format!("the ready line has no {name}"))
        };
        let env = ready["env"]
            .as_object()
            .context("the ready line has no env")?;
        Ok(Emulator {
            env: env
                .iter()
                .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
                .collect(),
            admin_url: text("admin_url")?,
            admin_token: text("admin_token")?,
            process,
        })
    }

    /// Points a program at this emulator and at nothing else.
    pub(crate) fn lend<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        clean(command).envs(&self.env)
    }

    /// Lets a program use the admin API as well.
    pub(crate) fn lend_admin<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("LAKEKEY_BENCH_ADMIN_URL", &self.admin_url)
            .env("LAKEKEY_BENCH_ADMIN_TOKEN", &self.admin_token)
    }

    /// One of the variables that clients need.
    pub(crate) fn variable(&self, name: &str) -> Result<&str> {
        self.env
            .get(name)
            .map(String::as_str)
            .with_context(|| format!("the emulator gives no {name}"))
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.process.0.id()
    }

    /// Ends it, and waits until it has.
    pub(crate) fn end(mut self) -> Result<()> {
        self.process.end()
    }

    /// Reads from the admin API.
    pub(crate) fn get(&self, path: &str) -> Result<Value> {
        let answer = agent()
            .get(format!("{}{path}", self.admin_url))
            .header("authorization", format!("Bearer {}", self.admin_token))
            .call();
        read(path, answer)
    }

    /// Takes something away by the admin API.
    pub(crate) fn delete(&self, path: &str) -> Result<Value> {
        let answer = agent()
            .delete(format!("{}{path}", self.admin_url))
            .header("authorization", format!("Bearer {}", self.admin_token))
            .call();
        read(path, answer)
    }

    /// Tells the admin API to do something.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let answer = agent()
            .post(format!("{}{path}", self.admin_url))
            .header("authorization", format!("Bearer {}", self.admin_token))
            .send_json(body);
        read(path, answer)
    }

    /// What the default endpoint's compute is doing: `ready`, `suspended`, ...
    pub(crate) fn compute(&self) -> Result<String> {
        let endpoint = self.get(&format!(
            "/_emulator/endpoints/{}",
            self.variable("LAKEBASE_ENDPOINT")?
        ))?;
        endpoint["compute"]
            .as_str()
            .map(str::to_owned)
            .context("the admin API names no compute state")
    }

    /// The counters of the journal.
    pub(crate) fn counters(&self) -> Result<Value> {
        let mut state = self.get("/_emulator/state")?;
        match state["counters"].take() {
            Value::Null => bail!("the admin API gives no counters"),
            counters => Ok(counters),
        }
    }
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(30)))
        .http_status_as_error(false)
        .proxy(None)
        .build()
        .into()
}

fn read(
    path: &str,
    answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
) -> Result<Value> {
    let mut answer = answer.with_context(|| format!("admin API {path}"))?;
    let status = answer.status();
    let text = answer
        .body_mut()
        .read_to_string()
        .with_context(|| format!("admin API {path}"))?;
    if !status.is_success() {
        bail!("admin API {path}: {status}: {text}");
    }
    serde_json::from_str(&text)
        .with_context(|| format!("admin API {path} answered no JSON: {text}"))
}

/// Without what would point a client elsewhere: the user's own workspace must not be touched.
fn clean(command: &mut Command) -> &mut Command {
    for (name, _) in std::env::vars_os() {
        let foreign = name.to_str().is_some_and(|name| {
            ["DATABRICKS_", "LAKEBASE_", "LAKEKEY_", "PG"]
                .iter()
                .any(|prefix| name.starts_with(prefix))
        });
        if foreign {
            command.env_remove(name);
        }
    }
    command
}
