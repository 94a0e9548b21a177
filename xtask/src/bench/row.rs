//! One measured thing: ours, a peer's, and what we want it to be.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

/// One row of the table.
pub(super) struct Row {
    what: String,
    unit: String,
    ours: f64,
    /// Whose figure and which; none when there is nobody to compare with.
    peer: Option<(String, f64)>,
    target: Option<Target>,
}

/// The most that something may be.
enum Target {
    Ratio(f64),
    Difference(f64),
    Ours(f64),
    AtMost(f64),
}

impl Row {
    /// The size of a file in megabytes, which nobody's is compared with.
    pub(super) fn size(what: &str, file: &Path, most: f64) -> Result<Row> {
        let bytes = fs::metadata(file)?.len();
        if bytes == 0 {
            bail!("{} is empty", file.display());
        }
        #[expect(
            clippy::cast_precision_loss,
            reason = "what we build is smaller than 2^52 bytes"
        )]
        let ours = bytes as f64 / 1e6;
        Ok(Row {
            what: what.to_owned(),
            unit: "MB".to_owned(),
            ours,
            peer: None,
            target: Some(Target::Ours(most)),
        })
    }

    /// A count of both.
    pub(super) fn count(what: &str, ours: u32, peer: &str, theirs: u32, most: u32) -> Row {
        Row {
            what: what.to_owned(),
            unit: String::new(),
            ours: ours.into(),
            peer: Some((peer.to_owned(), theirs.into())),
            target: Some(Target::AtMost(most.into())),
        }
    }

    /// The rows that a script printed, one JSON object a line.
    pub(super) fn read(said: &str) -> Result<Vec<Row>> {
        let rows: Vec<Row> = said
            .lines()
            .filter(|line| line.starts_with('{'))
            .map(|line| Row::parse(line).with_context(|| format!("a bench script said {line:?}")))
            .collect::<Result<_>>()?;
        if rows.is_empty() {
            bail!("a bench script measured nothing: {said:?}");
        }
        Ok(rows)
    }

    fn parse(line: &str) -> Result<Row> {
        let row: Value = serde_json::from_str(line)?;
        let text = |name: &str| {
            row[name]
                .as_str()
                .map(str::to_owned)
                .with_context(|| format!("no {name}"))
        };
        let number = |name: &str| {
            row[name]
                .as_f64()
                .filter(|figure| *figure > 0.0)
                .with_context(|| format!("no {name}"))
        };
        let most = |name: &str| row["target"][name].as_f64();
        Ok(Row {
            what: text("what")?,
            unit: text("unit")?,
            ours: number("ours")?,
            peer: Some((text("peer")?, number("theirs")?)),
            target: most("ratio")
                .map(Target::Ratio)
                .or_else(|| most("difference").map(Target::Difference))
                .or_else(|| most("ours").map(Target::Ours)),
        })
    }

    fn ratio(&self) -> Option<f64> {
        self.peer.as_ref().map(|(_, theirs)| self.ours / theirs)
    }

    /// Whether the target is met; none without one.
    fn met(&self) -> Option<bool> {
        let theirs = self.peer.as_ref().map(|(_, theirs)| *theirs);
        Some(match self.target.as_ref()? {
            Target::Ratio(most) => self.ratio()? <= *most,
            Target::Difference(most) => self.ours - theirs? <= *most,
            Target::Ours(most) => self.ours < *most,
            Target::AtMost(most) => self.ours <= *most,
        })
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "what": self.what,
            "unit": self.unit,
            "ours": self.ours,
            "peer": self.peer.as_ref().map(|(name, _)| name),
            "theirs": self.peer.as_ref().map(|(_, figure)| figure),
            "ratio": self.ratio(),
            "target": self.wanted(),
            "met": self.met(),
        })
    }

    /// What, ours, peer, ratio, target.
    pub(super) fn cells(&self) -> Vec<String> {
        let target = match (self.wanted(), self.met()) {
            (Some(wanted), Some(true)) => format!("{wanted}: met"),
            (Some(wanted), _) => format!("{wanted}: MISSED"),
            (None, _) => String::new(),
        };
        vec![
            self.what.clone(),
            self.figure(self.ours),
            self.peer
                .as_ref()
                .map_or_else(String::new, |(name, theirs)| {
                    format!("{} ({name})", self.figure(*theirs))
                }),
            self.ratio()
                .map_or_else(String::new, |ratio| format!("{ratio:.2}")),
            target,
        ]
    }

    fn wanted(&self) -> Option<String> {
        Some(match self.target.as_ref()? {
            Target::Ratio(most) => format!("at most {most} times"),
            Target::Difference(most) => format!("at most {most} {} more", self.unit),
            Target::Ours(most) => format!("under {most} {}", self.unit),
            Target::AtMost(most) => format!("at most {most}"),
        })
    }

    fn figure(&self, figure: f64) -> String {
        if self.unit.is_empty() {
            return figure.to_string();
        }
        format!(
            "{figure:.*} {}",
            if figure < 10.0 { 2 } else { 1 },
            self.unit
        )
    }
}

#[cfg(test)]
mod tests {
    use super::Row;

    fn cells(line: &str) -> Vec<String> {
        Row::read(line)
            .ok()
            .and_then(|rows| rows.first().map(Row::cells))
            .unwrap_or_default()
    }

    #[test]
    fn targets_are_met_or_missed() {
        let row = |target: &str| {
            format!(
                "{{\"what\":\"a\",\"unit\":\"ms\",\"ours\":30,\"peer\":\"b\",\"theirs\":10,\"target\":{target}}}"
            )
        };
        assert_eq!(
            cells(&row("{\"ratio\":3}")),
            [
                "a",
                "30.0 ms",
                "10.0 ms (b)",
                "3.00",
                "at most 3 times: met"
            ]
        );
        assert_eq!(
            cells(&row("{\"ratio\":2.9}"))[4],
            "at most 2.9 times: MISSED"
        );
        assert_eq!(
            cells(&row("{\"difference\":15}"))[4],
            "at most 15 ms more: MISSED"
        );
        assert_eq!(cells(&row("{\"ours\":31}"))[4], "under 31 ms: met");
        assert_eq!(cells(&row("{}"))[4], "");
    }

    #[test]
    fn a_script_that_measures_nothing_is_an_error() {
        assert!(Row::read("").is_err());
        assert!(
            Row::read("{\"what\":\"a\",\"unit\":\"ms\",\"ours\":0,\"peer\":\"b\",\"theirs\":1}")
                .is_err()
        );
    }
}
