//! The client: configuration, one door to the workspace, and the credentials of the process.
//!
//! Building one costs nothing: no I/O, no thread, no file. Everything is found out at the first call that needs it, once,
//! and shared by all who ask at the same time.

mod addresses;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwapOption;

use crate::as_user::{self, Users};
use crate::auth::{Outside, TokenProvider};
use crate::clock::{Clock, Deadline};
use crate::code::Code;
use crate::config::{self, Environment, Settings};
use crate::connect::ConnectRequest;
use crate::credential::mint::{ApiMint, Mint};
use crate::credential::slot::Slot;
use crate::credential::store::{Sharded, SlotKey};
use crate::credential::sync::lock;
use crate::credential::{Credential, Lease, Store, policy};
use crate::endpoint::{self, Endpoint};
use crate::error::{Error, Result};
use crate::http::transport::Transport;
use crate::http::{Api, ReqwestTransport, Retry};
use crate::management::Ahead;
use crate::name::Target;
use crate::once::{Age, Remembered};
use crate::plan::Asked;
use crate::resolve::{Failed, Found, Lookup, NameServers, SystemLookup};
use crate::shared::{Exchange, Fact, SharedCredentials};
use crate::target::{self, Chosen};

/// The budget of a call that names none.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
/// The name servers to ask directly, instead of the system's.
const NAMESERVERS: &str = "LAKEKEY_NAMESERVERS";
/// How long what the workspace said is believed before it is asked again, beside the callers.
const FACT_AGE: Age = Age::Serve(Duration::from_mins(30));

/// What a [`Client`] is made from. The default takes nothing from the environment; see
/// [`ClientOptions::from_process`].
#[derive(Clone)]
pub struct ClientOptions {
    /// Explicit attributes by their Databricks names: `host`, `token`, `client_id`, `client_secret`, `profile`, ...
    pub settings: Settings,
    /// The environment to read the rest from.
    pub environment: Environment,
    /// The target of calls that name none.
    pub target: Option<String>,
    /// The host program's own source of workspace tokens.
    pub token_provider: Option<Arc<dyn TokenProvider>>,
    /// This machine's programs and the cloud's identity services, which hold or give workspace tokens.
    pub outside: Outside,
    /// The budget of calls that name none.
    pub timeout: Duration,
    /// Another way to send requests than HTTP over the network.
    pub transport: Option<Arc<dyn Transport>>,
    /// How host names become addresses.
    pub lookup: Arc<dyn Lookup>,
    /// Asked when `lookup` fails, and beside it when it is slow. The default is the system's name servers, or those of
    /// `LAKEKEY_NAMESERVERS` in `environment`.
    pub direct_lookup: Option<Arc<dyn Lookup>>,
    /// Where credentials are kept, and by which clock; clients with one store share them. The default is the one store
    /// of the process.
    pub store: Store,
    /// Added to the `User-Agent`, such as `myapp/1.0`.
    pub product: Option<String>,
    /// Whether processes of this user on this host share credentials; `None` for what `LAKEKEY_SHARED_CREDENTIALS` in
    /// `environment` says, which is no unless it is set.
    pub shared_credentials: Option<SharedCredentials>,
}

impl Default for ClientOptions {
    fn default() -> ClientOptions {
        ClientOptions {
            settings: Settings::new(),
            environment: Environment::default(),
            target: None,
            token_provider: None,
            outside: Outside::default(),
            timeout: DEFAULT_TIMEOUT,
            transport: None,
            lookup: Arc::new(SystemLookup::default()),
            direct_lookup: Some(Arc::new(NameServers::default())),
            store: Store::of_process(),
            product: None,
            shared_credentials: None,
        }
    }
}

impl ClientOptions {
    /// The environment of this process, as it is now.
    pub fn from_process() -> ClientOptions {
        ClientOptions {
            environment: Environment::from_process(),
            ..ClientOptions::default()
        }
    }
}

impl fmt::Debug for ClientOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientOptions")
            .field("settings", &self.settings)
            .field("target", &self.target)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// What to ask a credential for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CredentialRequest {
    /// The database; none for the client's own.
    pub target: Option<String>,
    /// How long the credential should live; the server's default is an hour.
    pub ttl: Option<Duration>,
    /// How long to wait.
    pub timeout: Option<Duration>,
}

