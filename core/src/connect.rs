//! From a target to everything a driver needs to dial.
//!
//! What one login needs is asked for side by side: the credential, the endpoint's host with its addresses, the login
//! name. Sites that do it one after the other wait three times as long for their first row.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::client::{Client, Door, Route};
use crate::clock::Deadline;
use crate::code::Code;
use crate::conn::{self, Keyword, Params};
use crate::credential::Lease;
use crate::error::{Error, Result};
use crate::target::Chosen;
use crate::target::refuse_pooled;

const DATABASE: &str = "databricks_postgres";
const PORT: u16 = 5432;
/// How long a login that has all else waits for the workspace to say who it is: the token says so too.
const NAME_PATIENCE: Duration = Duration::from_secs(1);
/// Verified by name against the system's roots, unless the user says otherwise.
const SSLMODE: &str = "verify-full";

/// What to connect to, and how. Everything left out comes from the environment (`PG*`), else from the workspace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConnectRequest {
    /// The database; none for the client's own.
    pub target: Option<String>,
    /// Database name; default `PGDATABASE`, else `databricks_postgres`.
    pub database: Option<String>,
    /// Postgres user; default `PGUSER`, else the identity itself. Another role than the identity's own, such as a group
    /// role, is allowed.
    pub user: Option<String>,
    /// Port; default `PGPORT`, else 5432.
    pub port: Option<u16>,
    /// libpq's `sslmode`; default `PGSSLMODE`, else `verify-full`.
    pub sslmode: Option<String>,
    /// File of root certificates; default `PGSSLROOTCERT`, else the system's.
    pub sslrootcert: Option<String>,
    /// How long the credential should live; the server's default is an hour.
    pub ttl: Option<Duration>,
    /// How long to wait for all of it.
    pub timeout: Option<Duration>,
    /// Leave the credential out: for printing, or for drivers that ask for the password apart.
    pub without_password: bool,
    /// Leave the addresses of the host out, and do not resolve it: for settings that are written down.
    pub without_addresses: bool,
}

/// Connection settings, with the credential that is in them.
#[derive(Clone, Debug)]
pub struct Connect {
    /// The settings.
    pub params: Params,
    /// The credential, unless it was left out.
    pub lease: Option<Lease>,
}

impl Client {
    /// Everything a driver needs: host with its addresses, port, user, database, TLS and the credential as password.
    ///
    /// # Errors
    /// Those of [`Client::credential`]; [`Code::PoolerRefused`], [`Code::EndpointDisabled`], [`Code::ResolveFailed`];
    /// [`Code::ConfigInvalid`] for a `PGPORT` that is no port; [`Code::ConninfoInvalid`] for other values that cannot be
    /// used, such as an unknown `sslmode`.
    pub async fn connect_params(&self, request: &ConnectRequest) -> Result<Connect> {
        let connect = self.settings(request).await;
        connect.inspect_err(|error| self.counted().failed(error.code()))
    }

    async fn settings(&self, request: &ConnectRequest) -> Result<Connect> {
        let deadline = self.deadline(request.timeout);
        let chosen = self.choose(request.target.as_deref())?;
        let host = self.host_of_environment(&chosen);
        if let Some(host) = &host {
            refuse_pooled(host)?;
        }
        let port = self.port(request)?;
        let route = self
            .route(request.target.as_deref(), request.ttl, deadline)
            .await?;
        let door = self.door()?;
        let credential = async {
            if request.without_password {
                return Ok(Ok(None));
            }
            match route.slot.get(&door.mint, deadline).await {
                // What is said of the endpoint itself explains it better.
                Err(error) if error.code() == Code::ApiNotFound => Ok(Err(error)),
                lease => lease.map(|lease| Ok(Some(lease))),
            }
        };
        let needed = async {
            let server = self.server(request, host, &route, &door, deadline);
            let (lease, server) = tokio::try_join!(credential, server)?;
            Ok((lease?, server))
        };
        let user = self.user(request, &door, deadline);
        tokio::pin!(needed, user);
        let mut said = None;
        // What cannot be done without ends the wait with its error; the login name has another source.
        let needed = loop {
            tokio::select! {
                biased;
                needed = &mut needed => break needed,
                name = &mut user, if said.is_none() => said = Some(name),
            }
        };
        let (lease, (host, addresses)) = needed.inspect_err(|error| {
            self.doubt_route(request.target.as_deref(), request.ttl, error);
        })?;
        let subject = lease.as_ref().and_then(|lease| lease.credential.subject());
        let said = match (said, subject) {
            (Some(said), _) => said,
            (None, None) => user.await,
            (None, Some(_)) => {
                let patience = deadline.within(self.clock(), NAME_PATIENCE);
                let late = || {
                    Err(Error::new(
                        Code::Timeout,
                        "the workspace is slow to say who this identity is",
                    ))
                };
                patience
                    .limit(self.clock(), user)
                    .await
                    .unwrap_or_else(late)
            }
        };
        let user = match (said, subject) {
            (Ok(user), _) => user,
            (Err(error), Some(subject)) => {
                tracing::warn!(
                    code = error.code().slug(),
                    "the workspace did not say who this identity is; taking the token's subject"
                );
                // Later logins need not wait for the same answer; it is asked for again beside them.
                self.0.user.adopt(Some(Arc::new(subject.to_owned())));
                self.0.user.doubt();
                subject.to_owned()
            }
            (Err(error), None) => return Err(error),
        };
        if let Some(subject) = lease.as_ref().and_then(|lease| lease.credential.subject())
            && subject != user
        {
            tracing::info!(%user, %subject, "the user is not the token's subject: this works for a group role that the subject is a member of");
        }
        let params = self.params(request, &host, &addresses, port, &user, lease.as_ref())?;
        Ok(Connect { params, lease })
    }

