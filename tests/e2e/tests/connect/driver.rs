//! What Rust programs get from tokio-postgres by way of lakekey: the driver's own client, verified TLS, typed errors.

use lakekey::config::Environment;
use lakekey::login::Kind;
use lakekey::plan::PlanRequest;
use lakekey::tokio_postgres::Connector;
use lakekey::{Client, ClientOptions, Code, ConnectRequest, Error};
use lakekey_emulator::Emulator;
use tokio_postgres::Config;

use super::{emulator, real};

/// Why no login came about.
async fn refused(connector: &Connector) -> Error {
    connector.connect().await.map(drop).unwrap_err()
}

const ROOT: &str = "PGSSLROOTCERT";

/// The file of certificates that `emulator` tells programs to trust.
fn root(emulator: &Emulator) -> String {
    let all = emulator.environment();
    all.into_iter().find(|(name, _)| name == ROOT).unwrap().1
}

fn with_sslmode(sslmode: &str) -> PlanRequest {
    PlanRequest {
        connect: ConnectRequest {
            sslmode: Some(sslmode.to_owned()),
            ..ConnectRequest::default()
        },
        ..PlanRequest::default()
    }
}

/// A client that trusts the certificates of `other`.
fn trusting(other: &Emulator, emulator: &Emulator) -> Client {
    let mut environment = emulator.environment();
    environment.retain(|(name, _)| name != ROOT);
    environment.push((ROOT.to_owned(), root(other)));
    Client::new(ClientOptions {
        environment: Environment::from_pairs(environment),
        ..ClientOptions::default()
    })
    .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_of_the_driver_are_kept_and_those_of_lakekey_refused() {
    let emulator = emulator().await;
    let connector = Connector::new(&real(&emulator), PlanRequest::default());
    let mut config = Config::new();
    config
        .application_name("shop")
        .options("-c statement_timeout=7s");
    let (session, connection) = connector
        .clone()
        .with_config(config)
        .unwrap()
        .connect()
        .await
        .unwrap();
    let connection = tokio::spawn(connection);
    let query = "select current_setting('application_name'), current_setting('statement_timeout')";
    let row = session.query_one(query, &[]).await.unwrap();
    assert_eq!((row.get(0), row.get(1)), ("shop", "7s"));
    drop(session);
    connection.await.unwrap().unwrap();

    let mut config = Config::new();
    config.password("mine");
    let error = connector.with_config(config).unwrap_err();
    assert_eq!(error.code(), Code::ConfigInvalid);
    assert!(error.message().contains("a password"), "{error}");
    emulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_host_is_verified_also_where_sslmode_asks_for_less() {
    let (emulator, other) = (emulator().await, emulator().await);
    let stranger = trusting(&other, &emulator);
    for sslmode in ["verify-full", "require", "prefer"] {
        let error = refused(&Connector::new(&stranger, with_sslmode(sslmode))).await;
        assert_eq!(error.login(), Some(Kind::Tls), "{sslmode}: {error}");
        assert_eq!(error.code(), Code::LoginTls, "{sslmode}: {error}");
    }
    assert_eq!(emulator.counters().logins_accepted, 0);
    for sslmode in ["verify-full", "require", "prefer"] {
        let known = Connector::new(&real(&emulator), with_sslmode(sslmode));
        drop(known.connect().await.unwrap());
    }
    let error = refused(&Connector::new(&real(&emulator), with_sslmode("disable"))).await;
    assert_eq!(error.code(), Code::ConfigInvalid, "{error}");
    emulator.shutdown().await;
    other.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn root_certificates_that_were_exchanged_are_read_again() {
    let (emulator, other) = (emulator().await, emulator().await);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("roots.crt");
    std::fs::copy(root(&other), &file).unwrap();
    let request = PlanRequest {
        connect: ConnectRequest {
            sslrootcert: Some(file.to_str().unwrap().to_owned()),
            ..ConnectRequest::default()
        },
        ..PlanRequest::default()
    };
    let connector = Connector::new(&real(&emulator), request);
    assert_eq!(refused(&connector).await.login(), Some(Kind::Tls));
    std::fs::copy(root(&emulator), &file).unwrap();
    drop(connector.connect().await.unwrap());

    std::fs::write(&file, "no certificate").unwrap();
    let error = Connector::clone(&connector).connect().await;
    // What was read and works goes on being used.
    assert!(error.is_ok());
    emulator.shutdown().await;
    other.shutdown().await;
}
