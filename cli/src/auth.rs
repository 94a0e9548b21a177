//! `lakekey auth`: who we are towards the workspace, and why.
//!
//! A login that uses the wrong host or the wrong identity is found out here: every setting is shown with its source,
//! every type that was passed over with the reason, and secrets never, unless they are asked for by name.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use lakekey::{Client, Code, Description, Error, Result};
use serde_json::{Map, Value, json};

use crate::output::{self, Output, Stop, visible};
use crate::session::{self, Session};

const EXAMPLES: &str = "\
Examples:
  lakekey auth describe                                   who am I, and where does each setting come from
  lakekey auth describe --no-network --output json        the same from the configuration alone
  lakekey auth describe --profile prod --set auth_type=oauth-m2m
  lakekey auth env                                        the variables of the same identity, secrets masked";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct AuthArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the authentication type, the workspace and every setting with its source
    Describe(DescribeArgs),
    /// Print the variables that would give a child process the same identity
    Env(EnvArgs),
}

#[derive(Debug, Args)]
struct Given {
    /// An attribute by its Databricks name, such as auth_type=pat; may be repeated
    #[arg(long, value_name = "ATTRIBUTE=VALUE")]
    set: Vec<String>,
    /// For people or for programs
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

#[derive(Debug, Args)]
struct DescribeArgs {
    #[command(flatten)]
    given: Given,
    /// Send no request and start no program: what the configuration alone tells
    #[arg(long)]
    no_network: bool,
}

#[derive(Debug, Args)]
struct EnvArgs {
    #[command(flatten)]
    given: Given,
    /// Print tokens, secrets and passwords as they are
    #[arg(long)]
    show_secrets: bool,
}

impl Given {
    fn client(&self, session: &Session) -> Result<Client> {
        let mut attributes = Vec::new();
        for text in &self.set {
            let Some((name, value)) = text.split_once('=') else {
                // The text itself may be a secret.
                return Err(Error::new(
                    Code::ConfigInvalid,
                    "a --set has no `=` between attribute and value",
                )
                .with_hint("Write it as --set attribute=value, such as --set auth_type=pat"));
            };
            attributes.push((name.to_owned(), value.to_owned()));
        }
        session.client_with(&attributes)
    }
}

pub(crate) fn run(args: AuthArgs, session: &Session) -> ExitCode {
    match args.command {
        Command::Describe(args) => output::end(describe(&args, session), args.given.output),
        Command::Env(args) => output::end(environment(&args, session), args.given.output),
    }
}

fn describe(args: &DescribeArgs, session: &Session) -> std::result::Result<ExitCode, Stop> {
    let client = args.given.client(session)?;
    let description = if args.no_network {
        client.describe()?
    } else {
        checked(&client)?
    };
    let text = match args.given.output {
        Output::Json => format!("{}\n", as_json(&description)),
        Output::Text => as_text(&description),
    };
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn checked(client: &Client) -> std::result::Result<Description, Stop> {
    session::wait("waiting for a workspace token", async {
        client.check_identity().await?;
        client.describe()
    })
}

fn value<'a>(description: &'a Description, name: &str) -> Option<&'a str> {
    let mut attributes = description.attributes.iter();
    attributes
        .find(|value| value.attribute.name == name)
        .map(lakekey::config::Value::masked)
}

fn as_json(description: &Description) -> Value {
    let attributes: Map<String, Value> = description
        .attributes
        .iter()
        .map(|value| {
            let shown = json!({"value": value.masked(), "source": value.source.to_string()});
            (value.attribute.name.to_owned(), shown)
        })
        .collect();
    let tried: Vec<Value> = description
        .tried
        .iter()
        .map(|tried| json!({"auth_type": tried.auth_type, "reason": tried.reason}))
        .collect();
    json!({
        "auth_type": description.auth_type,
        "host": description.host,
        "account_id": value(description, "account_id"),
        "workspace_id": value(description, "workspace_id"),
        "attributes": attributes,
        "tried": tried,
        "notes": description.notes,
    })
}

fn as_text(description: &Description) -> String {
    let mut lines = vec![
        format!("auth type:  {}", description.auth_type),
        format!(
            "host:       {}",
            description
                .host
                .as_deref()
                .unwrap_or("known to the cloud only")
        ),
    ];
    for (label, name) in [
        ("account:    ", "account_id"),
        ("workspace:  ", "workspace_id"),
    ] {
        if let Some(id) = value(description, name) {
            lines.push(format!("{label}{}", visible(id)));
        }
    }
    lines.push("settings:".to_owned());
    for value in &description.attributes {
        lines.push(format!(
            "  {} = {}  (from {})",
            value.attribute.name,
            visible(value.masked()),
            visible(&value.source.to_string())
        ));
    }
    if !description.tried.is_empty() {
        lines.push("not used:".to_owned());
    }
    for tried in &description.tried {
        lines.push(format!("  {}", visible(&tried.to_string())));
    }
    for note in &description.notes {
        lines.push(format!("note: {}", visible(note)));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// Variables of the same identity. The profile is not among them, because everything it says is, but for the type that
/// hands its name on to the Databricks CLI.
fn environment(args: &EnvArgs, session: &Session) -> std::result::Result<ExitCode, Stop> {
    let description = args.given.client(session)?.describe()?;
    let by_name = description.auth_type == "databricks-cli";
    let mut variables: Vec<(&str, String)> = Vec::new();
    for value in &description.attributes {
        let attribute = value.attribute;
        let needed = by_name || !["profile", "config_file"].contains(&attribute.name);
        if let (true, Some(variable)) = (
            needed && attribute.name != "auth_type",
            attribute.env.first(),
        ) {
            let text = if args.show_secrets {
                value.secret().expose()
            } else {
                value.masked()
            };
            variables.push((variable, text.to_owned()));
        }
    }
    variables.push(("DATABRICKS_AUTH_TYPE", description.auth_type.clone()));
    let text = match args.given.output {
        Output::Json => {
            let all: Map<String, Value> = variables
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.into()))
                .collect();
            format!("{}\n", json!({ "env": all }))
        }
        Output::Text => {
            let mut lines: Vec<String> = variables
                .iter()
                .map(|(name, value)| format!("{name}={}", quoted(value)))
                .collect();
            lines.push(String::new());
            lines.join("\n")
        }
    };
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// The value as a shell reads it back.
fn quoted(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+,".contains(c);
    if !value.is_empty() && value.chars().all(plain) {
        return value.to_owned();
    }
    format!("'{}'", value.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_shell_reads_back_what_was_printed() {
        assert_eq!(quoted("https://x:8443"), "https://x:8443");
        assert_eq!(quoted("***"), "'***'");
        assert_eq!(quoted("it's $HOME"), r"'it'\''s $HOME'");
        assert_eq!(quoted(""), "''");
    }
}
