//! The header of the C library, made from its sources. It is checked in, because whoever builds a C program has no use for
//! a Rust tool; a test compares the two.

use std::error::Error;
use std::path::{Path, PathBuf};

/// The top folder of the checkout.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Where the header is checked in.
pub fn path() -> PathBuf {
    root().join("bindings-c/include/lakekey.h")
}

/// The header that the sources say.
pub fn header() -> Result<String, Box<dyn Error>> {
    let library = root().join("bindings-c");
    let config = cbindgen::Config::from_file(library.join("cbindgen.toml"))?;
    let mut text = Vec::new();
    cbindgen::Builder::new()
        .with_crate(&library)
        .with_config(config)
        .generate()?
        .write(&mut text);
    Ok(String::from_utf8(text)?)
}
