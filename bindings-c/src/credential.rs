//! Credentials as C sees them.

use std::ffi::{CString, c_char};
use std::mem::size_of;

use lakekey_ffi::plain::CredentialRequest;
use lakekey_ffi::{CancelHandle, Lease, Result, glance};

use crate::boundary::{Out, run, tell};
use crate::client::Client;
use crate::code::lk_status;
use crate::log;
use crate::object::{self, Object, Used, lk_client, lk_credential, lk_error, lk_secret};
use crate::options::{self, SizeFirst, lk_credential_request};
use crate::recent;
use crate::secret::{Text, hand_out};
use crate::text::{or_null, shown};

/// The facts of a credential, but for its token. The texts belong to the credential.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct lk_credential_info {
    /// Set it to sizeof the struct.
    pub struct_size: usize,
    /// Its end, in milliseconds since 1970.
    pub expires_at_ms: u64,
    /// When it was asked for, in milliseconds since 1970.
    pub issued_at_ms: u64,
    /// 1 if it was there already when it was asked for, else 0.
    pub cached: u32,
    /// Zero.
    pub reserved: u32,
    /// The endpoint's resource name.
    pub endpoint: *const c_char,
    /// The identity in the token, which is the role it logs in as; NULL if it does not say.
    pub subject: *const c_char,
}

// SAFETY: the size comes first, then numbers and pointers.
unsafe impl SizeFirst for lk_credential_info {
    const NAME: &'static str = "lk_credential_info";
}

/// A credential with its texts as C needs them.
pub(crate) struct Credential {
    lease: Lease,
    endpoint: CString,
    subject: Option<CString>,
}

/// A request as C gave it.
struct Asked {
    request: CredentialRequest,
    cancel: CancelHandle,
}

/// # Safety
/// The caller's part.
unsafe fn asked(request: *const lk_credential_request) -> Result<Asked> {
    // SAFETY: the caller's part.
    let Some(given) = (unsafe { options::read(request) })? else {
        return Ok(Asked {
            request: CredentialRequest::default(),
            cancel: CancelHandle::new(),
        });
    };
    Ok(Asked {
        // SAFETY: the caller's part.
        request: unsafe { given.plain() }?,
        cancel: options::cancel(given.cancel)?,
    })
}

fn wait(client: &Used<Client>, asked: Asked) -> Result<Lease> {
    let call = client.handle.credential(asked.request)?;
    let lease = call.wait(&asked.cancel, &mut || false);
    log::hand_over();
    lease
}

/// A database credential's token: the password of one login. Out of the cache at once; else it is minted, once for
/// all who wait for the same one. `request` may be NULL.
// SAFETY: the name is ours; the caller's part.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lk_client_token(
    client: *const lk_client,
    request: *const lk_credential_request,
    out: *mut *mut lk_secret,
    err: *mut *mut lk_error,
) -> lk_status {
    let work = || {
        // SAFETY: the caller's part.
        let out = unsafe { Out::new("out", out) }?;
        let number = object::number(client);
        if request.is_null()
            && let Some(text) = recent::again(number)
        {
            out.put(hand_out(text)?);
            return Ok(());
        }
        let stamp = glance::stamp();
        let client = object::get::<Client>("client", client)?;
        if request.is_null()
            && let Some(text) = client.recent.peek(&client.handle, None)
        {
            recent::told(number, stamp, &text);
            recent::count(&client.handle);
            out.put(hand_out(text)?);
            return Ok(());
        }
        // SAFETY: the caller's part.
        let asked = unsafe { asked(request) }?;
        let peeked = match asked.request.ttl_ms {
            None => client
                .recent
                .peek(&client.handle, asked.request.target.as_deref()),
            Some(_) => None,
        };
        let text = match peeked {
            Some(text) => text,
            None => Text::new(wait(&client, asked)?.token()),
        };
        out.put(hand_out(text)?);
        Ok(())
    };
    // SAFETY: the caller's part.
    unsafe { run(err, work) }
}

/// A database credential with its times and identity. `request` may be NULL.
// SAFETY: the name is ours; the caller's part.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lk_client_credential(
    client: *const lk_client,
    request: *const lk_credential_request,
    out: *mut *mut lk_credential,
    err: *mut *mut lk_error,
) -> lk_status {
    let work = || {
        // SAFETY: the caller's part.
        let out = unsafe { Out::new("out", out) }?;
        let client = object::get::<Client>("client", client)?;
        // SAFETY: the caller's part.
        let lease = wait(&client, unsafe { asked(request) }?)?;
        out.put(object::put(Object::Credential(Credential {
            endpoint: shown(lease.endpoint()),
            subject: lease.subject().map(shown),
            lease,
        }))?);
        Ok(())
    };
    // SAFETY: the caller's part.
    unsafe { run(err, work) }
}

/// The facts of a credential.
// SAFETY: the name is ours; the caller's part.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lk_credential_get(
    credential: *const lk_credential,
    info: *mut lk_credential_info,
) -> lk_status {
    tell(|| {
        let held = object::get::<Credential>("credential", credential)?;
        let facts = lk_credential_info {
            struct_size: size_of::<lk_credential_info>(),
            expires_at_ms: held.lease.expires_at_ms(),
            issued_at_ms: held.lease.issued_at_ms(),
            cached: held.lease.cached().into(),
            reserved: 0,
            endpoint: held.endpoint.as_ptr(),
            subject: or_null(held.subject.as_ref()),
        };
        // SAFETY: the caller's part.
        unsafe { options::write(info, &facts) }
    })
}

/// The token of a credential.
// SAFETY: the name is ours; the caller's part.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lk_credential_token(
    credential: *const lk_credential,
    out: *mut *mut lk_secret,
) -> lk_status {
    tell(|| {
        // SAFETY: the caller's part.
        let out = unsafe { Out::new("out", out) }?;
        let held = object::get::<Credential>("credential", credential)?;
        out.put(hand_out(Text::new(held.lease.token()))?);
        Ok(())
    })
}

/// Frees a credential. It goes on being served to others.
// SAFETY: the name is ours; the caller's part.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lk_credential_free(credential: *mut lk_credential) -> lk_status {
    tell(|| object::free::<Credential>("credential", credential))
}
