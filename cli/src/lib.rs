//! The command `lakekey`: what a shell needs of lakekey, and the proof that its Rust API is enough.
//!
//! Each subcommand is a file; `output.rs` is the only one that prints results and errors.

#![forbid(unsafe_code)]
#![allow(
    clippy::doc_markdown,
    reason = "the comments of arguments are help texts, in which backticks are noise"
)]

mod auth;
mod conninfo;
mod dialect;
mod duration;
#[cfg(unix)]
mod emulate;
mod output;
mod resources;
mod session;
mod token;
mod url;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

const AFTER: &str = "\
Exit codes:
  0    done
  1    failed; the reason is on stderr (with --output json: on stdout)
  2    wrong usage, or a connection string that does not parse
  130  interrupted by Ctrl-C

Secrets: only `lakekey token` prints a token and only `lakekey roles reveal-password` a Postgres password; every other
command leaves secrets out unless --with-token or --show-secrets is given.";

/// Database credentials that rotate by themselves, for Databricks Lakebase
#[derive(Debug, Parser)]
#[command(name = "lakekey", version, about, after_help = AFTER, propagate_version = true)]
struct Cli {
    #[command(flatten)]
    session: session::Session,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print a database credential, to be used as the Postgres password
    Token(token::TokenArgs),
    /// Print how to connect, in the form that a driver reads
    Url(url::UrlArgs),
    /// Say who lakekey is towards the workspace, and where each setting came from
    Auth(auth::AuthArgs),
    /// Read, check and rewrite Postgres connection strings, exactly as libpq reads them
    Conninfo(conninfo::ConninfoArgs),
    #[command(flatten)]
    Resources(resources::Asked),
    /// Run a local Lakebase: control plane, TLS front door and a real Postgres
    #[cfg(unix)]
    Emulate(emulate::EmulateArgs),
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.command {
        Command::Token(args) => token::run(args, &cli.session),
        Command::Url(args) => url::run(args, &cli.session),
        Command::Auth(args) => auth::run(args, &cli.session),
        Command::Conninfo(args) => conninfo::run(args),
        Command::Resources(asked) => asked.run(&cli.session),
        #[cfg(unix)]
        Command::Emulate(args) => emulate::run(&args),
    }
}
