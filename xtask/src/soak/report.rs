//! What a soak found, as text, as Markdown and as JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use super::Watched;
use super::gauge::Growth;
use super::ledger::Judgement;
use super::trouble::Kind;
use super::verdict::Verdict;
use crate::repo::Repo;
use crate::table;

/// One driver and what it did.
pub(super) struct Driver {
    name: String,
    logins: u64,
    tokens: u64,
    acknowledged: u64,
    present: u64,
    failed_logins: u64,
    failed_queries: u64,
}

impl Driver {
    pub(super) fn of(watched: &Watched, judgement: &Judgement, rows: &Value) -> Driver {
        let name = watched.which.name();
        let figures = watched.app.figures();
        let said = match &watched.end {
            Some(Ok(words)) => words["driver"].as_str(),
            _ => None,
        };
        let number = |field: &str| rows[name][field].as_u64().unwrap_or_default();
        let (failed_logins, failed_queries) =
            judgement.explained.get(name).copied().unwrap_or_default();
        Driver {
            name: said.unwrap_or(name).to_owned(),
            logins: figures.logins,
            tokens: figures.tokens,
            acknowledged: number("acknowledged"),
            present: number("present"),
            failed_logins,
            failed_queries,
        }
    }
}

/// The whole of it.
pub(super) struct Report {
    pub(super) seed: u64,
    pub(super) ran: Duration,
    pub(super) interrupted: bool,
    pub(super) drivers: Vec<Driver>,
    pub(super) growth: Vec<(&'static str, Option<Growth>)>,
    pub(super) trouble: BTreeMap<Kind, u64>,
    pub(super) refused: BTreeMap<String, u64>,
    pub(super) verdicts: Vec<Verdict>,
}

impl Report {
    /// Whether the run was whole and everything held.
    pub(super) fn good(&self) -> bool {
        !self.interrupted && self.broken() == 0
    }

    fn broken(&self) -> usize {
        self.verdicts.iter().filter(|verdict| !verdict.held).count()
    }

    /// Writes `target/soak/report.md` and `report.json`.
    pub(super) fn write(&self, repo: &Repo) -> Result<()> {
        let markdown = format!("# Soak\n\n```text\n{}```\n", self.text());
        fs::write(repo.target("soak/report.md"), markdown)?;
        let json = serde_json::to_string_pretty(&self.json())? + "\n";
        Ok(fs::write(repo.target("soak/report.json"), json)?)
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "seed": self.seed,
            "seconds": self.ran.as_secs(),
            "interrupted": self.interrupted,
            "good": self.good(),
            "drivers": self.drivers.iter().map(|driver| json!({
                "name": driver.name,
                "logins": driver.logins,
                "tokens": driver.tokens,
                "rows_acknowledged": driver.acknowledged,
                "rows_present": driver.present,
                "failed_logins_explained": driver.failed_logins,
                "failed_queries_explained": driver.failed_queries,
            })).collect::<Vec<_>>(),
            "processes": self.growth.iter().map(|(name, growth)| json!({
                "name": name,
                "growth": growth.as_ref().map(|growth| json!({
                    "memory_kib": [growth.usual.rss, growth.last.rss],
                    "threads": [growth.usual.threads, growth.last.threads],
                    "files": [growth.usual.files, growth.last.files],
                })),
            })).collect::<Vec<_>>(),
            "trouble": self.trouble.iter().map(|(kind, count)| (kind.name(), json!(count)))
                .collect::<BTreeMap<_, _>>(),
            "logins_refused": self.refused,
            "invariants": self.verdicts.iter().map(|verdict| json!({
                "rule": verdict.rule,
                "held": verdict.held,
                "found": verdict.found,
            })).collect::<Vec<_>>(),
        })
    }

    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let _ = writeln!(
            text,
            "seed {}, {} s{}\n",
            self.seed,
            self.ran.as_secs(),
            if self.interrupted {
                ": ended by Ctrl-C before its time, so it proves nothing"
            } else {
                ""
            }
        );
        text += &self.drivers();
        text.push('\n');
        text += &self.processes();
        text.push('\n');
        let count = |name: &str, count: &u64| vec![name.to_owned(), count.to_string()];
        let trouble: Vec<_> = self
            .trouble
            .iter()
            .map(|(kind, times)| count(kind.name(), times))
            .collect();
        text += &table::render(&["trouble", "times"], &trouble);
        if !self.refused.is_empty() {
            let refused: Vec<_> = self
                .refused
                .iter()
                .map(|(code, times)| count(if code.is_empty() { "none" } else { code }, times))
                .collect();
            text.push('\n');
            text += &table::render(&["logins refused with", "times"], &refused);
        }
        text.push('\n');
        for verdict in &self.verdicts {
            let word = if verdict.held { "held  " } else { "BROKEN" };
            let _ = writeln!(text, "{word}  {}: {}", verdict.rule, verdict.found);
        }
        let broken = self.broken();
        let _ = writeln!(
            text,
            "\n== {} passed, {broken} failed in {:.1}s ==",
            self.verdicts.len() - broken,
            self.ran.as_secs_f64()
        );
        text
    }

    fn drivers(&self) -> String {
        let rows: Vec<Vec<String>> = self
            .drivers
            .iter()
            .map(|driver| {
                let numbers = [
                    driver.logins,
                    driver.tokens,
                    driver.acknowledged,
                    driver.present,
                    driver.failed_logins,
                    driver.failed_queries,
                ];
                let numbers = numbers.iter().map(u64::to_string);
                std::iter::once(driver.name.clone())
                    .chain(numbers)
                    .collect()
            })
            .collect();
        let heads = [
            "driver",
            "logins",
            "tokens",
            "rows acknowledged",
            "rows there",
            "failed logins",
            "failed queries",
        ];
        table::render(&heads, &rows)
    }

    fn processes(&self) -> String {
        let rows: Vec<Vec<String>> = self
            .growth
            .iter()
            .map(|(name, growth)| {
                let Some(Growth { usual, last }) = growth else {
                    return vec![(*name).to_owned(), "not seen".to_owned()];
                };
                let pair = |before: u64, after: u64| format!("{before} -> {after}");
                vec![
                    (*name).to_owned(),
                    pair(usual.rss / 1024, last.rss / 1024),
                    pair(usual.threads, last.threads),
                    pair(usual.files, last.files),
                ]
            })
            .collect();
        table::render(&["process", "memory in MiB", "threads", "files"], &rows)
    }
}
