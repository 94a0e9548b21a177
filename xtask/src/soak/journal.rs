//! What the emulator saw during a soak: each login that it accepted or refused, with whose token, and each mint.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::emulator::Emulator;

/// Everything of the journal that the invariants need, read while it is still there.
#[derive(Debug, Default)]
pub(super) struct Journal {
    last: u64,
    /// Logins accepted, by role.
    pub(super) accepted: BTreeMap<String, u64>,
    /// Logins refused, by SQLSTATE.
    pub(super) refused: BTreeMap<String, u64>,
    /// Accepted with a token that had ended, or with none.
    pub(super) expired: Vec<String>,
    /// Accepted with a token of somebody else than the role.
    pub(super) strangers: Vec<String>,
    /// Requests to mint whose answer reached nobody though it may have been carried out.
    pub(super) lost_mints: u64,
    /// Requests to mint.
    pub(super) mint_requests: u64,
    /// Those that had no end when they were read.
    open: BTreeSet<u64>,
}

impl Journal {
    /// Reads what is new.
    pub(super) fn read(&mut self, emulator: &Emulator) -> Result<()> {
        // Requests that are still under way are read again.
        let since = self.open.first().map_or(self.last, |seq| seq - 1);
        let answer = emulator.get(&format!("/_emulator/requests?since={since}"))?;
        for entry in answer["entries"].as_array().into_iter().flatten() {
            let seq = entry["seq"].as_u64().context("an entry has no number")?;
            let new = seq > self.last;
            if entry["kind"] == "login" && new {
                self.login(entry);
            }
            if entry["path"] == "/api/2.0/postgres/credentials" {
                self.mint_requests += u64::from(new);
                self.mint(seq, entry);
            }
        }
        self.last = self.last.max(answer["last"].as_u64().unwrap_or_default());
        Ok(())
    }

    fn mint(&mut self, seq: u64, entry: &Value) {
        if entry["outcome"] == "pending" {
            self.open.insert(seq);
            return;
        }
        let was_open = self.open.remove(&seq);
        let counted = seq <= self.last && !was_open;
        let answered = entry["outcome"] == "answered";
        if !counted && !answered {
            self.lost_mints += 1;
        }
    }

    fn login(&mut self, entry: &Value) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let role = text(&entry["role"]);
        if !entry["sqlstate"].is_null() {
            *self.refused.entry(text(&entry["sqlstate"])).or_default() += 1;
            return;
        }
        let token = &entry["token"];
        let time = |name: &str| text(&token[name]).parse::<jiff::Timestamp>().ok();
        let good = time("checked")
            .zip(time("expires"))
            .is_some_and(|(checked, expires)| checked < expires);
        if !good {
            self.expired
                .push(format!("{role} at {}", text(&entry["at"])));
        }
        if text(&token["subject"]) != role {
            self.strangers
                .push(format!("{} as {role}", text(&token["subject"])));
        }
        *self.accepted.entry(role).or_default() += 1;
    }

    pub(super) fn logins(&self) -> u64 {
        self.accepted.values().sum()
    }
}
