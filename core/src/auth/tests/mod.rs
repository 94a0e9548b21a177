//! Identities: which one is chosen, how its token is fetched, how long it is kept.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod azure;
mod cache;
mod chain;
mod disagreements;
mod exchange;
mod google;
#[cfg(unix)]
mod permutations;
#[cfg(unix)]
mod sliding;
#[cfg(unix)]
mod standin;
#[cfg(unix)]
mod tools;
mod types;

use std::sync::Arc;
use std::time::Duration;

use http::Method;

use crate::auth::TokenProvider;
use crate::clock::{Deadline, ManualClock};
use crate::config::{Environment, Settings, resolve};
use crate::error::Result;
use crate::http::scripted::{Scripted, drive};
use crate::http::{Answer, Api, Call, Retry};
use crate::jitter::FixedDice;

/// 2023-11-14T22:13:20Z.
const NOW: u64 = 1_700_000_000_000;

fn api(
    settings: &[(&str, &str)],
    env: &[(&str, &str)],
    transport: &Arc<Scripted>,
    clock: &ManualClock,
    provider: Option<Arc<dyn TokenProvider>>,
) -> Result<Api> {
    let environment = Arc::new(Environment::from_pairs(env.iter().copied()));
    let resolved = resolve(
        &settings.iter().copied().collect::<Settings>(),
        &environment,
    )?;
    Api::new(
        Arc::new(resolved),
        &crate::auth::Outside::default(),
        Arc::clone(transport) as _,
        Arc::new(clock.clone()),
        Arc::new(FixedDice(0.5)),
        provider,
        None,
    )
}

fn me<'a>(clock: &ManualClock, budget: Duration) -> Call<'a> {
    Call {
        method: Method::GET,
        path: "/me",
        query: &[],
        body: None,
        deadline: Deadline::after(clock, budget),
        retry: Retry::WithinDeadline,
    }
}

async fn ask(api: &Api, clock: &ManualClock) -> Result<Answer> {
    drive(clock, api.call(me(clock, Duration::from_secs(10)))).await
}
