//! `lakekey url`: everything a driver needs to connect, in the form that it reads.
//!
//! The token is left out unless asked for: a URL ends up in logs, in `ps` and in files, and a token in it is dead within
//! the hour anyway. So are the addresses: what is written down outlives them.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use lakekey::conn::WithPassword;
use lakekey::{Code, ConnectRequest, Error};

use crate::dialect::Dialect;
use crate::duration;
use crate::output::{self, Output, Stop};
use crate::session::{self, Session};

const EXAMPLES: &str = "\
Examples:
  lakekey url shop.production                              a URI without the token
  lakekey url --format jdbc --database orders shop.production
  eval \"$(lakekey url --format env --with-token)\" && psql  PG* variables for this shell
  lakekey url --format json | jq -r .host";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct UrlArgs {
    /// Endpoint, branch or project by its path, its dotted name or its host; default: the environment's
    target: Option<String>,
    /// The form to print
    #[arg(long, value_enum, value_name = "FORM", default_value_t)]
    format: Dialect,
    /// Put a fresh token in as the password
    #[arg(long)]
    with_token: bool,
    /// Put the host's addresses in, for drivers on libpq; they change, so do not keep them
    #[arg(long)]
    with_hostaddr: bool,
    /// Database; default PGDATABASE, else databricks_postgres
    #[arg(long, value_name = "NAME")]
    database: Option<String>,
    /// Postgres role; default PGUSER, else the identity itself
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Port; default PGPORT, else 5432
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// How TLS is used and what it verifies; default PGSSLMODE, else verify-full
    #[arg(long, value_name = "MODE", value_parser = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"])]
    sslmode: Option<String>,
    /// File of root certificates, or `system`; default PGSSLROOTCERT, else the system's bundle
    #[arg(long, value_name = "FILE")]
    sslrootcert: Option<String>,
    /// How long the token should live, such as 30m
    #[arg(long, value_name = "TIME", value_parser = duration::parse, requires = "with_token")]
    ttl: Option<Duration>,
}

pub(crate) fn run(args: UrlArgs, session: &Session) -> ExitCode {
    let output = match args.format {
        Dialect::Json => Output::Json,
        _ => Output::Text,
    };
    output::end(print(args, session), output)
}

fn print(args: UrlArgs, session: &Session) -> Result<ExitCode, Stop> {
    if args.with_hostaddr && !args.format.takes_hostaddr() {
        let error = Error::new(
            Code::ConninfoInvalid,
            "this form takes no addresses beside the host",
        );
        return Err(error.with_hint("Leave --with-hostaddr out").into());
    }
    let client = session.client()?;
    let request = ConnectRequest {
        target: args.target,
        database: args.database,
        user: args.user,
        port: args.port,
        sslmode: args.sslmode,
        sslrootcert: args.sslrootcert,
        ttl: args.ttl,
        timeout: None,
        without_password: !args.with_token,
        without_addresses: !args.with_hostaddr,
    };
    let connect = session::wait("waiting for the endpoint", client.connect_params(&request))?;
    let params = connect.params;
    params.check()?;
    let with = if args.with_token {
        WithPassword::Yes
    } else {
        WithPassword::No
    };
    output::print(&format!("{}\n", args.format.write(&params, with)?))?;
    Ok(ExitCode::SUCCESS)
}
