//! A token that is in the cache, as Rust programs read it. Prints rows as the Python bench scripts do.

use std::hint::black_box;
use std::time::{Duration, Instant};

use lakekey::{Client, ClientOptions, CredentialRequest};
use serde_json::json;

const ROUNDS: usize = 15;
const CALLS: u32 = 200_000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> lakekey::Result<()> {
    let client = Client::new(ClientOptions::from_process())?;
    let request = CredentialRequest::default();
    client.credential(&request).await?;

    let mut peeks = Vec::new();
    let mut waits = Vec::new();
    let mut nothing = Vec::new();
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        for _ in 0..CALLS {
            black_box(client.peek(black_box(None)));
        }
        peeks.push(begun.elapsed());
        let begun = Instant::now();
        for _ in 0..CALLS {
            black_box(client.credential(&request).await?);
        }
        waits.push(begun.elapsed());
        let begun = Instant::now();
        for _ in 0..CALLS {
            black_box(Instant::now());
        }
        nothing.push(begun.elapsed());
    }
    let clock = median(nothing);
    for (what, figure) in [
        ("warm peek() in Rust", median(peeks)),
        ("warm credential() in Rust", median(waits)),
    ] {
        let row = json!({
            "what": what, "unit": "ns", "ours": figure, "peer": "reading the clock", "theirs": clock, "target": {"ours": 100},
        });
        println!("{row}");
    }
    Ok(())
}

/// Nanoseconds per call.
fn median(mut rounds: Vec<Duration>) -> f64 {
    rounds.sort();
    rounds[rounds.len() / 2].as_secs_f64() * 1e9 / f64::from(CALLS)
}
