//! The app that soak watches: tasks, each with a connection of its own that the plan made for tokio-postgres.
//!
//! It is an ordinary program but for two things: its tasks connect anew after a second, so that many logins happen, and it
//! tells every half second how it goes, one JSON object a line, and each failure when it happens. `stop` on stdin, or its
//! end, ends it. It writes its numbers as rows under the name in `APP_ROWS`: each number once, whatever becomes of it, so
//! that afterwards the table can be compared with what the program was told.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::BufRead as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use lakekey::plan::PlanRequest;
use lakekey::tokio_postgres::{Connection, Connector};
use lakekey::{Client, ClientOptions, CredentialRequest};
use serde_json::{Value, json};

const WORKERS: usize = 3;
const RECYCLE: Duration = Duration::from_millis(800);
const REST: Duration = Duration::from_millis(30);

#[derive(Default)]
struct App {
    rows: String,
    ended: AtomicBool,
    attempts: AtomicU64,
    logins: AtomicU64,
    failed_logins: AtomicU64,
    queries: AtomicU64,
    failed_queries: AtomicU64,
    connections: AtomicU64,
    /// What tokens are known by; a text of a token is kept nowhere.
    tokens: Mutex<HashSet<u64>>,
}

impl App {
    fn figures(&self) -> Value {
        json!({
            "attempts": self.attempts.load(Relaxed),
            "logins": self.logins.load(Relaxed),
            "failed_logins": self.failed_logins.load(Relaxed),
            "queries": self.queries.load(Relaxed),
            "failed_queries": self.failed_queries.load(Relaxed),
            "connections": self.connections.load(Relaxed),
            "tokens": self.tokens.lock().unwrap().len(),
        })
    }

    async fn saw(&self, client: &Client) {
        let mut print = DefaultHasher::new();
        if let Ok(lease) = client.credential(&CredentialRequest::default()).await {
            lease.credential.token().expose().hash(&mut print);
            self.tokens.lock().unwrap().insert(print.finish());
        }
    }

    fn failed(error: &str, number: u64, login: bool, began: Instant) {
        let waited_s = began.elapsed().as_secs_f64();
        println!(
            "{}",
            json!({"failure": error, "number": number, "login": login, "waited_s": waited_s})
        );
    }

    async fn work(&self, client: &Client) {
        let connector = Connector::new(client, PlanRequest::default());
        while !self.ended.load(Relaxed) {
            let began = Instant::now();
            match connector.connect().await {
                Ok((session, connection)) => {
                    self.logins.fetch_add(1, Relaxed);
                    self.connections.fetch_add(1, Relaxed);
                    self.saw(client).await;
                    self.write(session, connection).await;
                    self.connections.fetch_sub(1, Relaxed);
                }
                Err(error) => {
                    self.failed_logins.fetch_add(1, Relaxed);
                    Self::failed(&error.to_string(), 0, true, began);
                    tokio::time::sleep(REST).await;
                }
            }
        }
    }

    /// Writes until the connection is old or broken.
    async fn write(&self, mut session: tokio_postgres::Client, connection: Connection) {
        let connection = tokio::spawn(connection);
        let begun = Instant::now();
        while !self.ended.load(Relaxed) && begun.elapsed() < RECYCLE {
            let number = self.attempts.fetch_add(1, Relaxed) + 1;
            let asked = Instant::now();
            if let Err(error) = self.row(&mut session, number).await {
                self.failed_queries.fetch_add(1, Relaxed);
                Self::failed(&error.to_string(), number, false, asked);
                break;
            }
            self.queries.fetch_add(1, Relaxed);
            tokio::time::sleep(REST).await;
        }
        drop(session);
        // What broke it, the query has said.
        let _ = connection.await;
    }

    async fn row(
        &self,
        client: &mut tokio_postgres::Client,
        number: u64,
    ) -> Result<(), tokio_postgres::Error> {
        let transaction = client.transaction().await?;
        let number = i64::try_from(number).unwrap();
        let statement = "insert into soak.row (app, number) values ($1, $2)";
        transaction
            .execute(statement, &[&self.rows, &number])
            .await?;
        transaction.commit().await
    }
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> lakekey::Result<()> {
    let app = Arc::new(App {
        rows: std::env::var("APP_ROWS").unwrap_or_else(|_| "rust".to_owned()),
        ..App::default()
    });
    let client = Client::new(ClientOptions::from_process())?;
    let mut workers = Vec::new();
    for _ in 0..WORKERS {
        let (app, client) = (Arc::clone(&app), client.clone());
        workers.push(tokio::spawn(async move { app.work(&client).await }));
    }
    let told = Arc::clone(&app);
    thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            if line.is_ok_and(|line| line == "stop") {
                break;
            }
        }
        told.ended.store(true, Relaxed);
    });
    while !app.ended.load(Relaxed) {
        println!("{}", app.figures());
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    for worker in workers {
        worker.await.unwrap();
    }
    let mut last = app.figures();
    last["done"] = json!(true);
    last["driver"] = json!("tokio-postgres from Rust");
    println!("{last}");
    Ok(())
}
