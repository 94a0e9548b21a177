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
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints, SanType,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use serde::Deserialize;

use crate::state::names::{DNS_HOST_SUFFIX, HOST_SUFFIX};

const DAY: Duration = Duration::from_hours(24);
/// In days from now. A day back: the clock of a client in a container may be late.
const CA_VALID: (i64, i64) = (-1, 3649);
/// Platform verifiers refuse leaves that live longer than 397 days.
const VALID: (i64, i64) = (-1, 395);

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
    ca_file: PathBuf,
    key_file: PathBuf,
    shown: RwLock<Shown>,
}

/// What is shown, and who vouches for it.
struct Shown {
    authority: Authority,
    addresses: Vec<IpAddr>,
    /// To a client that says a name.
    named: Arc<CertifiedKey>,
    /// To a client that says none.
    addressed: Arc<CertifiedKey>,
    /// To everybody, instead of these.
    wrong: Option<Arc<CertifiedKey>>,
}

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    der: CertificateDer<'static>,
}

/// What can be wrong with a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WrongCertificate {
    /// It ended yesterday.
    Expired,
    /// It begins tomorrow.
    NotYetValid,
    /// It is of another name.
    WrongName,
    /// Nobody knows who vouches for it.
    UnknownAuthority,
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
        let authority = match (fs::read_to_string(&key_file), fs::read_to_string(&ca_file)) {
            (Ok(key), Ok(pem)) => {
                let key = KeyPair::from_pem(&key).map_err(|error| broken(error.to_string()))?;
                let der = CertificateDer::from_pem_slice(pem.as_bytes())
                    .map_err(|error| broken(error.to_string()))?;
                let public = key.public_key_raw();
                if !der.windows(public.len()).any(|part| part == public) {
                    return Err(broken("ca.key is not the key of ca.crt".into()));
                }
                let issuer = Issuer::new(ca_params(), key);
                Authority { issuer, pem, der }
            }
            (Err(error), _) | (_, Err(error)) if error.kind() != io::ErrorKind::NotFound => {
                return Err(CertError::File {
                    what: "read the authority in",
                    path: dir.to_owned(),
                    source: error,
                });
            }
            _ => Authority::made(&ca_file, &key_file)?,
        };
        let addresses = vec![
            IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(Ipv6Addr::LOCALHOST),
        ];
        let shown = RwLock::new(Shown::by(authority, addresses)?);
        Ok(Arc::new(Self {
            ca_file,
            key_file,
            shown,
        }))
    }

    /// The authority's certificate in PEM, for `PGSSLROOTCERT` and the like.
    pub fn ca_file(&self) -> &Path {
        &self.ca_file
    }

    /// The authority's certificate in PEM.
    pub fn ca_pem(&self) -> String {
        self.shown().authority.pem.clone()
    }

    /// From the next connection on the door's certificate for bare addresses is also good for this one.
    ///
    /// # Errors
    /// The certificate cannot be made.
    pub fn add_address(&self, address: IpAddr) -> Result<(), CertError> {
        let mut shown = self.change();
        if !shown.addresses.contains(&address) {
            let mut addresses = shown.addresses.clone();
            addresses.push(address);
            shown.addressed = shown.authority.leaf(names_and(&addresses)?, VALID)?;
            shown.addresses = addresses;
        }
        Ok(())
    }

    /// From the next connection on the door shows this to everybody; `None`: what it ought to show.
    ///
    /// # Errors
    /// The certificate cannot be made.
    pub fn show(&self, wrong: Option<WrongCertificate>) -> Result<(), CertError> {
        let mut shown = self.change();
        let authority = &shown.authority;
        let made = match wrong {
            None => None,
            Some(WrongCertificate::Expired) => Some(authority.leaf(names()?, (-2, -1))?),
            Some(WrongCertificate::NotYetValid) => Some(authority.leaf(names()?, (1, 2))?),
            Some(WrongCertificate::WrongName) => {
                let other = SanType::DnsName("elsewhere.lakekey.test".try_into()?);
                Some(authority.leaf(vec![other], VALID)?)
            }
            Some(WrongCertificate::UnknownAuthority) => {
                let stranger = Authority::new()?;
                Some(stranger.leaf(names()?, VALID)?)
            }
        };
        shown.wrong = made;
        Ok(())
    }

    /// Replaces the authority, in its files too: whoever trusts the old one alone gets in no more.
    ///
    /// # Errors
    /// The files cannot be written, or a certificate cannot be made.
    pub fn rotate(&self) -> Result<(), CertError> {
        let mut shown = self.change();
        let authority = Authority::made(&self.ca_file, &self.key_file)?;
        *shown = Shown::by(authority, shown.addresses.clone())?;
        Ok(())
    }

    fn shown(&self) -> RwLockReadGuard<'_, Shown> {
        self.shown.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self) -> RwLockWriteGuard<'_, Shown> {
        self.shown.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shown {
    fn by(authority: Authority, addresses: Vec<IpAddr>) -> Result<Self, CertError> {
        Ok(Self {
            named: authority.leaf(names()?, VALID)?,
            addressed: authority.leaf(names_and(&addresses)?, VALID)?,
            authority,
            addresses,
            wrong: None,
        })
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, client: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let shown = self.shown();
        let usual = if client.server_name().is_some() {
            &shown.named
        } else {
            &shown.addressed
        };
        Some(Arc::clone(shown.wrong.as_ref().unwrap_or(usual)))
    }
}

