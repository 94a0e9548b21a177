//! The client as Python sees it. Its public face is `lakekey.Client`, which adds the `async` methods.

use std::sync::{Arc, Mutex, TryLockError};

use lakekey_ffi::plain::{ConnectRequest, CredentialRequest, Options};
use lakekey_ffi::plan::PlanRequest;
use lakekey_ffi::provider::HostTokenProvider;
use lakekey_ffi::{Call, Handle, Lease, Result, glance};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyString};

use crate::callback::Callback;
use crate::connect::{Connect, Wanted};
use crate::credential::Credential;
use crate::error::raise;
use crate::exit;
use crate::logs;
use crate::pending::{Pending, start, wait};
use crate::plan::Plan;
use crate::seconds::{Millis, millis};
use crate::stats;

/// The native part of `lakekey.Client`.
#[pyclass(frozen, subclass, module = "lakekey._lakekey")]
pub(crate) struct Client {
    pub(crate) handle: Handle,
    shown: Mutex<Option<Shown>>,
}

/// The token handed out last, as Python's own string: a kilobyte need not be copied for each login.
struct Shown {
    lease: Lease,
    text: Py<PyString>,
    /// Until when it may be handed out again without another look, if it was looked at.
    stamp: Option<u64>,
    /// The very object that it was asked for with: the same one again need not be read.
    target: Option<Py<PyString>>,
}

impl Client {
    /// The token, if the same was looked at a moment ago.
    fn again(
        &self,
        py: Python<'_>,
        stamp: Option<u64>,
        target: Option<&Bound<'_, PyString>>,
    ) -> Option<Py<PyString>> {
        let shown = self.shown.try_lock().ok()?;
        let shown = shown.as_ref()?;
        let same = match (&shown.target, target) {
            (None, None) => true,
            (Some(before), Some(now)) => before.is(now),
            _ => false,
        };
        (same && stamp.is_some() && shown.stamp == stamp).then(|| shown.text.clone_ref(py))
    }

    fn text(
        &self,
        py: Python<'_>,
        lease: Lease,
        stamp: Option<u64>,
        target: Option<&Bound<'_, PyString>>,
    ) -> Py<PyString> {
        // Never waits: whoever finds it taken makes a string of its own.
        let mut shown = match self.shown.try_lock() {
            Ok(shown) => shown,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return PyString::new(py, lease.token()).unbind(),
        };
        let text = match &*shown {
            Some(last) if last.lease.is(&lease) => last.text.clone_ref(py),
            _ => PyString::new(py, lease.token()).unbind(),
        };
        *shown = Some(Shown {
            lease,
            text: text.clone_ref(py),
            stamp,
            target: target.map(|target| target.clone().unbind()),
        });
        text
    }

    fn begin<T>(py: Python<'_>, call: Result<Call<T>>) -> PyResult<Call<T>> {
        call.map_err(|error| raise(py, error))
    }
}

#[pymethods]
impl Client {
    #[new]
    #[pyo3(signature = (settings, target=None, timeout=None, product=None, provider=None, user=None, shared_credentials=None))]
    #[expect(clippy::too_many_arguments, reason = "each is a keyword in Python")]
    fn new(
        py: Python<'_>,
        settings: Vec<(String, String)>,
        target: Option<String>,
        timeout: Option<Millis>,
        product: Option<String>,
        provider: Option<Py<PyAny>>,
        user: Option<(Bound<'_, Client>, String)>,
        shared_credentials: Option<String>,
    ) -> PyResult<Client> {
        logs::collect(py)?;
        if let Some((app, token)) = user {
            let app = app.get();
            let handle = py.detach(|| app.handle.as_user(token));
            return Ok(Client {
                handle: handle.map_err(|error| raise(py, error))?,
                shown: Mutex::default(),
            });
        }
        let options = Options {
            settings,
            target,
            timeout_ms: millis(timeout),
            product,
            shared_credentials,
        };
        let provider =
            provider.map(|callable| Arc::new(Callback(callable)) as Arc<dyn HostTokenProvider>);
        let handle = Handle::new(options, provider).map_err(|error| raise(py, error))?;
        Ok(Client {
            handle,
            shown: Mutex::default(),
        })
    }

    /// A database credential's token: the password of one login.
    #[pyo3(signature = (target=None, *, ttl=None, timeout=None))]
    fn token(
        &self,
        py: Python<'_>,
        target: Option<&Bound<'_, PyString>>,
        ttl: Option<Millis>,
        timeout: Option<Millis>,
    ) -> PyResult<Py<PyString>> {
        // Taken before the look, so that what happens meanwhile is not missed.
        let stamp = if ttl.is_none() { glance::stamp() } else { None };
        if let Some(text) = self.again(py, stamp, target) {
            self.handle.count_repeats(1);
            return Ok(text);
        }
        let name = target.map(|target| target.to_str()).transpose()?;
        if ttl.is_none()
            && let Some(lease) = self.handle.peek(name)
        {
            return Ok(self.text(py, lease, stamp, target));
        }
        let call = self.handle.credential(request(name, ttl, timeout));
        let lease = wait(py, Client::begin(py, call)?)?;
        Ok(self.text(py, lease, None, None))
    }

    /// A database credential with its times and identity.
    #[pyo3(signature = (target=None, *, ttl=None, timeout=None))]
    fn credential(
        &self,
        py: Python<'_>,
        target: Option<&str>,
        ttl: Option<Millis>,
        timeout: Option<Millis>,
    ) -> PyResult<Py<PyAny>> {
        let call = self.handle.credential(request(target, ttl, timeout));
        Credential::object(py, wait(py, Client::begin(py, call)?)?)
    }

    /// Takes a token out of the cache because Postgres refused it; whether a fresh one is due.
    fn invalidate(&self, py: Python<'_>, token: &str) -> PyResult<bool> {
        self.handle
            .invalidate(token)
            .map_err(|error| raise(py, error))
    }

    /// Starts what a first login needs, side by side, and returns at once.
    #[pyo3(signature = (target=None))]
    fn prepare(&self, py: Python<'_>, target: Option<String>) -> PyResult<()> {
        let request = ConnectRequest {
            target,
            ..ConnectRequest::default()
        };
        self.prepare_login(py, Wanted(request))
    }

    #[pyo3(name = "_prepare")]
    fn prepare_login(&self, py: Python<'_>, wanted: Wanted) -> PyResult<()> {
        exit::watch(py)?;
        self.handle
            .prepare(wanted.0)
            .map_err(|error| raise(py, error))
    }

    /// What was counted in this process since it began, over all its clients: mints, logins, failures, waits, ages.
    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let stats = self.handle.stats().map_err(|error| raise(py, error))?;
        stats::dict(py, stats)
    }

