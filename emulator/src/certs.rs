//! The certificate authority of one emulator and the certificates of its front door.
//!
//! The authority may vouch for `localhost`, loopback addresses and a name below `test` only, so that it is harmless even where somebody
//! installs it. It is kept in the state directory: a new one at each start would break every client that was told to
//! trust the old one.
//!
//! There are two certificates. `BoringSSL`, and with it Bun, refuses a chain in which a certificate has an address while its
//! authority has constraints on addresses. So a client that says a name is shown names only, which every client accepts,
//! and only one that dials a bare address is shown addresses.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints, SanType,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::state::names::{DNS_HOST_SUFFIX, HOST_SUFFIX};

const DAY: Duration = Duration::from_hours(24);
const CA_DAYS: u32 = 3650;
/// Platform verifiers refuse leaves that live longer than 397 days.
const LEAF_DAYS: u32 = 396;

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertError {
    /// A file cannot be read or written.
    #[error("cannot {what} {}: {source}", path.display())]
    File {
        /// The operation.
        what: &'static str,
        /// Its object.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The kept authority is broken.
    #[error("the certificate authority in {} is broken ({reason}); delete ca.crt and ca.key there to get a new one", dir.display())]
    Broken {
        /// Where it is.
        dir: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A certificate cannot be made.
    #[error("cannot make a certificate: {0}")]
    Make(String),
}

impl From<rcgen::Error> for CertError {
    fn from(error: rcgen::Error) -> Self {
        Self::Make(error.to_string())
    }
}

/// The authority, and the certificates that the front door shows.
pub struct Certificates {
    issuer: Issuer<'static, KeyPair>,
    ca_file: PathBuf,
    ca_pem: String,
    ca_der: CertificateDer<'static>,
    named: Arc<CertifiedKey>,
    addressed: RwLock<Addressed>,
}

/// What is shown to a client that says no name.
struct Addressed {
    addresses: Vec<IpAddr>,
    key: Arc<CertifiedKey>,
}

impl std::fmt::Debug for Certificates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificates")
            .field("ca_file", &self.ca_file)
            .finish_non_exhaustive()
    }
}

impl Certificates {
    /// Takes the authority from `dir`, or makes it there (`ca.crt`, `ca.key`), and issues fresh leaves.
    ///
    /// # Errors
    /// The directory cannot be used, or what is in it is broken.
    pub fn open(dir: &Path) -> Result<Arc<Self>, CertError> {
        let (ca_file, key_file) = (dir.join("ca.crt"), dir.join("ca.key"));
        let broken = |reason: String| CertError::Broken {
            dir: dir.to_owned(),
            reason,
        };
        let (key, ca_pem) = match (fs::read_to_string(&key_file), fs::read_to_string(&ca_file)) {
            (Ok(key), Ok(ca)) => (
                KeyPair::from_pem(&key).map_err(|error| broken(error.to_string()))?,
                ca,
            ),
            (Err(error), _) | (_, Err(error)) if error.kind() != io::ErrorKind::NotFound => {
                return Err(CertError::File {
                    what: "read the authority in",
                    path: dir.to_owned(),
                    source: error,
                });
            }
            _ => {
                let key = KeyPair::generate()?;
                let pem = ca_params().self_signed(&key)?.pem();
                write(&key_file, &key.serialize_pem(), 0o600)?;
                write(&ca_file, &pem, 0o644)?;
                (key, pem)
            }
        };
        let ca_der = CertificateDer::from_pem_slice(ca_pem.as_bytes())
            .map_err(|error| broken(error.to_string()))?;
        let public = key.public_key_raw();
        if !ca_der.windows(public.len()).any(|part| part == public) {
            return Err(broken("ca.key is not the key of ca.crt".into()));
        }
        let issuer = Issuer::new(ca_params(), key);
        let named = leaf(&issuer, &ca_der, names()?)?;
        let addresses = vec![
            IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(Ipv6Addr::LOCALHOST),
        ];
        let key = leaf(&issuer, &ca_der, names_and(&addresses)?)?;
        let shown = RwLock::new(Addressed { addresses, key });
        Ok(Arc::new(Self {
            issuer,
            ca_file,
            ca_pem,
            ca_der,
            named,
            addressed: shown,
        }))
    }

    /// The authority's certificate in PEM, for `PGSSLROOTCERT` and the like.
    pub fn ca_file(&self) -> &Path {
        &self.ca_file
    }

