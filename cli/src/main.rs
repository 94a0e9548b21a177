//! The command `lakekey`.

use std::process::ExitCode;

fn main() -> ExitCode {
    lakekey_cli::main()
}
