//! What a new process asks of the control plane until it has its first credential, counted in the emulator's journal.
//!
//! A round trip begins when an earlier one has been answered. Each answer takes [`DISTANCE`], which is far longer than
//! a client thinks, so that requests sent side by side are told from requests that waited for one another.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::node::Package;
use super::row::Row;
use crate::child;
use crate::emulator::Emulator;

/// How far away the control plane is, in milliseconds.
const DISTANCE: u64 = 200;

/// It is told host and user, which ours finds out.
const PEER: &str = "@databricks/lakebase";

/// An app's identity in every emulator.
const MACHINE: [(&str, &str); 3] = [
    (
        "DATABRICKS_CLIENT_ID",
        "00000000-0000-4000-8000-000000000001",
    ),
    ("DATABRICKS_CLIENT_SECRET", "emulator-secret"),
    ("PGUSER", "00000000-0000-4000-8000-000000000001"),
];

/// What the Databricks CLI says for whoever has logged in by it; of its real size, by which it is known.
const LOGIN: &str = r#"#!/bin/sh
case $1 in
version) echo '{"Major":0,"Minor":300,"Patch":0,"Version":"0.300.0"}';;
*) echo '{"access_token":"dapi-emulator","token_type":"Bearer","expiry":"2999-01-01T00:00:00Z"}';;
esac
exit 0
"#;
const SIZE: usize = 1024 * 1024;

/// How a program says who it is.
#[derive(PartialEq)]
enum By {
    Secret,
    Token,
    Login,
}

/// An identity, and the most that it may cost.
struct Way {
    name: &'static str,
    by: By,
    requests: u32,
    round_trips: u32,
}

/// M2M: where tokens are made, a token, and then the mint beside the endpoint. PAT and CLI: the last two.
const WAYS: [Way; 3] = [
    Way {
        name: "M2M",
        by: By::Secret,
        requests: 4,
        round_trips: 3,
    },
    Way {
        name: "PAT",
        by: By::Token,
        requests: 2,
        round_trips: 1,
    },
    Way {
        name: "CLI",
        by: By::Login,
        requests: 2,
        round_trips: 1,
    },
];

#[derive(Deserialize)]
struct Journal {
    last: u64,
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    kind: String,
    at: Timestamp,
    route: Option<String>,
    took_ms: Option<u64>,
}

/// When a request came and when it was answered, in milliseconds.
#[derive(Clone, Copy, Debug)]
struct Span {
    from: i64,
    to: i64,
}

/// Runs each identity with ours and with the peer; `folder` keeps the stand-in of the Databricks CLI.
pub(super) fn rows(package: &Package, emulator: &Emulator, folder: &Path) -> Result<Vec<Row>> {
    let path = with_login(folder)?;
    let far = json!({"action": {"kind": "latency", "ms": DISTANCE}});
    emulator.post("/_emulator/faults", &far)?;
    let mut rows = Vec::new();
    for way in &WAYS {
        let ours = way.spans("ours", package, emulator, &path)?;
        let theirs = way.spans("theirs", package, emulator, &path)?;
        let name = way.name;
        rows.push(Row::count(
            &format!("requests until the first credential, {name}"),
            u32::try_from(ours.len())?,
            PEER,
            u32::try_from(theirs.len())?,
            way.requests,
        ));
        rows.push(Row::count(
            &format!("round trips until the first credential, {name}"),
            round_trips(&ours),
            PEER,
            round_trips(&theirs),
            way.round_trips,
        ));
    }
    let near = json!({"keep": ["clock", "journal", "resources", "tokens"]});
    emulator.post("/_emulator/reset", &near)?;
    Ok(rows)
}

impl Way {
    fn spans(
        &self,
        who: &str,
        package: &Package,
        emulator: &Emulator,
        path: &OsString,
    ) -> Result<Vec<Span>> {
        let before: Journal = serde_json::from_value(emulator.get("/_emulator/requests?since=0")?)?;
        let mut program = package.script("first_credential.mjs", emulator);
        program.arg(who);
        if self.by != By::Token {
            program.env_remove("DATABRICKS_TOKEN");
        }
        match self.by {
            By::Secret => program.envs(MACHINE),
            By::Login => program.env("PATH", path),
            By::Token => &mut program,
        };
        if who == "ours" {
            // Asked for, as an app would that only knows its endpoint.
            program.env_remove("PGHOST").env_remove("PGHOSTADDR");
        }
        child::quietly("first_credential.mjs", &mut program)?;
        let path = format!("/_emulator/requests?since={}", before.last);
        let after: Journal = serde_json::from_value(emulator.get(&path)?)?;
        let spans: Vec<Span> = after
            .entries
            .iter()
            .filter(|entry| entry.kind == "request")
            .map(Entry::span)
            .collect::<Result<_>>()?;
        if spans.is_empty() {
            bail!("{who} got a credential by {} without a request", self.name);
        }
        Ok(spans)
    }
}

/// The programs of this machine, and before them a Databricks CLI that somebody has logged in by.
fn with_login(folder: &Path) -> Result<OsString> {
    let programs = folder.join("login");
    fs::create_dir_all(&programs)?;
    let cli = programs.join("databricks");
    fs::write(&cli, format!("{LOGIN}{}", "#".repeat(SIZE)))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&cli, fs::Permissions::from_mode(0o755))?;
    }
    let others = env::var_os("PATH").unwrap_or_default();
    let all = [programs].into_iter().chain(env::split_paths(&others));
    Ok(env::join_paths(all)?)
}

impl Entry {
    fn span(&self) -> Result<Span> {
        let from = self.at.as_millisecond();
        let took = self.took_ms.with_context(|| {
            format!(
                "{} was never answered",
                self.route.as_deref().unwrap_or("a request")
            )
        })?;
        Ok(Span {
            from,
            to: from + i64::try_from(took)?,
        })
    }
}

/// The longest chain of requests of which each began after the one before had ended.
fn round_trips(spans: &[Span]) -> u32 {
    let mut ordered = spans.to_vec();
    ordered.sort_by_key(|span| span.to);
    let (mut count, mut end) = (0, i64::MIN);
    for span in ordered {
        if span.from >= end {
            count += 1;
            end = span.to;
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::{Span, round_trips};

    fn spans(times: &[(i64, i64)]) -> Vec<Span> {
        times.iter().map(|&(from, to)| Span { from, to }).collect()
    }

    #[test]
    fn what_is_asked_side_by_side_is_one_round_trip() {
        assert_eq!(round_trips(&spans(&[(0, 200), (5, 203)])), 1);
        assert_eq!(round_trips(&spans(&[(0, 200), (201, 401)])), 2);
        assert_eq!(
            round_trips(&spans(&[(0, 200), (202, 402), (404, 604), (405, 606)])),
            3
        );
        assert_eq!(round_trips(&[]), 0);
    }
}