    /// The authority's certificate in PEM.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// From the next connection on the door's certificate for bare addresses is also good for this one.
    ///
    /// # Errors
    /// The certificate cannot be made.
    pub fn add_address(&self, address: IpAddr) -> Result<(), CertError> {
        let mut shown = self
            .addressed
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if !shown.addresses.contains(&address) {
            let mut addresses = shown.addresses.clone();
            addresses.push(address);
            let key = leaf(&self.issuer, &self.ca_der, names_and(&addresses)?)?;
            *shown = Addressed { addresses, key };
        }
        Ok(())
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, client: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        if client.server_name().is_some() {
            return Some(Arc::clone(&self.named));
        }
        let addressed = self.addressed.read();
        let shown = addressed.unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(&shown.key))
    }
}

fn params(common_name: &str, days: u32) -> CertificateParams {
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    // A day back: the clock of a client in a container may be late.
    params.not_before = (SystemTime::now() - DAY).into();
    params.not_after = (SystemTime::now() + DAY * days - DAY).into();
    params
}

fn ca_params() -> CertificateParams {
    let mut params = params("lakekey emulator, local tests only", CA_DAYS);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::CrlSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![
            GeneralSubtree::DnsName("localhost".into()),
            GeneralSubtree::DnsName("lakekey.test".into()),
            GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(
                IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)),
                8,
            )),
            GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(
                IpAddr::V6(Ipv6Addr::LOCALHOST),
                128,
            )),
        ],
        excluded_subtrees: Vec::new(),
    });
    params
}

fn names() -> Result<Vec<SanType>, CertError> {
    let endpoints = [HOST_SUFFIX, DNS_HOST_SUFFIX].map(|suffix| format!("*{suffix}"));
    endpoints
        .into_iter()
        .chain(["localhost".to_owned()])
        .map(|name| Ok(SanType::DnsName(name.try_into()?)))
        .collect()
}

fn names_and(addresses: &[IpAddr]) -> Result<Vec<SanType>, CertError> {
    let mut all = names()?;
    all.extend(addresses.iter().map(|address| SanType::IpAddress(*address)));
    Ok(all)
}

fn leaf(
    issuer: &Issuer<'static, KeyPair>,
    ca: &CertificateDer<'static>,
    subjects: Vec<SanType>,
) -> Result<Arc<CertifiedKey>, CertError> {
    let mut params = params("lakekey emulator", LEAF_DAYS);
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.subject_alt_names = subjects;
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, issuer)?;
    let key = PrivateKeyDer::try_from(key.serialize_der())
        .map_err(|error| CertError::Make(error.to_owned()))?;
    lakekey_gateway::certified_key(vec![certificate.der().clone(), ca.clone()], key)
        .map_err(|error| CertError::Make(error.to_string()))
}

fn write(path: &Path, text: &str, mode: u32) -> Result<(), CertError> {
    let result = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    result.map_err(|source| CertError::File {
        what: "write",
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn the_authority_is_kept_and_its_key_is_private() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let first = Certificates::open(dir.path()).unwrap();
        let second = Certificates::open(dir.path()).unwrap();
        assert_eq!(first.ca_pem(), second.ca_pem());
        let mode = fs::metadata(dir.path().join("ca.key"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_foreign_key_is_refused_with_advice() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        Certificates::open(one.path()).unwrap();
        Certificates::open(two.path()).unwrap();
        fs::copy(one.path().join("ca.key"), two.path().join("ca.key")).unwrap();
        let error = Certificates::open(two.path()).unwrap_err().to_string();
        assert!(error.contains("delete ca.crt and ca.key"), "{error}");
    }

    #[test]
    fn an_added_address_changes_the_leaf_once() {
        let dir = tempfile::tempdir().unwrap();
        let certs = Certificates::open(dir.path()).unwrap();
        let shown = || certs.addressed.read().unwrap().key.cert[0].clone();
        let before = shown();
        certs.add_address("127.9.9.9".parse().unwrap()).unwrap();
        let after = shown();
        certs.add_address("127.9.9.9".parse().unwrap()).unwrap();
        assert_ne!(before, after);
        assert_eq!(after, shown());
    }

    #[test]
    fn only_a_client_that_says_no_name_is_shown_addresses() {
        let dir = tempfile::tempdir().unwrap();
        let certs = Certificates::open(dir.path()).unwrap();
        let loopback = |key: &CertifiedKey| key.cert[0].windows(6).any(|part| part == LOOPBACK);
        assert!(!loopback(&certs.named));
        assert!(loopback(&certs.addressed.read().unwrap().key));
    }

    /// 127.0.0.1 as a subject's alternative name in DER: the tag of an address, its length, and itself.
    const LOOPBACK: [u8; 6] = [0x87, 4, 127, 0, 0, 1];
}
