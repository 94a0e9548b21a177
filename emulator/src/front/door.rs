//! Who comes in, by what the control plane knows, and which cluster they get.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use lakekey_gateway::{
    Arrival, Disturbance, Fault, FrontDoor, LoginEnd, Moment, Password, Refusal, Startup,
};
use tokio::net::UnixStream;

use super::directory::{Endpoint, LoginRefusal, Presented, SharedDirectory};
use super::refusals::{Id, external, of_fault, of_login, refusal};
use super::scram;
use crate::postgres::{Fleet, PostgresError};
use crate::session;

/// The front door of Lakebase.
pub(crate) struct Door {
    pub(crate) directory: SharedDirectory,
    pub(crate) fleet: Arc<Fleet>,
    /// Addresses that stand for an endpoint each, for clients that send no host name.
    pub(crate) by_address: RwLock<HashMap<SocketAddr, String>>,
    /// How many sessions each endpoint has.
    pub(crate) seats: Mutex<HashMap<String, Arc<AtomicUsize>>>,
}

/// Connections of each compute that are kept for Postgres's own superusers.
const RESERVED: usize = 3;

/// An endpoint that somebody may go to.
#[derive(Clone)]
pub(crate) struct Place {
    endpoint: Endpoint,
    last_ms: Arc<AtomicU64>,
    /// Taken when the session opens, and free again when the last copy of this place is gone.
    seat: Arc<Mutex<Option<Seat>>>,
    /// The token of the login, once it was accepted.
    token: Arc<OnceLock<Presented>>,
}

/// One of the connections that a compute takes.
struct Seat(Arc<AtomicUsize>);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Door {
    fn find(&self, arrival: &Arrival) -> Result<Endpoint, Refusal> {
        if let Some(endpoint) = arrival
            .sni
            .as_deref()
            .and_then(|host| self.directory.endpoint_by_host(host))
        {
            return Ok(endpoint);
        }
        let by_address = self
            .by_address
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        match (by_address.get(&arrival.local), &arrival.sni) {
            (Some(uid), _) => self
                .directory
                .endpoint_by_uid(uid)
                .ok_or_else(|| external(None)),
            (None, Some(_)) => Err(external(None)),
            (None, None) => Err(refusal(Id::NoSni, &[])),
        }
    }
}

impl Door {
    /// Whether Postgres would take this password of the role. It is asked each time: the password may have been
    /// changed in SQL.
    async fn check_native(
        &self,
        endpoint: &Endpoint,
        user: &str,
        password: &str,
    ) -> Result<Result<(), LoginRefusal>, Refusal> {
        let broken =
            |error: PostgresError| refusal(Id::InternalError, &[("reason", &error.to_string())]);
        let client = session::superuser(&self.fleet, endpoint, "postgres")
            .await
            .map_err(broken)?;
        let query = "SELECT rolpassword FROM pg_authid WHERE rolname = $1::text AND rolcanlogin \
                     AND (rolvaliduntil IS NULL OR rolvaliduntil > now())";
        let row = client
            .query_opt(query, &[&user])
            .await
            .map_err(session::failed("look up a password", &endpoint.branch_uid))
            .map_err(broken)?;
        let verifier: Option<String> = row.and_then(|row| row.get(0));
        let good = verifier.is_some_and(|verifier| scram::verifies(&verifier, password));
        Ok(good.then_some(()).ok_or(LoginRefusal::WrongPassword))
    }

    /// Takes one of the connections of the endpoint's compute, once for each session.
    fn sit(&self, place: &Place) -> Result<(), Refusal> {
        let Some(limit) = self.directory.connection_limit(&place.endpoint) else {
            return Ok(());
        };
        let mut mine = place.seat.lock().unwrap_or_else(PoisonError::into_inner);
        if mine.is_some() {
            return Ok(());
        }
        let taken = {
            let mut seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(seats.entry(place.endpoint.uid.clone()).or_default())
        };
        let seat = Seat(taken);
        let before = seat.0.fetch_add(1, Ordering::Relaxed);
        if before >= limit.saturating_sub(RESERVED) {
            return Err(refusal(Id::TooManyConnections, &[]));
        }
        *mine = Some(seat);
        Ok(())
    }
}

impl FrontDoor for Door {
    type Place = Place;
    type Upstream = UnixStream;

    fn refusal(&self, fault: &Fault) -> Refusal {
        of_fault(fault)
    }

    fn disturbance(&self, moment: Moment) -> Option<Disturbance> {
        self.directory.disturbance(moment)
    }

    async fn authorize(&self, arrival: &Arrival, _: &Startup) -> Result<Place, Refusal> {
        let endpoint = self.find(arrival)?;
        if endpoint.disabled {
            return Err(external(None));
        }
        if let Some(reason) = self.directory.external_refusal(&endpoint) {
            return Err(external(reason.as_deref()));
        }
        let last_ms = self.fleet.activity(&endpoint);
        Ok(Place {
            endpoint,
            last_ms,
            seat: Arc::default(),
            token: Arc::default(),
        })
    }

    async fn authenticate(
        &self,
        place: &Place,
        startup: &Startup,
        password: &Password,
    ) -> Result<(), Refusal> {
        let user = startup.user();
        let Some(password) = password.expose() else {
            return Err(of_login(LoginRefusal::WrongPassword, user));
        };
        let check = || self.directory.check_login(&place.endpoint, user, password);
        let mut checked = check();
        if checked == Err(LoginRefusal::RoleMissing)
            && let Ok(made) = self.fleet.made_roles(&place.endpoint).await
        {
            self.directory
                .adopt_roles(&place.endpoint.branch_uid, &made);
            checked = check();
        }
        let perhaps_native = matches!(
            checked,
            Err(LoginRefusal::WrongPassword | LoginRefusal::RoleMissing)
        );
        if perhaps_native && self.directory.logs_in_by_password(&place.endpoint, user) {
            checked = self
                .check_native(&place.endpoint, user, password)
                .await?
                .map(|()| None);
        }
        if let Some(token) = checked.map_err(|why| of_login(why, user))? {
            // One login, one token.
            let _ = place.token.set(token);
        }
        Ok(())
    }

    async fn open(&self, place: &Place) -> Result<UnixStream, Refusal> {
        self.sit(place)?;
        self.fleet
            .connect(&place.endpoint)
            .await
            .map_err(|error| match error {
                PostgresError::Ordered { .. } => refusal(Id::UpstreamUnreachable, &[]),
                error => refusal(Id::InternalError, &[("reason", &error.to_string())]),
            })
    }

    fn not_ready(&self, place: &Place) -> u64 {
        self.fleet.doubt(&place.endpoint)
    }

    async fn open_for_cancel(&self, place: &Place) -> Option<UnixStream> {
        self.fleet.connect_if_running(&place.endpoint).await
    }

    fn place_name<'a>(&self, place: &'a Place) -> &'a str {
        &place.endpoint.uid
    }

    fn touch(&self, place: &Place) {
        place.last_ms.store(self.fleet.now_ms(), Ordering::Relaxed);
    }

    fn login_ended(&self, place: Option<&Place>, startup: Option<&Startup>, end: LoginEnd<'_>) {
        let token = place.and_then(|place| place.token.get());
        let end = match end {
            LoginEnd::Accepted => Ok(token),
            LoginEnd::Refused { code, message } => Err((code, message)),
        };
        let endpoint = place.map(|place| place.endpoint.uid.as_str());
        self.directory
            .login_seen(endpoint, startup.map_or("", Startup::user), end);
    }
}
