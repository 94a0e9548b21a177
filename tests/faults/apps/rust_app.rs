//! The app in Rust: tokio-postgres by way of lakekey, with one connection that it makes anew when it has none.

use std::time::Duration;

use lakekey::login::explain;
use lakekey::plan::PlanRequest;
use lakekey::tokio_postgres::Connector;
use lakekey::{Client, ClientOptions, ConnectRequest};
use tokio_postgres::SimpleQueryMessage;

type Trouble = Box<dyn std::error::Error + Send + Sync>;

/// A pool of one connection.
struct Pool {
    connector: Connector,
    idle: Option<tokio_postgres::Client>,
}

impl Pool {
    fn new(fields: &[&str]) -> Result<Pool, Trouble> {
        let [endpoint, ttl, budget, user] = fields else {
            return Err("connect ENDPOINT TTL BUDGET USER".into());
        };
        let connect = ConnectRequest {
            target: Some((*endpoint).to_owned()),
            ttl: Some(Duration::from_secs(ttl.parse()?)),
            user: (!user.is_empty()).then(|| (*user).to_owned()),
            ..ConnectRequest::default()
        };
        let client = Client::new(ClientOptions::from_process())?;
        let request = PlanRequest {
            connect,
            budget: Some(Duration::from_secs(budget.parse()?)),
            addresses: Vec::new(),
        };
        Ok(Pool {
            connector: Connector::new(&client, request),
            idle: None,
        })
    }

    async fn query(&mut self, sql: &str) -> Result<String, Trouble> {
        let session = match self.idle.take() {
            Some(session) if !session.is_closed() => session,
            _ => {
                let (session, connection) = self.connector.connect().await?;
                tokio::spawn(connection);
                session
            }
        };
        let rows = session.simple_query(sql).await?;
        self.idle = Some(session);
        let value = rows.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        });
        Ok(value.unwrap_or_default())
    }
}

/// So many logins at the same time.
async fn storm(fields: &[&str]) -> Result<String, Trouble> {
    let (count, fields) = fields
        .split_last()
        .ok_or("storm ENDPOINT TTL BUDGET COUNT")?;
    let connector = Pool::new(&[fields, &[""]].concat())?.connector;
    let logins: Vec<_> = (0..count.parse::<u32>()?)
        .map(|_| {
            let mut pool = Pool {
                connector: connector.clone(),
                idle: None,
            };
            tokio::spawn(async move { pool.query("select 1").await })
        })
        .collect();
    for login in logins {
        login.await??;
    }
    Ok((*count).to_owned())
}

fn answer(outcome: Result<String, Trouble>) -> String {
    match outcome {
        Ok(value) => format!("ok\t{value}"),
        Err(error) => {
            let explained = explain(&*error);
            let ours = error.downcast_ref::<lakekey::Error>();
            let events = ours.map(|error| format!("{error:?} {:?}", error.events()));
            let fields = [
                explained.kind.slug().to_owned(),
                ours.map_or(String::new(), |error| error.code().slug().to_owned()),
                explained
                    .hint
                    .or_else(|| ours.and_then(|error| error.hint().map(str::to_owned)))
                    .unwrap_or_default(),
                format!("{error} {}", events.unwrap_or_default()),
            ];
            let fields: Vec<String> = fields
                .iter()
                .map(|field| field.replace(['\t', '\n', '\r'], " "))
                .collect();
            format!("failed\t{}", fields.join("\t"))
        }
    }
}

#[tokio::main]
async fn main() {
    let mut pool: Option<Pool> = None;
    let mut line = String::new();
    while std::io::stdin()
        .read_line(&mut line)
        .is_ok_and(|read| read > 0)
    {
        let fields: Vec<&str> = line.trim_end_matches('\n').split('\t').collect();
        let outcome = match (fields[0], &mut pool) {
            ("connect", _) => match Pool::new(&fields[1..]) {
                Ok(made) => pool.insert(made).query("select 1").await,
                Err(error) => Err(error),
            },
            ("storm", _) => storm(&fields[1..]).await,
            ("query", Some(pool)) => pool.query(fields[1]).await,
            ("close", _) => {
                pool = None;
                Ok(String::new())
            }
            ("end", _) => return,
            (other, _) => Err(format!("{other} cannot be done now").into()),
        };
        println!("{}", answer(outcome));
        line.clear();
    }
}