/// Mints, keeps and rotates database credentials and says how to connect. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Client(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) options: ClientOptions,
    door: ArcSwapOption<Door>,
    /// Held while the door is made: by one caller, once.
    making: Mutex<()>,
    /// The door's API of the process that this one was forked from, whose workspace token is good here too.
    parent: ArcSwapOption<Api>,
    routes: Sharded<String, Arc<Route>>,
    default_route: ArcSwapOption<Route>,
    names: Sharded<String, Arc<Remembered<String>>>,
    facts: Sharded<String, Arc<Remembered<Endpoint>>>,
    addresses: Sharded<String, Arc<Remembered<Found>>>,
    failed: Failed,
    pub(crate) asked: Asked,
    pub(crate) user: Arc<Remembered<String>>,
    closed: AtomicBool,
    pub(crate) users: Users,
    /// Where other processes' credentials are.
    exchange: Option<Arc<Exchange>>,
    /// Pages of lists that were fetched ahead.
    pub(crate) ahead: Ahead,
    /// When the token of the user ends that this client is for, on the wall clock.
    ends_at_ms: Option<u64>,
}

/// The workspace, once configuration has been resolved.
pub(crate) struct Door {
    pub(crate) api: Arc<Api>,
    pub(crate) mint: Arc<dyn Mint>,
}

/// The way to one endpoint.
pub(crate) struct Route {
    pub(crate) endpoint: String,
    pub(crate) slot: Arc<Slot>,
    pub(crate) facts: Arc<Remembered<Endpoint>>,
}

impl Client {
    /// Makes a client. No I/O, no thread; configuration is resolved at the first call.
    ///
    /// # Errors
    /// [`Code::ConfigInvalid`] for an explicit attribute that does not exist, for a `LAKEKEY_NAMESERVERS` that names
    /// no address, or for a `LAKEKEY_SHARED_CREDENTIALS` that cannot be understood.
    pub fn new(options: ClientOptions) -> Result<Client> {
        Client::of_user(options, None)
    }

    /// The same for a user whose token ends.
    pub(crate) fn of_user(mut options: ClientOptions, ends_at_ms: Option<u64>) -> Result<Client> {
        options.settings.check()?;
        if let Some(direct) = &mut options.direct_lookup
            && let Some(list) = options.environment.var(NAMESERVERS)
        {
            *direct = Arc::new(NameServers::parse(list, NAMESERVERS)?);
        }
        let exchange = Exchange::new(
            options.shared_credentials.as_ref(),
            &options.environment,
            options.store.clock(),
        )?;
        Ok(Client(Arc::new(Inner {
            exchange,
            options,
            door: ArcSwapOption::empty(),
            making: Mutex::new(()),
            parent: ArcSwapOption::empty(),
            routes: Sharded::default(),
            default_route: ArcSwapOption::empty(),
            names: Sharded::default(),
            facts: Sharded::default(),
            addresses: Sharded::default(),
            failed: Failed::default(),
            asked: Asked::default(),
            user: Arc::new(Remembered::new(None)),
            closed: AtomicBool::new(false),
            users: Users::default(),
            ahead: Ahead::default(),
            ends_at_ms,
        })))
    }

    /// The credential for `target`, if it is here and nothing is to be done about it. Takes no lock and does no I/O.
    pub fn peek(&self, target: Option<&str>) -> Option<Arc<Credential>> {
        if self.check_open().is_err() {
            return None;
        }
        match target {
            None => self.0.default_route.load().as_ref()?.slot.peek(),
            Some(target) => self.0.routes.get(target)?.slot.peek(),
        }
    }

    /// A database credential, minted if there is no usable one.
    ///
    /// # Errors
    /// Configuration, authentication and API errors at once; [`Code::CredentialUnavailable`] when the budget ends
    /// without a credential.
    pub async fn credential(&self, request: &CredentialRequest) -> Result<Lease> {
        let target = request.target.as_deref();
        if request.ttl.is_none()
            && let Some(credential) = self.peek(target)
        {
            return Ok(Lease {
                credential,
                cached: true,
            });
        }
        let deadline = self.deadline(request.timeout);
        let lease = async {
            let route = self.route(target, request.ttl, deadline).await?;
            let lease = route.slot.get(&self.door()?.mint, deadline).await;
            lease.inspect_err(|error| self.doubt_route(target, request.ttl, error))
        };
        lease
            .await
            .inspect_err(|error| self.counted().failed(error.code()))
    }

    /// Starts what a first login needs, side by side: the credential, the endpoint's host and the login name. Errors
    /// are left to the login that needs the result.
    pub async fn prepare(&self, request: &ConnectRequest) {
        let _ = self.connect_params(request).await;
    }

    /// Takes `token` out of the cache because Postgres refused it. `false` if it was not there any more, or if it was
    /// itself minted in place of a refused one a moment ago.
    pub fn invalidate(&self, token: &str) -> bool {
        let mut hit = false;
        self.0
            .routes
            .for_each(|_, route| hit |= route.slot.invalidate(token));
        hit
    }

    /// Ends this client: later calls fail with [`Code::Closed`]. Credentials stay with the store, which other clients
    /// may share; calls and refreshes under way end by themselves.
    pub fn close(&self) {
        self.0.closed.store(true, Ordering::Release);
        self.0.default_route.store(None);
        self.0.door.store(None);
    }

