//! How the native module is linked, and where its build describes its exports.

use std::path::PathBuf;
use std::{env, fs};

fn main() {
    napi_build::setup();
    // Node closes a module when the last worker that loaded it ends, while threads of ours may still run in it.
    if env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
    // Beside the module itself, as native-types.mjs reads it. Cargo's own folder for it has a name that nobody knows.
    let own = env::var_os("OUT_DIR").map(PathBuf::from);
    if let Some(profile) = own.as_deref().and_then(|own| own.ancestors().nth(3)) {
        let types = profile.join("native-types");
        if fs::create_dir_all(&types).is_ok() {
            println!(
                "cargo::rustc-env=NAPI_TYPE_DEF_TMP_FOLDER={}",
                types.display()
            );
        }
    }
}
