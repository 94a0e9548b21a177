//! The client as C sees it.

use std::ffi::c_char;
use std::sync::Arc;

use lakekey_ffi::plain::Options;
use lakekey_ffi::provider::HostTokenProvider;
use lakekey_ffi::{Handle, glance};

use crate::boundary::{Out, run, tell};
use crate::code::lk_status;
use crate::object::{self, Object, lk_client, lk_error};
use crate::options::{self, lk_client_options};
use crate::provider::Callback;
use crate::recent::Recent;
use crate::text::required;

/// A client and the token that it handed out last.
pub(crate) struct Client {
    pub(crate) handle: Handle,
    pub(crate) recent: Recent,
}

impl Client {
    fn object(handle: Handle) -> Object {
        Object::Client(Box::new(Client {
            handle,
            recent: Recent::default(),
        }))
    }
}

/// Makes a client from the options, the environment as it is now, and the configuration file. No request, no thread.
/// `options` may be NULL.
// SAFETY: the name is ours; the caller's part.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lk_client_new(
    options: *const lk_client_options,
    out: *mut *mut lk_client,
    err: *mut *mut lk_error,
) -> lk_status {
    let work = || {
        // SAFETY: the caller's part.
        let given = unsafe { options::read(options) }?;
        // What comes with the options is the library's from here on, also if no client comes of it.
        let provider = given.as_ref().and_then(Callback::new);
        let provider = provider.map(|callback| Arc::new(callback) as Arc<dyn HostTokenProvider>);
        // SAFETY: the caller's part.
        let out = unsafe { Out::new("out", out) }?;
        let plain = match &given {
            // SAFETY: the caller's part.
            Some(given) => unsafe { given.plain() }?,
            None => Options::default(),
        };
        out.put(object::put(Client::object(Handle::new(plain, provider)?))?);
        Ok(())
    };
    // SAFETY: the caller's part.
    unsafe { run(err, work) }
}

/// Makes a client that is the user of this workspace token and nobody else: for an app that is handed its users' tokens.
// SAFETY: the name is ours; the caller's part.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lk_client_as_user(
    client: *const lk_client,
    token: *const c_char,
    token_len: usize,
    out: *mut *mut lk_client,
    err: *mut *mut lk_error,
) -> lk_status {
    let work = || {
        // SAFETY: the caller's part, twice.
        let (out, token) = unsafe { (Out::new("out", out)?, required("token", token, token_len)?) };
        let client = object::get::<Client>("client", client)?;
        let user = client.handle.as_user(token.to_owned())?;
        out.put(object::put(Client::object(user))?);
        Ok(())
    };
    // SAFETY: the caller's part.
    unsafe { run(err, work) }
}

/// Takes a token out of the cache because Postgres refused it. `fresh` becomes 1 if another try would get a new one, else
/// 0; it may be NULL.
// SAFETY: the name is ours; the caller's part.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lk_client_invalidate(
    client: *const lk_client,
    token: *const c_char,
    token_len: usize,
    fresh: *mut u32,
    err: *mut *mut lk_error,
) -> lk_status {
    let work = || {
        // SAFETY: the caller's part.
        let token = unsafe { required("token", token, token_len) }?;
        let client = object::get::<Client>("client", client)?;
        let due = client.handle.invalidate(token)?;
        // SAFETY: the caller's part.
        if let Some(fresh) = unsafe { fresh.as_mut() } {
            *fresh = due.into();
        }
        Ok(())
    };
    // SAFETY: the caller's part.
    unsafe { run(err, work) }
}

/// Ends a client: calls that begin later fail with LK_CLOSED. Harmless when repeated. It must be freed as well.
// SAFETY: the name is ours; the caller's part.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lk_client_close(client: *const lk_client) -> lk_status {
    tell(|| {
        let client = object::get::<Client>("client", client)?;
        client.recent.clear();
        client.handle.close()
    })
}

/// Frees a client. Calls under way end by themselves; credentials stay with the process for its other clients.
// SAFETY: the name is ours; the caller's part.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lk_client_free(client: *mut lk_client) -> lk_status {
    tell(|| {
        object::free::<Client>("client", client)?;
        // Whoever was told its token a moment ago is not to repeat it, also while other calls still use the client.
        glance::changed();
        Ok(())
    })
}