    /// Takes over what the same client knew in the process that this one was forked from. Takes no lock of `parent`.
    pub fn inherit(&self, parent: &Client) {
        self.store().inherit(parent.store());
        let heir = |route: &Arc<Route>| {
            Arc::new(Route {
                endpoint: route.endpoint.clone(),
                slot: self.store().slot(route.slot.key()),
                facts: self.0.facts.get_or_insert(
                    &route.endpoint,
                    &Arc::new(Remembered::new(route.facts.current())),
                ),
            })
        };
        parent.0.routes.for_each(|name, route| {
            self.0.routes.get_or_insert(name, &heir(route));
        });
        if let Some(route) = parent.0.default_route.load().as_ref() {
            self.0.default_route.store(Some(heir(route)));
        }
        parent.0.names.for_each(|name, known| {
            self.0
                .names
                .get_or_insert(name, &Arc::new(Remembered::new(known.current())));
        });
        self.0.user.adopt(parent.0.user.current());
        let door = parent.0.door.load_full();
        self.0.parent.store(
            door.map(|door| Arc::clone(&door.api))
                .or_else(|| parent.0.parent.load_full()),
        );
        self.0
            .closed
            .store(parent.0.closed.load(Ordering::Acquire), Ordering::Release);
    }

    pub(crate) fn store(&self) -> &Store {
        &self.0.options.store
    }

    /// Fails once the client is closed, or its user's token has ended.
    pub(crate) fn check_open(&self) -> Result<()> {
        if self.0.closed.load(Ordering::Acquire) {
            return Err(Error::new(Code::Closed, "this client has been closed")
                .with_hint("Make a new client"));
        }
        match self.0.ends_at_ms {
            Some(end) if end <= self.clock().now().wall_ms => Err(as_user::over()),
            _ => Ok(()),
        }
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &**self.store().clock()
    }

    pub(crate) fn deadline(&self, timeout: Option<Duration>) -> Deadline {
        Deadline::after(self.clock(), timeout.unwrap_or(self.0.options.timeout))
    }

    /// What a call means by this target, or by none: the argument, else the client's own, else what the environment names. No
    /// I/O.
    ///
    /// # Errors
    /// [`Code::TargetInvalid`] and [`Code::TargetMissing`], as of every call that takes a target.
    pub fn target(&self, target: Option<&str>) -> Result<Target> {
        Ok(self.choose(target)?.target)
    }

    pub(crate) fn environment(&self) -> &Environment {
        &self.0.options.environment
    }

    pub(crate) fn choose(&self, target: Option<&str>) -> Result<Chosen> {
        target::choose(
            target,
            self.0.options.target.as_deref(),
            &self.0.options.environment,
        )
    }

    /// The workspace's door: configuration is resolved now, at the first call.
    pub(crate) fn door(&self) -> Result<Arc<Door>> {
        self.check_open()?;
        if let Some(door) = self.0.door.load_full() {
            return Ok(door);
        }
        let _making = lock(&self.0.making);
        if let Some(door) = self.0.door.load_full() {
            return Ok(door);
        }
        let options = &self.0.options;
        let environment = Arc::new(options.environment.clone());
        let resolved = Arc::new(config::resolve(&options.settings, &environment)?);
        let transport = match &options.transport {
            Some(transport) => Arc::clone(transport),
            None => Arc::new(ReqwestTransport::new(&resolved)?),
        };
        let (clock, dice) = (options.store.clock(), options.store.dice());
        let api = Arc::new(Api::new(
            resolved,
            &options.outside,
            transport,
            Arc::clone(clock),
            Arc::clone(dice),
            options.token_provider.clone(),
            options.product.as_deref(),
        )?);
        if let Some(parent) = self.0.parent.load().as_ref() {
            api.inherit(parent);
        }
        let mint: Arc<dyn Mint> = Arc::new(ApiMint {
            api: Arc::clone(&api),
            clock: Arc::clone(clock),
            dice: Arc::clone(dice),
            skew: Arc::clone(&self.store().shared().skew),
            exchange: self.0.exchange.clone(),
        });
        let door = Arc::new(Door { api, mint });
        self.0.door.store(Some(Arc::clone(&door)));
        Ok(door)
    }

