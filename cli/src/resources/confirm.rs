//! Whether a delete is meant. A program has to say so beforehand: there is nobody to ask.

use std::io::{self, BufRead, IsTerminal, Write};

use lakekey::{Code, Error};

use crate::output::{Stop, visible};

/// Asks on the terminal; refuses where there is none.
pub(super) fn confirm(what: &str, name: &str) -> Result<(), Stop> {
    let terminal = io::stdin().is_terminal() && io::stderr().is_terminal();
    if !terminal {
        let error = Error::new(
            Code::ApiArgument,
            format!("{} would be {what}, and nobody was asked", visible(name)),
        )
        .with_hint("This is no terminal to ask on: say --yes if it is meant");
        return Err(Stop::Usage(error));
    }
    write!(
        io::stderr(),
        "{} will be {what}. Go on? [y/N] ",
        visible(name)
    )?;
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    if matches!(answer.trim(), "y" | "Y" | "yes") {
        return Ok(());
    }
    Err(Error::new(Code::Cancelled, format!("{} was left alone", visible(name))).into())
}
