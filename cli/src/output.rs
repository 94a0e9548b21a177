//! What goes to stdout and stderr.
//!
//! A reader that closes its end early (`lakekey ... | head`) is no failure, and what a terminal shows must not be able
//! to steer it: control characters of values are escaped for people and left alone for programs.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::ValueEnum;
use lakekey::{Code, Error};
use serde_json::{Map, Value, json};

/// The exit code for wrong usage and for strings that do not parse.
pub(crate) const USAGE: u8 = 2;

/// The exit code after Ctrl-C, as shells have it.
const INTERRUPTED: u8 = 130;

/// For whom results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Output {
    /// For people and shells
    #[default]
    Text,
    /// For programs; errors are JSON on stdout as well
    Json,
}

/// Why a command ends early.
#[derive(Debug)]
pub(crate) enum Stop {
    /// An error of lakekey.
    Failed(Error),
    /// Neither good nor bad news: nobody reads on.
    NobodyReads,
    /// Ctrl-C.
    Interrupted,
    /// The command line asks for what cannot be done as it stands.
    Usage(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        Stop::Failed(error)
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Stop {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Stop::NobodyReads;
        }
        Stop::Failed(Error::new(
            Code::Internal,
            format!("cannot read or write: {error}"),
        ))
    }
}

/// The exit code of a command, with its error printed.
pub(crate) fn end(result: Result<ExitCode, Stop>, output: Output) -> ExitCode {
    match result {
        Ok(code) => code,
        Err(Stop::NobodyReads) => ExitCode::SUCCESS,
        Err(Stop::Interrupted) => ExitCode::from(INTERRUPTED),
        Err(Stop::Usage(error)) => {
            report(&error, output);
            ExitCode::from(USAGE)
        }
        Err(Stop::Failed(error)) => {
            report(&error, output);
            exit_code(&error)
        }
    }
}

/// The exit code that an error stands for.
pub(crate) fn exit_code(error: &Error) -> ExitCode {
    match error.code() {
        Code::ConninfoSyntax | Code::ConninfoInvalid | Code::TargetInvalid => ExitCode::from(USAGE),
        _ => ExitCode::FAILURE,
    }
}

/// Writes to stdout.
pub(crate) fn print(text: &str) -> Result<(), Stop> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}

/// Says something beside the result.
pub(crate) fn tell(text: &str) {
    // When that place is gone there is nobody to tell.
    let _ = writeln!(io::stderr().lock(), "lakekey: {}", visible(text));
}

/// Writes an error where its reader looks. When that place is gone there is nobody to tell.
pub(crate) fn report(error: &Error, output: Output) {
    let written = match output {
        Output::Json => writeln!(io::stdout().lock(), "{}", error_json(error)),
        Output::Text => {
            let mut text = format!("lakekey: {}\n", visible(error.message()));
            for cause in error.causes() {
                if !error.message().contains(&cause) {
                    text.push_str("caused by: ");
                    text.push_str(&visible(&cause));
                    text.push('\n');
                }
            }
            if let Some(hint) = error.hint() {
                text.push_str("hint: ");
                text.push_str(&visible(hint));
                text.push('\n');
            }
            io::stderr().lock().write_all(text.as_bytes())
        }
    };
    drop(written);
}

/// `{"error": {"slug", "code", "message", "hint", ...}}`.
pub(crate) fn error_json(error: &Error) -> Value {
    let mut fields = Map::new();
    fields.insert("slug".into(), error.code().slug().into());
    fields.insert("code".into(), error.code().number().into());
    fields.insert("message".into(), error.message().into());
    fields.insert("hint".into(), error.hint().into());
    fields.insert("retryable".into(), error.is_retryable().into());
    if let Some(status) = error.http_status() {
        fields.insert("http_status".into(), status.into());
    }
    if let Some(id) = error.request_id() {
        fields.insert("request_id".into(), id.into());
    }
    json!({ "error": fields })
}

/// The text with control characters escaped, so that it cannot steer a terminal.
pub(crate) fn visible(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let escaped = c.is_control().then(|| c.escape_default());
            let plain = (!c.is_control()).then_some(c);
            escaped.into_iter().flatten().chain(plain)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use lakekey::{Code, Error};
    use serde_json::json;

    use super::{error_json, visible};

    #[test]
    fn an_error_has_its_stable_names_in_json() {
        let error = Error::new(Code::ConninfoSyntax, "no").with_hint("so");
        assert_eq!(
            error_json(&error),
            json!({"error": {"slug": "CONNINFO_SYNTAX", "code": 1601, "message": "no", "hint": "so", "retryable": false}})
        );
    }

    #[test]
    fn a_terminal_is_not_steered() {
        assert_eq!(visible("é\u{1b}[2J\n"), "é\\u{1b}[2J\\n");
    }
}
