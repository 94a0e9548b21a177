//! `lakekey token`: the one command that prints a credential without being asked twice.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use lakekey::CredentialRequest;
use serde_json::json;

use crate::duration;
use crate::output::{self, Output, Stop};
use crate::session::{self, Session};

const EXAMPLES: &str = "\
Examples:
  lakekey token                                          for the target in the environment
  lakekey token projects/shop/branches/production
  PGPASSWORD=$(lakekey token shop.production) psql \"$(lakekey url shop.production)\"
  lakekey token --output json | jq -r .expire_time";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct TokenArgs {
    /// Endpoint, branch or project by its path, its dotted name or its host; default: the environment's
    target: Option<String>,
    /// How long the token should live, such as 30m; the server's default is an hour
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    ttl: Option<Duration>,
    /// The token alone, or JSON with its end and its identity
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

pub(crate) fn run(args: TokenArgs, session: &Session) -> ExitCode {
    let output = args.output;
    output::end(print(args, session), output)
}

fn print(args: TokenArgs, session: &Session) -> Result<ExitCode, Stop> {
    let client = session.client()?;
    let request = CredentialRequest {
        target: args.target,
        ttl: args.ttl,
        timeout: None,
    };
    let lease = session::wait("waiting for a credential", client.credential(&request))?;
    let credential = &lease.credential;
    let text = match args.output {
        Output::Text => credential.token().expose().to_owned(),
        Output::Json => json!({
            "token": credential.token().expose(),
            "expire_time": session::rfc3339(credential.expires_at_ms())?,
            "endpoint": credential.endpoint(),
            "subject": credential.subject(),
        })
        .to_string(),
    };
    output::print(&format!("{text}\n"))?;
    Ok(ExitCode::SUCCESS)
}
