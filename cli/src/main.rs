//! The command lakekey.
fn main() {}
