//! Certificates are always verified; whose authority counts can be said in several ways.

use lakekey::Code;
use tokio::io::AsyncWriteExt;

use crate::server::{Authority, Server, ok};
use crate::{fetch, transport};

async fn https(authority: &Authority, names: &[&str]) -> (Server, String) {
    let server = Server::https(authority, names, |_| Some(ok("secure"))).await;
    let url = format!("https://localhost:{}/", server.port());
    (server, url)
}

#[tokio::test]
async fn an_untrusted_certificate_is_refused_before_anything_is_sent() {
    let (server, url) = https(&Authority::new(), &["localhost"]).await;
    let error = fetch(&transport(&[], &[]), &url).await.unwrap_err();
    assert_eq!(error.code(), Code::HttpTls, "{error:?}");
    assert!(
        error
            .message()
            .contains(&format!("localhost:{}", server.port())),
        "{error}"
    );
    assert!(error.hint().unwrap().contains("ca_file"), "{error}");
    assert!(!error.is_retryable());
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn an_authority_of_ones_own_can_be_named() {
    let authority = Authority::new();
    let (_server, url) = https(&authority, &["localhost"]).await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ca.pem");
    std::fs::write(&file, &authority.pem).unwrap();
    let (file, directory) = (file.to_str().unwrap(), directory.path().to_str().unwrap());
    for (settings, env) in [
        (&[("ca_file", file)][..], &[][..]),
        (&[], &[("SSL_CERT_FILE", file)]),
        (&[], &[("SSL_CERT_DIR", directory)]),
        (&[], &[("REQUESTS_CA_BUNDLE", file)]),
    ] {
        let response = fetch(&transport(settings, env), &url).await.unwrap();
        assert_eq!(response.body, b"secure", "{settings:?} {env:?}");
    }
}

#[tokio::test]
async fn another_authority_does_not_help() {
    let (_server, url) = https(&Authority::new(), &["localhost"]).await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ca.pem");
    std::fs::write(&file, Authority::new().pem).unwrap();
    let error = fetch(
        &transport(&[("ca_file", file.to_str().unwrap())], &[]),
        &url,
    )
    .await
    .unwrap_err();
    assert_eq!(error.code(), Code::HttpTls);
}

#[tokio::test]
async fn a_certificate_of_another_host_is_refused() {
    let authority = Authority::new();
    let (_server, url) = https(&authority, &["elsewhere.example.com"]).await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ca.pem");
    std::fs::write(&file, &authority.pem).unwrap();
    let error = fetch(
        &transport(&[("ca_file", file.to_str().unwrap())], &[]),
        &url,
    )
    .await
    .unwrap_err();
    assert_eq!(error.code(), Code::HttpTls);
    assert!(error.hint().unwrap().contains("another host"), "{error:?}");
}

#[tokio::test]
async fn a_certificate_file_that_holds_none_is_named() {
    let (_server, url) = https(&Authority::new(), &["localhost"]).await;
    let directory = tempfile::tempdir().unwrap();
    let empty = directory.path().join("empty.pem");
    std::fs::write(&empty, "nothing").unwrap();
    for (path, variable) in [
        ("/nowhere/ca.pem", "SSL_CERT_FILE"),
        (empty.to_str().unwrap(), "REQUESTS_CA_BUNDLE"),
    ] {
        let error = fetch(&transport(&[], &[(variable, path)]), &url)
            .await
            .unwrap_err();
        assert_eq!(error.code(), Code::HttpTls);
        assert!(
            error.message().contains(path) && error.message().contains(variable),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_port_that_speaks_no_tls_is_told() {
    let server = Server::raw(|mut stream, _| async move {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        std::future::pending::<()>().await;
    })
    .await;
    let url = format!("https://localhost:{}/", server.port());
    let error = fetch(&transport(&[], &[]), &url).await.unwrap_err();
    assert_eq!(error.code(), Code::HttpTls, "{error:?}");
}
