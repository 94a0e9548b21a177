//! The client as bindings hold it: one handle, one core client per process.
//!
//! After a fork the child must not touch the parent's core client where that takes a lock, so the handle makes a new one
//! at the first call that may wait and lets it inherit the parent's valid credentials, which takes none. The same happens
//! after a panic, since nobody knows what it left half done.
#![allow(
    unsafe_code,
    reason = "the current core client is read by every call and must not be locked"
)]

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use std::time::Duration;

use lakekey::config::{Environment, Settings};
use lakekey::conn::WithPassword;
use lakekey::resolve::SystemLookup;
use lakekey::{Client, ClientOptions, Code, Secret, SharedCredentials};

use crate::call::Call;
use crate::cancel::CancelHandle;
use crate::error::{FfiError, Result};
use crate::fork::Tag;
use crate::glance;
use crate::guard::{guard, guard_async};
use crate::plain::{ConnectParams, ConnectRequest, CredentialRequest, Options};
use crate::provider::{Guarded, HostTokenProvider};
use crate::runtime::process;

/// How long a host's token callback may take; the caller's own budget usually ends first.
const CALLBACK_LIMIT: Duration = Duration::from_secs(30);

/// A client. Shared by all threads of a process and by its children.
pub struct Handle {
    options: ClientOptions,
    /// The token of the app's user that this client is for.
    user: Option<Secret>,
    local: AtomicPtr<Local>,
}

/// The core client of one process.
struct Local {
    tag: Tag,
    client: Client,
    broken: Arc<AtomicBool>,
}

/// Whether a panic left a core client half done.
#[derive(Clone)]
pub(crate) struct Trouble(Arc<AtomicBool>);

/// A credential, shared with everybody who was given the same one.
#[derive(Clone)]
pub struct Lease {
    credential: Arc<lakekey::Credential>,
    cached: bool,
}

impl Handle {
    /// Makes a client from the options and this moment's environment. No I/O, no thread.
    pub fn new(options: Options, provider: Option<Arc<dyn HostTokenProvider>>) -> Result<Handle> {
        let mut settings = Settings::new();
        for (name, value) in options.settings {
            settings.set(name, value);
        }
        let mut core = ClientOptions {
            settings,
            environment: Environment::from_process(),
            target: options.target,
            product: options.product,
            shared_credentials: options
                .shared_credentials
                .map(|text| SharedCredentials::parse(&text, "shared_credentials"))
                .transpose()?,
            ..ClientOptions::default()
        };
        if let Some(ms) = options.timeout_ms {
            core.timeout = positive("timeout", ms)?;
        }
        if let Some(provider) = provider {
            core.token_provider = Some(Arc::new(Guarded::new(provider, CALLBACK_LIMIT)));
        }
        let local = guard(|| Local::new(&core, None, None))?;
        Ok(Handle {
            options: core,
            user: None,
            local: AtomicPtr::new(Box::into_raw(Box::new(local))),
        })
    }

    /// A client that is the user of this token and nobody else. Reads the configuration file; no request.
    pub fn as_user(&self, token: String) -> Result<Handle> {
        let user = Secret::new(token);
        let local = guard(|| {
            Ok(Local {
                tag: Tag::current(),
                client: self.current()?.client.as_user(&user)?,
                broken: Arc::default(),
            })
        })?;
        Ok(Handle {
            options: self.options.clone(),
            user: Some(user),
            local: AtomicPtr::new(Box::into_raw(Box::new(local))),
        })
    }

    /// The credential, if it is here and nothing is to be done about it: no lock, no I/O.
    pub fn peek(&self, target: Option<&str>) -> Option<Lease> {
        let latest = self.latest();
        // In the parent's slots a refresh may be under way for ever, so a child goes the long way once and inherits.
        if latest.tag.is_of_a_parent() {
            return None;
        }
        let credential = guard(|| Ok(latest.client.peek(target))).ok()??;
        Some(Lease {
            credential,
            cached: true,
        })
    }

