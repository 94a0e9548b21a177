//! Configuration files.

use std::sync::{Arc, OnceLock};

use lakekey::clock::ManualClock;
use lakekey::config::Environment;
use lakekey::credential::Store;
use lakekey::jitter::FixedDice;
use lakekey::{Client, ClientOptions};

use crate::PLANTED;

/// Where the file lies; one per process.
fn directory() -> &'static std::path::Path {
    static DIRECTORY: OnceLock<tempfile::TempDir> = OnceLock::new();
    DIRECTORY
        .get_or_init(|| tempfile::tempdir().expect("a directory"))
        .path()
}

/// Any file is read, or refused with a reason; a token beside whatever else it holds is never shown.
pub fn check(data: &[u8]) {
    let file = directory().join(format!("{:?}.cfg", std::thread::current().id()));
    let mut text = data.to_vec();
    text.extend_from_slice(
        format!("\n[DEFAULT]\nhost = https://workspace.example.com\ntoken = {PLANTED}\n")
            .as_bytes(),
    );
    std::fs::write(&file, text).expect("a file");
    let client = Client::new(ClientOptions {
        environment: Environment::from_pairs([(
            "DATABRICKS_CONFIG_FILE",
            file.to_str().expect("a path of ours"),
        )]),
        store: Store::new(Arc::new(ManualClock::at(0)), Arc::new(FixedDice(0.5))),
        ..ClientOptions::default()
    });
    let shown = match client.and_then(|client| client.describe()) {
        Ok(description) => format!("{description:?}"),
        Err(error) => {
            assert!(!error.message().is_empty());
            format!("{error} {error:?} {:?} {:?}", error.hint(), error.causes())
        }
    };
    assert!(!shown.contains(PLANTED), "{shown}");
}
