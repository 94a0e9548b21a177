//! An emulator and a client whose clocks move together.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use lakekey::clock::{Clock, ManualClock, SystemClock};
use lakekey::config::Environment;
use lakekey::conn::{Keyword, Params};
use lakekey::credential::Store;
use lakekey::jitter::FixedDice;
use lakekey::{Client, ClientOptions, ConnectRequest};
use lakekey_emulator::{Emulator, Options};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio_postgres_rustls::MakeRustlsConnect;

pub(crate) struct World {
    pub(crate) emulator: Emulator,
    pub(crate) clock: ManualClock,
    pub(crate) client: Client,
}

impl World {
    /// Both clocks stand still until [`World::pass`].
    pub(crate) async fn start() -> World {
        let emulator = Emulator::start(Options::default())
            .await
            .expect("the emulator starts; run `cargo xtask postgres` first");
        emulator.clock().freeze(true);
        let now = u64::try_from(emulator.clock().now().as_millisecond()).unwrap();
        let clock = ManualClock::at(now);
        let client = client(&emulator, Arc::new(clock.clone()));
        World {
            emulator,
            clock,
            client,
        }
    }

    pub(crate) fn pass(&self, time: Duration) {
        self.emulator.clock().advance(time);
        self.clock.advance(time);
    }

    /// Logs in as an application would, and runs one query.
    pub(crate) async fn login(&self) -> Result<(), String> {
        let connect = self
            .client
            .connect_params(&ConnectRequest::default())
            .await
            .map_err(|error| error.to_string())?;
        query(&connect.params).await
    }

    /// Requests to the control plane since it started.
    pub(crate) fn requests(&self) -> u64 {
        self.emulator.counters().requests_total
    }
}

/// A client set up by the environment that the emulator prints. Its dice ask for the most requests: refresh as early and
/// back off as little as there is.
pub(crate) fn client(emulator: &Emulator, clock: Arc<dyn Clock>) -> Client {
    Client::new(ClientOptions {
        environment: Environment::from_pairs(emulator.environment()),
        store: Store::new(clock, Arc::new(FixedDice(0.0))),
        ..ClientOptions::default()
    })
    .unwrap()
}

pub(crate) fn client_in_real_time(emulator: &Emulator) -> Client {
    client(emulator, Arc::new(SystemClock))
}

/// One login and one query with these settings, verified by name.
pub(crate) async fn query(params: &Params) -> Result<(), String> {
    let first = |keyword| {
        params
            .get(keyword)
            .and_then(|list| list.split(',').next())
            .unwrap_or_default()
            .to_owned()
    };
    let mut config = tokio_postgres::Config::new();
    config
        .host(first(Keyword::Host))
        .hostaddr(first(Keyword::Hostaddr).parse::<IpAddr>().unwrap())
        .port(first(Keyword::Port).parse().unwrap())
        .user(params.user().unwrap())
        .dbname(params.dbname().unwrap())
        .password(params.password().unwrap().expose())
        .ssl_mode(tokio_postgres::config::SslMode::Require);
    let (client, connection) = config
        .connect(tls(params.sslrootcert().unwrap()))
        .await
        .map_err(|error| describe(&error))?;
    let connection = tokio::spawn(connection);
    let one: i32 = client
        .query_one("select 1", &[])
        .await
        .map_err(|error| describe(&error))?
        .get(0);
    assert_eq!(one, 1);
    drop(client);
    connection.await.unwrap().map_err(|error| describe(&error))
}

fn describe(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(refusal) => format!("{} {}", refusal.code().code(), refusal.message()),
        None => format!("{error:?}"),
    }
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
