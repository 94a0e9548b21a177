//! `lakekey conninfo`: reads connection strings as libpq does, checks them and writes them in other forms.
//!
//! Strings can come from stdin, since an argument with a password is seen by every user of the machine in `ps`.

use std::io::{self, BufRead, Read};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use lakekey::conn::{Keyword, Params, WithPassword};
use lakekey::{Code, Error, Result};
use serde_json::Value;

use crate::dialect::{self, Dialect};
use crate::output::{self, Output, Stop, USAGE};

/// Shown in place of a secret.
const HIDDEN: &str = "***";

#[derive(Debug, Args)]
pub(crate) struct ConninfoArgs {
    #[command(subcommand)]
    command: ConninfoCommand,
}

#[derive(Debug, Subcommand)]
enum ConninfoCommand {
    /// Print the fields of a connection string, or why it does not parse
    #[command(after_help = PARSE_EXAMPLES)]
    Parse(ParseArgs),
    /// Write a connection string in another form
    #[command(after_help = CONVERT_EXAMPLES)]
    Convert(ConvertArgs),
}

const PARSE_EXAMPLES: &str = "\
Examples:
  lakekey conninfo parse 'host=db.example.com user=ada dbname=shop'
  lakekey conninfo parse --output json postgresql://ada%40example.com@db.example.com/shop | jq -r .user
  printf %s \"$DATABASE_URL\" | lakekey conninfo parse -        the password does not show in ps
  lakekey conninfo parse --check \"$DATABASE_URL\"              also refuse what fails at connect
  lakekey conninfo parse --lines - < urls.txt                 one JSON object for each line

The grammar is that of libpq 18. Errors never repeat text of the string, which may be a piece of the password.";

const CONVERT_EXAMPLES: &str = "\
Examples:
  lakekey conninfo convert --to jdbc 'host=db.example.com user=ada dbname=shop sslmode=verify-full'
  eval \"$(printf %s \"$DATABASE_URL\" | lakekey conninfo convert --to env --with-token -)\"
  lakekey conninfo convert --to uri --lines - < strings.txt   one JSON object for each line

Passwords are left out unless --with-token is given. What the other form cannot say is refused, not dropped.";

/// Where strings come from.
#[derive(Debug, Args)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
struct Source {
    /// The connection string, or - for stdin
    #[arg(value_name = "STRING", allow_hyphen_values = true)]
    string: String,
    /// Take each line of stdin as a string of its own, and print one JSON object for each
    #[arg(long, conflicts_with = "null")]
    lines: bool,
    /// As --lines, with a NUL character between the strings
    #[arg(long, short = '0')]
    null: bool,
    /// Also refuse what parses and cannot connect: ports that are none, lists of different lengths, unknown words
    #[arg(long)]
    check: bool,
    /// Show passwords and other secrets
    #[arg(long, visible_alias = "with-password")]
    with_token: bool,
}

#[derive(Debug, Args)]
struct ParseArgs {
    #[command(flatten)]
    source: Source,
    /// Text for people, or JSON for programs
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

#[derive(Debug, Args)]
struct ConvertArgs {
    #[command(flatten)]
    source: Source,
    /// The form to write
    #[arg(long, value_enum, value_name = "FORM")]
    to: Dialect,
}

pub(crate) fn run(args: ConninfoArgs) -> ExitCode {
    match args.command {
        ConninfoCommand::Parse(args) => {
            let (output, with) = (args.output, args.source.with());
            let result = args.source.each(
                |params| Ok(Value::Object(shown(params, with))),
                |params| {
                    if output == Output::Text {
                        warn(params);
                        return Ok(listing(params, with));
                    }
                    Ok(format!("{}\n", Value::Object(shown(params, with))))
                },
            );
            output::end(result, output)
        }
        ConninfoCommand::Convert(args) => {
            let (to, with) = (args.to, args.source.with());
            let result = args.source.each(
                |params| {
                    to.write(params, with)
                        .map(|text| serde_json::json!({ "text": text }))
                },
                |params| to.write(params, with).map(|text| text + "\n"),
            );
            output::end(result, Output::Text)
        }
    }
}

impl Source {
    fn with(&self) -> WithPassword {
        if self.with_token {
            WithPassword::Yes
        } else {
            WithPassword::No
        }
    }

    /// Reads the one string and prints it as `single` says, or each of many as a line of JSON.
    fn each(
        &self,
        many: impl Fn(&Params) -> Result<Value>,
        single: impl Fn(&Params) -> Result<String>,
    ) -> std::result::Result<ExitCode, Stop> {
        if !self.lines && !self.null {
            let text = if self.string == "-" {
                whole_stdin()?
            } else {
                self.string.clone()
            };
            output::print(&single(&self.read(&text)?)?)?;
            return Ok(ExitCode::SUCCESS);
        }
        if self.string != "-" {
            let error = Error::new(
                Code::ConninfoInvalid,
                "--lines and --null read the strings from stdin",
            );
            return Err(error.with_hint("Write - in place of the string").into());
        }
        let (delimiter, mut code) = (if self.null { 0 } else { b'\n' }, ExitCode::SUCCESS);
        for text in io::stdin().lock().split(delimiter) {
            let line = utf8(text?)
                .and_then(|text| self.read(&text))
                .and_then(|params| many(&params))
                .unwrap_or_else(|error| {
                    code = ExitCode::from(USAGE);
                    output::error_json(&error)
                });
            output::print(&format!("{line}\n"))?;
        }
        Ok(code)
    }

    fn read(&self, text: &str) -> Result<Params> {
        let params = Params::parse(text)?;
        if self.check {
            params.check()?;
        }
        Ok(params)
    }
}

/// All of stdin without its last line end, which `echo` adds.
fn whole_stdin() -> std::result::Result<String, Stop> {
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes)?;
    let mut text = utf8(bytes)?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(text)
}

fn utf8(bytes: Vec<u8>) -> Result<String> {
    String::from_utf8(bytes)
        .map_err(|_| Error::new(Code::ConninfoSyntax, "the connection string is not UTF-8"))
}

/// The fields with secrets hidden unless asked for.
fn shown(params: &Params, with: WithPassword) -> serde_json::Map<String, Value> {
    let mut fields = dialect::object(params, WithPassword::Yes);
    if with == WithPassword::No {
        for (name, value) in &mut fields {
            if Keyword::from_name(name).is_some_and(Keyword::is_secret) {
                *value = HIDDEN.into();
            }
        }
    }
    fields
}

/// One field a line, for people.
fn listing(params: &Params, with: WithPassword) -> String {
    let fields: Vec<_> = params.pairs(WithPassword::Yes).collect();
    let longest = fields.iter().map(|(keyword, _)| keyword.name().len());
    let column = longest.max().unwrap_or(0);
    let lines = fields.iter().map(|(keyword, value)| {
        let value = if keyword.is_secret() && with == WithPassword::No {
            HIDDEN
        } else {
            value
        };
        let (name, value) = (keyword.name(), output::visible(value));
        format!("{name:column$}  {value}\n")
    });
    lines.collect()
}

/// Tells people what would fail at connect.
fn warn(params: &Params) {
    if let Err(error) = params.check() {
        let error = error.context("this parses, but cannot connect");
        output::report(&error, Output::Text);
    }
}
