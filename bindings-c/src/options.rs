//! What C gives in structs, and what it gets in structs. Both begin with their size as the caller's header knows it, so
//! that a program and a library of different ages understand each other.

use std::ffi::c_char;
use std::mem::size_of;

use lakekey_ffi::plain::{ConnectRequest, CredentialRequest, Options};
use lakekey_ffi::{CancelHandle, FfiError, Result};

use crate::object::{self, lk_cancel};
use crate::provider::lk_token_callback;
use crate::text::optional;

/// No struct of ours is larger; a size beyond it was never set.
const LARGEST: usize = 4096;

/// One configuration attribute by its Databricks name: `host`, `token`, `client_id`, ...
#[repr(C)]
#[derive(Clone, Copy)]
pub struct lk_setting {
    /// The attribute.
    pub name: *const c_char,
    /// Its length in bytes.
    pub name_len: usize,
    /// Its value.
    pub value: *const c_char,
    /// Its length in bytes.
    pub value_len: usize,
}

/// What a client is made from. What is not set comes from the environment and the configuration file.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct lk_client_options {
    /// Set it to sizeof the struct.
    pub struct_size: usize,
    /// Configuration attributes.
    pub settings: *const lk_setting,
    /// How many there are.
    pub settings_count: usize,
    /// The database of calls that name none.
    pub target: *const c_char,
    /// Its length in bytes.
    pub target_len: usize,
    /// Added to the user agent, such as `myapp/1.0`.
    pub product: *const c_char,
    /// Its length in bytes.
    pub product_len: usize,
    /// How long calls wait that say nothing about it.
    pub timeout_ms: u64,
    /// The program's own source of workspace tokens.
    pub token_callback: lk_token_callback,
    /// Given to the callback.
    pub token_data: *mut std::ffi::c_void,
    /// Called with `token_data` once, when the client and all of its calls have ended; may be NULL.
    // SAFETY: called with the data that it came with, once.
    pub token_data_free: Option<unsafe extern "C" fn(data: *mut std::ffi::c_void)>,
    /// Whether processes of this user on this host share credentials, and where: `on` (below XDG_RUNTIME_DIR), the
    /// absolute path of a directory, either after `required:`, or `off`. Without it LAKEKEY_SHARED_CREDENTIALS says so.
    pub shared_credentials: *const c_char,
    /// Its length in bytes.
    pub shared_credentials_len: usize,
}

/// Which credential is wanted.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct lk_credential_request {
    /// Set it to sizeof the struct.
    pub struct_size: usize,
    /// The database; none for the client's own.
    pub target: *const c_char,
    /// Its length in bytes.
    pub target_len: usize,
    /// How long the credential should live, where it is minted; the server may shorten it.
    pub ttl_ms: u64,
    /// How long to wait.
    pub timeout_ms: u64,
    /// What may end the wait; NULL for nothing.
    pub cancel: *const lk_cancel,
}

/// Which login is wanted.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct lk_connect_request {
    /// Set it to sizeof the struct.
    pub struct_size: usize,
    /// The database server; none for the client's own.
    pub target: *const c_char,
    /// Its length in bytes.
    pub target_len: usize,
    /// The database's name.
    pub database: *const c_char,
    /// Its length in bytes.
    pub database_len: usize,
    /// The role to log in as.
    pub user: *const c_char,
    /// Its length in bytes.
    pub user_len: usize,
    /// libpq's `sslmode`.
    pub sslmode: *const c_char,
    /// Its length in bytes.
    pub sslmode_len: usize,
    /// libpq's `sslrootcert`.
    pub sslrootcert: *const c_char,
    /// Its length in bytes.
    pub sslrootcert_len: usize,
    /// How long the credential should live.
    pub ttl_ms: u64,
    /// How long to wait.
    pub timeout_ms: u64,
    /// The port.
    pub port: u32,
    /// Zero.
    pub reserved: u32,
    /// What may end the wait; NULL for nothing.
    pub cancel: *const lk_cancel,
    /// With lk_client_plan: how long the whole connect may take, waits and all attempts included. The usual are 30 s.
    pub budget_ms: u64,
}

/// A struct that begins with its size and for which all zeros stand for "nothing is given".
///
/// # Safety
/// The type is `repr(C)`, begins with a `usize` that is its size, and may hold any bytes that C puts into its fields.
pub(crate) unsafe trait SizeFirst: Copy {
    const NAME: &'static str;
}

// SAFETY: fields are numbers, pointers and nullable function pointers, after the size.
unsafe impl SizeFirst for lk_client_options {
    const NAME: &'static str = "lk_client_options";
}

// SAFETY: as above.
unsafe impl SizeFirst for lk_credential_request {
    const NAME: &'static str = "lk_credential_request";
}

// SAFETY: as above.
unsafe impl SizeFirst for lk_connect_request {
    const NAME: &'static str = "lk_connect_request";
}

