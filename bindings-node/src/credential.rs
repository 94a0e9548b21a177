//! Which credential is wanted, and the credential, as JavaScript sees them.

use lakekey_ffi::Lease;
use lakekey_ffi::plain;
use napi_derive::napi;

use crate::client::millis;

/// Which credential is wanted.
#[napi(object, object_to_js = false)]
pub struct CredentialRequest {
    /// The database; none for the client's own.
    pub target: Option<String>,
    /// How long the credential should live.
    pub ttl_millis: Option<f64>,
    /// How long to wait for it.
    pub timeout_millis: Option<f64>,
}

impl From<CredentialRequest> for plain::CredentialRequest {
    fn from(request: CredentialRequest) -> plain::CredentialRequest {
        plain::CredentialRequest {
            target: request.target,
            ttl_ms: millis(request.ttl_millis),
            timeout_ms: millis(request.timeout_millis),
        }
    }
}

/// A database credential.
#[napi(object, object_from_js = false)]
pub struct Credential {
    /// The password.
    pub token: String,
    /// Its end, in milliseconds since 1970.
    pub expires_at: f64,
    /// When it was asked for, in milliseconds since 1970.
    pub issued_at: f64,
    /// The endpoint's resource name.
    pub endpoint: String,
    /// The identity in the token.
    pub subject: Option<String>,
}

#[allow(
    clippy::cast_precision_loss,
    reason = "milliseconds of this age fit into a double"
)]
impl From<Lease> for Credential {
    fn from(lease: Lease) -> Credential {
        Credential {
            token: lease.token().to_owned(),
            expires_at: lease.expires_at_ms() as f64,
            issued_at: lease.issued_at_ms() as f64,
            endpoint: lease.endpoint().to_owned(),
            subject: lease.subject().map(str::to_owned),
        }
    }
}
