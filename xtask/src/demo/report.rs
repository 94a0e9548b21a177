//! What the demo found, as tables and as JSON, and the rules that must have come true.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::app::Figures;
use crate::table;

/// Fewer rotations or logins would prove nothing.
const ROTATIONS: u64 = 5;
const LOGINS: u64 = 50;

/// The logins that must be refused, in the order in which `refused.py` tries them.
pub(super) const REFUSED: [&str; 3] = ["workspace_token", "expired_token", "no_tls"];

/// One app and what it did.
pub(super) struct Driver {
    /// The driver and its pool, with versions.
    pub(super) name: String,
    pub(super) figures: Figures,
}

impl Driver {
    /// The first token is no rotation.
    fn rotations(&self) -> u64 {
        self.figures.tokens.saturating_sub(1)
    }
}

/// The findings.
pub(super) struct Report {
    postgres: String,
    drivers: Vec<Driver>,
    tokens_minted: u64,
    wakes: u64,
    refused: Value,
}

impl Report {
    /// `counters` are the emulator's, read when the apps had ended and before anything else logged in.
    pub(super) fn new(
        postgres: &str,
        drivers: Vec<Driver>,
        counters: &Value,
        refused: Value,
    ) -> Result<Report> {
        let suspends = each_endpoint(counters, "suspends")?;
        let starts = each_endpoint(counters, "starts")?;
        Ok(Report {
            postgres: postgres.to_owned(),
            drivers,
            tokens_minted: counters["mints"]
                .as_u64()
                .context("the emulator counts no mints")?,
            // A start that follows a suspension; the very first start is none.
            wakes: starts.saturating_sub(1).min(suspends),
            refused,
        })
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "postgres": self.postgres,
            "drivers": self.drivers.iter().map(|driver| json!({
                "name": driver.name,
                "logins": driver.figures.logins,
                "queries": driver.figures.queries,
                "failed_logins": driver.figures.failed_logins,
                "failed_queries": driver.figures.failed_queries,
                "rotations": driver.rotations(),
            })).collect::<Vec<_>>(),
            "tokens_minted": self.tokens_minted,
            "rotations": self.rotations(),
            "wakes": self.wakes,
            "refused": self.refused,
        })
    }

    pub(super) fn text(&self) -> String {
        let rows: Vec<Vec<String>> = self
            .drivers
            .iter()
            .map(|Driver { name, figures }| {
                let counts = [
                    figures.logins,
                    figures.queries,
                    figures.failed_logins,
                    figures.failed_queries,
                ];
                let counts = counts.iter().map(u64::to_string);
                std::iter::once(name.clone()).chain(counts).collect()
            })
            .collect();
        let driver = table::render(
            &[
                "driver",
                "logins",
                "queries",
                "failed logins",
                "failed queries",
            ],
            &rows,
        );
        let lakebase = table::render(
            &["postgres", "tokens minted", "rotations", "wakes"],
            &[vec![
                self.postgres.clone(),
                self.tokens_minted.to_string(),
                self.rotations().to_string(),
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
        let mut broken = Vec::new();
        let mut rule = |holds: bool, text: String| {
            if !holds {
                broken.push(text);
            }
        };
        for driver in &self.drivers {
            let Driver { name, figures } = driver;
            rule(
                driver.rotations() >= ROTATIONS,
                format!(
                    "at least {ROTATIONS} rotations with {name}: {}",
                    driver.rotations()
                ),
            );
            rule(
                figures.logins >= LOGINS,
                format!("at least {LOGINS} logins with {name}: {}", figures.logins),
            );
            rule(
                figures.failed_logins == 0,
                format!("no failed login with {name}: {}", figures.failed_logins),
            );
            rule(
                figures.failed_queries == 0,
                format!("no failed query with {name}: {}", figures.failed_queries),
            );
        }
        let seen = self.drivers.iter().map(|driver| driver.figures.tokens);
        let seen: u64 = seen.sum();
        rule(
            self.tokens_minted <= seen,
            format!(
                "one mint per token in use: {} mints for {seen} tokens",
                self.tokens_minted
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

    /// How often an app went on with a token that was new; only the very first one of all replaces nothing.
    fn rotations(&self) -> u64 {
        let tokens: u64 = self
            .drivers
            .iter()
            .map(|driver| driver.figures.tokens)
            .sum();
        tokens.saturating_sub(1)
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

    use super::{Driver, Figures, Report};

    fn report(figures: Figures, mints: u64) -> Option<Report> {
        let counters = json!({"mints": mints, "endpoints": {"ep-a": {"starts": 2, "suspends": 1}}});
        let refusal = json!({"message": "FATAL: no"});
        let refused =
            json!({"workspace_token": refusal, "expired_token": refusal, "no_tls": refusal});
        let drivers = vec![Driver {
            name: "a driver".to_owned(),
            figures,
        }];
        Report::new("17.10", drivers, &counters, refused).ok()
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
