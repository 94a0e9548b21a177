//! What the demo found, as tables and as JSON, and the rules that must have come true.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::app::Figures;
use crate::table;

/// Fewer rotations or logins would prove nothing.
const ROTATIONS: u64 = 5;
const LOGINS: u64 = 50;

/// The logins that must be refused, in the order in which `refused.py` tries them.
pub(super) const REFUSED: [&str; 3] = ["workspace_token", "expired_token", "no_tls"];

/// The findings.
pub(super) struct Report {
    postgres: String,
    driver: String,
    figures: Figures,
    tokens_minted: u64,
    rotations: u64,
    wakes: u64,
    refused: Value,
}

impl Report {
    /// `counters` are the emulator's, read when the app had ended and before anything else logged in.
    pub(super) fn new(
        postgres: &str,
        figures: &Figures,
        app: &Value,
        counters: &Value,
        refused: Value,
    ) -> Result<Report> {
        let suspends = each_endpoint(counters, "suspends")?;
        let starts = each_endpoint(counters, "starts")?;
        Ok(Report {
            postgres: postgres.to_owned(),
            driver: format!(
                "psycopg {} with psycopg_pool {}",
                app["psycopg"].as_str().unwrap_or("?"),
                app["psycopg_pool"].as_str().unwrap_or("?")
            ),
            figures: *figures,
            tokens_minted: counters["mints"]
                .as_u64()
                .context("the emulator counts no mints")?,
            // The first token is no rotation.
            rotations: figures.tokens.saturating_sub(1),
            // A start that follows a suspension; the very first start is none.
            wakes: starts.saturating_sub(1).min(suspends),
            refused,
        })
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "postgres": self.postgres,
            "drivers": [{
                "name": self.driver,
                "logins": self.figures.logins,
                "queries": self.figures.queries,
                "failed_logins": self.figures.failed_logins,
                "failed_queries": self.figures.failed_queries,
            }],
            "tokens_minted": self.tokens_minted,
            "rotations": self.rotations,
            "wakes": self.wakes,
            "refused": self.refused,
        })
    }

    pub(super) fn text(&self) -> String {
        let driver = table::render(
            &[
                "driver",
                "logins",
                "queries",
                "failed logins",
                "failed queries",
            ],
            &[vec![
                self.driver.clone(),
                self.figures.logins.to_string(),
                self.figures.queries.to_string(),
                self.figures.failed_logins.to_string(),
                self.figures.failed_queries.to_string(),
            ]],
        );
        let lakebase = table::render(
            &["postgres", "tokens minted", "rotations", "wakes"],
            &[vec![
                self.postgres.clone(),
                self.tokens_minted.to_string(),
                self.rotations.to_string(),
                self.wakes.to_string(),
            ]],
        );
        let refused: Vec<Vec<String>> = REFUSED
            .into_iter()
            .map(|name| {
                let sqlstate = self.refused[name]["sqlstate"].as_str().unwrap_or_default();
                let title = name.replace('_', " ");
                vec![title, sqlstate.to_owned(), self.message(name).to_owned()]
            })
            .collect();
        format!(
            "{driver}\n{lakebase}\n{}",
            table::render(&["refused", "SQLSTATE", "psycopg said"], &refused)
        )
    }

    /// The rules that did not come true, in words.
    pub(super) fn broken(&self) -> Vec<String> {
        let figures = self.figures;
        let mut broken = Vec::new();
        let mut rule = |holds: bool, text: String| {
            if !holds {
                broken.push(text);
            }
        };
        rule(
            self.rotations >= ROTATIONS,
            format!("at least {ROTATIONS} rotations: {}", self.rotations),
        );
        rule(
            figures.logins >= LOGINS,
            format!("at least {LOGINS} logins: {}", figures.logins),
        );
        rule(
            figures.failed_logins == 0,
            format!("no failed login: {}", figures.failed_logins),
        );
        rule(
            figures.failed_queries == 0,
            format!("no failed query: {}", figures.failed_queries),
        );
        rule(
            self.tokens_minted <= self.rotations + 1,
            format!(
                "one mint per rotation: {} mints for {} rotations",
                self.tokens_minted, self.rotations
            ),
        );
        rule(
            self.wakes >= 1,
            format!("at least one wake: {}", self.wakes),
        );
        for name in REFUSED {
            rule(
                !self.message(name).is_empty(),
                format!("a login with {name} is refused with a message"),
            );
        }
        broken
    }

    fn message(&self, name: &str) -> &str {
        self.refused[name]["message"].as_str().unwrap_or_default()
    }
}

fn each_endpoint(counters: &Value, name: &str) -> Result<u64> {
    let endpoints = counters["endpoints"]
        .as_object()
        .context("the emulator counts no endpoints")?;
    Ok(endpoints
        .values()
        .filter_map(|endpoint| endpoint[name].as_u64())
        .sum())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Figures, Report};

    fn report(figures: Figures, mints: u64) -> Option<Report> {
        let counters = json!({"mints": mints, "endpoints": {"ep-a": {"starts": 2, "suspends": 1}}});
        let refusal = json!({"message": "FATAL: no"});
        let refused =
            json!({"workspace_token": refusal, "expired_token": refusal, "no_tls": refusal});
        Report::new("17.10", &figures, &json!({}), &counters, refused).ok()
    }

    fn good() -> Figures {
        Figures {
            logins: 80,
            queries: 900,
            tokens: 7,
            ..Figures::default()
        }
    }

    #[test]
    fn a_good_run_breaks_no_rule() {
        assert_eq!(
            report(good(), 7).map(|report| report.broken()),
            Some(vec![])
        );
    }

    #[test]
    fn each_rule_can_break() {
        let broken =
            |figures, mints| report(figures, mints).map_or(0, |report| report.broken().len());
        assert_eq!(broken(good(), 8), 1);
        assert_eq!(
            broken(
                Figures {
                    failed_logins: 1,
                    ..good()
                },
                7
            ),
            1
        );
        assert_eq!(
            broken(
                Figures {
                    failed_queries: 1,
                    ..good()
                },
                7
            ),
            1
        );
        assert_eq!(
            broken(
                Figures {
                    logins: 49,
                    ..good()
                },
                7
            ),
            1
        );
        assert_eq!(
            broken(
                Figures {
                    tokens: 5,
                    ..good()
                },
                5
            ),
            1
        );
    }
}
