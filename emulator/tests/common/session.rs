//! Sessions of a stock client, over TLS that is opened by hand.

use std::sync::Arc;

use lakekey_emulator::Emulator;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_postgres::{Client, NoTls};

use super::mint;

/// Logs in to a host with full verification; the text of a refusal is `SQLSTATE: message`.
pub async fn login_to(
    emulator: &Emulator,
    host: &str,
    role: &str,
    password: &str,
) -> Result<Client, String> {
    let port = emulator.pg_port().unwrap();
    let address = if emulator.pg_host().starts_with("127.") {
        emulator.pg_host()
    } else {
        "127.0.0.1".to_owned()
    };
    let mut tcp = TcpStream::connect(format!("{address}:{port}"))
        .await
        .unwrap();
    tcp.write_all(&[0, 0, 0, 8, 4, 210, 22, 47]).await.unwrap();
    assert_eq!(tcp.read_u8().await.unwrap(), b'S');
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(emulator.ca_file().unwrap()).unwrap())
        .unwrap();
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(
        rustls::crypto::ring::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .unwrap()
    .with_root_certificates(roots)
    .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let stream = tokio_rustls::TlsConnector::from(Arc::new(tls))
        .connect(name, tcp)
        .await
        .unwrap();
    let mut config = tokio_postgres::Config::new();
    config
        .user(role)
        .password(password)
        .dbname("databricks_postgres")
        .ssl_mode(tokio_postgres::config::SslMode::Disable);
    match config.connect_raw(stream, NoTls).await {
        Ok((client, connection)) => {
            tokio::spawn(connection);
            Ok(client)
        }
        Err(error) => Err(error.as_db_error().map_or_else(
            || format!("{error:?}"),
            |refusal| format!("{}: {}", refusal.code().code(), refusal.message()),
        )),
    }
}

pub async fn login(emulator: &Emulator, role: &str, password: &str) -> Result<Client, String> {
    login_to(emulator, &emulator.pg_host(), role, password).await
}

pub async fn who(client: &Client) -> String {
    client
        .query_one("SELECT current_user::text", &[])
        .await
        .unwrap()
        .get(0)
}

pub fn credential(emulator: &Emulator, bearer: &str) -> String {
    mint(emulator).bearer(bearer).send().json()["token"]
        .as_str()
        .unwrap()
        .to_owned()
}
