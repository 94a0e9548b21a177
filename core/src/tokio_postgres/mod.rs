//! Logins of tokio-postgres: the driver's own client and connection, by the core's plan. Feature `tokio-postgres`.
//!
//! Without it each Rust program writes the loop over addresses and refused tokens anew, and most leave out the part that
//! is hard to see: TLS that verifies the host by name while it dials an address.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use lakekey::plan::PlanRequest;
//! use lakekey::{Client, ClientOptions};
//!
//! let client = Client::new(ClientOptions::from_process())?;
//! let (postgres, connection) = lakekey::tokio_postgres::connect(&client, PlanRequest::default()).await?;
//! tokio::spawn(connection);
//! let row = postgres.query_one("select current_user::text", &[]).await?;
//! println!("{}", row.get::<_, String>(0));
//! # Ok(()) }
//! ```

mod tls;

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use tokio_postgres::config::SslMode;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client as Session, Config, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::client::Client;
use crate::code::Code;
use crate::conn::{Keyword, Params};
use crate::error::{Error, Result};
use crate::plan::{Attempt, Failure, PlanRequest};
use tls::Tls;

/// The half of a login that moves its bytes: a future to spawn, which ends when the session is dropped.
pub type Connection =
    tokio_postgres::Connection<Socket, <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream>;

/// One login. Whoever makes many, such as a pool, keeps a [`Connector`], which reads the root certificates once.
///
/// # Errors
/// Those of [`Connector::connect`].
pub async fn connect(client: &Client, request: PlanRequest) -> Result<(Session, Connection)> {
    Connector::new(client, request).connect().await
}

/// Opens logins to one database, each with a token that is valid at that moment. Cheap to clone.
#[derive(Clone)]
pub struct Connector {
    client: Client,
    request: PlanRequest,
    config: Config,
    tls: Arc<Tls>,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field("request", &self.request)
            .finish_non_exhaustive()
    }
}

impl Connector {
    /// A connector for what `request` names. Does no I/O.
    pub fn new(client: &Client, request: PlanRequest) -> Connector {
        Connector {
            client: client.clone(),
            request,
            config: Config::new(),
            tls: Arc::default(),
        }
    }

    /// Settings that are the driver's alone: application name, options, keepalives, target session attributes.
    ///
    /// # Errors
    /// [`Code::ConfigInvalid`] for a host, port, user, database or password: those are the request's to give.
    pub fn with_config(mut self, config: Config) -> Result<Connector> {
        let given = [
            ("host", !config.get_hosts().is_empty()),
            ("hostaddr", !config.get_hostaddrs().is_empty()),
            ("port", !config.get_ports().is_empty()),
            ("user", config.get_user().is_some()),
            ("dbname", config.get_dbname().is_some()),
            ("password", config.get_password().is_some()),
        ];
        if let Some((name, _)) = given.iter().find(|(_, given)| *given) {
            return Err(Error::new(
                Code::ConfigInvalid,
                format!("the tokio_postgres::Config has a {name}, which lakekey finds out itself"),
            )
            .with_hint("Name the database, its user and the rest in the PlanRequest, and leave them out of the Config"));
        }
        self.config = config;
        Ok(self)
    }

    /// Logs in. Addresses in turn, one fresh token for a refused one, waits for what passes: all within one budget.
    ///
    /// TLS is used and the host verified by name, also where `sslmode` asks for less: `require` is what Databricks Apps
    /// set, and it would hand the token to whoever answers.
    ///
    /// # Errors
    /// Those of [`Plan::next`](crate::plan::Plan::next). [`Code::ConfigInvalid`] for the `sslmode` `disable`;
    /// [`Code::HttpTls`] for root certificates that cannot be read.
    pub async fn connect(&self) -> Result<(Session, Connection)> {
        let mut plan = self.client.plan(self.request.clone());
        let mut attempt = plan.next(None).await?;
        loop {
            let (code, text) = match self.dial(&attempt).await? {
                Ok(login) => {
                    plan.connected();
                    return Ok(login);
                }
                Err(reported) => reported,
            };
            let failure = Failure {
                code: code.as_deref(),
                text: &text,
            };
            attempt = plan.next(Some(&failure)).await?;
        }
    }

    /// The inner error is the driver's report, for the plan; the outer one ends the connect.
    async fn dial(
        &self,
        attempt: &Attempt,
    ) -> Result<std::result::Result<(Session, Connection), Reported>> {
        let params = &attempt.params;
        if params.sslmode() == Some("disable") {
            return Err(Error::new(
                Code::ConfigInvalid,
                "sslmode is disable, and Lakebase takes TLS only",
            )
            .with_hint("Leave sslmode out, or unset PGSSLMODE: verify-full is the default"));
        }
        let environment = &self.client.0.options.environment;
        let tls = self.tls.get(environment, params.sslrootcert()).await?;
        let config = self.config(attempt)?;
        let login = tokio::time::timeout(attempt.timeout, config.connect(tls)).await;
        let reported = match login {
            Ok(Ok(login)) => return Ok(Ok(login)),
            Ok(Err(error)) => reported(&error),
            Err(_) => (None, "timeout expired".to_owned()),
        };
        if reported.0.is_none() {
            self.tls.forget().await;
        }
        Ok(Err(reported))
    }

    fn config(&self, attempt: &Attempt) -> Result<Config> {
        let params = &attempt.params;
        let mut config = self.config.clone();
        config
            .host(one(params, Keyword::Host)?)
            .port(
                one(params, Keyword::Port)?
                    .parse()
                    .map_err(|_| lacking(Keyword::Port))?,
            )
            .user(one(params, Keyword::User)?)
            .dbname(one(params, Keyword::Dbname)?)
            .ssl_mode(SslMode::Require);
        if let Some(address) = attempt.address {
            config.hostaddr(address);
        }
        if let Some(password) = params.password() {
            config.password(password.expose());
        }
        Ok(config)
    }
}

/// What the driver said of a login: its SQLSTATE, if the server sent one, and its whole text.
type Reported = (Option<String>, String);

fn reported(error: &tokio_postgres::Error) -> Reported {
    if let Some(said) = error.as_db_error() {
        let text = match said.detail() {
            Some(detail) => format!("{} {detail}", said.message()),
            None => said.message().to_owned(),
        };
        return (Some(said.code().code().to_owned()), text);
    }
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    (None, text)
}

fn one(params: &Params, keyword: Keyword) -> Result<&str> {
    params.get(keyword).ok_or_else(|| lacking(keyword))
}

fn lacking(keyword: Keyword) -> Error {
    Error::new(
        Code::Internal,
        format!("an attempt without a usable {}", keyword.name()),
    )
}