    /// The last events of this process, oldest first, each with its time.
    fn recent_events(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        self.handle
            .recent_events()
            .map_err(|error| raise(py, error))
    }

    /// Ends the client: later calls fail. Harmless when repeated.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        if let Ok(mut shown) = self.shown.try_lock() {
            *shown = None;
        }
        self.handle.close().map_err(|error| raise(py, error))
    }

    #[pyo3(signature = (target=None))]
    fn _peek(&self, py: Python<'_>, target: Option<&str>) -> Option<Py<PyString>> {
        self.handle
            .peek(target)
            .map(|lease| self.text(py, lease, None, None))
    }

    fn _start_credential(
        &self,
        py: Python<'_>,
        deliver: Py<PyAny>,
        target: Option<&str>,
        ttl: Option<Millis>,
        timeout: Option<Millis>,
    ) -> PyResult<Pending> {
        let call = Client::begin(py, self.handle.credential(request(target, ttl, timeout)))?;
        start(py, call, deliver, Credential::object)
    }

    /// Everything that a driver needs for one login.
    fn _connect(&self, py: Python<'_>, wanted: Wanted) -> PyResult<Py<PyAny>> {
        let call = Client::begin(py, self.handle.connect_params(wanted.0))?;
        Connect::object(py, wait(py, call)?)
    }

    /// Begins a connect; its budget runs from here.
    fn _plan(
        &self,
        py: Python<'_>,
        wanted: Wanted,
        addresses: Vec<String>,
        budget: Option<Millis>,
    ) -> PyResult<Plan> {
        let request = PlanRequest {
            connect: wanted.0,
            budget_ms: millis(budget),
            addresses,
        };
        let plan = self.handle.plan(request);
        let plan = plan.map_err(|error| raise(py, error))?;
        Ok(Plan { plan })
    }

    fn _start_connect(
        &self,
        py: Python<'_>,
        deliver: Py<PyAny>,
        wanted: Wanted,
    ) -> PyResult<Pending> {
        let call = Client::begin(py, self.handle.connect_params(wanted.0))?;
        start(py, call, deliver, Connect::object)
    }
}

/// A database credential's token: the password of one login.
#[pyfunction]
#[pyo3(signature = (target=None, *, ttl=None, timeout=None))]
pub(crate) fn token(
    py: Python<'_>,
    target: Option<&Bound<'_, PyString>>,
    ttl: Option<Millis>,
    timeout: Option<Millis>,
) -> PyResult<Py<PyString>> {
    // Only ever set to a value that is there already, so that no fork finds it half done.
    static DEFAULT: PyOnceLock<Py<Client>> = PyOnceLock::new();
    if let Some(client) = DEFAULT.get(py) {
        return client.get().token(py, target, ttl, timeout);
    }
    let client = py
        .import("lakekey._default")?
        .call_method0("default_client")?
        .cast_into::<Client>()?
        .unbind();
    let _ = DEFAULT.set(py, client.clone_ref(py));
    client.get().token(py, target, ttl, timeout)
}

fn request(
    target: Option<&str>,
    ttl: Option<Millis>,
    timeout: Option<Millis>,
) -> CredentialRequest {
    CredentialRequest {
        target: target.map(str::to_owned),
        ttl_ms: millis(ttl),
        timeout_ms: millis(timeout),
    }
}
