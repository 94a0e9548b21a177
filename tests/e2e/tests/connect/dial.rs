//! The loop that every driver's adapter is: dial what the plan says, and tell it what went wrong.

use std::error::Error as _;
use std::sync::Arc;

use lakekey::conn::{Keyword, Params};
use lakekey::plan::{Attempt, Failure, PlanRequest};
use lakekey::{Client, Result};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio_postgres_rustls::MakeRustlsConnect;

/// Connects, and runs one query.
pub(crate) async fn connect(client: &Client, request: PlanRequest) -> Result<()> {
    let mut plan = client.plan(request);
    let mut attempt = plan.next(None).await?;
    while let Err((code, text)) = dial(&attempt).await {
        let failure = Failure {
            code: code.as_deref(),
            text: &text,
        };
        attempt = plan.next(Some(&failure)).await?;
    }
    plan.connected();
    Ok(())
}

async fn dial(attempt: &Attempt) -> std::result::Result<(), (Option<String>, String)> {
    let login = login(&attempt.params, attempt);
    match tokio::time::timeout(attempt.timeout, login).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(described(&error)),
        Err(_) => Err((None, "timeout expired".to_owned())),
    }
}

fn described(error: &tokio_postgres::Error) -> (Option<String>, String) {
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

async fn login(
    params: &Params,
    attempt: &Attempt,
) -> std::result::Result<(), tokio_postgres::Error> {
    let mut config = tokio_postgres::Config::new();
    config
        .host(params.get(Keyword::Host).unwrap())
        .hostaddr(attempt.address.unwrap())
        .port(params.get(Keyword::Port).unwrap().parse().unwrap())
        .user(params.user().unwrap())
        .dbname(params.dbname().unwrap())
        .password(params.password().unwrap().expose())
        .ssl_mode(tokio_postgres::config::SslMode::Require);
    let (session, connection) = config.connect(tls(params.sslrootcert().unwrap())).await?;
    let connection = tokio::spawn(connection);
    let one: i32 = session.query_one("select 1", &[]).await?.get(0);
    assert_eq!(one, 1);
    drop(session);
    connection.await.unwrap()
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
