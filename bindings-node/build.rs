//! How the native module is linked.

fn main() {
    napi_build::setup();
    // Node closes a module when the last worker that loaded it ends, while threads of ours may still run in it.
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
