//! What goes wrong during a soak, when, and for how long: drawn from one seed, so that a run can be had again.

use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use crate::emulator::Emulator;

/// One kind of trouble. A session that goes silent is none of them: only an app's own time limits end a query on one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Unavailable,
    Throttled,
    Hanging,
    Reset,
    Slow,
    Garbage,
    LostAnswer,
    Refusing,
    NotReady,
    Terminated,
    Closed,
    ResetSessions,
    Cut,
    Restart,
    Crash,
    Suspend,
    SlowWake,
    FailedWake,
    ClockForward,
    ClockBack,
    NewKey,
}

/// What a kind of trouble may do to an app, besides making it wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Harm {
    /// Nothing.
    None,
    /// Sessions end, and with them the query that runs.
    Sessions,
    /// Tokens that are in use are refused, so that each process mints once more.
    Tokens,
}

impl Kind {
    pub(super) const ALL: [Kind; 21] = [
        Kind::Unavailable,
        Kind::Throttled,
        Kind::Hanging,
        Kind::Reset,
        Kind::Slow,
        Kind::Garbage,
        Kind::LostAnswer,
        Kind::Refusing,
        Kind::NotReady,
        Kind::Terminated,
        Kind::Closed,
        Kind::ResetSessions,
        Kind::Cut,
        Kind::Restart,
        Kind::Crash,
        Kind::Suspend,
        Kind::SlowWake,
        Kind::FailedWake,
        Kind::ClockForward,
        Kind::ClockBack,
        Kind::NewKey,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Unavailable => "control plane answers 503",
            Kind::Throttled => "control plane answers 429",
            Kind::Hanging => "control plane hangs",
            Kind::Reset => "control plane resets connections",
            Kind::Slow => "control plane is slow",
            Kind::Garbage => "control plane answers HTML",
            Kind::LostAnswer => "answers of mints are lost",
            Kind::Refusing => "nobody listens at the control plane",
            Kind::NotReady => "the gateway refuses logins",
            Kind::Terminated => "sessions end with 57P01",
            Kind::Closed => "sessions are closed",
            Kind::ResetSessions => "sessions are reset",
            Kind::Cut => "sessions are cut off",
            Kind::Restart => "Postgres restarts",
            Kind::Crash => "Postgres crashes",
            Kind::Suspend => "the compute is suspended",
            Kind::SlowWake => "the compute is suspended and wakes slowly",
            Kind::FailedWake => "the compute is suspended and does not wake at first",
            Kind::ClockForward => "the clock steps forward",
            Kind::ClockBack => "the clock steps back",
            Kind::NewKey => "the signing key is new",
        }
    }

    pub(super) fn harm(self) -> Harm {
        match self {
            Kind::Terminated
            | Kind::Closed
            | Kind::ResetSessions
            | Kind::Cut
            | Kind::Restart
            | Kind::Crash
            | Kind::Suspend
            | Kind::SlowWake
            | Kind::FailedWake => Harm::Sessions,
            Kind::ClockForward | Kind::ClockBack | Kind::NewKey => Harm::Tokens,
            _ => Harm::None,
        }
    }
}

/// One piece of trouble.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Trouble {
    /// After the beginning.
    pub(super) at: Duration,
    pub(super) kind: Kind,
    /// How long it stays, if it is a state.
    pub(super) hold: Duration,
    /// From 0 to 999: how bad, where there is a more and a less.
    pub(super) size: u32,
}

/// Quiet at the beginning, so that all apps are up, and at the end, so that all of them are well again.
const QUIET: Duration = Duration::from_secs(5);

/// The trouble of a run of this length. Kinds come in a random order, each once before any comes again.
pub(super) fn drawn(seed: u64, length: Duration) -> Vec<Trouble> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut deck = Vec::new();
    let mut all = Vec::new();
    let mut at = QUIET;
    loop {
        let hold = Duration::from_secs_f64(0.5 + 4.0 * random.f64());
        if at + hold + QUIET > length {
            return all;
        }
        if deck.is_empty() {
            deck = Kind::ALL.to_vec();
            random.shuffle(&mut deck);
        }
        let kind = deck.pop().unwrap_or(Kind::Unavailable);
        let size = random.u32(..1000);
        all.push(Trouble {
            at,
            kind,
            hold,
            size,
        });
        // One in four comes while the last one still stays.
        let wait = if random.u8(..4) == 0 {
            hold / 2
        } else {
            hold + Duration::from_secs_f64(0.5 + 2.5 * random.f64())
        };
        at += wait;
    }
}

/// What has to be taken away again, if anything.
pub(super) type Armed = Option<u64>;

