//! How the native library is linked.

fn main() {
    // The JVM closes a library with the class loader that loaded it, while threads of ours may still run in it.
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