    /// The way to the endpoint that is meant, found once.
    pub(crate) async fn route(
        &self,
        target: Option<&str>,
        ttl: Option<Duration>,
        deadline: Deadline,
    ) -> Result<Arc<Route>> {
        let door = self.door()?;
        policy::whole_seconds(ttl)?;
        let known = match (target, ttl) {
            (None, None) => self.0.default_route.load_full(),
            (Some(target), None) => self.0.routes.get(target),
            _ => None,
        };
        if let Some(route) = known {
            return Ok(route);
        }
        let chosen = self.choose(target)?;
        if let Target::Host(host) = &chosen.target {
            target::refuse_pooled(host)?;
        }
        let name = self.endpoint_name(&door, &chosen, deadline).await?;
        // The slot is named by the identity, which may have to be found out.
        door.api.settle(deadline, Retry::WithinDeadline).await?;
        let slot = self.store().slot(&SlotKey {
            host: door.api.host().to_owned(),
            principal: door.api.principal().to_owned(),
            endpoint: name.clone(),
            claims: None,
            ttl,
        });
        let label = label(target, ttl);
        let facts = self
            .0
            .facts
            .get_or_insert(&name, &Arc::new(Remembered::new(None)));
        let route = Arc::new(Route {
            endpoint: name,
            slot,
            facts,
        });
        let route = self.0.routes.get_or_insert(&label, &route);
        if target.is_none() && ttl.is_none() {
            self.0.default_route.store(Some(Arc::clone(&route)));
        }
        Ok(route)
    }

    async fn endpoint_name(
        &self,
        door: &Arc<Door>,
        chosen: &Chosen,
        deadline: Deadline,
    ) -> Result<String> {
        let shown = chosen.target.to_string();
        let known = self
            .0
            .names
            .get_or_insert(&shown, &Arc::new(Remembered::new(None)));
        let about = Fact::new("target", &door.api, &shown);
        // A whole name needs no question, and so no answer of another process.
        let asked = !matches!(chosen.target, Target::Endpoint(_));
        let exchange = self.0.exchange.clone().filter(|_| asked);
        about.recall(exchange.as_ref(), &known).await;
        let (api, target) = (Arc::clone(&door.api), chosen.target.clone());
        let find = move |deadline, _| async move {
            let name = endpoint::find(&api, &target, deadline).await?;
            about.remember(exchange.as_ref(), &name).await;
            Ok(name)
        };
        let name = known
            .get(self.store().clock(), Age::Any, deadline, find)
            .await?;
        tracing::debug!(target = %shown, source = %chosen.source, endpoint = %name, "chose the endpoint");
        Ok(String::clone(&name))
    }

    /// Lets the next call find the endpoint anew if the workspace does not know it any more: a branch's endpoint may have
    /// been deleted and made again.
    pub(crate) fn doubt_route(&self, target: Option<&str>, ttl: Option<Duration>, error: &Error) {
        if !matches!(error.code(), Code::ApiNotFound | Code::TargetNotFound) {
            return;
        }
        if let Ok(chosen) = self.choose(target) {
            let shown = chosen.target.to_string();
            self.0.names.remove(&shown);
            if let (Some(exchange), Ok(door)) = (&self.0.exchange, self.door()) {
                Fact::new("target", &door.api, &shown).forget(exchange);
            }
        }
        self.0.routes.remove(&label(target, ttl));
        if target.is_none() && ttl.is_none() {
            self.0.default_route.store(None);
        }
    }

    /// The endpoint's host and state.
    pub(crate) async fn facts(
        &self,
        route: &Arc<Route>,
        door: &Arc<Door>,
        deadline: Deadline,
    ) -> Result<Arc<Endpoint>> {
        let about = Fact::new("endpoint", &door.api, &route.endpoint);
        let exchange = self.0.exchange.clone();
        about.recall(exchange.as_ref(), &route.facts).await;
        let (api, name) = (Arc::clone(&door.api), route.endpoint.clone());
        let get = move |deadline, retry| async move {
            let endpoint = endpoint::get(&api, &name, deadline, retry).await?;
            about.remember(exchange.as_ref(), &endpoint).await;
            Ok(endpoint)
        };
        route
            .facts
            .get(self.store().clock(), FACT_AGE, deadline, get)
            .await
    }

    /// The login name of the identity.
    pub(crate) async fn login_name(
        &self,
        door: &Arc<Door>,
        deadline: Deadline,
    ) -> Result<Arc<String>> {
        door.api.settle(deadline, Retry::WithinDeadline).await?;
        if let Some(name) = door.api.login_name() {
            return Ok(Arc::new(name.to_owned()));
        }
        let about = Fact::new("user", &door.api, "");
        let exchange = self.0.exchange.clone();
        about.recall(exchange.as_ref(), &self.0.user).await;
        let api = Arc::clone(&door.api);
        let ask = move |deadline, retry| async move {
            let name = endpoint::current_user(&api, deadline, retry).await?;
            about.remember(exchange.as_ref(), &name).await;
            Ok(name)
        };
        self.0
            .user
            .get(self.store().clock(), FACT_AGE, deadline, ask)
            .await
    }
}

/// What a route is kept under.
fn label(target: Option<&str>, ttl: Option<Duration>) -> String {
    let target = target.unwrap_or_default();
    match ttl {
        Some(ttl) => format!("{target} for {} s", ttl.as_secs()),
        None => target.to_owned(),
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.options.fmt(f)
    }
}
