//! Logins as C sees them: libpq's two arrays, or one connection string.

use std::ffi::{CString, c_char};
use std::mem::size_of;

use lakekey_ffi::plain::{ConnectParams, ConnectRequest};
use lakekey_ffi::plan::Attempt;
use lakekey_ffi::{CancelHandle, Result};

use crate::boundary::{Out, run, tell};
use crate::client::Client;
use crate::code::lk_status;
use crate::log;
use crate::object::{self, Object, lk_client, lk_connect, lk_error, lk_secret};
use crate::options::{self, SizeFirst, lk_connect_request};
use crate::secret::{Text, hand_out};
use crate::text::{exact, or_null, shown};

/// The facts of one login. The texts and arrays belong to it.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct lk_connect_info {
    /// Set it to sizeof the struct.
    pub struct_size: usize,
    /// libpq's keywords, the password's among them, with a NULL behind the last: for PQconnectdbParams and
    /// PQconnectStartParams.
    pub keywords: *const *const c_char,
    /// Their values, with a NULL behind the last. Wiped when the lk_connect is freed.
    pub values: *const *const c_char,
    /// How many of each, without the NULL.
    pub count: usize,
    /// The role to log in as.
    pub user: *const c_char,
    /// The identity in the token; NULL if it does not say.
    pub subject: *const c_char,
    /// The password.
    pub password: *const c_char,
    /// 1 if the token was there already, so that a refused login earns a fresh one, else 0.
    pub cached: u32,
    /// 1 for the first attempt of an lk_plan; 0 if it is of none.
    pub number: u32,
    /// How long dial and login may take together; 0 if it is of no lk_plan.
    pub timeout_ms: u64,
    /// The address to dial, which is among the keywords too; NULL where the name has to do, or if it is of no lk_plan.
    pub address: *const c_char,
}

// SAFETY: the size comes first, then numbers and pointers.
unsafe impl SizeFirst for lk_connect_info {
    const NAME: &'static str = "lk_connect_info";
}

/// One login with its texts as C needs them.
pub(crate) struct Connect {
    _texts: Vec<(CString, CString)>,
    password: Text,
    conninfo: Text,
    user: CString,
    subject: Option<CString>,
    cached: bool,
    number: u32,
    timeout_ms: u64,
    address: Option<CString>,
    keywords: Vec<*const c_char>,
    values: Vec<*const c_char>,
}

// SAFETY: the pointers point into texts that are this value's own and never change, or are never freed.
unsafe impl Send for Connect {}
// SAFETY: as above.
unsafe impl Sync for Connect {}

impl Connect {
    fn new(params: ConnectParams) -> Result<Box<Connect>> {
        let (password, conninfo) = (Text::taken(params.password), Text::taken(params.conninfo));
        let texts = params
            .pairs
            .iter()
            .map(|(keyword, value)| Ok((exact(keyword, keyword)?, exact(keyword, value)?)))
            .collect::<Result<Vec<_>>>()?;
        let end = std::ptr::null();
        let keywords = texts.iter().map(|(keyword, _)| keyword.as_ptr());
        let values = texts.iter().map(|(_, value)| value.as_ptr());
        Ok(Box::new(Connect {
            keywords: keywords.chain([c"password".as_ptr(), end]).collect(),
            values: values.chain([password.as_ptr(), end]).collect(),
            _texts: texts,
            password,
            conninfo,
            user: shown(params.user),
            subject: params.subject.map(shown),
            cached: params.cached,
            number: 0,
            timeout_ms: 0,
            address: None,
        }))
    }

    /// One attempt of a plan, for C to hold.
    pub(crate) fn of_attempt(attempt: Attempt) -> Result<*mut lk_connect> {
        let (number, timeout_ms) = (attempt.number, attempt.timeout_ms);
        let address = attempt.address.map(shown);
        let mut connect = Connect::new(ConnectParams {
            pairs: attempt.pairs,
            password: attempt.password,
            cached: attempt.cached,
            user: attempt.user,
            subject: attempt.subject,
            conninfo: attempt.conninfo,
        })?;
        (connect.number, connect.timeout_ms, connect.address) = (number, timeout_ms, address);
        object::put(Object::Connect(connect))
    }

    fn info(&self) -> lk_connect_info {
        lk_connect_info {
            struct_size: size_of::<lk_connect_info>(),
            keywords: self.keywords.as_ptr(),
            values: self.values.as_ptr(),
            count: self.keywords.len() - 1,
            user: self.user.as_ptr(),
            subject: or_null(self.subject.as_ref()),
            password: self.password.as_ptr(),
            cached: self.cached.into(),
            number: self.number,
            timeout_ms: self.timeout_ms,
            address: or_null(self.address.as_ref()),
        }
    }
}