/// Reads a struct of the caller's size; NULL gives nothing.
///
/// # Safety
/// `given` is NULL, or points to a size and so many bytes in all.
pub(crate) unsafe fn read<T: SizeFirst>(given: *const T) -> Result<Option<T>> {
    if given.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller's part. Every such struct begins with its size.
    let size = unsafe { given.cast::<usize>().read() };
    check_size::<T>(size)?;
    // SAFETY: all zeros are a value of such a type.
    let mut read: T = unsafe { std::mem::zeroed() };
    let (from, to) = (given.cast::<u8>(), (&raw mut read).cast::<u8>());
    // SAFETY: both are so long, and one is this function's own.
    unsafe { std::ptr::copy_nonoverlapping(from, to, size.min(size_of::<T>())) };
    for at in size_of::<T>()..size {
        // SAFETY: the caller's part: the struct is `size` bytes long.
        if unsafe { from.add(at).read() } != 0 {
            return Err(FfiError::argument(
                T::NAME,
                "sets a field that this library does not know",
            )
            .with_hint(
                "The program was built with the header of a newer lakekey: use that library",
            ));
        }
    }
    Ok(Some(read))
}

/// Writes a struct into the caller's, as much as fits there; what is left over becomes zero.
///
/// # Safety
/// `place` points to a size and so many bytes in all.
pub(crate) unsafe fn write<T: SizeFirst>(place: *mut T, facts: &T) -> Result<()> {
    if place.is_null() {
        return Err(FfiError::argument(T::NAME, "is NULL"));
    }
    // SAFETY: the caller's part.
    let size = unsafe { place.cast::<usize>().read() };
    check_size::<T>(size)?;
    let head = size_of::<usize>();
    let known = size.min(size_of::<T>());
    let (from, to) = (std::ptr::from_ref(facts).cast::<u8>(), place.cast::<u8>());
    // SAFETY: both are so long; the size at the beginning stays as the caller set it.
    unsafe {
        std::ptr::copy_nonoverlapping(from.add(head), to.add(head), known - head);
        to.add(known).write_bytes(0, size - known);
    }
    Ok(())
}

fn check_size<T: SizeFirst>(size: usize) -> Result<()> {
    if !(size_of::<usize>()..=LARGEST).contains(&size) {
        return Err(FfiError::argument(
            T::NAME,
            format!("struct_size is {size}; set it to sizeof({})", T::NAME),
        ));
    }
    Ok(())
}

pub(crate) fn given(ms: u64) -> Option<u64> {
    (ms > 0).then_some(ms)
}

/// What may end the wait, and never does where none was given.
pub(crate) fn cancel(handle: *const lk_cancel) -> Result<CancelHandle> {
    if handle.is_null() {
        return Ok(CancelHandle::new());
    }
    Ok(object::get::<CancelHandle>("cancel", handle)?.clone())
}

impl lk_client_options {
    /// # Safety
    /// The caller's part.
    pub(crate) unsafe fn plain(&self) -> Result<Options> {
        let mut settings = Vec::new();
        if self.settings.is_null() && self.settings_count > 0 {
            return Err(FfiError::argument("settings", "is NULL and not empty"));
        }
        for at in 0..self.settings_count {
            // SAFETY: the caller's part: so many are there.
            let setting = unsafe { self.settings.add(at).read() };
            // SAFETY: the caller's part.
            let name =
                unsafe { crate::text::required("settings", setting.name, setting.name_len) }?;
            // SAFETY: the caller's part.
            let value = unsafe { crate::text::required(name, setting.value, setting.value_len) }?;
            settings.push((name.to_owned(), value.to_owned()));
        }
        Ok(Options {
            settings,
            // SAFETY: the caller's part.
            target: unsafe { owned("target", self.target, self.target_len) }?,
            timeout_ms: given(self.timeout_ms),
            // SAFETY: the caller's part.
            product: unsafe { owned("product", self.product, self.product_len) }?,
            // SAFETY: the caller's part.
            shared_credentials: unsafe {
                owned(
                    "shared_credentials",
                    self.shared_credentials,
                    self.shared_credentials_len,
                )
            }?,
        })
    }
}

impl lk_credential_request {
    /// # Safety
    /// The caller's part.
    pub(crate) unsafe fn plain(&self) -> Result<CredentialRequest> {
        Ok(CredentialRequest {
            // SAFETY: the caller's part.
            target: unsafe { owned("target", self.target, self.target_len) }?,
            ttl_ms: given(self.ttl_ms),
            timeout_ms: given(self.timeout_ms),
        })
    }
}

impl lk_connect_request {
    /// # Safety
    /// The caller's part.
    pub(crate) unsafe fn plain(&self) -> Result<ConnectRequest> {
        let port = match self.port {
            0 => None,
            port => Some(u16::try_from(port).map_err(|_| {
                FfiError::argument("port", format!("{port} is no port: it is at most 65535"))
            })?),
        };
        // SAFETY: the caller's part, five times.
        let [target, database, user, sslmode, sslrootcert] = unsafe {
            [
                owned("target", self.target, self.target_len)?,
                owned("database", self.database, self.database_len)?,
                owned("user", self.user, self.user_len)?,
                owned("sslmode", self.sslmode, self.sslmode_len)?,
                owned("sslrootcert", self.sslrootcert, self.sslrootcert_len)?,
            ]
        };
        Ok(ConnectRequest {
            target,
            database,
            user,
            port,
            sslmode,
            sslrootcert,
            ttl_ms: given(self.ttl_ms),
            timeout_ms: given(self.timeout_ms),
        })
    }
}

/// # Safety
/// As [`optional`].
unsafe fn owned(name: &str, data: *const c_char, len: usize) -> Result<Option<String>> {
    // SAFETY: the caller's part.
    Ok(unsafe { optional(name, data, len) }?.map(str::to_owned))
}
