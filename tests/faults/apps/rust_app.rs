//! The app in Rust: the client's plan and tokio-postgres, with one connection that it makes anew when it has none.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use lakekey::conn::Keyword;
use lakekey::login::explain;
use lakekey::plan::{Attempt, Failure, PlanRequest};
use lakekey::{Client, ClientOptions, ConnectRequest};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio_postgres::SimpleQueryMessage;
use tokio_postgres_rustls::MakeRustlsConnect;

type Trouble = Box<dyn std::error::Error + Send + Sync>;

/// A pool of one connection.
struct Pool {
    client: Client,
    request: PlanRequest,
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
        Ok(Pool {
            client: Client::new(ClientOptions::from_process())?,
            request: PlanRequest {
                connect,
                budget: Some(Duration::from_secs(budget.parse()?)),
                addresses: Vec::new(),
            },
            idle: None,
        })
    }

    async fn query(&mut self, sql: &str) -> Result<String, Trouble> {
        let session = match self.idle.take() {
            Some(session) if !session.is_closed() => session,
            _ => connect(&self.client, &self.request).await?,
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

async fn connect(
    client: &Client,
    request: &PlanRequest,
) -> lakekey::Result<tokio_postgres::Client> {
    let mut plan = client.plan(request.clone());
    let mut attempt = plan.next(None).await?;
    loop {
        let (code, text) = match tokio::time::timeout(attempt.timeout, dial(&attempt)).await {
            Ok(Ok(session)) => {
                plan.connected();
                return Ok(session);
            }
            Ok(Err(error)) => said(&error),
            Err(_) => (None, "timeout expired".to_owned()),
        };
        let failure = Failure {
            code: code.as_deref(),
            text: &text,
        };
        attempt = plan.next(Some(&failure)).await?;
    }
}

fn said(error: &tokio_postgres::Error) -> (Option<String>, String) {
    if let Some(said) = error.as_db_error() {
        let text = format!("{} {}", said.message(), said.detail().unwrap_or_default());
        return (Some(said.code().code().to_owned()), text);
    }
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    (None, text)
}

async fn dial(attempt: &Attempt) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
    let params = &attempt.params;
    let mut config = tokio_postgres::Config::new();
    config
        .host(params.get(Keyword::Host).unwrap())
        .port(params.get(Keyword::Port).unwrap().parse().unwrap())
        .user(params.user().unwrap())
        .dbname(params.dbname().unwrap())
        .password(params.password().unwrap().expose())
        .ssl_mode(tokio_postgres::config::SslMode::Require);
    if let Some(address) = attempt.address {
        config.hostaddr(address);
    }
    let (session, connection) = config.connect(tls(params.sslrootcert().unwrap())).await?;
    tokio::spawn(connection);
    Ok(session)
}

fn tls(root: &str) -> MakeRustlsConnect {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(root).unwrap() {
        roots.add(certificate.unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    MakeRustlsConnect::new(config)
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