/// A request as C gave it.
pub(crate) struct Asked {
    pub(crate) request: ConnectRequest,
    pub(crate) cancel: CancelHandle,
    pub(crate) budget_ms: Option<u64>,
}

/// # Safety
/// The caller's part.
pub(crate) unsafe fn asked(request: *const lk_connect_request) -> Result<Asked> {
    // SAFETY: the caller's part.
    let Some(given) = (unsafe { options::read(request) })? else {
        return Ok(Asked {
            request: ConnectRequest::default(),
            cancel: CancelHandle::new(),
            budget_ms: None,
        });
    };
    Ok(Asked {
        // SAFETY: the caller's part.
        request: unsafe { given.plain() }?,
        cancel: options::cancel(given.cancel)?,
        budget_ms: options::given(given.budget_ms),
    })
}

fn wait(client: &Client, asked: Asked) -> Result<ConnectParams> {
    let call = client.handle.connect_params(asked.request)?;
    let params = call.wait(&asked.cancel, &mut || false);
    log::hand_over();
    params
}

/// Everything that a driver needs for one login: host, addresses, port, user, database, TLS, and a token that is valid
/// now. Ask again for each login; out of the cache that costs nothing. `request` may be NULL.
// SAFETY: the name is ours; the caller's part.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lk_client_connect_params(
    client: *const lk_client,
    request: *const lk_connect_request,
    out: *mut *mut lk_connect,
    err: *mut *mut lk_error,
) -> lk_status {
    let work = || {
        // SAFETY: the caller's part.
        let out = unsafe { Out::new("out", out) }?;
        let client = object::get::<Client>("client", client)?;
        // SAFETY: the caller's part.
        let params = wait(&client, unsafe { asked(request) }?)?;
        out.put(object::put(Object::Connect(Connect::new(params)?))?);
        Ok(())
    };
    // SAFETY: the caller's part.
    unsafe { run(err, work) }
}

/// The same as one connection string for PQconnectdb, the password in it.
// SAFETY: the name is ours; the caller's part.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lk_client_conninfo(
    client: *const lk_client,
    request: *const lk_connect_request,
    out: *mut *mut lk_secret,
    err: *mut *mut lk_error,
) -> lk_status {
    let work = || {
        // SAFETY: the caller's part.
        let out = unsafe { Out::new("out", out) }?;
        let client = object::get::<Client>("client", client)?;
        // SAFETY: the caller's part.
        let params = wait(&client, unsafe { asked(request) }?)?;
        out.put(hand_out(Connect::new(params)?.conninfo.clone())?);
        Ok(())
    };
    // SAFETY: the caller's part.
    unsafe { run(err, work) }
}

/// Starts what a first such login needs and returns at once, so that it overlaps with the program's own start. What goes
/// wrong is left to that login. `request` may be NULL.
// SAFETY: the name is ours; the caller's part.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lk_client_prepare(
    client: *const lk_client,
    request: *const lk_connect_request,
    err: *mut *mut lk_error,
) -> lk_status {
    let work = || {
        let client = object::get::<Client>("client", client)?;
        // SAFETY: the caller's part.
        client.handle.prepare(unsafe { asked(request) }?.request)
    };
    // SAFETY: the caller's part.
    unsafe { run(err, work) }
}

/// The facts of a login.
// SAFETY: the name is ours; the caller's part.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lk_connect_get(
    connect: *const lk_connect,
    info: *mut lk_connect_info,
) -> lk_status {
    tell(|| {
        let held = object::get::<Connect>("connect", connect)?;
        // SAFETY: the caller's part.
        unsafe { options::write(info, &held.info()) }
    })
}

/// A login as one connection string for PQconnectdb, the password in it.
// SAFETY: the name is ours; the caller's part.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lk_connect_conninfo(
    connect: *const lk_connect,
    out: *mut *mut lk_secret,
) -> lk_status {
    tell(|| {
        // SAFETY: the caller's part.
        let out = unsafe { Out::new("out", out) }?;
        let held = object::get::<Connect>("connect", connect)?;
        out.put(hand_out(held.conninfo.clone())?);
        Ok(())
    })
}

/// Frees a login, and wipes its password.
// SAFETY: the name is ours; the caller's part.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lk_connect_free(connect: *mut lk_connect) -> lk_status {
    tell(|| object::free::<Connect>("connect", connect))
}