    /// A credential, minted if need be.
    pub fn credential(&self, request: CredentialRequest) -> Result<Call<Lease>> {
        let request = lakekey::CredentialRequest {
            target: request.target,
            ttl: request.ttl_ms.map(|ms| positive("ttl", ms)).transpose()?,
            timeout: request
                .timeout_ms
                .map(|ms| positive("timeout", ms))
                .transpose()?,
        };
        let budget = request.timeout.unwrap_or(self.options.timeout);
        self.work(budget, move |client| async move {
            let lease = client.credential(&request).await?;
            Ok(Lease {
                credential: lease.credential,
                cached: lease.cached,
            })
        })
    }

    /// Everything a driver needs for one login.
    pub fn connect_params(&self, request: ConnectRequest) -> Result<Call<ConnectParams>> {
        let request = of_core(request)?;
        let budget = request.timeout.unwrap_or(self.options.timeout);
        self.work(budget, move |client| async move {
            plain_connect(&client.connect_params(&request).await?)
        })
    }

    /// Starts what a first such login needs and returns at once; errors are left to that login.
    pub fn prepare(&self, request: ConnectRequest) -> Result<()> {
        let request = of_core(request)?;
        let budget = request.timeout.unwrap_or(self.options.timeout);
        let call = self.work(budget, move |client| async move {
            client.prepare(&request).await;
            Ok(())
        })?;
        call.start(&CancelHandle::new(), |_| ())
    }

    /// Takes a token out of the cache because Postgres refused it; whether a fresh one is due.
    pub fn invalidate(&self, token: &str) -> Result<bool> {
        let due = guard(|| Ok(self.current()?.client.invalidate(token)))?;
        glance::changed();
        Ok(due)
    }

    /// Ends the client: later calls fail with `CLOSED`. Calls under way end by themselves.
    pub fn close(&self) -> Result<()> {
        guard(|| {
            self.current()?.client.close();
            Ok(())
        })?;
        glance::changed();
        Ok(())
    }

    /// The budget of calls that name none.
    pub(crate) fn timeout(&self) -> Duration {
        self.options.timeout
    }

    pub(crate) fn work<T, F>(
        &self,
        budget: Duration,
        work: impl FnOnce(Client) -> F + Send + 'static,
    ) -> Result<Call<T>>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let local = self.current()?;
        let client = local.client.clone();
        Ok(local.trouble().call(budget, move || work(client)))
    }

    /// This process's core client, for what is done with it without waiting.
    pub(crate) fn core(&self) -> Result<(Client, Trouble)> {
        let local = self.current()?;
        Ok((local.client.clone(), local.trouble()))
    }

    /// The core client that is there, whichever process made it.
    pub(crate) fn latest_core(&self) -> &Client {
        &self.latest().client
    }

    fn latest(&self) -> &Local {
        // SAFETY: the pointer comes from `Box::into_raw`, is never null, and what it points to is freed by `drop` only,
        // which has the handle to itself; a client that is replaced is leaked.
        unsafe { &*self.local.load(Ordering::Acquire) }
    }

    /// This process's core client.
    fn current(&self) -> Result<&Local> {
        loop {
            let latest = self.latest();
            if latest.tag.is_current() && !latest.broken.load(Ordering::Relaxed) {
                return Ok(latest);
            }
            let next =
                guard(|| Local::new(&self.options, self.user.as_ref(), Some(&latest.client)))?;
            let next = Box::into_raw(Box::new(next));
            let was = std::ptr::from_ref(latest).cast_mut();
            if self
                .local
                .compare_exchange(was, next, Ordering::AcqRel, Ordering::Acquire)
                .is_err()
            {
                // SAFETY: made above and never published, so this is its only owner.
                drop(unsafe { Box::from_raw(next) });
            }
        }
    }
}

impl Trouble {
    /// Work for the client that this belongs to: a panic in it makes the handle take another client.
    pub(crate) fn call<T, F>(
        self,
        budget: Duration,
        work: impl FnOnce() -> F + Send + 'static,
    ) -> Call<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        Call::new(process(), budget, async move {
            let outcome = guard_async(work()).await;
            if outcome
                .as_ref()
                .is_err_and(|error| error.code == Code::InternalPanic.number())
            {
                self.0.store(true, Ordering::Relaxed);
            }
            outcome
        })
    }
}

