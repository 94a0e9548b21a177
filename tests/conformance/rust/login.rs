//! One login by the driver that Rust programs use.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use lakekey::conn::{Keyword, Params};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::json;
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::case::{Fields, Wrong, fields};

/// Logs in by tokio-postgres, verified by name.
pub(crate) async fn login(params: &Params, password: Option<&str>) -> Result<Fields, Wrong> {
    let text = |keyword| params.get(keyword).unwrap_or_default();
    let first = |keyword| text(keyword).split(',').next().unwrap_or_default();
    let mut config = tokio_postgres::Config::new();
    let credential = params.password().ok_or("there is no password")?;
    let address: IpAddr = first(Keyword::Hostaddr).parse().map_err(|_| "no address")?;
    config
        .host(first(Keyword::Host))
        .hostaddr(address)
        .port(first(Keyword::Port).parse().map_err(|_| "no port")?)
        .user(text(Keyword::User))
        .dbname(text(Keyword::Dbname))
        .password(password.unwrap_or(credential.expose()))
        .connect_timeout(Duration::from_secs(10))
        .ssl_mode(match params.sslmode() {
            Some("disable") => SslMode::Disable,
            _ => SslMode::Require,
        });
    let refused = |error: &tokio_postgres::Error| match error.as_db_error() {
        Some(said) => fields(json!({ "refused": said.message() })),
        None => fields(json!({ "refused": format!("{error:?}") })),
    };
    let (session, connection) = match config.connect(tls(params)).await {
        Ok(connected) => connected,
        Err(error) => return Ok(refused(&error)),
    };
    let connection = tokio::spawn(connection);
    let row = session
        .query_one("select current_user::text, current_database()::text", &[])
        .await
        .map_err(|error| error.to_string())?;
    let (user, database): (String, String) = (row.get(0), row.get(1));
    drop(session);
    connection
        .await
        .map_err(|error| error.to_string())?
        .map_err(|error| error.to_string())?;
    Ok(fields(json!({ "user": user, "database": database })))
}

fn tls(params: &Params) -> MakeRustlsConnect {
    let mut roots = rustls::RootCertStore::empty();
    if let Some(file) = params.sslrootcert() {
        for certificate in CertificateDer::pem_file_iter(file).unwrap() {
            roots.add(certificate.unwrap()).unwrap();
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    MakeRustlsConnect::new(config)
}
