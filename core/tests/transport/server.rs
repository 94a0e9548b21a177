//! A small HTTP server: reads a request head (and body), does what the test says, keeps what it saw.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{self, ServerConfig};

/// A server on a free loopback port; ends with the test's runtime.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Answers every request with what `answer` makes of its head; `None` closes the connection.
    pub(crate) async fn http(
        answer: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Server {
        let answer = Arc::new(answer);
        Server::raw(move |mut stream, seen| {
            let answer = Arc::clone(&answer);
            async move { talk(&mut stream, &seen, &*answer).await }
        })
        .await
    }

    /// The same over TLS, with a certificate for `names` signed by `authority`.
    pub(crate) async fn https(
        authority: &Authority,
        names: &[&str],
        answer: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Server {
        let acceptor = TlsAcceptor::from(authority.server_config(names));
        let answer = Arc::new(answer);
        Server::raw(move |stream, seen| {
            let (acceptor, answer) = (acceptor.clone(), Arc::clone(&answer));
            async move {
                if let Ok(mut stream) = acceptor.accept(stream).await {
                    talk(&mut stream, &seen, &*answer).await;
                }
            }
        })
        .await
    }

    /// Gives every connection to `serve`.
    pub(crate) async fn raw<F, T>(serve: F) -> Server
    where
        F: Fn(TcpStream, Arc<Mutex<Vec<String>>>) -> T + Send + 'static,
        T: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Server { address, seen }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The heads of all requests so far.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

/// Reads one request head; empty when the client has gone.
pub(crate) async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return String::new(),
        }
    }
    String::from_utf8(head).unwrap()
}

async fn talk(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    seen: &Mutex<Vec<String>>,
    answer: &(dyn Fn(&str) -> Option<String> + Send + Sync),
) {
    loop {
        let head = read_head(stream).await;
        if head.is_empty() {
            return;
        }
        seen.lock().unwrap().push(head.clone());
        let Some(answer) = answer(&head) else {
            return;
        };
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

pub(crate) fn ok(body: &str) -> String {
    answer(200, "", body)
}

pub(crate) fn answer(status: u16, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status} Status\r\ncontent-length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
}

/// A certificate authority of our own.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) pem: String,
}

impl Authority {
    pub(crate) fn new() -> Authority {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Authority {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    pub(crate) fn server_config(&self, names: &[&str]) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let params = CertificateParams::new(names).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        Arc::new(config)
    }
}