/// So many days from now; negative: ago.
fn day(days: i64) -> SystemTime {
    let span = DAY * u32::try_from(days.unsigned_abs()).unwrap_or(u32::MAX);
    if days < 0 {
        SystemTime::now() - span
    } else {
        SystemTime::now() + span
    }
}

fn params(common_name: &str, (begin, end): (i64, i64)) -> CertificateParams {
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    params.not_before = day(begin).into();
    params.not_after = day(end).into();
    params
}

fn ca_params() -> CertificateParams {
    let mut params = params("lakekey emulator, local tests only", CA_VALID);
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

impl Authority {
    fn new() -> Result<Self, CertError> {
        let key = KeyPair::generate()?;
        let certificate = ca_params().self_signed(&key)?;
        Ok(Self {
            pem: certificate.pem(),
            der: certificate.der().clone(),
            issuer: Issuer::new(ca_params(), key),
        })
    }

    /// A new one, kept in these files.
    fn made(ca_file: &Path, key_file: &Path) -> Result<Self, CertError> {
        let made = Self::new()?;
        write(key_file, &made.issuer.key().serialize_pem(), 0o600)?;
        write(ca_file, &made.pem, 0o644)?;
        Ok(made)
    }

    fn leaf(
        &self,
        subjects: Vec<SanType>,
        valid: (i64, i64),
    ) -> Result<Arc<CertifiedKey>, CertError> {
        let mut params = params("lakekey emulator", valid);
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.subject_alt_names = subjects;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        let key = PrivateKeyDer::try_from(key.serialize_der())
            .map_err(|error| CertError::Make(error.to_owned()))?;
        let chain = vec![certificate.der().clone(), self.der.clone()];
        lakekey_gateway::certified_key(chain, key)
            .map_err(|error| CertError::Make(error.to_string()))
    }
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
        let shown = || certs.shown().addressed.cert[0].clone();
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
        assert!(!loopback(&certs.shown().named));
        assert!(loopback(&certs.shown().addressed));
    }

    #[test]
    fn a_rotated_authority_is_in_the_file_and_vouches_for_new_leaves() {
        let dir = tempfile::tempdir().unwrap();
        let certs = Certificates::open(dir.path()).unwrap();
        let (pem, leaf) = (certs.ca_pem(), certs.shown().named.cert[0].clone());
        certs.rotate().unwrap();
        assert_ne!(pem, certs.ca_pem());
        assert_ne!(leaf, certs.shown().named.cert[0]);
        assert_eq!(fs::read_to_string(certs.ca_file()).unwrap(), certs.ca_pem());
        let again = Certificates::open(dir.path()).unwrap();
        assert_eq!(again.ca_pem(), certs.ca_pem());
    }

    /// 127.0.0.1 as a subject's alternative name in DER: the tag of an address, its length, and itself.
    const LOOPBACK: [u8; 6] = [0x87, 4, 127, 0, 0, 1];
}