    fn params(
        &self,
        request: &ConnectRequest,
        host: &str,
        addresses: &[IpAddr],
        port: u16,
        user: &str,
        lease: Option<&Lease>,
    ) -> Result<Params> {
        let environment = &self.0.options.environment;
        let or_environment = |value: &Option<String>, variable: &str| {
            value
                .clone()
                .or_else(|| environment.var(variable).map(str::to_owned))
        };
        let mut params = Params::new();
        params.set_server(host, addresses, port)?;
        params.set_user(user)?;
        params.set_dbname(
            or_environment(&request.database, "PGDATABASE").unwrap_or_else(|| DATABASE.to_owned()),
        )?;
        let sslmode =
            or_environment(&request.sslmode, "PGSSLMODE").unwrap_or_else(|| SSLMODE.to_owned());
        if let Some(root) = or_environment(&request.sslrootcert, "PGSSLROOTCERT") {
            params.set_sslrootcert(root)?;
        } else if sslmode.starts_with("verify-") {
            params.set_sslrootcert(conn::default_root(environment))?;
        }
        params.set(Keyword::Sslmode, sslmode)?;
        if let Some(lease) = lease {
            params.set_password(lease.credential.token().clone())?;
        }
        // Drivers name neither the variable nor the words that they know.
        params.check()?;
        Ok(params)
    }

    /// The host that stands in the environment beside the target, where both came from there: it saves a request.
    fn host_of_environment(&self, chosen: &Chosen) -> Option<String> {
        let host = self
            .0
            .options
            .environment
            .var("PGHOST")
            .filter(|host| !host.starts_with('/'))?;
        chosen.from_environment.then(|| host.to_owned())
    }

    fn port(&self, request: &ConnectRequest) -> Result<u16> {
        let Some(text) = self
            .0
            .options
            .environment
            .var("PGPORT")
            .filter(|_| request.port.is_none())
        else {
            return Ok(request.port.unwrap_or(PORT));
        };
        text.parse().ok().filter(|port| *port != 0).ok_or_else(|| {
            Error::new(
                Code::ConfigInvalid,
                format!("PGPORT is '{text}', which is no port"),
            )
            .with_hint("Set PGPORT to a number from 1 to 65535, or unset it")
        })
    }

    async fn server(
        &self,
        request: &ConnectRequest,
        host: Option<String>,
        route: &Arc<Route>,
        door: &Arc<Door>,
        deadline: Deadline,
    ) -> Result<(String, Vec<IpAddr>)> {
        let environment = &self.0.options.environment;
        let from_environment = host.is_some();
        let host = match host {
            Some(host) => host,
            None => self.facts(route, door, deadline).await?.host.clone(),
        };
        refuse_pooled(&host)?;
        if request.without_addresses {
            return Ok((host, Vec::new()));
        }
        if from_environment && let Some(address) = environment.var("PGHOSTADDR") {
            let address = address.parse().map_err(|_| {
                Error::new(
                    Code::ConfigInvalid,
                    format!("PGHOSTADDR is '{address}', which is no IP address"),
                )
                .with_hint("Unset it; lakekey resolves the host itself")
            })?;
            return Ok((host, vec![address]));
        }
        match self.addresses(&host, deadline).await {
            Ok(addresses) => Ok((host, addresses)),
            Err(error) => {
                // The host of an endpoint that was made anew is another one.
                route.facts.doubt();
                Err(error)
            }
        }
    }

    async fn user(
        &self,
        request: &ConnectRequest,
        door: &Arc<Door>,
        deadline: Deadline,
    ) -> Result<String> {
        match request
            .user
            .as_deref()
            .or_else(|| self.0.options.environment.var("PGUSER"))
        {
            Some(user) => Ok(user.to_owned()),
            None => self
                .login_name(door, deadline)
                .await
                .map(|name| String::clone(&name)),
        }
    }
}