/// Makes it happen.
pub(super) fn arm(emulator: &Emulator, trouble: &Trouble) -> Result<Armed> {
    let mints = json!({"path": "/api/2.0/postgres/credentials"});
    let all = json!({});
    let fault = |on: Value, action: Value| {
        let set = emulator.post("/_emulator/faults", &json!({"match": on, "action": action}))?;
        Ok(set["id"].as_u64())
    };
    match trouble.kind {
        Kind::Unavailable => fault(all, json!({"kind": "status", "status": 503})),
        Kind::Throttled => fault(
            all,
            json!({"kind": "status", "status": 429, "retry_after": 1}),
        ),
        Kind::Hanging => fault(all, json!({"kind": "hang"})),
        Kind::Reset => fault(all, json!({"kind": "reset"})),
        Kind::Slow => {
            let ms = 200 + trouble.size * 9 / 5;
            fault(all, json!({"kind": "latency", "ms": ms, "jitter_ms": 500}))
        }
        Kind::Garbage => fault(all, json!({"kind": "garbage"})),
        Kind::LostAnswer => {
            let rule = json!({"match": mints, "action": {"kind": "reset"}, "phase": "after"});
            Ok(emulator.post("/_emulator/faults", &rule)?["id"].as_u64())
        }
        Kind::Refusing => fault(all, json!({"kind": "refuse"})),
        Kind::NotReady => fault(all, json!({"kind": "external_authorization"})),
        Kind::Terminated => kill(emulator, "57P01"),
        Kind::Closed => kill(emulator, "fin"),
        Kind::ResetSessions => kill(emulator, "rst"),
        Kind::Cut => kill(emulator, "cut"),
        Kind::Restart => endpoint(
            emulator,
            &json!({"action": "restart", "wake_latency_ms": 0}),
        ),
        Kind::Crash => endpoint(emulator, &json!({"action": "crash", "wake_latency_ms": 0})),
        Kind::Suspend => endpoint(
            emulator,
            &json!({"action": "suspend", "wake_latency_ms": 0}),
        ),
        Kind::SlowWake => {
            let ms = 500 + trouble.size * 7 / 2;
            let slow = json!({"action": "suspend", "wake_latency_ms": ms});
            endpoint(emulator, &slow)
        }
        Kind::FailedWake => endpoint(emulator, &json!({"action": "suspend", "wake_fail": 1})),
        Kind::ClockForward => step(emulator, 1 + i64::from(trouble.size / 50)),
        Kind::ClockBack => step(emulator, -1 - i64::from(trouble.size / 250)),
        Kind::NewKey => {
            emulator.post("/_emulator/tokens", &json!({"rotate_key": true}))?;
            Ok(None)
        }
    }
}

/// Ends what stays until it is ended.
pub(super) fn disarm(emulator: &Emulator, armed: Armed) -> Result<()> {
    if let Some(id) = armed {
        emulator.delete(&format!("/_emulator/faults/{id}"))?;
    }
    Ok(())
}

fn kill(emulator: &Emulator, how: &str) -> Result<Armed> {
    emulator.post("/_emulator/connections/kill", &json!({"how": how}))?;
    Ok(None)
}

fn endpoint(emulator: &Emulator, change: &Value) -> Result<Armed> {
    let name = emulator.variable("LAKEBASE_ENDPOINT")?;
    emulator.post(&format!("/_emulator/endpoints/{name}"), change)?;
    Ok(None)
}

fn step(emulator: &Emulator, seconds: i64) -> Result<Armed> {
    emulator.post("/_emulator/clock", &json!({"advance_s": seconds}))?;
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use super::{Kind, QUIET, drawn};

    const TEN_MINUTES: Duration = Duration::from_mins(10);

    #[test]
    fn a_seed_gives_the_same_trouble_each_time_and_another_seed_other_trouble() {
        assert_eq!(drawn(7, TEN_MINUTES), drawn(7, TEN_MINUTES));
        assert_ne!(drawn(7, TEN_MINUTES), drawn(8, TEN_MINUTES));
    }

    #[test]
    fn ten_minutes_have_every_kind_and_end_quietly() {
        for seed in 0..20 {
            let all = drawn(seed, TEN_MINUTES);
            let kinds: BTreeSet<Kind> = all.iter().map(|trouble| trouble.kind).collect();
            assert_eq!(kinds.len(), Kind::ALL.len());
            let last = all.iter().map(|trouble| trouble.at + trouble.hold).max();
            assert!(last.is_some_and(|last| last + QUIET <= TEN_MINUTES));
        }
    }

    #[test]
    fn half_a_minute_has_some() {
        assert!((0..50).all(|seed| drawn(seed, Duration::from_secs(25)).len() >= 2));
    }
}
