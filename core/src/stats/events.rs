//! The last events, for the error that follows them.
//!
//! An error that says "no login within 30 s" is worth little without the mint that was refused twice before it.

use std::collections::VecDeque;
use std::sync::Mutex;

use crate::credential::sync::lock;

const KEPT: usize = 64;
/// How many of them an error carries.
const SHOWN: usize = 16;

#[derive(Debug, Default)]
pub(crate) struct Events(Mutex<VecDeque<(u64, String)>>);

impl Events {
    /// Keeps a line: fixed words, slugs, resource names and numbers, never what a server or a user wrote.
    pub(crate) fn note(&self, wall_ms: u64, line: String) {
        let mut kept = lock(&self.0);
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back((wall_ms, line));
    }

    /// The last ones, oldest first, each with its time.
    pub(crate) fn recent(&self) -> Vec<String> {
        let kept = lock(&self.0);
        let skipped = kept.len().saturating_sub(SHOWN);
        let shown = kept.iter().skip(skipped);
        shown
            .map(|(at, line)| format!("{} {line}", stamp(*at)))
            .collect()
    }
}

fn stamp(ms: u64) -> String {
    let stamp = i64::try_from(ms)
        .ok()
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    stamp.map_or_else(|| ms.to_string(), |stamp| format!("{stamp:.3}"))
}

#[cfg(test)]
mod tests {
    use super::{Events, KEPT, SHOWN};

    #[test]
    fn the_last_lines_are_shown_with_their_time_and_the_oldest_are_forgotten() {
        let events = Events::default();
        for number in 0..KEPT as u64 + 9 {
            events.note(1_800_000_000_000 + number, format!("event {number}"));
        }
        let shown = events.recent();
        assert_eq!(shown.len(), SHOWN);
        assert_eq!(
            shown.last().map(String::as_str),
            Some("2027-01-15T08:00:00.072Z event 72")
        );
        assert_eq!(events.0.lock().map(|kept| kept.len()).ok(), Some(KEPT));
    }
}
