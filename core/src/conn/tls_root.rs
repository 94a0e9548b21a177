//! Which root certificates a driver should trust when nobody says.
//!
//! `sslrootcert=system` would be the short answer, but libpq 15 takes it for a file name, and a libpq that brings its
//! own OpenSSL (as psycopg's wheel does) looks for roots where its builder had them. A file that exists works for all.

use std::path::Path;

use crate::config::Environment;

/// libpq's word for the TLS library's own roots.
pub const SYSTEM_ROOTS: &str = "system";

/// Where distributions keep the bundle, the most frequent first.
const BUNDLES: [&str; 8] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/usr/local/share/certs/ca-root-nss.crt",
    "/usr/local/etc/openssl@3/cert.pem",
    "/opt/homebrew/etc/openssl@3/cert.pem",
];

/// The value for `sslrootcert`: the file that `SSL_CERT_FILE` names, else the system's bundle, else [`SYSTEM_ROOTS`].
pub fn default_root(environment: &Environment) -> String {
    choose(environment.var("SSL_CERT_FILE"), |path| {
        Path::new(path).is_file()
    })
}

/// A file that somebody named is taken even when it is not there: the driver then says so, which beats trusting others.
fn choose(named: Option<&str>, is_file: impl Fn(&str) -> bool) -> String {
    named
        .or_else(|| BUNDLES.into_iter().find(|path| is_file(path)))
        .unwrap_or(SYSTEM_ROOTS)
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::choose;

    #[test]
    fn named_then_known_then_system() {
        assert_eq!(choose(Some("/my/ca.pem"), |_| true), "/my/ca.pem");
        assert_eq!(
            choose(None, |path| path.contains("pki/tls")),
            "/etc/pki/tls/certs/ca-bundle.crt"
        );
        assert_eq!(choose(None, |_| false), "system");
    }
}
