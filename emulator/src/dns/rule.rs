//! What the name server answers instead of the truth.

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

/// A rule; the newest that fits a question answers it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DnsRule {
    /// The host name it is about; none: every name.
    pub name: Option<String>,
    /// What is answered.
    pub answer: DnsAnswer,
    /// How long clients may keep the answer, in seconds; 30 if left out.
    #[serde(default = "usual_ttl")]
    pub ttl_s: u32,
    /// For at most so many questions; a client asks two per look-up, one for each address family.
    pub times: Option<u64>,
}

/// What a rule answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DnsAnswer {
    /// These addresses, of the family that is asked for.
    Addresses(Vec<IpAddr>),
    /// Another name, with its addresses.
    Alias(String),
    /// There is no such name.
    Nxdomain,
    /// The server has failed.
    Servfail,
    /// The server does not want to.
    Refused,
    /// Nothing at all.
    Timeout,
    /// Over UDP: too long, ask by TCP. Over TCP: the truth.
    Truncate,
}

fn usual_ttl() -> u32 {
    super::TTL_S
}

#[derive(Debug, Default)]
struct Book {
    rules: Vec<DnsRule>,
    asked: Vec<String>,
}

/// The rules in force, and what was asked.
#[derive(Debug, Default)]
pub(crate) struct Rules(Mutex<Book>);

/// Names that are remembered; a test reads them right after.
const MOST_ASKED: usize = 1000;

impl Rules {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, rule: DnsRule) {
        self.book().rules.push(rule);
    }

    pub(crate) fn clear(&self) {
        self.book().rules.clear();
    }

    pub(crate) fn list(&self) -> Vec<DnsRule> {
        self.book().rules.clone()
    }

    /// The names that were asked for, oldest first.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.book().asked.clone()
    }

    /// The answer and its time to live, if a rule is about `name`.
    pub(super) fn strike(&self, name: &str) -> Option<(DnsAnswer, u32)> {
        let mut book = self.book();
        if book.asked.len() < MOST_ASKED {
            book.asked.push(name.to_owned());
        }
        let rule = book.rules.iter_mut().rev().find(|rule| {
            let fits = rule
                .name
                .as_deref()
                .is_none_or(|wanted| wanted.eq_ignore_ascii_case(name));
            fits && rule.times != Some(0)
        })?;
        if let Some(times) = &mut rule.times {
            *times -= 1;
        }
        Some((rule.answer.clone(), rule.ttl_s))
    }
}
