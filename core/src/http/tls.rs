//! TLS for the control plane, and for logins of Rust's own driver: the one file that names a crypto provider.
//!
//! The configuration is built here and handed over whole, so that no process-wide default provider is installed behind
//! the back of a host program. Roots are the system's, or those that `SSL_CERT_FILE`, `SSL_CERT_DIR` and
//! `REQUESTS_CA_BUNDLE` name in their place, and the `ca_file` setting besides. They are always verified against.

use std::error::Error as StdError;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::{CertificateError, ClientConfig, RootCertStore};
use rustls_native_certs::{CertificateResult, load_certs_from_paths, load_native_certs};

use crate::code::Code;
use crate::config::{Environment, Resolved};
use crate::error::{Error, Result};

/// Where to find the certificates to trust. Reading them takes milliseconds, so it waits for the first https request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Roots {
    instead: Vec<(String, PathBuf)>,
    besides: Option<(String, PathBuf)>,
}

impl Roots {
    pub(crate) fn new(resolved: &Resolved) -> Roots {
        let environment = resolved.environment();
        Roots {
            instead: named_by(environment),
            besides: resolved.value("ca_file").map(|value| {
                let path = environment.expand(value.secret().expose());
                (format!("ca_file from {}", value.source), path)
            }),
        }
    }

    /// Those to verify a database with: of `file` alone if there is one.
    pub(crate) fn of_database(environment: &Environment, file: Option<PathBuf>) -> Roots {
        Roots {
            instead: match file {
                Some(file) => vec![("sslrootcert".to_owned(), file)],
                None => named_by(environment),
            },
            besides: None,
        }
    }

    /// Reads the certificates, on a thread where that may block.
    pub(crate) async fn read(&self) -> Result<RootCertStore> {
        let roots = self.clone();
        let read = tokio::task::spawn_blocking(move || roots.load()).await;
        read.map_err(|cause| {
            Error::new(Code::Internal, "reading certificates was cut off").with_source(cause)
        })?
    }

    fn load(&self) -> Result<RootCertStore> {
        let mut store = RootCertStore::empty();
        if self.instead.is_empty() {
            let found = load_native_certs();
            if found.certs.is_empty() && self.besides.is_none() {
                let why = found
                    .errors
                    .first()
                    .map_or_else(String::new, |cause| format!(": {cause}"));
                return Err(Error::new(
                    Code::HttpTls,
                    format!("the system has no certificates to trust{why}"),
                )
                .with_hint(
                    "Install the system's CA certificates (ca-certificates), or set SSL_CERT_FILE",
                ));
            }
            store.add_parsable_certificates(found.certs);
        }
        for (from, path) in self.instead.iter().chain(&self.besides) {
            let found = read(path);
            let (added, _) = store.add_parsable_certificates(found.certs);
            // A directory may be empty while a file beside it is not; a file must have something to say.
            if added == 0 && !path.is_dir() {
                let why = found.errors.first().map_or_else(
                    || "it holds no certificate in PEM form".to_owned(),
                    ToString::to_string,
                );
                return Err(Error::new(
                    Code::HttpTls,
                    format!(
                        "no certificate to trust in {} ({from}): {why}",
                        path.display()
                    ),
                )
                .with_hint("Give a file of PEM certificates, or unset it to trust the system's"));
            }
        }
        Ok(store)
    }
}

fn named_by(environment: &Environment) -> Vec<(String, PathBuf)> {
    let mut named = Vec::new();
    for variable in ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"] {
        if let Some(path) = environment.var(variable) {
            named.push((variable.to_owned(), PathBuf::from(path)));
        }
    }
    if let Some(paths) = environment.var("SSL_CERT_DIR") {
        named.extend(
            std::env::split_paths(paths)
                .filter(|path| !path.as_os_str().is_empty())
                .map(|path| ("SSL_CERT_DIR".to_owned(), path)),
        );
    }
    named
}

fn read(path: &Path) -> CertificateResult {
    if path.is_dir() {
        load_certs_from_paths(None, Some(path))
    } else {
        load_certs_from_paths(Some(path), None)
    }
}

/// The client's side of TLS, 1.2 and 1.3.
pub(crate) fn client_config(roots: RootCertStore) -> Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|cause| Error::new(Code::Internal, "TLS cannot be set up").with_source(cause))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

/// What TLS says about a failure, if it was one of TLS, and what to do about it.
pub(crate) fn failure(error: &(dyn StdError + 'static)) -> Option<(String, &'static str)> {
    let mut next = Some(error);
    while let Some(cause) = next {
        let inner = cause
            .downcast_ref::<std::io::Error>()
            .and_then(|io| io.get_ref());
        let tls = cause
            .downcast_ref::<rustls::Error>()
            .or_else(|| inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()));
        if let Some(tls) = tls {
            return Some((tls.to_string(), advice(tls)));
        }
        next = match inner {
            Some(inner) => Some(inner as &(dyn StdError + 'static)),
            None => cause.source(),
        };
    }
    None
}

fn advice(error: &rustls::Error) -> &'static str {
    match error {
        rustls::Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature,
        ) => {
            "If your network or emulator has its own certificate authority, name its file with ca_file or SSL_CERT_FILE"
        }
        rustls::Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        ) => "The certificate has expired; check the clock of this machine as well",
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. },
        ) => "The certificate is not valid yet; the clock of this machine is most likely late",
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => "The certificate belongs to another host; check DATABRICKS_HOST",
        rustls::Error::InvalidMessage(_) => {
            "The other side does not seem to speak TLS; check the port of DATABRICKS_HOST"
        }
        _ => "Check that nothing between here and the workspace intercepts TLS",
    }
}
