//! The emulator of one column: its own, so that a fault that strikes once strikes this language, and what is counted is
//! this language's doing.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Value, json};

/// Seven emulators start at once, each with a Postgres.
const READY_WITHIN: Duration = Duration::from_mins(2);
/// Making a request of the admin API may suspend or start a Postgres.
const TOLD_WITHIN: Duration = Duration::from_secs(30);
/// How long a statement may take to be under way.
const BUSY_WITHIN: Duration = Duration::from_secs(20);

/// A running emulator; it ends with this value.
pub(crate) struct Stage {
    /// What an app needs to find it.
    pub(crate) env: BTreeMap<String, String>,
    admin_url: String,
    admin_token: String,
    process: Child,
}

impl Stage {
    pub(crate) fn start(lakekey: &Path, arguments: &[&str], log: &Path) -> Result<Stage> {
        let mut command = Command::new(lakekey);
        let mut process = clean(&mut command)
            .args(["emulate", "--parent-pid", &std::process::id().to_string()])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::options().create(true).append(true).open(log)?)
            .spawn()
            .with_context(|| format!("{} cannot be started", lakekey.display()))?;
        let stdout = process.stdout.take().context("no output")?;
        let (sender, lines) = mpsc::channel();
        // Reads to the end, so that the emulator never waits for a full pipe.
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let ready = lines
            .recv_timeout(READY_WITHIN)
            .map_err(|_| anyhow!("the emulator gave no ready line, see {}", log.display()))?;
        let ready: Value = serde_json::from_str(&ready).context("the ready line is no JSON")?;
        let text = |name: &str| {
            Ok::<_, anyhow::Error>(
                ready[name]
                    .as_str()
                    .with_context(|| format!("the ready line has no {name}"))?
                    .to_owned(),
            )
        };
        let env = ready["env"]
            .as_object()
            .context("the ready line has no env")?;
        Ok(Stage {
            env: env
                .iter()
                .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
                .collect(),
            admin_url: text("admin_url")?,
            admin_token: text("admin_token")?,
            process,
        })
    }

    pub(crate) fn endpoint(&self) -> &str {
        self.env.get("LAKEBASE_ENDPOINT").map_or("", String::as_str)
    }

    /// As it was at the start, with a compute that is awake, and nothing counted.
    pub(crate) fn reset(&self) -> Result<()> {
        self.post("/_emulator/reset", &json!({"keep": ["resources"]}))?;
        self.post(
            "/_emulator/endpoints/{endpoint}",
            &json!({"action": "enable", "wake_latency_ms": 0, "wake_fail": 0}),
        )?;
        self.post(
            "/_emulator/endpoints/{endpoint}",
            &json!({"action": "wake"}),
        )?;
        // What was held by a fault has ended meanwhile, and been counted.
        self.post(
            "/_emulator/reset",
            &json!({"keep": ["resources", "clock", "faults", "tokens"]}),
        )?;
        Ok(())
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let path = path.replace("{endpoint}", self.endpoint());
        let host = self.env.get("PGHOST").map_or("", String::as_str);
        let body: Value = serde_json::from_str(&body.to_string().replace("{host}", host))?;
        let answer = agent()
            .post(format!("{}{path}", self.admin_url))
            .header("authorization", format!("Bearer {}", self.admin_token))
            .send_json(body);
        read(&path, answer)
    }

    fn get(&self, path: &str) -> Result<Value> {
        let answer = agent()
            .get(format!("{}{path}", self.admin_url))
            .header("authorization", format!("Bearer {}", self.admin_token))
            .call();
        read(path, answer)
    }

    /// What was counted since the reset. Of mints (`mints` that were carried out, `mint_requests` in all) only those of
    /// this lifetime: what the row before left under way may still come.
    pub(crate) fn counted(&self, name: &str, ttl_s: u32) -> Result<u64> {
        let journal = self.get("/_emulator/requests")?;
        let ttl = json!(format!("{ttl_s}s"));
        let mints = journal["entries"].as_array().into_iter().flatten();
        let mints = mints.filter(|entry| entry["body"]["ttl"] == ttl);
        Ok(match name {
            "mint_requests" => mints.count() as u64,
            // One whose answer was lost was carried out as well.
            "mints" => mints
                .filter(|entry| entry["status"] == 200 || entry["outcome"] == "closed")
                .count() as u64,
            name => journal["counters"][name]
                .as_u64()
                .with_context(|| format!("the emulator counts no {name}"))?,
        })
    }

    /// Waits until Postgres runs a statement for somebody.
    pub(crate) fn busy(&self) -> Result<()> {
        let deadline = Instant::now() + BUSY_WITHIN;
        loop {
            let sessions = self.get("/_emulator/connections")?;
            let at_it = sessions.as_array().into_iter().flatten().any(|session| {
                // Postgres says in its title what a backend is doing.
                session["backend_pid"].as_i64().is_some_and(|pid| {
                    std::fs::read_to_string(format!("/proc/{pid}/cmdline"))
                        .is_ok_and(|title| title.contains("SELECT"))
                })
            });
            if at_it {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!(
                    "no statement was under way within {} s",
                    BUSY_WITHIN.as_secs()
                );
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = self.post("/_emulator/shutdown", &json!({}));
        let deadline = Instant::now() + Duration::from_secs(15);
        while Instant::now() < deadline {
            if matches!(self.process.try_wait(), Ok(Some(_))) {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .timeout_global(Some(TOLD_WITHIN))
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
    let text = answer.body_mut().read_to_string()?;
    if !status.is_success() {
        bail!("admin API {path}: {status}: {text}");
    }
    serde_json::from_str(&text).with_context(|| format!("admin API {path} answered {text}"))
}

/// Without what would point a client elsewhere: the user's own workspace must not be touched.
pub(crate) fn clean(command: &mut Command) -> &mut Command {
    for (name, _) in std::env::vars_os() {
        let foreign = name.to_str().is_some_and(|name| {
            ["DATABRICKS_", "LAKEBASE_", "PG"]
                .iter()
                .any(|prefix| name.starts_with(prefix))
        });
        if foreign {
            command.env_remove(name);
        }
    }
    command
}
