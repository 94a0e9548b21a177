//! Writes the header of the C library.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    std::fs::write(lakekey_c_tests::path(), lakekey_c_tests::header()?)?;
    Ok(())
}