impl Local {
    fn trouble(&self) -> Trouble {
        Trouble(Arc::clone(&self.broken))
    }

    fn new(
        options: &ClientOptions,
        user: Option<&Secret>,
        parent: Option<&Client>,
    ) -> Result<Local> {
        let mut client = Client::new(ClientOptions {
            store: process().store().clone(),
            lookup: Arc::new(SystemLookup::default()),
            ..options.clone()
        })?;
        if let Some(user) = user {
            client = client.as_user(user)?;
        }
        if let Some(parent) = parent {
            client.inherit(parent);
        }
        Ok(Local {
            tag: Tag::current(),
            client,
            broken: Arc::default(),
        })
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let local = *self.local.get_mut();
        // SAFETY: as in `latest`; nobody else has the handle any more.
        let mine = unsafe { &*local }.tag.is_current();
        // The parent's client is left where it is: dropping it could take a lock that the parent held.
        if mine {
            // SAFETY: calls under way hold clones of the core client and not this box.
            drop(unsafe { Box::from_raw(local) });
        }
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.options.fmt(f)
    }
}

impl Lease {
    /// The token.
    pub fn token(&self) -> &str {
        self.credential.token().expose()
    }

    /// Its end, in milliseconds since 1970.
    pub fn expires_at_ms(&self) -> u64 {
        self.credential.expires_at_ms()
    }

    /// When it was asked for, in milliseconds since 1970.
    pub fn issued_at_ms(&self) -> u64 {
        self.credential.issued_at_ms()
    }

    /// The endpoint's resource name.
    pub fn endpoint(&self) -> &str {
        self.credential.endpoint()
    }

    /// The identity in the token, if it says so.
    pub fn subject(&self) -> Option<&str> {
        self.credential.subject()
    }

    /// Whether the credential was there already when it was asked for.
    pub fn cached(&self) -> bool {
        self.cached
    }

    /// Whether both are the very same credential. Cheap.
    pub fn is(&self, other: &Lease) -> bool {
        Arc::ptr_eq(&self.credential, &other.credential)
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("endpoint", &self.endpoint())
            .field("subject", &self.subject())
            .field("expires_at_ms", &self.expires_at_ms())
            .finish_non_exhaustive()
    }
}

pub(crate) fn of_core(request: ConnectRequest) -> Result<lakekey::ConnectRequest> {
    Ok(lakekey::ConnectRequest {
        target: request.target,
        database: request.database,
        user: request.user,
        port: request.port,
        sslmode: request.sslmode,
        sslrootcert: request.sslrootcert,
        ttl: request.ttl_ms.map(|ms| positive("ttl", ms)).transpose()?,
        timeout: request
            .timeout_ms
            .map(|ms| positive("timeout", ms))
            .transpose()?,
        without_password: false,
        without_addresses: false,
    })
}

fn plain_connect(connect: &lakekey::Connect) -> Result<ConnectParams> {
    let (params, lease) = (&connect.params, connect.lease.as_ref());
    let Some(lease) = lease else {
        return Err(FfiError::new(
            Code::Internal,
            "connection parameters without a credential",
        ));
    };
    Ok(ConnectParams {
        pairs: params
            .pairs(WithPassword::No)
            .map(|(keyword, value)| (keyword.name().to_owned(), value.to_owned()))
            .collect(),
        password: lease.credential.token().expose().to_owned(),
        cached: lease.cached,
        user: params.user().unwrap_or_default().to_owned(),
        subject: lease.credential.subject().map(str::to_owned),
        conninfo: params.to_keyword(WithPassword::Yes),
    })
}

pub(crate) fn positive(name: &str, ms: u64) -> Result<Duration> {
    if ms == 0 {
        return Err(FfiError::argument(name, "must be more than zero"));
    }
    Ok(Duration::from_millis(ms))
}
